//! The engine: accepts runs, keeps the live ones, and joins store, catalogue, vault and clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_model::catalog::Catalog;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::fault::{Code, Fault};
use mainspring_model::id::{OrgId, Owner, RunId};
use mainspring_model::problem::Problem;
use mainspring_model::run::{RunHeader, Slot};
use mainspring_model::store::{NewRun, Retention, RunWrite, Standing, Store, StoreError};
use mainspring_vault::{Redactor, Vault};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::credentials::Credentials;
use crate::driver::{Driver, Progress, Signal};
use crate::keys::VaultKeys;
use crate::live::Watchers;
use crate::marks::CrashMarks;
use crate::plans::{LoadedPlan, PlanCache};
use crate::run::{Run, RunKeys};

/// What the engine is built from.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub catalog: Arc<dyn Catalog>,
    pub vault: Arc<Vault>,
    /// Learns every secret that is opened; the log sink uses the same one.
    pub redactor: Arc<Redactor>,
    pub clock: Arc<dyn Clock>,
    pub marks: Arc<dyn CrashMarks>,
    pub settings: Settings,
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs driven side by side by this process.
    pub max_live: usize,
    /// `run.environment`.
    pub environment: String,
    pub retention: Retention,
    /// How often the store is asked for work when nothing announces any.
    pub poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { max_live: 2_048, environment: "development".to_owned(), retention: Retention::default(), poll: Duration::from_secs(1) }
    }
}

/// A run to be started.
pub struct Start {
    pub owner: Owner,
    pub plan: LoadedPlan,
    /// Accepted by the plan's `inputs` already.
    pub inputs: Value,
    /// The root `trigger`; its `type` names the kind.
    pub trigger: Value,
    /// The same key gives the first run again.
    pub key: Option<String>,
    pub slot: Option<(Slot, Option<Millis>)>,
    pub parent: Option<(RunId, String)>,
}

impl Start {
    /// A run by hand.
    pub fn manual(owner: Owner, plan: LoadedPlan, inputs: Value) -> Start {
        Start { owner, plan, inputs, trigger: json!({"type": "manual"}), key: None, slot: None, parent: None }
    }
}

/// Why a run was not accepted.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("the inputs do not fit the plan")]
    Inputs(Vec<Problem>),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The process is going down and accepts nothing more.
    #[error("the server is shutting down; try again")]
    Draining,
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        StartError::Store(Arc::new(error))
    }
}

/// A started run and how far it has come.
pub struct RunHandle {
    pub id: RunId,
    pub progress: watch::Receiver<Progress>,
}

impl RunHandle {
    /// Resolves when the run is durable; the id is another run's when the key or slot was taken.
    ///
    /// # Errors
    /// The store's, when the run could not be accepted.
    pub async fn accepted(&mut self) -> Result<RunId, StartError> {
        let progress = self.until(|progress| progress.accepted || progress.gone).await;
        match (&progress.refused, progress.exists) {
            (Some(error), _) => Err(StartError::Store(error.clone())),
            (None, Some(run)) => Ok(run),
            (None, None) => Ok(self.id),
        }
    }

    /// Resolves when the run ended, waits, answered (`logic.respond`), or is driven here no more.
    pub async fn settled(&mut self) -> Progress {
        self.until(|progress| progress.ended.is_some() || progress.parked || progress.gone).await
    }

    /// The progress once `enough` holds, or the last there will be.
    pub async fn until(&mut self, enough: impl FnMut(&Progress) -> bool) -> Progress {
        if let Ok(progress) = self.progress.wait_for(enough).await {
            return progress.clone();
        }
        self.progress.borrow().clone()
    }
}

/// A run that is driven here.
pub(crate) struct LiveRun {
    signals: mpsc::UnboundedSender<Signal>,
    /// Its first cancellation was passed on, or is in its journal.
    cancelled: bool,
}

/// The engine's shared state.
pub struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) marks: Arc<dyn CrashMarks>,
    pub(crate) keys: Arc<dyn RunKeys>,
    pub(crate) credentials: Credentials,
    pub(crate) plans: PlanCache,
    pub(crate) watchers: Watchers,
    pub(crate) settings: Settings,
    pub(crate) live: Mutex<HashMap<RunId, LiveRun>>,
    pub(crate) live_count: AtomicUsize,
    /// A suspected run is driven alone: no other starts.
    pub(crate) exclusive: AtomicBool,
    pub(crate) draining: AtomicBool,
    /// Told when a live run is forgotten.
    pub(crate) freed: tokio::sync::Notify,
    entropy: Mutex<[u8; 32]>,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

