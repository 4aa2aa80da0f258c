//! Taking up runs from the store: queued ones, waits that are due, and what a dead process left behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mainspring_model::event::EventBody;
use mainspring_model::fault::{Class, Fault};
use mainspring_model::id::RunId;
use mainspring_model::run::{Ending, RunStatus};
use mainspring_model::store::{Claimed, RunWrite, Standing, StoreError};
use tokio::sync::watch;

use crate::credentials::SealError;
use crate::driver::{HOLD, Progress};
use crate::engine::{Engine, Inner};
use crate::inner::Asked;
use crate::journal;
use crate::rows;
use crate::run::{Illegal, Replaying, Run};
use crate::suspects::{Alone, is_suspect};

/// Runs taken up in one go.
const BATCH: usize = 256;
/// Runs that are taken up before others have a turn.
const TURN: usize = 8;
/// How long a full process waits for room for a whole batch, in milliseconds.
const ROOM_PATIENCE: i64 = 20;

impl Engine {
    /// Gives the runs of a process that died back to the queue. Called once, before [`Engine::serve`]; nothing waits for it.
    ///
    /// # Errors
    /// The store's.
    pub async fn recover(&self) -> Result<u64, StoreError> {
        let found = self.0.marks.found();
        self.0.store.recover(&found.in_flight, found.alone).await
    }

    /// Takes up due runs until the engine drains, and looks beside it for what is held back.
    pub async fn serve_claims(&self) {
        tokio::select! {
            biased;
            () = self.take_up_due() => {}
            () = self.look_at_flow() => {}
            () = self.look_at_bursts() => {}
        }
    }

    async fn take_up_due(&self) {
        let inner = &self.0;
        while !inner.draining.load(Ordering::Acquire) {
            inner.queue_pulse.beat(inner.clock.monotonic_us());
            let arrived = inner.store.work_arrived();
            match self.claim_once().await {
                Ok(taken) if taken > 0 && self.room() >= BATCH => continue,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the queue could not be read; trying again");
                    // What is due stays due: looking again when it is due would be at once, for as long as a disk is full.
                    inner.clock.sleep_until(self.next_look(None)).await;
                    continue;
                }
            }
            if self.room() < BATCH {
                self.wait_for_room().await;
                continue;
            }
            let until = match inner.store.next_wake().await {
                Ok(wake) => self.next_look(wake),
                Err(_) => self.next_look(None),
            };
            tokio::select! {
                biased;
                () = arrived => {}
                () = inner.clock.sleep_until(until) => {}
            }
        }
    }

    /// Until a whole batch fits again, or a moment has passed: a claim is a transaction, and one for each run that ends would
    /// cost more than the runs.
    async fn wait_for_room(&self) {
        let patience = self.0.clock.sleep_until(self.0.clock.now().saturating_add(ROOM_PATIENCE));
        let room = async {
            loop {
                let freed = self.0.freed.notified();
                if self.room() >= BATCH {
                    return;
                }
                freed.await;
            }
        };
        tokio::select! {
            biased;
            () = room => {}
            () = patience => {}
        }
    }

    pub(crate) fn next_look(&self, wake: Option<i64>) -> i64 {
        let now = self.0.clock.now();
        let poll = now.saturating_add(i64::try_from(self.0.settings.poll.as_millis()).unwrap_or(1_000));
        // At least a millisecond on: a run that is due and cannot be taken must not spin.
        wake.map_or(poll, |wake| wake.clamp(now + 1, poll))
    }

    /// Claims one batch and starts driving it; how many were taken.
    ///
    /// # Errors
    /// The store's.
    pub async fn claim_once(&self) -> Result<usize, StoreError> {
        let room = self.room().min(BATCH);
        if room == 0 {
            return Ok(0);
        }
        let claimed = self.0.store.claim(u32::try_from(room).expect("a small batch")).await?;
        let count = claimed.len();
        let (suspects, rest): (Vec<Claimed>, Vec<Claimed>) = claimed.into_iter().partition(is_suspect);
        // First, while the process is still quiet.
        self.take_up_suspects(suspects).await;
        for (at, run) in rest.into_iter().enumerate() {
            self.take_up(run, None).await;
            if at % TURN == TURN - 1 {
                // Somebody's start that comes meanwhile is not to wait until the whole batch has had its first turn.
                tokio::task::yield_now().await;
            }
        }
        for (run, by) in self.0.store.cancel_requests().await? {
            self.0.pass_cancel(run, &by, false);
        }
        Ok(count)
    }

    pub(crate) async fn take_up(&self, claimed: Claimed, alone: Option<Alone>) {
        let id = claimed.header.id;
        if let Some(refusal) = claimed.refused {
            return self.0.end_refused(&claimed, refusal).await;
        }
        match self.0.load(&claimed).await {
            Ok(run) => {
                let (progress, _) = watch::channel(Progress::default());
                self.0.spawn(
                    run,
                    claimed.epoch,
                    None,
                    progress,
                    alone,
                    Asked { cancel: claimed.cancel_requested, pause: claimed.pause_requested },
                );
            }
            Err(LoadError::Store(error)) => {
                tracing::error!(run_id = %id, %error, "a run could not be read; it goes back to the queue");
                self.0.give_back(id, claimed.epoch);
            }
            Err(LoadError::Gone(reason)) => {
                let fault = Fault::internal(format!("the run cannot go on: {reason}"));
                if let Err(error) = self.0.end_at_once(&claimed, RunStatus::Error, fault).await {
                    tracing::error!(run_id = %id, %error, "a run that cannot go on could not be ended; it goes back to the queue");
                    self.0.give_back(id, claimed.epoch);
                }
            }
        }
    }
}

