//! How the store is, and its orderly end.

use std::time::Duration;

use async_trait::async_trait;
use mainspring_model::store::{Backlog, Health, Migrations, Pool, Reach, StoreError};
use sqlx::Row;

use super::session::Scope;
use super::{PostgresStore, at_or_none, migrations, sweep};

/// A probe that takes longer than this says that the store is ill.
const PROBE: Duration = Duration::from_secs(5);

/// A backlog of millions need not be counted to its end.
const BACKLOG: &str = "select (select count(*) from (select from runs where status = 'queued' limit 100000) as r), \
     (select min(due_at) from runs where status = 'queued')";

#[async_trait]
impl Health for PostgresStore {
    async fn probe(&self) -> Result<(), StoreError> {
        let probe = async {
            let mut session = self.write(Scope::Nobody).await?;
            session.query("update store_state set probed_at = clock_timestamp() returning probed_at").fetch_one(&mut *session).await?;
            session.commit().await
        };
        match tokio::time::timeout(PROBE, probe).await {
            Ok(probed) => self.said(probed),
            Err(_) => Err(StoreError::Unreachable {
                place: self.terms.place.to_string(),
                reason: format!("no answer to a probe within {} s", PROBE.as_secs()),
            }),
        }
    }

    async fn migrations(&self) -> Result<Migrations, StoreError> {
        let state = async {
            let mut session = self.read(Scope::Nobody).await?;
            let state = migrations::state(&mut session).await?;
            session.end().await?;
            Ok(state)
        };
        self.within(state).await
    }

    fn reach(&self) -> Reach {
        self.terms.breaker.reach()
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let row = session.query(BACKLOG).fetch_one(&mut *session).await?;
            session.end().await?;
            Ok(Backlog { queued: row.try_get::<i64, _>(0)?.cast_unsigned(), oldest: at_or_none(&row, 1)? })
        };
        self.within(found).await
    }

    fn pools(&self) -> Vec<Pool> {
        vec![self.terms.leases.figures("leases"), self.terms.writers.figures("writers"), self.api.figures(), self.steps.figures()]
    }

    async fn close(&self) {
        self.writers.close().await;
        self.sign_off().await;
        // After the row is gone: a lease that is no longer renewed would look like a death.
        self.keeper.lock().expect("no panic happens while the keeper is taken").take();
        self.api.close().await;
        self.steps.close().await;
    }
}

impl PostgresStore {
    /// Gives back what this node holds, so that the others need not wait for its lease. What fails here is left to their sweep.
    async fn sign_off(&self) {
        let epoch = self.node.epoch();
        if epoch == 0 {
            return;
        }
        let signing = async {
            let mut connection = self.terms.connect().await?;
            let queued = sweep::queue_runs_of(epoch, 0, &self.terms, &mut connection).await?;
            self.node.leave(epoch, &mut connection).await?;
            // What another connection claimed between the two.
            let queued = queued + sweep::queue_runs_of(epoch, 0, &self.terms, &mut connection).await?;
            if queued > 0 {
                self.notices.send_once(&self.node, &mut connection).await?;
            }
            Ok::<(), super::error::Fail>(())
        };
        match tokio::time::timeout(self.terms.deadline, signing).await {
            Ok(Ok(())) => {}
            Ok(Err(fail)) => tracing::warn!(error = %fail.stored(&self.terms.place), "the node could not sign off; its lease runs out"),
            Err(_) => tracing::warn!("the node could not sign off in time; its lease runs out"),
        }
    }
}