impl Engine {
    pub fn new(parts: Parts) -> Engine {
        let mut seed = [0; 32];
        // Ids only need to be unique; the vault's entropy is the machine's.
        if parts.vault.entropy().fill(&mut seed).is_err() {
            seed[..8].copy_from_slice(&parts.clock.monotonic_us().to_be_bytes());
        }
        let credentials = Credentials::new(parts.store.clone(), parts.vault.clone(), parts.clock.clone(), parts.redactor);
        Engine(Arc::new(Inner {
            keys: Arc::new(VaultKeys(parts.vault.clone())),
            store: parts.store,
            catalog: parts.catalog,
            vault: parts.vault,
            clock: parts.clock,
            marks: parts.marks,
            credentials,
            plans: PlanCache::default(),
            watchers: Watchers::default(),
            settings: parts.settings,
            live: Mutex::new(HashMap::new()),
            live_count: AtomicUsize::new(0),
            exclusive: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            freed: tokio::sync::Notify::new(),
            entropy: Mutex::new(seed),
        }))
    }

    /// Starts a run here and now, or queues it when this process is full. Await [`RunHandle::accepted`] before answering.
    ///
    /// # Errors
    /// `Draining`, or a fault of the plan's `vars`.
    pub async fn start(&self, start: Start) -> Result<RunHandle, StartError> {
        self.0.start(start).await
    }

    /// Asks a run to end: durable when this returns. `false` when it had ended already.
    ///
    /// # Errors
    /// `NotFound` and the store's.
    pub async fn cancel(&self, org: OrgId, run: RunId, by: &str) -> Result<bool, StoreError> {
        let asked = self.0.store.request_cancel(org, run, by).await?;
        if asked {
            self.0.pass_cancel(run, by, true);
        }
        Ok(asked)
    }

    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    pub fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    pub fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.0.catalog
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub fn keys(&self) -> Arc<dyn RunKeys> {
        self.0.keys.clone()
    }

    /// Runs that this process drives at this moment.
    pub fn live(&self) -> usize {
        self.0.live_count.load(Ordering::Acquire)
    }

    /// A checked plan version; from memory when it was used lately.
    ///
    /// # Errors
    /// The store's; `NotFound` when there is no such version.
    pub async fn plan(&self, owner: &Owner, id: mainspring_model::id::PlanId, version: u32) -> Result<LoadedPlan, StoreError> {
        let plan = self.0.plans.get(&*self.0.store, &*self.0.catalog, owner, id, version).await?;
        let plan = plan.ok_or_else(|| StoreError::NotFound { what: format!("plan {id} version {version}") })?;
        Ok(LoadedPlan { id, version, plan })
    }

    /// A fresh time-ordered id.
    pub fn new_id(&self) -> uuid::Uuid {
        RunId::at(self.0.clock.now(), self.0.random_10()).0
    }

    /// Refuses new runs and waits until the live ones have recorded where they are. Attempts that take longer than
    /// `patience_ms` are given up; they are repeated by the next process, as after a crash.
    pub async fn drain(&self, patience_ms: Millis) {
        self.0.draining.store(true, Ordering::Release);
        self.0.signal_all(&Signal::Shutdown);
        let until = self.0.clock.now().saturating_add(patience_ms);
        tokio::select! {
            () = self.idle() => return,
            () = self.0.clock.sleep_until(until) => {}
        }
        self.0.signal_all(&Signal::Abandon);
        self.idle().await;
    }

    /// Resolves when this process drives no run: each has ended or waits as a row.
    pub async fn idle(&self) {
        loop {
            let freed = self.0.freed.notified();
            if self.live() == 0 {
                return;
            }
            freed.await;
        }
    }
}

