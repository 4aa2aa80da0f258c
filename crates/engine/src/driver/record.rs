//! From decisions to rows: events become rows, and what waits or ends says so in the run's row.

use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::event::EventBody;
use mainspring_model::run::{Ending, RunStatus};
use mainspring_model::store::{JournalRow, Standing, StateBatch, StoreError};

use super::{Driver, HOLD, Report, Signal, Stop};
use crate::journal;

impl Driver {
    pub(super) async fn record(&mut self, body: EventBody) -> Result<(), Stop> {
        let mut event = self.run.event(body, self.inner.clock.now());
        let row = loop {
            match journal::row_of(&*self.inner.store, self.run.header().owner.org, &mut event).await {
                Ok(row) => break row,
                // As in `commit`: who has been promised nothing is told, and does not hang until there is room.
                Err(error) if self.create.is_some() => return Err(Stop::Refused(error)),
                Err(error) => self.pause_after(error).await?,
            }
        };
        match &event.body {
            EventBody::Finished(ending) => self.ending = Some(ending.clone()),
            EventBody::Attempted(attempt) => {
                if let Some(fault) = &attempt.error {
                    // Not the message: it may be as long as an answer, and stands in the journal.
                    tracing::debug!(step_id = attempt.path, attempt = attempt.attempt, code = %fault.code, "an attempt failed");
                }
                self.inner.meter.attempted(attempt);
            }
            _ => {}
        }
        self.rows.push(row);
        if let Err(illegal) = self.run.apply(event) {
            // Our own decision did not fit our own state: give the run up rather than write nonsense.
            tracing::error!(error = %illegal, "a run's state refused its own event");
            return Err(Stop::Refused(StoreError::Failed(illegal.to_string())));
        }
        Ok(())
    }

    /// Records the ends of child runs; whether any had ended.
    pub(super) async fn look_at_children(&mut self) -> Result<bool, Stop> {
        let mut any = false;
        for (addr, attempt, child) in self.run.children() {
            let ending = match self.inner.store.ending(child).await {
                Ok(ending) => ending,
                Err(error) => {
                    self.pause_after(error).await?;
                    continue;
                }
            };
            let Some(mut ending) = ending else { continue };
            if let Some(blob) = ending.blob.take() {
                match journal::read(&*self.inner.store, self.run.header().owner.org, &blob).await {
                    Ok(output) => ending.output = output,
                    Err(error) => tracing::error!(run_id = %child, %error, "a child run's output could not be read"),
                }
            }
            if let Some(body) = self.run.child_ended(addr, attempt, child, ending) {
                self.record(body).await?;
                any = true;
            }
        }
        Ok(any)
    }

    /// A wait of more than a moment becomes a row. `true`: there is something to go on with instead.
    pub(super) async fn park_if_long(&mut self, wait: Option<Millis>) -> Result<bool, Stop> {
        let now = self.inner.clock.now();
        if wait.is_some_and(|wait| wait <= now.saturating_add(HOLD)) || self.run.is_finished() {
            return Ok(false);
        }
        if self.look_at_children().await? {
            return Ok(true);
        }
        // A request to cancel cuts a wait short and comes with the run that was taken up: it is heard before the run lies down again.
        let seq = self.run.seq();
        while let Ok(signal) = self.inbox.try_recv() {
            self.on_signal(signal).await?;
        }
        if self.run.seq() > seq || self.shutdown || self.paused {
            return Ok(true);
        }
        let id = self.run.header().id;
        self.commit(Standing::Waiting(wait)).await?;
        // A child that ended between the look and the commit woke nobody.
        for (_, _, child) in self.run.children() {
            if matches!(self.inner.store.ending(child).await, Ok(Some(_))) {
                if let Err(error) = self.inner.store.wake(id).await {
                    tracing::error!(run_id = %id, %error, "a parent was not woken; the next sweep will find it");
                }
                break;
            }
        }
        Err(Stop::Parked)
    }

    pub(super) async fn hand_back(&mut self) -> Result<(), Stop> {
        let id = self.run.header().id;
        if let Err(error) = self.inner.store.release(id, self.epoch).await {
            tracing::warn!(run_id = %id, %error, "a run was not given back; the next start will take it up");
        }
        Err(Stop::Parked)
    }

    /// Tells those who listen to ends of runs, before this one's is written. `false` when nobody does.
    async fn announce(&mut self) -> Result<bool, Stop> {
        let header = self.run.header().clone();
        loop {
            match self.inner.ends_are_heard(header.owner.org).await {
                Ok(false) => return Ok(false),
                Ok(true) => break,
                Err(error) => self.pause_after(error).await?,
            }
        }
        if self.create.is_some() {
            // It may not be made at all, where its key is taken: nothing is told of a run that is not there.
            let rows = std::mem::take(&mut self.rows);
            self.commit(Standing::Running).await?;
            self.rows = rows;
        }
        while let Err(error) = self.inner.announce_end(&header, self.epoch).await {
            self.pause_after(error).await?;
        }
        Ok(true)
    }

    pub(super) async fn finish(&mut self, ending: Ending) -> Result<(), Stop> {
        // The journal's last row carries the ending; an output over the limit is in a blob, here and in the run's row alike.
        let stored = match self.rows.last() {
            Some(row) if row.kind == "finished" => stored_ending(row).unwrap_or_else(|| ending.clone()),
            _ => ending.clone(),
        };
        let wants_report = self.progress.receiver_count() > 0;
        let report = Report {
            outputs: if wants_report { self.run.top_outputs() } else { Vec::new() },
            steps: if wants_report { self.run.top_steps() } else { Vec::new() },
            ending,
        };
        let status = report.ending.status;
        let heard = self.announce().await?;
        let writes = if status == RunStatus::Success { self.run.leaves_behind() } else { Vec::new() };
        let standing = if writes.is_empty() {
            Standing::Ended(stored)
        } else {
            let header = self.run.header();
            Standing::EndedWith(stored, StateBatch { org: header.owner.org, plan: header.plan_id, writes: Arc::new(writes) })
        };
        self.commit(standing).await?;
        if self.run.has_awaited() {
            self.forget_waits(None).await;
        }
        if self.run.has_held() {
            self.inner.forget_turns(self.run.header()).await;
        }
        self.inner.meter.ended(status);
        self.inner.spans.ended(self.run.header(), &report.ending, self.inner.clock.now());
        if self.run.plan().concurrency.is_some() {
            self.inner.admit_after(self.run.plan(), self.run.header()).await;
        }
        if let Some((parent, _)) = &self.run.header().parent {
            self.inner.signal(*parent, Signal::Child);
        }
        if heard {
            self.inner.heard.notify_one();
        }
        self.inbox.close();
        self.inner.forget_live(self.run.header().id);
        self.progress.send_modify(|progress| progress.ended = Some(Arc::new(report)));
        Ok(())
    }
}

fn stored_ending(row: &JournalRow) -> Option<Ending> {
    serde_json::from_str(&row.body).ok()
}
