//! From rows to disk: a write is made until it is known to have happened, or to be too late.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mainspring_model::store::{Committed, JournalRow, RunWrite, Standing, StoreError};

use super::{Driver, HOLD, Stop};
use crate::live::LiveEvent;
use crate::sabotage;

impl Driver {
    /// Hands all rows to the store and waits until they are on disk.
    pub(super) async fn commit(&mut self, standing: Standing) -> Result<(), Stop> {
        let id = self.run.header().id;
        let upto = self.run.seq();
        let rows = Arc::new(std::mem::take(&mut self.rows));
        let mut left = rows.clone();
        if sabotage::acks_before_commit() && self.create.is_some() {
            self.progress.send_modify(|progress| progress.accepted = true);
            self.inner.clock.sleep_until(self.inner.clock.now() + 50).await;
        }
        loop {
            let write =
                RunWrite { run: id, epoch: self.epoch, create: self.create.clone(), events: left.clone(), standing: standing.clone() };
            match self.inner.store.commit(write).await {
                Ok(Committed::Done) => break,
                // Declared dead before the run was made: nothing of it was written or began, so it is made under the new epoch.
                Ok(Committed::Late) if self.create.is_some() && self.epoch != self.inner.store.epoch() => {
                    self.epoch = self.inner.store.epoch();
                }
                // Nobody may make runs under this epoch any more: nothing was accepted, and the caller must not believe so.
                Ok(Committed::Late) if self.create.is_some() => return Err(Stop::Refused(StoreError::Closed)),
                Ok(Committed::Late) => {
                    self.inner.meter.late();
                    tracing::info!(run_id = %id, epoch = self.epoch, "a late write was refused: the run is another process's by now");
                    return Err(Stop::Late);
                }
                Ok(Committed::Exists(run)) => return Err(Stop::Exists(run)),
                Err(error) if self.create.is_some() => {
                    self.find_out_whether_made(error).await?;
                    left = Arc::default();
                }
                Err(error) => {
                    self.pause_after(error).await?;
                    if self.is_written(&left).await? {
                        left = Arc::default();
                    }
                }
            }
        }
        self.create = None;
        self.durable = Some(upto);
        // A finished step clears the run: what dies from here on is counted from the start, alone or not.
        if rows.iter().any(|row| row.progress) {
            self.alone = None;
        }
        self.inner.watchers.changed(self.run.header().owner.org, id);
        if self.inner.watchers.is_watched(id) {
            for row in rows.iter() {
                self.inner.watchers.tell(id, LiveEvent::Row(row.clone()));
            }
        }
        if self.progress.receiver_count() > 0 {
            let responded = self.run.responded().cloned();
            self.progress.send_modify(|progress| {
                progress.accepted = true;
                progress.responded = responded;
            });
        }
        Ok(())
    }

    /// After a failed write that makes the run: the caller is told at once that it was not accepted, but an error does not say that
    /// nothing happened. A run that was made is held by this process, has its key and its slot, and nobody else would drive it.
    async fn find_out_whether_made(&mut self, error: StoreError) -> Result<(), Stop> {
        let id = self.run.header().id;
        let error = Arc::new(error);
        self.progress.send_modify(|progress| progress.refused = Some(error.clone()));
        loop {
            match self.inner.store.header(id).await {
                Ok(Some(_)) => {
                    self.create = None;
                    return Ok(());
                }
                Ok(None) => return Err(Stop::Gone),
                // The next process finds it, if it is there.
                Err(_) if self.inner.draining.load(Ordering::Acquire) => return Err(Stop::Gone),
                Err(error) => self.pause_after(error).await?,
            }
        }
    }

    /// After a failed write: whether its rows are there all the same. Only the holder of the run writes rows, so whoever wrote
    /// them, the write without them says whether that still is this driver. Written twice they would be refused for ever.
    async fn is_written(&mut self, rows: &[JournalRow]) -> Result<bool, Stop> {
        let Some(first) = rows.first() else { return Ok(false) };
        loop {
            match self.inner.store.history(self.run.header().id).await {
                Ok(history) => return Ok(history.last().is_some_and(|last| last.seq >= first.seq)),
                Err(error) => self.pause_after(error).await?,
            }
        }
    }

    /// After a store's failure: nothing is lost in memory, so try again in a while.
    pub(super) async fn pause_after(&mut self, error: StoreError) -> Result<(), Stop> {
        if matches!(error, StoreError::Closed) {
            return Err(Stop::Late);
        }
        tracing::error!(%error, "the store refused a write; the run waits for it");
        let until = self.inner.clock.now().saturating_add(HOLD);
        self.inner.clock.sleep_until(until).await;
        // Nobody hears signals here. What is not on disk is done again, as after a crash; a full disk must not hold the end up.
        let abandoned = self.inner.abandoned.load(Ordering::Acquire);
        // A wait that was written although its answer was lost may be over and taken up again, here too: that driver has the run now.
        if abandoned || self.inbox.is_closed() { Err(Stop::Late) } else { Ok(()) }
    }
}