impl Inner {
    pub(crate) async fn start(self: &Arc<Self>, start: Start) -> Result<RunHandle, StartError> {
        if self.draining.load(Ordering::Acquire) {
            return Err(StartError::Draining);
        }
        if self.vault.data_key_version(start.owner.org).is_none() {
            self.credentials.ensure_key(start.owner.org).await.map_err(|error| Fault::internal(error.to_string()))?;
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
            org: Value::Object(serde_json::Map::new()),
            created_at: now,
            environment: self.settings.environment.clone(),
            seed: self.random_16(),
            parent: start.parent,
        });
        self.plans.insert(start.plan.id, start.plan.version, start.plan.plan.clone());
        let run = Run::new(start.plan.plan, header.clone(), self.keys.clone())?;
        let new = Arc::new(NewRun { header, slot: start.slot, key: start.key });
        let (progress, watching) = watch::channel(Progress::default());
        let handle = RunHandle { id, progress: watching };
        let full = self.live_count.load(Ordering::Acquire) >= self.settings.max_live || self.exclusive.load(Ordering::Acquire);
        if full {
            let inner = self.clone();
            tokio::spawn(async move { inner.enqueue(id, new, progress).await });
        } else {
            self.spawn(run, self.store.epoch(), Some(new), progress, false);
        }
        Ok(handle)
    }

    /// Makes the run durable for whoever claims it.
    async fn enqueue(&self, id: RunId, new: Arc<NewRun>, progress: watch::Sender<Progress>) {
        let write = RunWrite { run: id, epoch: self.store.epoch(), create: Some(new), events: Arc::default(), standing: Standing::Queued };
        let result = self.store.commit(write).await;
        progress.send_modify(|progress| match result {
            Ok(mainspring_model::store::Committed::Exists(run)) => {
                progress.exists = Some(run);
                progress.gone = true;
            }
            Ok(_) => {
                progress.accepted = true;
                progress.parked = true;
            }
            Err(error) => {
                progress.refused = Some(Arc::new(error));
                progress.gone = true;
            }
        });
    }

    pub(crate) fn spawn(
        self: &Arc<Self>,
        run: Run,
        epoch: i64,
        create: Option<Arc<NewRun>>,
        progress: watch::Sender<Progress>,
        alone: bool,
    ) -> tokio::task::JoinHandle<()> {
        let (signals, inbox) = mpsc::unbounded_channel();
        let id = run.header().id;
        let cancelled = run.has_been_cancelled();
        {
            let mut live = self.lock_live();
            if self.draining.load(Ordering::Acquire) {
                // Claimed before the end began, and after the others were told of it.
                drop(signals.send(Signal::Shutdown));
            }
            live.insert(id, LiveRun { signals, cancelled });
            self.live_count.store(live.len(), Ordering::Release);
        }
        tokio::spawn(Driver::new(self.clone(), run, epoch, create, progress, inbox, alone).drive())
    }

    /// Starts the plan that a `logic.call` step names, once per step path.
    pub(crate) async fn start_child(self: &Arc<Self>, parent: &RunHeader, path: &str, plan: &str, inputs: Value) -> Result<RunId, Fault> {
        let internal = |error: StoreError| Fault::internal(error.to_string());
        let found = match plan.parse() {
            Ok(id) => self.store.get_plan(parent.owner.org, id).await.map_err(internal)?,
            Err(_) => self.store.plan_by_name(parent.owner.org, plan).await.map_err(internal)?,
        };
        let Some(record) = found else {
            return Err(Fault::invalid_params(format!("there is no plan \"{plan}\" to call; write a plan's name or id")));
        };
        let checked = self.plans.get(&*self.store, &*self.catalog, &parent.owner, record.id, record.version).await.map_err(internal)?;
        let checked = checked.ok_or_else(|| Fault::internal(format!("plan \"{plan}\" has no version {}", record.version)))?;
        let inputs = checked.inputs.accept(&inputs).map_err(|problems| {
            let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Fault::new(Code::INVALID_INPUT, format!("the inputs do not fit \"{plan}\": {}", text.join("; ")))
        })?;
        let start = Start {
            owner: parent.owner,
            plan: LoadedPlan { id: record.id, version: record.version, plan: checked },
            inputs,
            trigger: json!({"type": "call", "run_id": parent.id, "step": path}),
            key: Some(format!("call/{}/{path}", parent.id)),
            slot: None,
            parent: Some((parent.id, path.to_owned())),
        };
        let mut handle = Box::pin(self.start(start)).await.map_err(|error| Fault::internal(error.to_string()))?;
        handle.accepted().await.map_err(|error| Fault::internal(error.to_string()))
    }

    pub(crate) fn signal(&self, run: RunId, signal: Signal) {
        if let Some(live) = self.lock_live().get(&run) {
            // A run that just ended needs no signal.
            drop(live.signals.send(signal));
        }
    }

    fn signal_all(&self, signal: &Signal) {
        for live in self.lock_live().values() {
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

    fn random_10(&self) -> [u8; 10] {
        let bytes = self.random_16();
        let mut out = [0; 10];
        out.copy_from_slice(&bytes[..10]);
        out
    }
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
