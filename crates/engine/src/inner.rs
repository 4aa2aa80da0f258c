//! The engine's inner works: making runs, handing them to drivers, and passing signals to the live ones.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use mainspring_model::burst::Gathered;
use mainspring_model::fault::Fault;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::{RunHeader, RunStatus};
use mainspring_model::store::{JournalRow, NewRun, RunWrite, Standing, StoreError};
use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use crate::driver::{Driver, Progress, Signal};
use crate::engine::{Inner, LiveRun, RunHandle, Start, StartError};
use crate::previous::PREVIOUS;
use crate::run::{Run, serves};
use crate::suspects::Alone;

/// What somebody asked of a run while nobody drove it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) cancel: bool,
    pub(crate) pause: bool,
}

impl Inner {
    pub(crate) async fn start(self: &Arc<Self>, start: Start) -> Result<RunHandle, StartError> {
        let draining = self.draining.load(Ordering::Acquire);
        // A called plan belongs to a step that is in flight: it is queued for the next process, or its parent would fail.
        if draining && start.parent.is_none() {
            return Err(StartError::Draining);
        }
        let (plan, slot, priority) = (start.plan.plan.clone(), start.slot, start.priority);
        let burst = start.burst.clone();
        let (header, key) = self.born(start).await?;
        let priority = priority.unwrap_or(plan.priority);
        if burst.is_some() {
            return self.gather(&plan, NewRun { header, slot, key, flow: None, burst, priority });
        }
        let (id, org) = (header.id, header.owner.org);
        let mut run = Run::new(plan, header.clone(), self.keys.clone())?;
        run.set_most_entries(self.settings.most_entries);
        run.set_tags(self.settings.tags.clone());
        let tag = run.plan().tag.clone();
        let flow = self.flow_of(run.plan(), &header)?;
        let held = flow.is_some();
        let new = Arc::new(NewRun { header, slot, key, flow, burst: None, priority });
        let (progress, watching) = watch::channel(Progress::default());
        let tags = &self.settings.tags;
        let room = !held && !draining && !self.exclusive.load(Ordering::Acquire) && self.has_room_for(org);
        let by_places = room && self.goes_by_places(org).await?;
        let leaves = held || by_places || tags.is_some() && run.plan().steps.iter().any(|step| !serves(tags, step.tag.as_deref()));
        let handle = RunHandle { id, leaves, progress: watching };
        if room && !by_places && serves(&self.settings.tags, tag.as_deref()) {
            self.spawn(run, self.store.epoch(), Some(new), progress, None, Asked::default());
        } else {
            let inner = self.clone();
            tokio::spawn(async move { inner.enqueue(id, new, Vec::new(), tag, progress).await });
        }
        Ok(handle)
    }

    /// What a run is born with, and its key.
    pub(crate) async fn born(&self, mut start: Start) -> Result<(Arc<RunHeader>, Option<String>), StartError> {
        let org = start.owner.org;
        if self.vault.data_key_version(org).is_none() {
            self.credentials.ensure_key(org).await.map_err(|error| Fault::internal(error.to_string()))?;
        }
        self.meter.started(start.trigger["type"].as_str().unwrap_or("unknown"));
        self.spans.note(&mut start.trigger, None);
        // A batch sees it when it closes.
        let is_batched = start.burst.as_ref().is_some_and(|burst| burst.gather.by() == Gathered::Batch);
        if start.plan.plan.reads_previous
            && !is_batched
            && let Some(trigger) = start.trigger.as_object_mut()
            && !trigger.contains_key(PREVIOUS)
        {
            // A replay has what the run had that it is of.
            trigger.insert(PREVIOUS.to_owned(), self.previous(org, start.plan.id).await?);
        }
        let now = self.clock.now();
        let id = RunId::at(now, self.random_10());
        let header = Arc::new(RunHeader {
            id,
            owner: start.owner,
            plan_id: start.plan.id,
            plan_version: start.plan.version,
            plan_name: start.plan.plan.name.clone(),
            inputs: start.inputs,
            trigger: start.trigger,
            org: self.org_root(org, id).await?,
            created_at: now,
            environment: self.settings.environment.clone(),
            seed: self.random_16(),
            parent: start.parent,
        });
        self.plans.insert(start.plan.id, start.plan.version, start.plan.plan);
        Ok((header, start.key))
    }

