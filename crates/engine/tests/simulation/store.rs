//! A node's connection to the model store: each call travels, may meet a fault on its way, and takes effect when it arrives.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::event::{Event, EventBody};
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::{Ending, RunHeader, RunSummary};
use mainspring_model::store::{Claimed, Committed, Page, Paging, RunFilter, RunStore, RunWrite, StoreError};
use tokio::sync::{Notify, oneshot};

use super::database::{Database, Sabotage};
use super::holding::{LEASE, MARGIN};
use super::weather::{GIVE_UP, Met};
use super::world::World;

pub struct NodeStore {
    pub world: Arc<World>,
    pub node: usize,
    pub life: u32,
    pub epoch: AtomicI64,
    /// Until when the node trusts its registration, by true time: its monotonic clock counts truly.
    pub sure_until: AtomicI64,
    /// Told when it was registered or renewed.
    pub renewed: Arc<Notify>,
    /// How far the node's clock is off, for the sabotage that lets it judge leases.
    pub skew: Arc<AtomicI64>,
    pub arrived: Arc<Notify>,
    /// Runs of claims whose answer was lost: given back in the next claim's transaction, as the trait asks.
    pub unanswered: Arc<Mutex<Vec<RunId>>>,
}

/// As the store of many nodes says it.
fn unreachable(reason: &str) -> StoreError {
    StoreError::Unreachable { place: "the model store".to_owned(), reason: reason.to_owned() }
}

fn lost() -> StoreError {
    unreachable("the connection was lost")
}

impl NodeStore {
    /// Asks the database: `op` happens when the request arrives there.
    pub async fn ask<T: Send + 'static>(
        &self,
        commits: bool,
        op: impl FnOnce(&Arc<World>, &mut Database, Millis) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let (node, life) = (self.node, self.life);
        let now = self.world.agenda.now();
        let Some(journey) = self.world.depart(node, life, commits) else {
            return std::future::pending().await;
        };
        if journey.dies {
            self.world.kill(node, life, "before a commit");
            return std::future::pending().await;
        }
        let answer = move |world: &Arc<World>, at: Millis, result: Result<T, StoreError>| {
            world.agenda.at(at, move |world| {
                // Whoever asked may have gone.
                let _ = tell.send(result);
                world.touch(node);
            });
        };
        self.world.agenda.at(now + journey.there, move |world| {
            let arrival = world.agenda.now();
            let alive = world.is_life(node, life);
            // What a dead process had sent may or may not have left it.
            if !alive && world.percent(50) {
                return;
            }
            if world.weather().is_cut(node, arrival) {
                return answer(world, now + GIVE_UP, Err(lost()));
            }
            if world.weather().is_out(arrival) {
                return answer(world, arrival + journey.back, Err(unreachable("it is not available")));
            }
            let (result, wrote) = {
                let mut database = world.database();
                let result = op(world, &mut database, arrival);
                (result, std::mem::take(&mut database.wrote))
            };
            world.after_write();
            let met = if wrote { world.weather().meets_write(node) } else { Met::Nothing };
            match met {
                Met::Death => return world.kill(node, life, "after a commit"),
                Met::Silence => return answer(world, arrival + journey.back, Err(lost())),
                Met::Nothing => {}
            }
            let back = arrival + journey.back;
            world.agenda.at(back, move |world| {
                if world.weather().is_cut(node, back) {
                    answer(world, now + GIVE_UP, Err(lost()));
                } else {
                    answer(world, back, result);
                }
            });
        });
        match told.await {
            Ok(result) => result,
            Err(_) => std::future::pending().await,
        }
    }

    /// The time by which leases are judged: the database's, unless that is sabotaged.
    fn lease_time(&self) -> impl Fn(&Database, Millis) -> Millis + Send + 'static {
        let skew = self.skew.load(Ordering::SeqCst);
        move |database, now| if database.is(Sabotage::NodeClockLeases) { now + skew } else { now }
    }

    /// A registration or a renewal that left then was answered.
    fn trust_from(&self, sent: Millis) {
        self.sure_until.store(sent + LEASE - MARGIN, Ordering::SeqCst);
        self.renewed.notify_waiters();
    }

    pub async fn register(&self) -> Result<i64, StoreError> {
        let (node, life, time, sent) = (self.node, self.life, self.lease_time(), self.world.agenda.now());
        let epoch = self
            .ask(false, move |world, database, now| {
                let epoch = database.register(time(database, now));
                world.judge().registered(epoch, node, life, now);
                world.note(format!("node {node} life {life} registers as {epoch}"));
                Ok(epoch)
            })
            .await?;
        self.epoch.store(epoch, Ordering::SeqCst);
        self.trust_from(sent);
        Ok(epoch)
    }

    pub async fn renew(&self) -> Result<bool, StoreError> {
        let (epoch, time, sent) = (self.epoch(), self.lease_time(), self.world.agenda.now());
        let there = self.ask(false, move |_, database, now| Ok(database.renew(epoch, time(database, now)))).await?;
        if there {
            self.trust_from(sent);
        }
        Ok(there)
    }

    pub async fn sign_off(&self) -> Result<(), StoreError> {
        let (epoch, time) = (self.epoch(), self.lease_time());
        self.ask(false, move |_, database, now| {
            let now = time(database, now);
            database.sign_off(epoch, now);
            Ok(())
        })
        .await
    }

    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let (node, time) = (self.node, self.lease_time());
        self.ask(false, move |world, database, now| {
            let swept = database.sweep(time(database, now));
            for epoch in &swept {
                world.note(format!("node {node} sweeps registration {epoch}"));
            }
            world.judge().swept(&swept, database, now);
            Ok(swept.len() as u64)
        })
        .await
    }
}

