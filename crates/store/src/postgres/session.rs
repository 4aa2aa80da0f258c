//! A transaction on one connection: who it acts as, by which time, and that its end is never guessed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use mainspring_model::clock::{Clock, Millis};
use mainspring_model::id::OrgId;
use mainspring_model::store::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Postgres, Row};

use super::breaker::Breaker;
use super::error::Fail;
use super::pools::Tally;

/// On whose behalf a statement runs. It holds until the transaction ends, so that a pooler may hand the connection on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// As the login role with no tenant: tables that belong to nobody, and no row of any other.
    Nobody,
    /// One organization's rows.
    Org(OrgId),
    /// The queue's columns of every organization, as the queue's role.
    Queue,
}

/// What every transaction of a store has in common.
pub(super) struct Terms {
    pub(super) connect: PgConnectOptions,
    /// Host, port and database, for messages.
    pub(super) place: Arc<str>,
    /// The queue's role.
    pub(super) queue: String,
    /// Prepared statements are kept; not behind a pooler that loses them.
    pub(super) prepared: bool,
    /// Of a statement, of waiting for a connection, and of a whole transaction.
    pub(super) deadline: Duration,
    /// A transaction that says nothing for this long ends, so that a stopped client holds no lock.
    pub(super) idle: Duration,
    /// Whether the server can be reached, over all connections.
    pub(super) breaker: Breaker,
    /// Connections for the lease, the sweep and the days.
    pub(super) leases: Tally,
    /// Connections of the writers.
    pub(super) writers: Tally,
    /// Instead of the database's, in tests. Never for leases.
    pub(super) clock: Option<Arc<dyn Clock>>,
}

/// A transaction's number, and the life of the server that gave it.
///
/// A number whose transaction left nothing on disk is given out again after a crash of the server, and then stands for somebody
/// else's. What counts as a crash starts the server's statistics anew; a clean restart keeps both.
#[derive(Clone, Debug)]
pub(super) struct Xid {
    no: String,
    life: String,
}

/// Which life a server is in. Taken for another one once too often, it costs an answer that says less.
const LIFE: &str = "concat_ws(' ', pg_postmaster_start_time(), (select stats_reset from pg_stat_archiver))";

/// What became of a transaction whose commit was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Undone,
    /// The server crashed since: that number was committed, and may be another transaction's by now.
    Unknown,
}

/// What an opening transaction tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Opened {
    pub(super) now: Millis,
    /// Of a transaction that will write.
    pub(super) xid: Option<Xid>,
    /// Of a fenced one: whether the lease still runs; `None` when the node's row is gone.
    pub(super) lease: Option<bool>,
}

impl Terms {
    /// Begins a transaction in one round trip. The clock is rounded down: a wait never ends early. `fence` locks the row of that node, for as long as the transaction lasts.
    pub(super) async fn begin(
        &self,
        scope: Scope,
        writes: bool,
        fence: Option<i64>,
        connection: &mut PgConnection,
    ) -> Result<Opened, Fail> {
        let xid = if writes { format!("pg_current_xact_id()::text, {LIFE}") } else { "null::text".to_owned() };
        let fence = match fence {
            // Before the role is another's: the row is the login role's to see.
            Some(no) => format!("select lease_until > clock_timestamp() from public.nodes where no = {no} for key share; "),
            None => String::new(),
        };
        // Every table is reached by an index. A plan that was made while a table was small is kept, and must not read all of it later.
        // A table without an index that is read all the same counts as so costly that the server would compile the query first (JIT),
        // which takes 50 ms for a table of one row.
        let sql = format!(
            "begin isolation level read committed; {fence}select set_config('search_path', 'public, pg_temp', true) || \
             set_config('enable_seqscan', 'off', true) || set_config('jit', 'off', true), \
             set_config('statement_timeout', '{}', true), set_config('idle_in_transaction_session_timeout', '{}', true), \
             set_config('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on' \
             else current_setting('synchronous_commit') end, true), {}, \
             floor(extract(epoch from clock_timestamp()) * 1000)::bigint, {xid}",
            self.deadline.as_millis().max(1),
            self.idle.as_millis().max(1),
            self.entering(scope)
        );
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await?;
        let (Some(last), before) = (rows.last(), rows.len().saturating_sub(1)) else {
            return Err(Fail::damaged("the answer to the beginning of a transaction"));
        };
        let now = match &self.clock {
            Some(clock) => clock.now(),
            None => last.try_get(6)?,
        };
        let lease = rows[..before].first().map(|row| row.try_get(0)).transpose()?;
        let xid = match last.try_get(7)? {
            Some(no) => Some(Xid { no, life: last.try_get(8)? }),
            None => None,
        };
        Ok(Opened { now, xid, lease })
    }

    fn entering(&self, scope: Scope) -> String {
        let (role, org) = match scope {
            Scope::Nobody => ("none", String::new()),
            Scope::Org(org) => ("none", org.to_string()),
            Scope::Queue => (self.queue.as_str(), String::new()),
        };
        // The names are our own: a number behind a fixed text, and a UUID.
        format!("set_config('role', '{role}', true), set_config('mainspring.org', '{org}', true)")
    }

    /// Acts on behalf of another from here on.
    pub(super) async fn enter(&self, scope: Scope, connection: &mut PgConnection) -> Result<(), Fail> {
        sqlx::raw_sql(AssertSqlSafe(format!("select {}", self.entering(scope)))).fetch_all(connection).await?;
        Ok(())
    }

