//! A database that is left for another, and the marks that keep anybody from serving half of one or an old one.

use async_trait::async_trait;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::Departure;
use sqlx::{Connection, PgConnection, Row};

use super::error::Fail;
use super::open::{OpenOptions, Target};
use crate::copy::arriving::{self, Arriving};

/// Refuses a database that is filled from elsewhere, or whose content went elsewhere.
pub(super) async fn refuse(place: &str, connection: &mut PgConnection) -> Result<(), Fail> {
    Ok(arriving::refuse(place, marks(connection).await?)?)
}

/// What arrives here, and where everything went.
pub(super) async fn marks(connection: &mut PgConnection) -> Result<(Option<Arriving>, Option<String>), Fail> {
    let row = sqlx::query("select arriving, moved_to from public.store_state").persistent(false).fetch_one(connection).await?;
    let arriving = row.try_get::<Option<&str>, _>(0)?.map(Arriving::read).transpose()?;
    Ok((arriving, row.try_get(1)?))
}

/// Begins a transaction in which no node can register, for as long as it lasts, and refuses when one lives.
pub(super) async fn hold(place: &str, connection: &mut PgConnection) -> Result<(), Fail> {
    sqlx::raw_sql(
        "begin; select set_config('search_path', 'public, pg_temp', true), set_config('statement_timeout', '0', true), \
         set_config('idle_in_transaction_session_timeout', '0', true), set_config('lock_timeout', '5000', true); \
         lock table public.nodes in share mode",
    )
    .execute(&mut *connection)
    .await?;
    let sql = "select count(*) from public.nodes where lease_until > clock_timestamp()";
    let nodes: i64 = sqlx::query(sql).persistent(false).fetch_one(connection).await?.try_get(0)?;
    match u64::try_from(nodes) {
        Ok(0) => Ok(()),
        nodes => Err(StoreError::InUse { place: place.to_owned(), nodes: nodes.unwrap_or(1) }.into()),
    }
}

/// The database, held so that no node can begin, until everything has gone.
pub struct Departing {
    connection: PgConnection,
    place: String,
}

impl Departing {
    /// Holds the database, and brings it to this version's shape if the options let it. One that went to `to` already may go on.
    ///
    /// # Errors
    /// `InUse`, `Moved`, `Incomplete`, and those of opening.
    pub async fn begin(options: &OpenOptions, to: &str) -> Result<Departing, StoreError> {
        let target = Target::of(options)?;
        let place = target.place.to_string();
        let begun = async {
            let (_, _, mut connection) = target.prepare(options).await?;
            hold(&place, &mut connection).await?;
            let (_, moved_to) = marks(&mut connection).await?;
            if moved_to.as_deref() != Some(to) {
                refuse(&place, &mut connection).await?;
            }
            Ok::<_, Fail>(connection)
        };
        let connection = begun.await.map_err(|fail| fail.stored(&target.place))?;
        Ok(Departing { connection, place })
    }
}

#[async_trait]
impl Departure for Departing {
    async fn leave(self: Box<Self>, to: &str) -> Result<(), StoreError> {
        let Departing { mut connection, place } = *self;
        let done = async {
            mark(Some(to), &mut connection).await?;
            sqlx::raw_sql("commit").execute(&mut connection).await?;
            connection.close().await?;
            Ok::<_, Fail>(())
        };
        done.await.map_err(|fail| fail.stored(&place))
    }
}

async fn mark(to: Option<&str>, connection: &mut PgConnection) -> Result<(), Fail> {
    sqlx::query("update public.store_state set moved_to = $1").persistent(false).bind(to).execute(connection).await?;
    Ok(())
}

/// Lets a database that was moved be served again; `false` when it was not moved.
///
/// # Errors
/// Those of opening.
pub async fn reopen(options: &OpenOptions) -> Result<bool, StoreError> {
    let target = Target::of(options)?;
    let done = async {
        let (_, _, mut connection) = target.prepare(options).await?;
        hold(&target.place, &mut connection).await?;
        let (_, moved_to) = marks(&mut connection).await?;
        mark(None, &mut connection).await?;
        sqlx::raw_sql("commit").execute(&mut connection).await?;
        connection.close().await?;
        Ok::<_, Fail>(moved_to.is_some())
    };
    done.await.map_err(|fail| fail.stored(&target.place))
}
