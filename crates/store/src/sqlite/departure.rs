//! A database that is left for another, and the marks that keep anybody from serving half of one or an old one.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::Departure;
use sqlx::{Connection, Row, SqliteConnection};

use super::error::Fail;
use super::migrations;
use super::open::{DATABASE_FILE, connect};
use crate::copy::arriving::{self, Arriving};
use crate::lock::EngineLock;

/// Refuses a database that is filled from elsewhere, or whose content went elsewhere.
pub(super) async fn refuse(place: &str, connection: &mut SqliteConnection) -> Result<(), Fail> {
    Ok(arriving::refuse(place, marks(connection).await?)?)
}

/// What arrives here, and where everything went.
pub(super) async fn marks(connection: &mut SqliteConnection) -> Result<(Option<Arriving>, Option<String>), Fail> {
    let row = sqlx::query("select arriving, moved_to from store_state where only_row = 1").fetch_one(connection).await?;
    let arriving = row.try_get::<Option<&str>, _>(0)?.map(Arriving::read).transpose()?;
    Ok((arriving, row.try_get(1)?))
}

/// The database of a folder, held with its engine lock until everything has gone.
pub struct Departing {
    connection: SqliteConnection,
    place: String,
    _lock: EngineLock,
}

impl Departing {
    /// Holds the folder, and brings its database to this version's shape. One that went to `to` already may go on.
    ///
    /// # Errors
    /// `NotFound`, `Locked`, `Moved`, `Incomplete`, and those of opening.
    pub async fn begin(folder: &Path, to: &str, now: Millis) -> Result<Departing, StoreError> {
        let file = existing(folder)?;
        let lock = EngineLock::take(folder)?;
        let place = file.display().to_string();
        let begun = async {
            let mut connection = connect(&file, None).await?;
            migrations::migrate(now, &mut connection).await?;
            let (_, moved_to) = marks(&mut connection).await?;
            if moved_to.as_deref() != Some(to) {
                refuse(&place, &mut connection).await?;
            }
            Ok::<_, Fail>(connection)
        };
        let connection = begun.await.map_err(|fail| fail.stored(&place))?;
        Ok(Departing { connection, place, _lock: lock })
    }
}

#[async_trait]
impl Departure for Departing {
    async fn leave(mut self: Box<Self>, to: &str) -> Result<(), StoreError> {
        mark(Some(to), &mut self.connection).await.map_err(|fail| fail.stored(&self.place))?;
        self.connection.close().await.map_err(|error| Fail::Sql(error).stored(&self.place))
    }
}

async fn mark(to: Option<&str>, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("update store_state set moved_to = ?1 where only_row = 1").bind(to).execute(connection).await?;
    Ok(())
}

/// Lets a database that was moved be served again; `false` when it was not moved.
///
/// # Errors
/// `NotFound`, `Locked`, and those of opening.
pub async fn reopen(folder: &Path, now: Millis) -> Result<bool, StoreError> {
    let file = existing(folder)?;
    let _lock = EngineLock::take(folder)?;
    let done = async {
        let mut connection = connect(&file, None).await?;
        migrations::migrate(now, &mut connection).await?;
        let (_, moved_to) = marks(&mut connection).await?;
        mark(None, &mut connection).await?;
        connection.close().await?;
        Ok::<_, Fail>(moved_to.is_some())
    };
    done.await.map_err(|fail| fail.stored(&file.display().to_string()))
}

pub(super) fn existing(folder: &Path) -> Result<PathBuf, StoreError> {
    let file = folder.join(DATABASE_FILE);
    if file.exists() { Ok(file) } else { Err(StoreError::NotFound { what: format!("the database {}", file.display()) }) }
}
