//! This process among the nodes: its row, its epoch, and its lease by the database's clock.

use std::sync::Arc;
use std::time::Duration;

use mainspring_model::id::RunId;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio::sync::Mutex;

use super::error::Fail;
use super::session::{Opened, Scope, Session, Terms};
use super::trust::{self, Trust};
use super::{PostgresStore, roll_back};
use crate::sabotage::{Switch, is_on, lease_clock};

/// The epoch of a process that signed off: no row has it, so nothing is written with it.
const GONE: i64 = -1;

/// What this process is registered as.
pub(super) struct Node {
    terms: Arc<Terms>,
    pub(super) lease: Duration,
    /// The `no` of its row, 0 in a process that drives nothing, and for how long that is sure.
    pub(super) trust: Trust,
    /// Held while the process registers anew, so that its connections do it once.
    turn: Mutex<()>,
}

impl Node {
    pub(super) fn new(terms: &Arc<Terms>, lease: Duration) -> Node {
        let monotonic = match terms.clock.clone() {
            Some(clock) => Box::new(move || clock.monotonic_us()),
            None => trust::monotonic(),
        };
        Node { terms: Arc::clone(terms), lease, trust: Trust::new(lease, monotonic), turn: Mutex::default() }
    }

    pub(super) fn epoch(&self) -> i64 {
        self.trust.epoch()
    }

    fn lease_text(&self) -> String {
        format!("interval '{} milliseconds'", self.lease.as_millis())
    }

    /// As everything here that stands outside of a transaction, one message: a pooler gives the next one to another server.
    pub(super) async fn join(&self, connection: &mut PgConnection) -> Result<(), Fail> {
        let sql = format!(
            "insert into public.nodes (node_id, lease_until) values (gen_random_uuid(), {} + {}) returning no",
            lease_clock(),
            self.lease_text()
        );
        let sent = self.trust.now();
        let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?;
        self.trust.joined(row.try_get(0)?, sent);
        Ok(())
    }

    /// After `lost` was found to be gone: a fresh row and epoch, unless another connection of this process was first.
    pub(super) async fn join_again(&self, lost: i64, connection: &mut PgConnection) -> Result<(), Fail> {
        let _turn = self.turn.lock().await;
        if lost != GONE && self.epoch() == lost {
            self.join(connection).await?;
            tracing::warn!(lost, epoch = self.epoch(), "this node was declared dead; it goes on under a new epoch and without its runs");
        }
        Ok(())
    }

    /// Signs off: whoever looks for the dead finds nobody.
    pub(super) async fn leave(&self, no: i64, connection: &mut PgConnection) -> Result<(), Fail> {
        sqlx::raw_sql(AssertSqlSafe(format!("delete from public.nodes where no = {no}"))).execute(connection).await?;
        self.trust.left(GONE);
        Ok(())
    }

    /// `false` when the row is gone.
    pub(super) async fn renew(&self, no: i64, connection: &mut PgConnection) -> Result<bool, Fail> {
        let sql = format!("update public.nodes set lease_until = {} + {} where no = {no}", lease_clock(), self.lease_text());
        let sent = self.trust.now();
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
        let there = done.rows_affected() > 0;
        if there {
            self.trust.renewed(no, sent);
        }
        Ok(there)
    }

    /// Begins a transaction that holds the fence of `no`; `None` when this node was declared dead, and then nothing is open.
    ///
    /// A lease that ran out while nobody declared anything is renewed here: whoever can write is alive, and writers that
    /// follow one another without a pause would keep the sweep from ever getting the row.
    pub(super) async fn begin(&self, scope: Scope, no: i64, connection: &mut PgConnection) -> Result<Option<Opened>, Fail> {
        let fence = (no != 0 && !is_on(Switch::NoFencing)).then_some(no);
        let opened = self.terms.begin(scope, true, fence, connection).await?;
        if self.holds(no, &opened, connection).await? {
            return Ok(Some(opened));
        }
        roll_back(connection).await;
        self.join_again(no, connection).await?;
        Ok(None)
    }

    /// The same for a pooled session; it is spent when this node was declared dead.
    pub(super) async fn keeps(&self, no: i64, session: &mut Session) -> Result<bool, Fail> {
        let opened = session.opened();
        if opened.lease == Some(false) {
            // The nodes' rows are the login role's.
            session.enter(Scope::Nobody).await?;
        }
        let holds = self.holds(no, &opened, session).await?;
        if !holds {
            session.end_here().await?;
            self.join_again(no, session).await?;
        } else if opened.lease == Some(false) {
            session.enter(Scope::Queue).await?;
        }
        Ok(holds)
    }

    async fn holds(&self, no: i64, opened: &Opened, connection: &mut PgConnection) -> Result<bool, Fail> {
        match opened.lease {
            _ if no == 0 || is_on(Switch::NoFencing) => Ok(true),
            Some(true) => Ok(true),
            Some(false) => self.renew(no, connection).await,
            None => Ok(false),
        }
    }
}

impl PostgresStore {
    /// Says which run this node drives with the process to itself, so that its crash is counted as one alone.
    ///
    /// # Errors
    /// The store's.
    pub async fn drives_alone(&self, run: Option<RunId>) -> Result<(), mainspring_model::store::StoreError> {
        let noted = async {
            let mut session = self.steps.open(Scope::Nobody, true, None).await?;
            let query = session.query("update nodes set alone = $2 where no = $1").bind(self.node.epoch()).bind(run.map(|run| run.0));
            query.execute(&mut *session).await?;
            session.commit().await
        };
        self.within(noted).await
    }
}
