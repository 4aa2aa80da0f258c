//! Reading everything: one repeatable read, beside whoever writes, acting for one organization after another.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mainspring_model::id::OrgId;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Cell, Head, Kind, Row, Sink, Source, TABLES, Table};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use uuid::Uuid;

use super::copy_sql::{ORGANIZATIONS, select};
use super::departure::marks;
use super::error::Fail;
use super::migrations;
use super::open::{OpenOptions, Target, within};
use super::rights;
use super::session::{Scope, Terms};
use super::values::{Stamp, given};
use crate::copy::batch::Batch;

/// A database as it was at one moment.
pub struct Whole {
    connection: PgConnection,
    terms: Terms,
    head: Head,
    organizations: Vec<OrgId>,
}

impl Whole {
    /// Logs in as a node does, registers nothing and changes nothing.
    ///
    /// # Errors
    /// Those of opening; `Pending`: the version that wrote it can read it.
    pub async fn open(options: &OpenOptions) -> Result<Whole, StoreError> {
        let target = Target::of(options)?;
        let opened = async {
            let mut connection = target.log_in(&target.connect).await?;
            let roles = within(&mut connection, async |connection| {
                let roles = rights::look(&target.place, connection).await?;
                let pending = migrations::state(connection).await?.pending;
                match pending.is_empty() {
                    true => Ok(roles),
                    false => Err(StoreError::Pending { names: pending }.into()),
                }
            })
            .await?;
            let terms = target.terms(roles.queue, options);
            sqlx::raw_sql(
                "begin isolation level repeatable read read only; select set_config('search_path', 'public, pg_temp', true), \
                 set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)",
            )
            .execute(&mut connection)
            .await?;
            let part_of = marks(&mut connection).await?.0.map(|arriving| arriving.from);
            let row = sqlx::query("select canary from store_state").persistent(false).fetch_one(&mut connection).await?;
            let canary = row.try_get(0)?;
            terms.enter(Scope::Queue, &mut connection).await?;
            let rows = sqlx::query(ORGANIZATIONS).persistent(false).fetch_all(&mut connection).await?;
            let organizations = rows.iter().map(|row| Ok(OrgId(row.try_get(0)?))).collect::<Result<Vec<_>, sqlx::Error>>()?;
            let mut key_ids = Vec::new();
            for org in &organizations {
                terms.enter(Scope::Org(*org), &mut connection).await?;
                for row in sqlx::query("select distinct kek_id from data_keys").persistent(false).fetch_all(&mut connection).await? {
                    key_ids.push(given(row.try_get(0)?));
                }
            }
            key_ids.sort_unstable();
            key_ids.dedup();
            Ok::<_, Fail>((connection, terms, Head { place: target.place.to_string(), canary, key_ids, part_of }, organizations))
        };
        let (connection, terms, head, organizations) = opened.await.map_err(|fail| fail.stored(&target.place))?;
        Ok(Whole { connection, terms, head, organizations })
    }

    async fn read_table(&mut self, table: &'static Table, org: OrgId, to: &mut dyn Sink) -> Result<(), StoreError> {
        let place = self.head.place.clone();
        let mut batch = Batch::new(table, to);
        let query = sqlx::query(AssertSqlSafe(select(table))).persistent(self.terms.prepared).bind(org.0);
        let mut rows = query.fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(|error| Fail::Sql(error).stored(&place))? {
            batch.push(cells(table, &row).map_err(|fail| fail.stored(&place))?).await?;
        }
        batch.flush().await
    }
}

#[async_trait]
impl Source for Whole {
    fn head(&self) -> &Head {
        &self.head
    }

    async fn read(&mut self, to: &mut dyn Sink) -> Result<(), StoreError> {
        for org in self.organizations.clone() {
            let entered = self.terms.enter(Scope::Org(org), &mut self.connection).await;
            entered.map_err(|fail| fail.stored(&self.head.place))?;
            for table in TABLES {
                self.read_table(table, org, to).await?;
            }
        }
        Ok(())
    }
}

fn cells(table: &Table, row: &PgRow) -> Result<Row, Fail> {
    let cell = |(at, (_, kind)): (usize, &(&str, Kind))| {
        Ok(match kind {
            Kind::Id => row.try_get::<Option<Uuid>, _>(at)?.map(|id| Cell::Bytes(id.as_bytes().to_vec())),
            Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Cell::Bytes),
            Kind::Whole => row.try_get::<Option<i64>, _>(at)?.map(Cell::Whole),
            Kind::Flag => row.try_get::<Option<bool>, _>(at)?.map(|flag| Cell::Whole(flag.into())),
            Kind::Moment => row.try_get::<Option<Stamp>, _>(at)?.map(|stamp| Cell::Whole(stamp.0)),
            Kind::Text | Kind::Key => row.try_get::<Option<String>, _>(at)?.map(|text| Cell::Text(given(text))),
            Kind::Json => row.try_get::<Option<String>, _>(at)?.map(Cell::Text),
        }
        .unwrap_or(Cell::Null))
    };
    table.columns.iter().enumerate().map(cell).collect()
}
