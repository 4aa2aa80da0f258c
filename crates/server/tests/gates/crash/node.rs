//! One life of an engine on a data folder, in this process: opened as the server opens it, dropped as a crash drops it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mainspring_engine::run::view;
use mainspring_engine::{CrashMarks, Engine, LoadedPlan, NoMarks, Parts, Settings, Start};
use mainspring_model::catalog::{BuiltIns, Catalog, Provider};
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::id::{OrgId, Owner, PlanId, RunId};
use mainspring_model::plan::{self, Format};
use mainspring_model::run::Ending;
use mainspring_model::store::{PlanSource, Store, StoreError};
use mainspring_providers::apart::Apart;
use mainspring_providers::egress::{Egress, Mode, Policy};
use mainspring_server::plans::new_plan;
use mainspring_server::wire::SystemClock;
use mainspring_store::{OpenOptions, SqliteStore};
use mainspring_vault::{KeyRing, OsEntropy, Redactor, Vault};
use serde_json::Value;
use tokio::sync::watch;

use super::super::clock::pause;
use super::store::{At, CrashingStore, Seen};

/// Waits pass this many times faster, so that a plan that sleeps seconds is still quick to crash at each of its rows.
const SPEED: i64 = 10;

/// Real time, run faster; always ahead of the time of an earlier life.
pub struct FastClock {
    real: SystemClock,
    origin: Millis,
}

impl FastClock {
    /// `origin`: some moment before all lives on one folder.
    pub fn new(origin: Millis) -> FastClock {
        FastClock { real: SystemClock::new(), origin }
    }
}

impl Clock for FastClock {
    fn now(&self) -> Millis {
        self.origin + (self.real.now() - self.origin) * SPEED
    }
    fn monotonic_us(&self) -> u64 {
        self.real.monotonic_us()
    }
    fn sleep_until(&self, until: Millis) -> BoxFuture<'static, ()> {
        // Rounded up: never early.
        self.real.sleep_until(self.origin + (until - self.origin + SPEED - 1) / SPEED)
    }
}

pub struct Node {
    pub engine: Engine,
    pub seen: watch::Receiver<Seen>,
    catalog: Arc<BuiltIns>,
    will_crash: bool,
}

/// How a life begins and ends.
pub struct Birth<'a> {
    pub folder: &'a Path,
    pub clock: Arc<dyn Clock>,
    pub crash: Option<(u32, At)>,
    pub marks: Option<Arc<dyn CrashMarks>>,
    /// Beside the built-in ones.
    pub providers: Vec<Provider>,
}

/// The life before was dropped, and its writer lets go of the folder when it has written what it had accepted.
async fn opened(folder: &Path, clock: &Arc<dyn Clock>) -> Arc<dyn Store> {
    loop {
        match SqliteStore::open(OpenOptions::new(folder, clock.clone())).await {
            Ok(store) => return store,
            Err(StoreError::Locked { .. }) => pause(Duration::from_millis(1)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Node {
    pub async fn open(birth: Birth<'_>) -> Node {
        let store = opened(birth.folder, &birth.clock).await;
        let will_crash = birth.crash.is_some();
        let store = CrashingStore::new(store, birth.crash);
        let ring = KeyRing::open_or_create_file(&birth.folder.join("key"), birth.folder.join("key").exists(), &OsEntropy).unwrap();
        let vault = Arc::new(Vault::new(ring, Arc::new(OsEntropy)));
        let egress = Arc::new(Egress::new(Policy::new(Mode::Dev)));
        let mut providers = mainspring_providers::built_ins(&mainspring_providers::Parts { egress, apart: Apart::here() });
        providers.extend(birth.providers);
        let catalog = Arc::new(BuiltIns::new(providers));
        let engine = Engine::new(Parts {
            store: store.clone(),
            catalog: catalog.clone(),
            vault,
            redactor: Arc::new(Redactor::new()),
            clock: birth.clock,
            marks: birth.marks.unwrap_or_else(|| Arc::new(NoMarks)),
            settings: Settings::default(),
        });
        engine.credentials().load_keys().await.unwrap();
        engine.credentials().ensure_key(OrgId::LOCAL).await.unwrap();
        Node { seen: store.seen(), engine, catalog, will_crash }
    }

    /// Stores a plan; crashes count run commits only.
    pub async fn save(&self, document: &str) -> PlanId {
        let catalog: &dyn Catalog = &*self.catalog;
        let checked = plan::load(document, Format::Auto, catalog, &Owner::LOCAL);
        let checked = checked
            .unwrap_or_else(|problems| panic!("{document}\n{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
        let id = PlanId(self.engine.new_id());
        let new = new_plan(&checked, id, Owner::LOCAL, PlanSource::Api, self.engine.clock().now(), || self.engine.new_id());
        self.engine.store().create_plan(id, new).await.unwrap();
        id
    }

    /// Starts a run; whether it was accepted before the crash is what the handle tells.
    pub async fn start(&self, plan: PlanId, inputs: &Value) -> mainspring_engine::RunHandle {
        let loaded: LoadedPlan = self.engine.plan(&Owner::LOCAL, plan, 1).await.unwrap();
        let inputs = loaded.plan.inputs.accept(inputs).unwrap();
        self.engine.start(Start::manual(Owner::LOCAL, loaded, inputs)).await.unwrap()
    }

    /// Takes up what the life before left and drives whatever comes.
    pub async fn go_on(&self) -> u64 {
        let recovered = self.engine.recover().await.unwrap();
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.serve_claims().await });
        recovered
    }

    /// Waits until a run's end is on disk and known, or the crash; `None` after the crash.
    pub async fn end_of(&self, run: RunId) -> Option<Ending> {
        let mut ends = self.seen.clone();
        let ended = async {
            // The end can be on disk while its commit is still about to crash: then only what the commit answered counts.
            if !self.will_crash
                && let Some(ending) = self.engine.store().ending(run).await.unwrap()
            {
                return Some(ending);
            }
            ends.wait_for(|seen| seen.ended.contains(&run)).await.unwrap();
            self.engine.store().ending(run).await.unwrap()
        };
        // After a crash the store answers nothing more.
        tokio::select! {
            ending = ended => ending,
            () = self.crashed() => None,
        }
    }

    pub async fn crashed(&self) {
        self.seen.clone().wait_for(|seen| seen.crashed).await.unwrap();
    }

    /// A run's whole final state, a line per step, without attempts and times.
    pub async fn render(&self, run: RunId) -> String {
        let store = self.engine.store();
        let header = Arc::new(store.header(run).await.unwrap().unwrap());
        let plan = self.engine.plan(&header.owner, header.plan_id, header.plan_version).await.unwrap().plan;
        let history = store.history(run).await.unwrap();
        let mut steps = view::steps(&plan, &header, self.engine.keys(), &history).unwrap();
        // Steps side by side are recorded as they end.
        steps.sort_by(|a, b| a.id.cmp(&b.id));
        let lines = steps.iter().map(|step| {
            let error = step.error.as_ref().map(|fault| format!(" {} {}", fault.code, fault.message)).unwrap_or_default();
            format!("{} {} {}{error} {}", step.id, step.status.as_str(), step.port.as_deref().unwrap_or("-"), step.output)
        });
        let ending = store.ending(run).await.unwrap();
        let ending = ending
            .map(|ending| format!("= {} {} {:?}", ending.status.as_str(), ending.output, ending.error.map(|fault| fault.code.to_string())));
        let text = lines.chain(ending).collect::<Vec<_>>().join("\n");
        text.replace(&run.to_string(), "<run>")
    }
}