/// Why a stored run did not come to life.
pub(crate) enum LoadError {
    Store(StoreError),
    /// Its plan or its journal is damaged; trying again changes nothing.
    Gone(String),
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid(reason) => LoadError::Gone(reason),
            StoreError::NotFound { what } => LoadError::Gone(format!("{what} does not exist")),
            other => LoadError::Store(other),
        }
    }
}

impl From<Illegal> for LoadError {
    fn from(illegal: Illegal) -> Self {
        LoadError::Gone(illegal.to_string())
    }
}

impl Inner {
    /// Gives a held run back to the queue. A store that fails is asked until it answers: nobody drives the run here, and as long as
    /// this process lives nobody else would.
    pub(crate) fn give_back(self: &Arc<Self>, run: RunId, epoch: i64) {
        let inner = self.clone();
        tokio::spawn(async move {
            // It may be taken up again here when it was given back and the answer was lost.
            while !inner.lock_live().contains_key(&run) {
                match inner.store.release(run, epoch).await {
                    Ok(()) | Err(StoreError::Closed) => return,
                    Err(error) if inner.draining.load(Ordering::Acquire) => {
                        return tracing::error!(run_id = %run, %error, "a run could not be given back; the next start takes it up");
                    }
                    Err(error) => tracing::error!(run_id = %run, %error, "a run could not be given back; trying again"),
                }
                inner.clock.sleep_until(inner.clock.now().saturating_add(HOLD)).await;
            }
        });
    }

    /// Replays a claimed run.
    pub(crate) async fn load(self: &Arc<Self>, claimed: &Claimed) -> Result<Run, LoadError> {
        let header = &claimed.header;
        let plan = self.plans.get(&*self.store, &*self.catalog, &header.owner, header.plan_id, header.plan_version).await?;
        let plan = plan.ok_or_else(|| LoadError::Gone(format!("plan {} version {} is gone", header.plan_id, header.plan_version)))?;
        if self.vault.data_key_version(header.owner.org).is_none() {
            self.credentials.ensure_key(header.owner.org).await.map_err(|error| match error {
                SealError::Store(error) => LoadError::from(error),
                SealError::Vault(error) => LoadError::Gone(error.to_string()),
            })?;
        }
        // A replay is born with the journal that it takes over.
        let mut history = if claimed.begun || header.replay_of().is_some() { self.store.history(header.id).await? } else { Vec::new() };
        journal::hydrate(&*self.store, header.owner.org, &mut history).await?;
        let mut replaying = Replaying::new(plan, Arc::new(header.clone()), self.keys.clone(), history)?;
        while let Some(wanted) = replaying.go_on()? {
            let read = rows::read(self, header, &wanted).await;
            if let Err(fault) = &read
                && fault.class == Class::Transient
            {
                return Err(LoadError::Store(StoreError::Failed(fault.to_string())));
            }
            replaying.rows_read(&wanted, read);
        }
        let mut run = replaying.done();
        if claimed.begun {
            run.doubt();
        }
        run.set_most_entries(self.settings.most_entries);
        run.set_tags(self.settings.tags.clone());
        Ok(run)
    }

    /// Writes a terminal event for a run that is not driven.
    pub(crate) async fn end_at_once(self: &Arc<Self>, claimed: &Claimed, status: RunStatus, fault: Fault) -> Result<(), StoreError> {
        self.end_from_outside(claimed.header.id, claimed.epoch, status, fault).await?;
        self.place_freed(claimed.header.owner.org);
        self.watchers.changed(claimed.header.owner.org, claimed.header.id);
        Ok(())
    }

    /// Writes the terminal event of a run whose driver is gone.
    pub(crate) async fn end_from_outside(&self, id: RunId, epoch: i64, status: RunStatus, fault: Fault) -> Result<(), StoreError> {
        self.end_with(id, epoch, Ending { status, output: serde_json::Value::Null, blob: None, error: Some(fault) }).await
    }

    /// As [`Inner::end_from_outside`], with any ending.
    pub(crate) async fn end_with(&self, id: RunId, epoch: i64, ending: Ending) -> Result<(), StoreError> {
        if let Some(header) = self.store.header(id).await?
            && self.ends_are_heard(header.owner.org).await?
        {
            self.announce_end(&header, epoch).await?;
        }
        self.write_end(id, epoch, ending).await
    }

    /// As [`Inner::end_with`], of a run whose end is nobody's to hear.
    pub(crate) async fn write_end(&self, id: RunId, epoch: i64, ending: Ending) -> Result<(), StoreError> {
        let seq = self.store.history(id).await?.last().map_or(0, |event| event.seq) + 1;
        let event = mainspring_model::event::Event { seq, at: self.clock.now(), body: EventBody::Finished(ending.clone()) };
        let events = Arc::new(vec![journal::plain_row(&event)]);
        self.store.commit(RunWrite { run: id, epoch, create: None, events, standing: Standing::Ended(ending) }).await?;
        Ok(())
    }
}
