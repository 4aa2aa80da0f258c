//! The engine: accepts runs, keeps the live ones, and joins store, catalogue, vault and clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mainspring_model::burst::Burst;
use mainspring_model::catalog::Catalog;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::fault::Fault;
use mainspring_model::flow::Priority;
use mainspring_model::id::{OrgId, Owner, RunId};
use mainspring_model::problem::Problem;
use mainspring_model::run::Slot;
use mainspring_model::store::{Store, StoreError};
use mainspring_vault::{Redactor, Vault};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::credentials::Credentials;
use crate::driver::{Progress, Signal};
use crate::files::{Arriving, OrgFiles};
use crate::keys::VaultKeys;
use crate::listeners::EndListeners;
use crate::live::Watchers;
use crate::looks::LOOKS_AT_ONCE;
use crate::marks::CrashMarks;
use crate::meter::Told;
use crate::places::Places;
use crate::plans::{LoadedPlan, PlanCache};
use crate::pulse::Pulse;
use crate::run::RunKeys;
use crate::settings::{FileTerms, Settings};
use crate::spans;
use crate::uses::Uses;
use crate::variables::Variables;

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
    /// Instead of the plan's own.
    pub priority: Option<Priority>,
    /// Its trigger waits for others to come.
    pub burst: Option<Burst>,
}

impl Start {
    /// A run by hand.
    pub fn manual(owner: Owner, plan: LoadedPlan, inputs: Value) -> Start {
        Start { owner, plan, inputs, trigger: json!({"type": "manual"}), key: None, slot: None, parent: None, priority: None, burst: None }
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
    /// Some of its steps belong on nodes that serve what this one does not, or it goes through the queue by a limit: what is known here
    /// ends when the run leaves.
    pub leaves: bool,
    pub progress: watch::Receiver<Progress>,
}

impl RunHandle {
    /// Resolves when the run is durable; the id is another run's when the key or slot was taken.
    ///
    /// # Errors
    /// The store's, when the run could not be accepted. A store that does not answer leaves open whether it was: the same key
    /// gives the run if there is one, and it is driven in any case.
    pub async fn accepted(&mut self) -> Result<RunId, StartError> {
        let progress = self.until(|progress| progress.accepted || progress.gone || progress.refused.is_some()).await;
        match (&progress.refused, progress.exists) {
            (None, Some(run)) => Ok(run),
            (None, None) if progress.accepted => Ok(self.id),
            (Some(error), _) => Err(StartError::Store(error.clone())),
            // Its driver went away before it could say anything.
            (None, None) => Err(StartError::from(StoreError::Closed)),
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
    pub(crate) org: OrgId,
    pub(crate) signals: mpsc::UnboundedSender<Signal>,
    /// Its first cancellation was passed on, or is in its journal.
    pub(crate) cancelled: bool,
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
    pub(crate) places: Places,
    pub(crate) watchers: Watchers,
    pub(crate) settings: Settings,
    pub(crate) live: Mutex<HashMap<RunId, LiveRun>>,
    /// Files that are being written here.
    pub(crate) arriving: Arriving,
    pub(crate) live_count: AtomicUsize,
    /// A suspected run is driven alone: no other starts.
    pub(crate) exclusive: AtomicBool,
    pub(crate) draining: AtomicBool,
    /// The patience of a drain is over: what still cannot be written is left to the next process.
    pub(crate) abandoned: AtomicBool,
    /// Told when a live run is forgotten.
    pub(crate) freed: tokio::sync::Notify,
    pub(crate) entropy: Mutex<[u8; 32]>,
    pub(crate) meter: Told,
    pub(crate) spans: spans::Told,
    pub(crate) uses: Uses,
    pub(crate) variables: Variables,
    pub(crate) queue_pulse: Pulse,
    pub(crate) schedule_pulse: Pulse,
    pub(crate) end_listeners: EndListeners,
    /// Told when a trigger that listens became due here.
    pub(crate) heard: tokio::sync::Notify,
    /// Told when a firing came here that waits for others.
    pub(crate) gathered: tokio::sync::Notify,
    /// One sample at a time is counted and kept.
    pub(crate) sampling: tokio::sync::Mutex<()>,
    /// Places for triggers that look for what is new.
    pub(crate) looks: Arc<tokio::sync::Semaphore>,
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
            places: Places::default(),
            watchers: Watchers::default(),
            settings: parts.settings,
            live: Mutex::new(HashMap::new()),
            arriving: Arriving::default(),
            live_count: AtomicUsize::new(0),
            exclusive: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            freed: tokio::sync::Notify::new(),
            entropy: Mutex::new(seed),
            meter: Told::default(),
            spans: spans::Told::default(),
            uses: Uses::default(),
            variables: Variables::default(),
            queue_pulse: Pulse::default(),
            schedule_pulse: Pulse::default(),
            end_listeners: EndListeners::default(),
            heard: tokio::sync::Notify::new(),
            gathered: tokio::sync::Notify::new(),
            sampling: tokio::sync::Mutex::default(),
            looks: Arc::new(tokio::sync::Semaphore::new(LOOKS_AT_ONCE)),
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

    /// Where callers reach the program, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.0.settings.public_url
    }

    /// An organization's files; what is written is the owner's.
    pub fn files(&self, owner: Owner) -> OrgFiles {
        OrgFiles::of(self.0.clone(), owner)
    }

    /// What was set about files.
    pub fn file_terms(&self) -> FileTerms {
        self.0.settings.files
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
            biased;
            () = self.idle() => return,
            () = self.0.clock.sleep_until(until) => {}
        }
        self.0.abandoned.store(true, Ordering::Release);
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