    /// Makes the run durable for whoever claims it, with the first rows of its journal.
    pub(crate) async fn enqueue(
        &self,
        id: RunId,
        new: Arc<NewRun>,
        rows: Vec<JournalRow>,
        tag: Option<String>,
        progress: watch::Sender<Progress>,
    ) {
        let org = new.header.owner.org;
        let rows = Arc::new(rows);
        let standing = tag.map_or(Standing::Queued, Standing::QueuedFor);
        let result = loop {
            let epoch = self.store.epoch();
            let write = RunWrite { run: id, epoch, create: Some(new.clone()), events: rows.clone(), standing: standing.clone() };
            match self.store.commit(write).await {
                // Declared dead meanwhile: nothing was written, and under the new epoch it may be.
                Ok(mainspring_model::store::Committed::Late) if self.store.epoch() != epoch => {}
                result => break result,
            }
        };
        if matches!(result, Ok(mainspring_model::store::Committed::Done)) {
            self.watchers.changed(org, id);
            if new.burst.is_some() {
                self.gathered.notify_one();
            } else if let Some(flow) = &new.flow {
                // Whoever asked is answered when it is known whether it begins.
                self.admit(org, &flow.key).await;
            }
        }
        progress.send_modify(|progress| match result {
            Ok(mainspring_model::store::Committed::Exists(run)) => {
                progress.exists = Some(run);
                progress.gone = true;
            }
            Ok(mainspring_model::store::Committed::Done) => {
                progress.accepted = true;
                progress.parked = true;
            }
            // Nobody may make runs under this epoch any more.
            Ok(mainspring_model::store::Committed::Late) => refuse(progress, StoreError::Closed),
            Err(error) => refuse(progress, error),
        });
    }

    pub(crate) fn spawn(
        self: &Arc<Self>,
        run: Run,
        epoch: i64,
        create: Option<Arc<NewRun>>,
        progress: watch::Sender<Progress>,
        alone: Option<Alone>,
        asked: Asked,
    ) {
        let (signals, inbox) = mpsc::unbounded_channel();
        let (id, org) = (run.header().id, run.header().owner.org);
        if create.is_none() {
            // Taken up: its row says so since the claim.
            self.watchers.changed(org, id);
        }
        let cancelled = asked.cancel || run.has_been_cancelled();
        if asked.cancel && !run.has_been_cancelled() {
            // In the channel before the driver begins, so that it cannot lie down to wait without having heard it.
            drop(signals.send(Signal::Cancel { by: "a caller".to_owned() }));
        }
        if asked.pause && !cancelled {
            drop(signals.send(Signal::Pause));
        }
        {
            let mut live = self.lock_live();
            if self.draining.load(Ordering::Acquire) {
                // Claimed before the end began, and after the others were told of it.
                drop(signals.send(Signal::Shutdown));
            }
            live.insert(id, LiveRun { org, signals, cancelled });
            self.live_count.store(live.len(), Ordering::Release);
        }
        let driver = Driver::new(self.clone(), run, epoch, create, progress, inbox, alone);
        let inner = self.clone();
        // What the run's lines in the log carry, beside the id of the request that it was started by.
        let span = tracing::error_span!("run", run_id = %id, org_id = %org);
        let driving = async move {
            if AssertUnwindSafe(driver.drive()).catch_unwind().await.is_err() {
                inner.bury(org, id, epoch).await;
            }
        };
        tokio::spawn(driving.instrument(span));
    }

