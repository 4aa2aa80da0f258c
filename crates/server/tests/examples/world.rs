//! The whole program in this process on a folder of its own, and a run of it with everything that it left behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use mainspring_engine::live::LiveEvent;
use mainspring_engine::run::view::{self, StepView};
use mainspring_engine::{LoadedPlan, NoMarks, RunHandle, Start};
use mainspring_model::clock::{Clock, FakeClock, Millis};
use mainspring_model::credential::Secret;
use mainspring_model::event::{Attempted, BlobRef, Event, EventBody};
use mainspring_model::id::{CredentialId, Owner, RunId};
use mainspring_model::plan::{self, Checked, Format};
use mainspring_model::run::{Ending, RunStatus, StepStatus};
use mainspring_model::store::PlanSource;
use mainspring_server::app::App;
use mainspring_server::settings::{Code, EgressMode, Settings};
use mainspring_server::{plans, wire};
use mainspring_store::{OpenOptions, SqliteStore};
use mainspring_vault::{KeyRing, OsEntropy};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::broadcast::error::RecvError;

/// The running program.
pub struct World {
    pub app: Arc<App>,
    _data: TempDir,
}

/// A run that ended.
#[derive(Debug)]
pub struct Finished {
    pub id: RunId,
    pub ending: Ending,
    /// The top list's steps in their order, then inner ones as they first appeared.
    pub steps: Vec<StepView>,
    pub events: Vec<Event>,
}

/// Where the example plans are.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plans"))
}

fn settings(data: &TempDir) -> Settings {
    Settings {
        data: data.path().to_owned(),
        dev: true,
        egress: EgressMode::Dev,
        code: Code::default().with_program(env!("CARGO_BIN_EXE_mainspring")),
        helper: Some(env!("CARGO_BIN_EXE_mainspring").into()),
        ..Settings::default()
    }
}

impl World {
    /// As the program opens itself, by the machine's clock.
    pub async fn open() -> World {
        let data = tempfile::tempdir().expect("a temporary folder");
        let app = wire::open(&settings(&data), true).await.expect("an empty folder opens");
        World { app, _data: data }
    }

    /// The same with a clock that the test moves.
    pub async fn at(clock: FakeClock) -> World {
        let data = tempfile::tempdir().expect("a temporary folder");
        let ring = KeyRing::open_or_create_file(&data.path().join("key"), false, &OsEntropy).expect("a key file is made");
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let store = SqliteStore::open(OpenOptions::new(data.path(), clock.clone())).await.expect("an empty folder opens");
        let app = wire::join(&settings(&data), store, ring, clock, Arc::new(NoMarks)).await.expect("the parts fit");
        World { app, _data: data }
    }

    /// Reads and checks a plan file with the real catalogue.
    pub fn check(&self, file: &str) -> Checked {
        let text = std::fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.check_text(file, &text)
    }

    fn check_text(&self, file: &str, text: &str) -> Checked {
        plan::load(text, Format::Auto, &*self.app.catalog, &Owner::LOCAL).unwrap_or_else(|problems| {
            let lines: Vec<String> = problems.iter().map(|problem| format!("{file}: {problem}")).collect();
            panic!("{}", lines.join("\n"))
        })
    }

    /// Stores a plan file, with its webhooks and schedules.
    pub async fn save(&self, file: &str) -> LoadedPlan {
        self.store(self.check(file)).await
    }

    /// Stores a plan file whose text was changed.
    pub async fn save_text(&self, file: &str, text: &str) -> LoadedPlan {
        self.store(self.check_text(file, text)).await
    }

    async fn store(&self, checked: Checked) -> LoadedPlan {
        let record = plans::create(&self.app, Owner::LOCAL, PlanSource::File, &checked).await.expect("the plan is new");
        self.app.engine.plan(&Owner::LOCAL, record.id, record.version).await.expect("it was just stored")
    }

    pub async fn credential(&self, provider: &str, fields: &[(&str, &str)]) {
        self.named_credential(provider, "default", fields).await;
    }

    pub async fn named_credential(&self, provider: &str, name: &str, fields: &[(&str, &str)]) {
        let fields: BTreeMap<String, Secret> = fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        let id = CredentialId(self.app.engine.new_id());
        self.app.engine.credentials().put(id, Owner::LOCAL, provider, name, fields, None).await.expect("it can be sealed");
    }

