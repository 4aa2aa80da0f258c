//! P9: a step that kills the whole process is found. In flight at two crashes its run goes on alone, and after three more
//! crashes alone it is quarantined; a finished step begins the count anew, and the neighbours end as they should.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use mainspring_engine::CrashMarks;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect, Outcome, Output, Port};
use mainspring_model::catalog::Provider;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Paging, RunFilter};
use mainspring_server::wire::FileMarks;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::clock::wall_ms;
use super::crash::node::{Birth, FastClock, Node};

/// What the scripted provider does and did in one life.
#[derive(Clone, Default)]
pub(super) struct Script {
    /// Deadly steps that work in this life.
    cured: &'static [&'static str],
    /// Deadly steps in flight.
    pub(super) deadly: watch::Sender<usize>,
    /// The providers no longer say what they can do: a defect that no action's own guard sees.
    broken: Arc<AtomicBool>,
    /// Every call, by name.
    log: Arc<Mutex<Vec<String>>>,
}

struct Deadly(ActionSpec, Script);

impl Action for Deadly {
    fn spec(&self) -> &ActionSpec {
        assert!(!self.1.broken.load(Ordering::Acquire), "broken, as asked for by the test");
        &self.0
    }
    fn ports(&self, _: &Value) -> Vec<Port> {
        vec![Port::main("success")]
    }
    fn call<'a>(&'a self, params: Value, _: &'a Context) -> BoxFuture<'a, ActionResult> {
        Box::pin(async move {
            let name = params["name"].as_str().unwrap_or_default();
            self.1.log.lock().unwrap().push(name.to_owned());
            if self.0.name == "die" && !self.1.cured.contains(&name) {
                self.1.deadly.send_modify(|count| *count += 1);
                // The test drops the runtime now, as an abort would.
                std::future::pending::<()>().await;
            }
            Ok(Outcome::Done(Output::new(json!({"name": params["name"]}))))
        })
    }
}

