//! Notices of work: within this process at once, to the other nodes by NOTIFY, outside every commit and at most one in 20 ms.
//!
//! They only shorten a wait: whoever hears nothing looks into the queue by itself.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::sync::Notify;

use super::error::Fail;
use super::nodes::Node;
use super::session::Terms;

const CHANNEL: &str = "mainspring";
const PAUSE: Duration = Duration::from_millis(20);
/// Between attempts to listen or to tell, when that does not work.
const AGAIN: Duration = Duration::from_secs(5);

/// Who waits for work here, and whether the others are to be told.
#[derive(Default)]
pub(super) struct Notices {
    arrived: Notify,
    outgoing: Notify,
}

impl Notices {
    pub(super) fn new() -> Arc<Notices> {
        Arc::default()
    }

    /// There may be work.
    pub(super) fn tell(&self) {
        self.arrived.notify_one();
        self.outgoing.notify_one();
    }

    /// There is more to look at here.
    pub(super) fn again(&self) {
        self.arrived.notify_one();
    }

    /// As [`Notices::again`], when whoever decides about the same runs had time to.
    pub(super) fn soon(this: &Arc<Notices>) {
        let notices = Arc::clone(this);
        tokio::spawn(async move {
            let mut pace = pace(PAUSE);
            // The first one is at once.
            pace.tick().await;
            pace.tick().await;
            notices.again();
        });
    }

    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Tells the other nodes, for as long as it is polled.
    pub(super) async fn send(&self, terms: &Terms, node: &Node) {
        let mut connection = None;
        let mut pace = pace(PAUSE);
        let mut patience = pace_of_retries();
        loop {
            self.outgoing.notified().await;
            pace.tick().await;
            let sent = async {
                if connection.is_none() {
                    connection = Some(terms.connect().await?);
                }
                match &mut connection {
                    Some(open) => self.send_once(node, open).await,
                    None => Ok(()),
                }
            };
            match tokio::time::timeout(terms.deadline, sent).await {
                Ok(Ok(())) => {}
                _ => {
                    connection = None;
                    patience.tick().await;
                }
            }
        }
    }

    pub(super) async fn send_once(&self, node: &Node, connection: &mut PgConnection) -> Result<(), Fail> {
        let sql = format!("select pg_notify('{CHANNEL}', '{}')", node.epoch());
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
        Ok(())
    }

    /// Hears the other nodes, for as long as it is polled. Behind a pooler it may hear nothing, ever.
    pub(super) async fn listen(&self, terms: &Terms, node: &Node) {
        let mut patience = pace_of_retries();
        let mut again = false;
        loop {
            patience.tick().await;
            let _ = self.hear(again, terms, node).await;
            again = true;
        }
    }

    async fn hear(&self, again: bool, terms: &Terms, node: &Node) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(terms.deadline).connect_lazy_with(terms.connect.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        if again {
            // Something may have been told while nobody heard.
            self.arrived.notify_one();
        }
        loop {
            match listener.try_recv().await? {
                Some(notice) if notice.payload() == node.epoch().to_string() => {}
                Some(_) => self.arrived.notify_one(),
                // The connection broke: what was told meanwhile is lost.
                None => return Ok(()),
            }
        }
    }
}

fn pace(every: Duration) -> tokio::time::Interval {
    let mut pace = tokio::time::interval(every);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    pace
}

fn pace_of_retries() -> tokio::time::Interval {
    pace(AGAIN)
}
