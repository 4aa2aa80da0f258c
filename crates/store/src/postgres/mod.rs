//! The store of many nodes: PostgreSQL, one row for each live process, a few writing connections, small pools for the rest.
//!
//! Every file has its twin in `sqlite/`, but for what only many processes need: `nodes`, `lease`, `sweep`, `notices`, `days`,
//! and `rights` with the roles.

mod access;
mod audit;
mod births;
mod blobs;
mod breaker;
mod bursts;
mod ceiling;
mod claims;
mod commit;
mod copy_in;
mod copy_out;
mod copy_sql;
mod credentials;
mod days;
mod departure;
mod egress;
mod erase;
mod error;
mod factors;
mod files;
mod flags;
mod flow;
mod forget;
mod health;
mod integrations;
mod invitations;
mod lease;
mod ledger;
mod live;
mod logs;
mod migrations;
mod monitoring;
mod nodes;
mod notices;
mod notifications;
mod open;
mod organizations;
mod outbox;
mod people;
mod places;
mod plans;
mod pools;
mod prune;
mod rights;
mod routes;
mod rows;
mod runs;
mod schedules;
mod sealed;
mod secrets;
mod session;
mod sessions;
mod shares;
mod signals;
mod snapshot;
mod state;
mod state_write;
mod sweep;
mod trigger_states;
mod trust;
mod turns;
mod values;
mod variables;
mod versions;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, Mutex};

use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, OrgId, RunId};
use mainspring_model::store::{FileBytes, StoreError};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use claims::Floor;
use error::Fail;
use lease::Keeper;
use nodes::Node;
use notices::Notices;
use pools::Lane;
use session::{Scope, Session, Terms};
use values::{Stamp, given};
use writer::Writers;

pub use ceiling::commit_rate;
pub use copy_in::Import;
pub use copy_out::Whole;
pub use departure::{Departing, reopen};
pub use open::{OpenOptions, migrate, migration_state};
pub use snapshot::Snapshot;

use crate::shared;

/// A store in one PostgreSQL database. Cheap to share; dropping the last reference ends the writers after what they have
/// accepted, and leaves this node's runs to the others once its lease is over. [`Health::close`](mainspring_model::store::Health)
/// gives them back at once.
pub struct PostgresStore {
    terms: Arc<Terms>,
    writers: Writers,
    /// What the interface asks for.
    api: Lane,
    /// What the engine asks for.
    steps: Lane,
    node: Arc<Node>,
    notices: Arc<Notices>,
    keeper: Mutex<Option<Keeper>>,
    warnings: Vec<String>,
    /// What this node serves.
    tags: Vec<String>,
    /// How many runs of each organization may be at work.
    places: Option<u32>,
    floor: Mutex<Floor>,
    /// Runs of claims whose answer was lost, given back by the next claim.
    unanswered: Mutex<Vec<RunId>>,
    /// The next two digits of blobs' addresses that pruning looks at.
    blob_prefix: AtomicU8,
    /// Where the bytes of new files go instead of their table, when the operator named a bucket.
    objects: Option<Arc<dyn FileBytes>>,
    /// When each credential's use was noted last.
    touched: Mutex<HashMap<CredentialId, Millis>>,
}

impl PostgresStore {
    /// What opening found that an operator should change: a login role with more rights than it needs.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What went wrong, in the callers' words.
    fn said<T>(&self, done: Result<T, Fail>) -> Result<T, StoreError> {
        done.map_err(|fail| fail.stored(&self.terms.place))
    }

    /// The same for a whole call, which ends although the server has gone silent: its own timeout of statements is of no use then.
    /// Three times the deadline: one each for a connection, for the longest statement, and for the end.
    async fn within<T>(&self, call: impl Future<Output = Result<T, Fail>>) -> Result<T, StoreError> {
        let done = tokio::time::timeout(self.terms.deadline * 3, call).await;
        self.said(done.unwrap_or_else(|_| {
            let fail = Fail::from(self.terms.late());
            self.terms.breaker.note(Some(&fail));
            Err(fail)
        }))
    }

    async fn read(&self, scope: Scope) -> Result<Session, Fail> {
        self.api.open(scope, false, None).await
    }

    async fn write(&self, scope: Scope) -> Result<Session, Fail> {
        self.api.open(scope, true, None).await
    }
}

/// The organizations that a query names, as the queue's role sees them.
async fn organizations_of(sql: &'static str, session: &mut Session) -> Result<Vec<OrgId>, Fail> {
    session.query(sql).fetch_all(&mut **session).await?.iter().map(|row| Ok(OrgId(row.try_get(0)?))).collect()
}

/// The organization of a row that is known by its id or its hash alone, as the queue's role sees it; the session acts for it from here on.
async fn enter_org_of<'k, K>(sql: &'static str, key: K, session: &mut Session) -> Result<Option<OrgId>, Fail>
where
    K: sqlx::Encode<'k, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let row = session.query(sql).bind(key).fetch_optional(&mut **session).await?;
    let Some(row) = row else { return Ok(None) };
    let org = OrgId(row.try_get(0)?);
    session.enter(Scope::Org(org)).await?;
    Ok(Some(org))
}

fn text(row: &PgRow, column: usize) -> Result<String, Fail> {
    Ok(given(row.try_get(column)?))
}

fn text_or_none(row: &PgRow, column: usize) -> Result<Option<String>, Fail> {
    Ok(row.try_get::<Option<String>, _>(column)?.map(given))
}

fn at(row: &PgRow, column: usize) -> Result<Millis, Fail> {
    Ok(row.try_get::<Stamp, _>(column)?.0)
}

fn at_or_none(row: &PgRow, column: usize) -> Result<Option<Millis>, Fail> {
    Ok(row.try_get::<Option<Stamp>, _>(column)?.map(|stamp| stamp.0))
}

/// A number that is kept as bigint because its type has no sign.
fn whole(row: &PgRow, column: usize) -> Result<u32, Fail> {
    u32::try_from(row.try_get::<i64, _>(column)?).map_err(|_| Fail::damaged("a whole number"))
}

fn whole_or_none(row: &PgRow, column: usize) -> Result<Option<u32>, Fail> {
    let found: Option<i64> = row.try_get(column)?;
    found.map(|number| u32::try_from(number).map_err(|_| Fail::damaged("a whole number"))).transpose()
}

/// A document, selected as text.
fn json<T: serde::de::DeserializeOwned>(row: &PgRow, column: usize) -> Result<T, Fail> {
    Ok(shared::json::json(row.try_get(column)?)?)
}

fn json_or_none<T: serde::de::DeserializeOwned>(row: &PgRow, column: usize) -> Result<Option<T>, Fail> {
    Ok(row.try_get::<Option<&str>, _>(column)?.map(shared::json::json).transpose()?)
}

/// Ends whatever transaction is open; an error means that there is none, or no connection.
async fn roll_back(connection: &mut PgConnection) {
    let _ = sqlx::raw_sql("rollback").execute(connection).await;
}