fn provider(script: &Script) -> Provider {
    let action = |name: &str| -> Arc<dyn Action> {
        let spec = ActionSpec {
            name: name.to_owned(),
            title: name.to_owned(),
            description: "For tests.".to_owned(),
            effect: Effect::Write,
            computes: false,
            apart: false,
            needs_credential: false,
            params: json!({"type": "object"}),
            output: None,
            model: None,
            param_kinds: Default::default(),
            timeout: None,
            example: json!({}),
        };
        Arc::new(Deadly(spec, script.clone()))
    };
    Provider {
        id: "t".into(),
        title: "Test".into(),
        category: "test".into(),
        version: 1,
        description: "Scripted.".into(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![action("die"), action("work")],
        aliases: Default::default(),
    }
}

/// The lives of one data folder.
pub(super) struct Folder {
    folder: tempfile::TempDir,
    origin: i64,
}

/// What a life left behind.
pub(super) struct Left {
    in_flight: Vec<RunId>,
    alone: Option<RunId>,
    log: Vec<String>,
}

impl Folder {
    pub(super) fn new() -> Folder {
        Folder { folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(), origin: wall_ms() }
    }

    fn marks(&self) -> std::path::PathBuf {
        self.folder.path().join("in-flight")
    }

    /// One life, dropped when `life` returns. Marks stay as the process left them.
    pub(super) fn live<T>(&self, cured: &'static [&'static str], life: impl AsyncFnOnce(&Node, &Script) -> T) -> (T, Left) {
        let script = Script { cured, ..Script::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(async {
            let marks: Arc<dyn CrashMarks> = Arc::new(FileMarks::open(&self.marks()).unwrap());
            let clock = Arc::new(FastClock::new(self.origin));
            let birth = Birth { folder: self.folder.path(), clock, crash: None, marks: Some(marks), providers: vec![provider(&script)] };
            let node = Node::open(birth).await;
            let bounded = tokio::time::timeout(std::time::Duration::from_secs(30), life(&node, &script));
            bounded.await.expect("the life comes to where it should within 30 s")
        });
        drop(runtime);
        let log = script.log.lock().unwrap().clone();
        let (in_flight, alone) = peek(&self.marks());
        (found, Left { in_flight, alone, log })
    }
}

/// Reads the marks as the next process will, without taking them away.
fn peek(marks: &Path) -> (Vec<RunId>, Option<RunId>) {
    let copy = marks.with_extension("copy");
    std::fs::copy(marks, &copy).unwrap();
    let found = FileMarks::open(&copy).unwrap().found();
    (found.in_flight, found.alone)
}

const POISON: &str = "
name: poison
steps:
  - {id: before, action: t.work, params: {name: before}}
  - {id: die, action: t.die, params: {name: die}}
";
const TWO: &str = "
name: two deaths
steps:
  - {id: first, action: t.die, params: {name: first}}
  - {id: second, action: t.die, params: {name: second}}
";
pub(super) const NEIGHBOUR: &str = "
name: neighbour
steps:
  - {id: work, action: t.work, params: {name: neighbour}}
";

/// A first life with a run of this plan and a neighbour; dies when the deadly step is in flight and the neighbour has ended.
async fn begin(node: &Node, script: &Script, plan: &str) -> RunId {
    node.go_on().await;
    let plan = node.save(plan).await;
    let run = node.start(plan, &json!({})).await.id;
    let neighbour = node.save(NEIGHBOUR).await;
    let neighbour = node.start(neighbour, &json!({})).await.id;
    assert_eq!(node.end_of(neighbour).await.unwrap().status, RunStatus::Success);
    until_deadly(script).await;
    run
}

async fn until_deadly(script: &Script) {
    script.deadly.subscribe().wait_for(|count| *count > 0).await.unwrap();
}

/// Goes on with what is there and dies in the deadly step again.
async fn die_again(node: &Node, script: &Script) {
    node.go_on().await;
    until_deadly(script).await;
}

/// How every run but one ends.
async fn others(node: &Node, but: RunId) -> Vec<RunStatus> {
    let page = node.engine.store().list_runs(OrgId::LOCAL, &RunFilter::default(), &Paging { limit: 200, cursor: None }).await.unwrap();
    let mut statuses = Vec::new();
    for run in page.items.iter().filter(|run| run.id != but) {
        statuses.push(node.end_of(run.id).await.unwrap().status);
    }
    statuses
}

#[test]
fn a_step_that_kills_the_process_is_driven_alone_and_then_quarantined() {
    let folder = Folder::new();
    let (poison, left) = folder.live(&[], async |node, script| begin(node, script, POISON).await);
    assert_eq!((left.in_flight, left.alone), (vec![poison], None), "the first crash");
    let ((), left) = folder.live(&[], die_again);
    assert_eq!((left.in_flight, left.alone), (vec![poison], None), "the second crash");
    for crash in 3..=5 {
        let ((), left) = folder.live(&[], async |node, script| {
            die_again(node, script).await;
            // A neighbour that comes meanwhile is accepted, and waits instead of dying too.
            let plan = node.save(NEIGHBOUR).await;
            node.start(plan, &json!({})).await.accepted().await.unwrap();
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        });
        assert_eq!((left.in_flight, left.alone), (vec![poison], Some(poison)), "crash {crash}");
        assert_eq!(left.log.last().map(String::as_str), Some("die"), "crash {crash}: nothing begins beside it: {:?}", left.log);
    }
    let ((ending, neighbours), left) = folder.live(&[], async |node, _| {
        node.go_on().await;
        (node.end_of(poison).await.unwrap(), others(node, poison).await)
    });
    assert_eq!((ending.status, ending.error.unwrap().code.as_str()), (RunStatus::Quarantined, "QUARANTINED"));
    assert!(!left.log.contains(&"die".to_owned()), "it is not run again: {:?}", left.log);
    assert_eq!(neighbours, [RunStatus::Success; 4]);
    // And stays so, with nothing left to take up.
    let (recovered, _) = folder.live(&[], async |node, _| node.go_on().await);
    assert_eq!(recovered, 0);
}

#[test]
fn a_finished_step_begins_the_count_anew() {
    let folder = Folder::new();
    let (run, _) = folder.live(&[], async |node, script| begin(node, script, TWO).await);
    let ((), left) = folder.live(&[], die_again);
    assert_eq!((left.in_flight, left.alone), (vec![run], None), "two crashes in the first step");
    let ((), left) = folder.live(&["first"], die_again);
    assert_eq!((left.in_flight, left.alone), (vec![run], None), "driven alone, the first step works, and the second one dies");
    let mut alone = Vec::new();
    for _ in 0..4 {
        let ((), left) = folder.live(&["first"], die_again);
        alone.push(left.alone.is_some());
    }
    // The crash after the first step was the second step's first. One more makes it suspected, three alone quarantine it.
    assert_eq!(alone, [false, true, true, true]);
    let (ending, _) = folder.live(&["first", "second"], async |node, _| {
        node.go_on().await;
        node.end_of(run).await.unwrap()
    });
    assert_eq!(ending.status, RunStatus::Quarantined);
}

#[test]
fn a_suspect_that_is_only_slow_does_not_hold_the_others_up() {
    let folder = Folder::new();
    let (run, _) = folder.live(&[], async |node, script| begin(node, script, POISON).await);
    let ((), _) = folder.live(&[], die_again);
    let ((), left) = folder.live(&[], async |node, script| {
        die_again(node, script).await;
        let plan = node.save(NEIGHBOUR).await;
        let neighbour = node.start(plan, &json!({})).await.id;
        assert_eq!(node.end_of(neighbour).await.unwrap().status, RunStatus::Success);
    });
    assert_eq!((left.in_flight, left.alone), (vec![run], None), "it goes on in company, and is not blamed alone for what comes");
    assert_eq!(left.log, ["die", "neighbour"]);
}

#[test]
fn a_panic_outside_of_actions_ends_the_run_and_no_other() {
    let folder = Folder::new();
    let (endings, left) = folder.live(&[], async |node, script| {
        let plan = node.save(NEIGHBOUR).await;
        let good = node.start(plan, &json!({})).await.id;
        let good = node.end_of(good).await.unwrap();
        script.broken.store(true, Ordering::Release);
        let broken = node.start(plan, &json!({})).await.id;
        let broken = node.end_of(broken).await.unwrap();
        script.broken.store(false, Ordering::Release);
        let after = node.start(plan, &json!({})).await.id;
        [broken, good, node.end_of(after).await.unwrap()]
    });
    let error = endings[0].error.as_ref().unwrap();
    assert_eq!((endings[0].status, error.code.as_str()), (RunStatus::Error, "INTERNAL"));
    assert_eq!(error.message, "this run met a defect in the engine and was ended; the server's log has the details");
    assert_eq!([endings[1].status, endings[2].status], [RunStatus::Success; 2]);
    assert!(left.in_flight.is_empty());
}