    /// A connection of one's own.
    pub(super) async fn connect(&self) -> Result<PgConnection, Fail> {
        match tokio::time::timeout(self.deadline, self.connect.connect()).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(self.late().into()),
        }
    }

    /// Of a write whose fate stays open.
    pub(super) fn nobody_knows(&self) -> StoreError {
        StoreError::Unreachable {
            place: self.place.to_string(),
            reason: "the connection broke at a commit, and it could not be asked whether the write was kept".to_owned(),
        }
    }

    pub(super) fn late(&self) -> StoreError {
        StoreError::Unreachable { place: self.place.to_string(), reason: format!("no answer within {} ms", self.deadline.as_millis()) }
    }

    /// Whether the transaction of a connection that broke at its commit is on disk. Asks until it is no longer under way.
    pub(super) async fn fate(&self, xid: &Xid, connection: &mut PgConnection) -> Result<Fate, Fail> {
        let mut patience = tokio::time::interval(Duration::from_millis(20));
        let sql = format!("select pg_xact_status('{}'::xid8), {LIFE}", xid.no.replace(|c: char| !c.is_ascii_digit(), ""));
        loop {
            patience.tick().await;
            let row = sqlx::raw_sql(AssertSqlSafe(sql.clone())).fetch_one(&mut *connection).await?;
            let status: Option<String> = row.try_get(0)?;
            match status.as_deref() {
                Some("in progress") => {}
                Some("committed") if row.try_get::<String, _>(1)? != xid.life => return Ok(Fate::Unknown),
                status => return Ok(if status == Some("committed") { Fate::Committed } else { Fate::Undone }),
            }
        }
    }
}

/// An open transaction on a pooled connection. Dropped before its end it is rolled back, and its connection goes back after that.
pub(super) struct Session {
    terms: Arc<Terms>,
    lease: Option<PoolConnection<Postgres>>,
    opened: Opened,
}

impl Session {
    pub(super) fn new(terms: Arc<Terms>, lease: PoolConnection<Postgres>, opened: Opened) -> Session {
        Session { terms, lease: Some(lease), opened }
    }

    /// The store's clock when the transaction began.
    pub(super) fn now(&self) -> Millis {
        self.opened.now
    }

    /// The store's clock now, for what has to come after something the transaction waited for.
    pub(super) async fn now_here(&mut self) -> Result<Millis, Fail> {
        if let Some(clock) = &self.terms.clock {
            return Ok(clock.now());
        }
        let sql = "select floor(extract(epoch from clock_timestamp()) * 1000)::bigint";
        Ok(sqlx::query(sql).persistent(self.terms.prepared).fetch_one(&mut **self).await?.try_get(0)?)
    }

    pub(super) fn opened(&self) -> Opened {
        self.opened.clone()
    }

    /// Undoes the transaction and keeps the connection for statements that are one of their own.
    pub(super) async fn end_here(&mut self) -> Result<(), Fail> {
        sqlx::raw_sql("rollback").execute(&mut **self).await?;
        Ok(())
    }

    pub(super) fn query(&self, sql: &'static str) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(sql).persistent(self.terms.prepared)
    }

    /// Acts on behalf of another from here on.
    pub(super) async fn enter(&mut self, scope: Scope) -> Result<(), Fail> {
        let terms = Arc::clone(&self.terms);
        terms.enter(scope, self).await
    }

    /// Ends a transaction that only read.
    pub(super) async fn end(mut self) -> Result<(), Fail> {
        sqlx::raw_sql("commit").execute(&mut *self).await?;
        // In order: the connection is as it was and goes back to its pool.
        drop(self.lease.take());
        Ok(())
    }

    /// Durable when this returns. When the answer is lost, another connection is asked what became of it.
    pub(super) async fn commit(mut self) -> Result<(), Fail> {
        let done = match tokio::time::timeout(self.terms.deadline, sqlx::raw_sql("commit").execute(&mut *self)).await {
            Ok(done) => done.map(|_| ()).map_err(Fail::from),
            Err(_) => Err(Fail::Store(self.terms.late())),
        };
        let Some(connection) = self.lease.take() else { return Err(StoreError::Closed.into()) };
        let (Err(fail), Some(xid)) = (&done, &self.opened.xid) else { return done };
        let unanswered = fail.is_the_connections() || matches!(fail, Fail::Store(_));
        drop(connection.detach());
        if !unanswered {
            return done;
        }
        let asked = async { self.terms.fate(xid, &mut self.terms.connect().await?).await };
        match tokio::time::timeout(self.terms.deadline * 2, asked).await {
            Ok(Ok(Fate::Committed)) => Ok(()),
            Ok(Ok(Fate::Undone)) => done,
            _ => Err(self.terms.nobody_knows().into()),
        }
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.lease.as_deref().expect("only the end of a session gives its connection back")
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.lease.as_deref_mut().expect("only the end of a session gives its connection back")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut connection) = self.lease.take() else { return };
        let deadline = self.terms.deadline;
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // Nobody could finish the rollback; the server does when the connection closes.
            drop(connection.detach());
            return;
        };
        runtime.spawn(async move {
            let rolled = tokio::time::timeout(deadline, sqlx::raw_sql("rollback").execute(&mut *connection)).await;
            if !matches!(rolled, Ok(Ok(_))) {
                drop(connection.detach());
            }
        });
    }
}
