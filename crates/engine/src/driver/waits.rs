//! Steps that wait for signals: looking whether one came, while the run is held and before it lies down.

use mainspring_model::clock::Millis;
use mainspring_model::event::EventBody;
use mainspring_model::id::SignalId;
use mainspring_model::store::SignalRecord;
use mainspring_model::wait::{Wait, WaitKind};
use serde_json::Value;

use super::{Driver, HOLD, Stop};
use crate::run::Awaiting;

/// Signals read in one go.
const PAGE: u32 = 200;

impl Driver {
    /// Records what came for the steps that wait for signals. `Some(true)`: there is something to go on with; `Some(false)`: look
    /// again at [`Driver::look_at`]; `None`: no step waits for any.
    ///
    /// A run that is held hears of a signal at once only where it was told to this process; a run that waits as a row is woken by the
    /// store, whoever told it.
    pub(super) async fn look_at_signals(&mut self) -> Result<Option<bool>, Stop> {
        if !self.run.has_awaited() {
            return Ok(None);
        }
        let now = self.inner.clock.now();
        let lies_down = self.flying.is_empty() && self.queue.is_empty();
        if now < self.look_at && !lies_down {
            return Ok(Some(false));
        }
        let awaiting = self.run.awaiting();
        if awaiting.is_empty() {
            return Ok(None);
        }
        self.look_at = now.saturating_add(HOLD);
        let mut found = false;
        for one in awaiting {
            if let Some(body) = self.first_fitting(&one).await? {
                self.end_wait(&one, body).await?;
                found = true;
            }
        }
        Ok(Some(found))
    }

    /// A wait whose time is up ends with what came in time, or without.
    pub(super) async fn last_look(&mut self, over: &Awaiting) -> Result<(), Stop> {
        let body = match self.first_fitting(over).await? {
            Some(body) => Some(body),
            None => self.run.timed_out(over),
        };
        match body {
            Some(body) => self.end_wait(over, body).await,
            None => Ok(()),
        }
    }

    async fn end_wait(&mut self, awaiting: &Awaiting, mut body: EventBody) -> Result<(), Stop> {
        self.note_mails(awaiting, &mut body).await;
        self.record(body).await?;
        self.forget_waits(Some(&awaiting.path)).await;
        Ok(())
    }

    /// What became of the mails that asked stands in the step's log. Whoever cannot be told of it goes on without.
    async fn note_mails(&self, awaiting: &Awaiting, body: &mut EventBody) {
        let EventBody::Attempted(attempted) = body else { return };
        let header = self.run.header();
        let Wait { topic, detail, .. } = &awaiting.wait;
        match self.inner.mails_of(header.owner.org, header.id, topic, detail).await {
            Ok(mails) if mails.is_empty() => {}
            Ok(mails) => drop(attempted.metadata.insert("mails".to_owned(), Value::Array(mails))),
            Err(error) => tracing::debug!(run = %header.id, %error, "it is not known what became of the mails of a question"),
        }
    }

    /// A wait that is left behind wakes its run for nothing, and is found when signals are pruned.
    pub(super) async fn forget_waits(&self, path: Option<&str>) {
        let header = self.run.header();
        if let Err(error) = self.inner.store.delete_waits(header.owner.org, header.id, path).await {
            tracing::debug!(run = %header.id, %error, "a wait that is over was not forgotten");
        }
    }

    async fn first_fitting(&mut self, awaiting: &Awaiting) -> Result<Option<EventBody>, Stop> {
        let org = self.run.header().owner.org;
        let since: Millis = awaiting.wait.since.unwrap_or(self.run.header().created_at);
        let mut after: Option<SignalId> = None;
        let together = awaiting.wait.kind == WaitKind::Triggers;
        let mut all = Vec::new();
        loop {
            let signals = match self.inner.store.signals(org, &awaiting.wait.topic, since, after, PAGE).await {
                Ok(signals) => signals,
                Err(error) => {
                    self.pause_after(error).await?;
                    continue;
                }
            };
            if !together && let Some(body) = self.run.first_fitting(awaiting, &signals) {
                return Ok(Some(body));
            }
            let full = signals.len() == PAGE as usize;
            after = signals.last().map(|last| last.id);
            if together {
                // Of each id the first one: a burst of one trigger takes no memory.
                let new = signals.into_iter().filter(|signal| signal.data["id"].as_str().is_some_and(|id| awaiting.wait.wants(id)));
                for signal in new {
                    if !all.iter().any(|known: &SignalRecord| known.data["id"] == signal.data["id"]) {
                        all.push(signal);
                    }
                }
                if let Some(body) = self.run.all_came(awaiting, &all) {
                    return Ok(Some(body));
                }
            }
            if !full {
                return Ok(None);
            }
        }
    }
}