    /// Starts a run by hand.
    pub async fn start(&self, plan: &LoadedPlan, inputs: Value) -> RunHandle {
        let inputs = plan.plan.inputs.accept(&inputs).unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut handle = self.app.engine.start(Start::manual(Owner::LOCAL, plan.clone(), inputs)).await.expect("the engine takes runs");
        assert_eq!(handle.accepted().await.expect("the store takes runs"), handle.id);
        handle
    }

    /// Runs a plan that never waits to its end.
    pub async fn run(&self, plan: &LoadedPlan, inputs: Value) -> Finished {
        let mut handle = self.start(plan, inputs).await;
        let progress = handle.settled().await;
        assert!(progress.ended.is_some(), "the run waits or is gone: {progress:?}");
        self.finished(handle.id).await
    }

    /// A run is parked until `due`: takes it up then, not a millisecond earlier, and waits until nothing is driven any more.
    pub async fn go_on_at(&self, clock: &FakeClock, due: Millis) {
        assert_eq!(self.app.store.next_wake().await.expect("the store reads"), Some(due));
        clock.advance_to(due - 1);
        assert_eq!(self.app.engine.claim_once().await.expect("the store claims"), 0, "too early");
        clock.advance_to(due);
        assert_eq!(self.app.engine.claim_once().await.expect("the store claims"), 1, "it is due");
        self.app.engine.idle().await;
    }

    /// Waits for the end of a run that anybody drives.
    pub async fn ended(&self, run: RunId) -> Finished {
        // Watched before it is looked at: the end comes either way.
        let mut watching = self.app.engine.watchers().watch(run);
        while self.app.store.ending(run).await.expect("the store reads").is_none() {
            match watching.recv().await {
                Ok(LiveEvent::Row(_) | LiveEvent::Attempting { .. }) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("run {run} is driven no more"),
            }
        }
        self.finished(run).await
    }

    async fn finished(&self, id: RunId) -> Finished {
        let store = &self.app.store;
        let header = Arc::new(store.header(id).await.expect("the store reads").expect("the run is there"));
        let plan = self.app.engine.plan(&header.owner, header.plan_id, header.plan_version).await.expect("its plan is there").plan;
        let mut events = store.history(id).await.expect("the store reads");
        let mut ending = None;
        for event in &mut events {
            match &mut event.body {
                EventBody::Attempted(attempted) => self.fill(&mut attempted.output, attempted.blob.take()).await,
                EventBody::Finished(finished) => {
                    self.fill(&mut finished.output, finished.blob.take()).await;
                    assert!(ending.replace(finished.clone()).is_none(), "one terminal event");
                }
                _ => {}
            }
        }
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq), "the journal has no gap");
        let steps = view::steps(&plan, &header, self.app.engine.keys(), &events).expect("the journal fits its plan");
        Finished { id, ending: ending.expect("the run ended"), steps, events }
    }

    async fn fill(&self, output: &mut Value, blob: Option<BlobRef>) {
        if let Some(blob) = blob {
            let bytes = self.app.store.get_blob(Owner::LOCAL.org, &blob.sha256).await.expect("the blob is there");
            *output = serde_json::from_slice(&bytes).expect("a blob is JSON");
        }
    }
}

impl Finished {
    /// The output of a run that succeeded.
    pub fn output(&self) -> &Value {
        assert_eq!((self.ending.status, &self.ending.error), (RunStatus::Success, &None));
        &self.ending.output
    }

    pub fn step(&self, id: &str) -> &StepView {
        self.steps.iter().find(|step| step.id == id).unwrap_or_else(|| panic!("there is no step {id}; there are {:?}", self.ids()))
    }

    /// Every unit's path with its status, in the order of [`Finished::steps`].
    pub fn statuses(&self) -> Vec<(&str, StepStatus)> {
        self.steps.iter().map(|step| (step.id.as_str(), step.status)).collect()
    }

    fn ids(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.id.as_str()).collect()
    }

    /// The last attempt of a step, as the journal has it.
    pub fn attempted(&self, path: &str) -> &Attempted {
        let of_step = |event: &'_ Event| matches!(&event.body, EventBody::Attempted(attempted) if attempted.path == path);
        match self.events.iter().rev().find(|event| of_step(event)).map(|event| &event.body) {
            Some(EventBody::Attempted(attempted)) => attempted,
            _ => panic!("{path} was not attempted"),
        }
    }

    /// How many journal rows of this kind there are.
    pub fn count(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| event.body.kind() == kind).count()
    }
}