#[async_trait]
impl RunStore for NodeStore {
    async fn now(&self) -> Result<Millis, StoreError> {
        self.ask(false, |_, _, now| Ok(now)).await
    }

    fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::SeqCst)
    }

    fn trusts(&self, epoch: i64) -> bool {
        let sure = self.epoch() == epoch && self.world.agenda.now() < self.sure_until.load(Ordering::SeqCst);
        sure || self.world.sabotage == Some(Sabotage::NoSelfFencing)
    }

    async fn trusted(&self, epoch: i64) -> bool {
        loop {
            let renewed = self.renewed.notified();
            if self.trusts(epoch) || self.epoch() != epoch {
                return self.trusts(epoch);
            }
            renewed.await;
        }
    }

    async fn commit(&self, write: RunWrite) -> Result<Committed, StoreError> {
        let node = self.node;
        if self.world.sabotage == Some(Sabotage::EarlyDone) {
            let (world, life) = (self.world.clone(), self.life);
            let when = world.agenda.now() + world.between(100, 2_000);
            world.agenda.at(when, move |world| {
                if world.is_life(node, life) {
                    let now = world.agenda.now();
                    let done = world.database().commit(&write, now);
                    world.committed(node, &write, &done, now);
                    world.after_write();
                }
            });
            return Ok(Committed::Done);
        }
        self.ask(true, move |world, database, now| {
            let done = database.commit(&write, now);
            world.committed(node, &write, &done, now);
            done
        })
        .await
    }

    async fn claim(&self, max: u32) -> Result<Vec<Claimed>, StoreError> {
        let (node, epoch, unanswered) = (self.node, self.epoch(), self.unanswered.clone());
        let given = self.unanswered.clone();
        let claimed = self
            .ask(false, move |world, database, now| {
                let back = std::mem::take(&mut *unanswered.lock().unwrap());
                if !database.is(Sabotage::ClaimsForgotten) {
                    database.untake(epoch, &back, now);
                }
                let claimed = database.claim(epoch, max as usize, now);
                let ids: Vec<RunId> = claimed.iter().map(|run| run.header.id).collect();
                for run in &ids {
                    world.note(format!("node {node} takes {run} as {epoch}"));
                    world.judge().held(*run, epoch);
                }
                *unanswered.lock().unwrap() = ids;
                Ok(claimed)
            })
            .await?;
        given.lock().unwrap().clear();
        Ok(claimed)
    }

    async fn next_wake(&self) -> Result<Option<Millis>, StoreError> {
        self.ask(false, |_, database, _| Ok(database.next_wake())).await
    }

    async fn work_arrived(&self) {
        self.arrived.notified().await;
    }

    async fn recover(&self, _: &[RunId], _: Option<RunId>) -> Result<u64, StoreError> {
        self.sweep().await
    }

    async fn release(&self, run: RunId, epoch: i64) -> Result<(), StoreError> {
        let standing = mainspring_model::store::Standing::Queued;
        self.commit(RunWrite { run, epoch, create: None, events: Arc::default(), standing }).await.map(|_| ())
    }

    async fn wake(&self, run: RunId) -> Result<(), StoreError> {
        self.ask(false, move |_, database, now| {
            database.signal(run, now);
            Ok(())
        })
        .await
    }

    async fn request_cancel(&self, _: OrgId, run: RunId, by: &str) -> Result<bool, StoreError> {
        let by = by.to_owned();
        self.ask(false, move |_, database, now| database.request_cancel(run, &by, now)).await
    }

    async fn cancel_requests(&self) -> Result<Vec<(RunId, String)>, StoreError> {
        let epoch = self.epoch();
        self.ask(false, move |_, database, _| Ok(database.cancel_requests(epoch))).await
    }

    async fn header(&self, run: RunId) -> Result<Option<RunHeader>, StoreError> {
        self.ask(false, move |_, database, _| Ok(database.runs.get(&run).map(|row| (*row.header).clone()))).await
    }

    async fn history(&self, run: RunId) -> Result<Vec<Event>, StoreError> {
        let rows = self.ask(false, move |_, database, _| Ok(database.runs.get(&run).map(|row| row.journal.clone()).unwrap_or_default()));
        let read = |row: mainspring_model::store::JournalRow| {
            let body: EventBody = serde_json::from_str(&row.body).map_err(|error| StoreError::Invalid(error.to_string()))?;
            Ok(Event { seq: row.seq, at: row.at, body })
        };
        rows.await?.into_iter().map(read).collect()
    }

    async fn ending(&self, run: RunId) -> Result<Option<Ending>, StoreError> {
        self.ask(false, move |_, database, _| Ok(database.runs.get(&run).and_then(|row| row.ending.clone()))).await
    }

    async fn get_run(&self, _: OrgId, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        Err(StoreError::Failed(format!("the model store shows no summaries, so none of {run}")))
    }

    async fn list_runs(&self, _: OrgId, _: &RunFilter, _: &Paging) -> Result<Page<RunSummary>, StoreError> {
        Err(StoreError::Failed("the model store lists no runs".to_owned()))
    }
}