    /// After a panic in a run's driver: nobody can say what the state in memory was, so the run ends by what is on disk.
    async fn bury(self: &Arc<Self>, org: OrgId, id: RunId, epoch: i64) {
        self.marks.leave(id);
        self.forget_live(id);
        let fault = Fault::internal("this run met a defect in the engine and was ended; the server's log has the details");
        match self.end_from_outside(id, epoch, RunStatus::Error, fault).await {
            Ok(()) => {
                tracing::error!("the driver of a run failed; the run was ended");
                self.place_freed(org);
                self.watchers.changed(org, id);
            }
            Err(error) => {
                tracing::error!(%error, "the driver of a run failed, and its end could not be written; it goes back to the queue");
                self.give_back(id, epoch);
            }
        }
    }

    pub(crate) fn signal(&self, run: RunId, signal: Signal) {
        if let Some(live) = self.lock_live().get(&run) {
            // A run that just ended needs no signal.
            drop(live.signals.send(signal));
        }
    }

    pub(crate) fn signal_all(&self, signal: &Signal) {
        let live = self.lock_live();
        let mut runs: Vec<_> = live.iter().collect();
        // In an order that a simulated world gives again.
        runs.sort_unstable_by_key(|(run, _)| run.0);
        for (_, live) in runs {
            drop(live.signals.send(signal.clone()));
        }
    }

    /// Passes a cancellation on to a live run: the first one from wherever it comes, a further one only when somebody asks `again`.
    /// The store shows the same request until the run ends, and a second cancellation ends `finally` too.
    pub(crate) fn pass_cancel(&self, run: RunId, by: &str, again: bool) {
        if let Some(live) = self.lock_live().get_mut(&run)
            && (again || !live.cancelled)
        {
            live.cancelled = true;
            drop(live.signals.send(Signal::Cancel { by: by.to_owned() }));
        }
    }

    /// Forgets a run whose driver has closed its inbox. A parked run may be due at once and driven again before the driver
    /// that parked it is gone: the entry is then the next driver's and stays.
    pub(crate) fn forget_live(&self, run: RunId) {
        let mut live = self.lock_live();
        if live.get(&run).is_some_and(|live| live.signals.is_closed()) {
            live.remove(&run);
            self.live_count.store(live.len(), Ordering::Release);
            drop(live);
            self.freed.notify_waiters();
        }
    }

    pub(crate) fn lock_live(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, LiveRun>> {
        self.live.lock().expect("no panic happens while the live runs are held")
    }

    pub(crate) fn random_16(&self) -> [u8; 16] {
        let mut state = self.entropy.lock().expect("no panic happens while the generator is held");
        let mut out = [0; 16];
        for half in out.chunks_mut(8) {
            half.copy_from_slice(&next_u64(&mut state).to_be_bytes());
        }
        out
    }

    pub(crate) fn random_10(&self) -> [u8; 10] {
        let bytes = self.random_16();
        let mut out = [0; 10];
        out.copy_from_slice(&bytes[..10]);
        out
    }
}

fn refuse(progress: &mut Progress, error: StoreError) {
    progress.refused = Some(Arc::new(error));
    progress.gone = true;
}

/// xoshiro256**, seeded by the machine: for ids and seeds, which need to be unique and not secret.
fn next_u64(state: &mut [u8; 32]) -> u64 {
    let mut s = [0_u64; 4];
    for (word, bytes) in s.iter_mut().zip(state.chunks(8)) {
        *word = u64::from_be_bytes(bytes.try_into().expect("chunks of eight"));
    }
    let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
    let t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3].rotate_left(45);
    for (word, bytes) in s.iter().zip(state.chunks_mut(8)) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    result
}

/// A failure that may be over the next time. A closed store is none: nothing of this process is recorded any more.
pub(crate) fn passes(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Failed(_)
            | StoreError::Full { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Busy { .. }
    )
}
