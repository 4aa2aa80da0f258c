//! P9: a step that kills the whole process is found. In flight at two crashes its run goes on alone, and after three more
//! crashes alone it is quarantined; a finished step begins the count anew, and the neighbours end as they should.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use mainspring_engine::CrashMarks;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect, Outcome, Output, Port};
use mainspring_model::catalog::Provider;
use mainspring_model::id::RunId;
use mainspring_model::run::{Ending, RunStatus};
use mainspring_server::wire::FileMarks;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::clock::wall_ms;
use super::crash::node::{Birth, FastClock, Node};

/// What the scripted provider did in one life.
#[derive(Clone, Default)]
struct Script {
    /// Runs whose deadly step is in flight.
    deadly: watch::Sender<Vec<RunId>>,
    /// Harmless calls that are under way, and the most there were beside a deadly one.
    log: Arc<Mutex<Vec<String>>>,
    /// Deadly steps work in this life.
    cured: Arc<Mutex<bool>>,
}

struct Deadly(ActionSpec, Script);

impl Action for Deadly {
    fn spec(&self) -> &ActionSpec {
        &self.0
    }
    fn ports(&self, _: &Value) -> Vec<Port> {
        vec![Port::main("success")]
    }
    fn call<'a>(&'a self, params: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult> {
        Box::pin(async move {
            self.1.log.lock().unwrap().push(params["name"].as_str().unwrap_or_default().to_owned());
            if self.0.name == "die" && !*self.1.cured.lock().unwrap() {
                self.1.deadly.send_modify(|runs| runs.extend(cx.run));
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
            needs_credential: false,
            params: json!({"type": "object"}),
            output: None,
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
        actions: vec![action("die"), action("work")],
        aliases: Default::default(),
    }
}

/// The lives of one data folder.
struct Folder {
    folder: tempfile::TempDir,
    origin: i64,
}

/// What a life left behind.
struct Left {
    in_flight: Vec<RunId>,
    alone: Option<RunId>,
    log: Vec<String>,
}

impl Folder {
    fn new() -> Folder {
        Folder { folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(), origin: wall_ms() }
    }

    fn marks(&self) -> std::path::PathBuf {
        self.folder.path().join("in-flight")
    }

    /// One life, dropped when `life` returns. Marks stay as the process left them.
    fn live<T>(&self, cured: bool, life: impl AsyncFnOnce(&Node, &Script) -> T) -> (T, Left) {
        let script = Script::default();
        *script.cured.lock().unwrap() = cured;
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
const NEIGHBOUR: &str = "
name: neighbour
steps:
  - {id: work, action: t.work, params: {name: neighbour}}
";

/// A first life with a run of each plan; dies when every deadly step is in flight and the harmless runs have ended.
async fn begin(node: &Node, script: &Script, plans: &[&str], deadly: usize) -> Vec<RunId> {
    node.go_on().await;
    let mut runs = Vec::new();
    for document in plans {
        let plan = node.save(document).await;
        runs.push(node.start(plan, &json!({})).await.id);
    }
    until_deadly(script, deadly).await;
    for run in runs.iter().skip(deadly) {
        assert_eq!(node.end_of(*run).await.unwrap().status, RunStatus::Success);
    }
    runs
}

async fn until_deadly(script: &Script, count: usize) {
    script.deadly.subscribe().wait_for(|runs| runs.len() >= count).await.unwrap();
}

/// Goes on with what is there and dies in the deadly step again.
async fn die_again(node: &Node, script: &Script) -> u64 {
    let recovered = node.go_on().await;
    until_deadly(script, 1).await;
    recovered
}

#[test]
fn a_step_that_kills_the_process_is_driven_alone_and_then_quarantined() {
    let folder = Folder::new();
    let (runs, left) = folder.live(false, async |node, script| begin(node, script, &[POISON, NEIGHBOUR], 1).await);
    let poison = runs[0];
    assert_eq!((left.in_flight, left.alone), (vec![poison], None), "the first crash");
    let (_, left) = folder.live(false, die_again);
    assert_eq!((left.in_flight, left.alone), (vec![poison], None), "the second crash");
    for crash in 3..=5 {
        // A neighbour that comes meanwhile waits for its turn instead of dying too.
        let (_, left) = folder.live(false, async |node, script| {
            die_again(node, script).await;
            let plan = node.save(&NEIGHBOUR.replace("neighbour", &format!("neighbour {crash}"))).await;
            let mut handle = node.start(plan, &json!({})).await;
            handle.accepted().await.unwrap();
        });
        assert_eq!((left.in_flight, left.alone), (vec![poison], Some(poison)), "crash {crash}");
        assert!(!left.log.iter().any(|name| name.starts_with("neighbour ")) || left.log.last().is_some_and(|name| name == "die"), "crash {crash}: {:?}", left.log);
    }
    let ((ending, neighbours), left) = folder.live(false, async |node, _| {
        node.go_on().await;
        let ending = node.end_of(poison).await.unwrap();
        (ending, all_ended(node, poison).await)
    });
    assert_eq!(ending.status, RunStatus::Quarantined);
    assert_eq!(ending.error.unwrap().code.as_str(), "QUARANTINED");
    assert!(!left.log.contains(&"die".to_owned()), "it is not run again: {:?}", left.log);
    assert_eq!(neighbours, [RunStatus::Success; 4]);
    // And stays so, with nothing left to take up.
    let (recovered, _) = folder.live(false, async |node, _| node.go_on().await);
    assert_eq!(recovered, 0);
}

#[test]
fn a_finished_step_begins_the_count_anew() {
    let folder = Folder::new();
    let (runs, _) = folder.live(false, async |node, script| begin(node, script, &[TWO, NEIGHBOUR], 1).await);
    let (_, left) = folder.live(false, die_again);
    assert_eq!((left.in_flight.as_slice(), left.alone), (&runs[..1], None), "two crashes in the first step");
    // Driven alone, the first step works now; the second one dies, with nobody else in flight.
    let (_, left) = folder.live(false, async |node, script| {
        *script.cured.lock().unwrap() = true;
        node.go_on().await;
        let mut log = script.log.clone();
        first_done(node, runs[0], &mut log, script).await;
    });
    assert!(left.log.contains(&"first".to_owned()));
    // Had the count gone on, one more crash in the second step would still be one of a suspect, driven alone.
    let (_, left) = folder.live(false, die_again);
    assert_eq!(left.alone, None, "one crash in the second step is no reason yet");
    let (_, left) = folder.live(false, die_again);
    assert_eq!(left.alone, None, "two crashes are counted only at the next start");
    let (_, left) = folder.live(false, die_again);
    assert_eq!(left.alone, Some(runs[0]));
    let (ending, _) = folder.live(true, async |node, _| {
        node.go_on().await;
        node.end_of(runs[0]).await.unwrap()
    });
    assert_eq!(ending.status, RunStatus::Success);
}
