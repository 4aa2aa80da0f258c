//! The engine harness: each plan crashed at each of its journal writes, before it and after it, then taken up and finished.
//!
//! Real engine, real SQLite store, real providers against the ledger, all in this process; a crash is a store that no
//! longer answers and a runtime that is dropped. The end must be that of the run that never crashed.

mod cases;
pub mod node;
pub mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::run::RunStatus;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::clock::wall_ms;
use super::ledger::Ledger;
use super::oracle::Call;
use cases::Case;
use node::{Birth, FastClock, Node};
use store::At;

/// No plan here writes more often.
const MOST: u32 = 400;

struct Bench {
    ledger: Ledger,
    /// The ledger's own runtime: it outlives the engines.
    outside: Runtime,
    /// A data folder with its schema and key, to be copied.
    fresh: TempDir,
    origin: Millis,
}

/// One or two lives of a run.
struct Lived {
    /// The final state; `None`: it crashed and nothing of the run is on disk.
    state: Option<String>,
    status: Option<RunStatus>,
    /// The first life ended by itself.
    whole: bool,
    calls: Vec<Call>,
}

#[test]
fn samples_crashed_at_every_write_end_as_if_they_had_not() {
    everywhere(&cases::samples());
}

#[test]
fn example_plans_crashed_at_every_write_end_as_if_they_had_not() {
    everywhere(&cases::examples());
}

fn everywhere(cases: &[Case]) {
    let bench = Bench::new();
    for case in cases {
        let whole = bench.live(case, None);
        assert!(whole.whole, "{}: no crash was asked for", case.name);
        let expected = whole.state.as_deref().unwrap();
        assert_eq!(whole.status, Some(case.status), "{}:\n{expected}", case.name);
        let mut crashes = 0;
        for at in [At::Before, At::After] {
            for commits in 0.. {
                assert!(commits < MOST, "{} does not end", case.name);
                let lived = bench.live(case, Some((commits, at)));
                let place = format!("{}, crashed {at:?} commit {}", case.name, commits + 1);
                compare(case, &place, &whole, expected, &lived);
                if lived.whole {
                    break;
                }
                crashes += 1;
            }
        }
        println!("{}: {crashes} crashes, {} calls when whole", case.name, whole.calls.len());
    }
}

fn compare(case: &Case, place: &str, whole: &Lived, expected: &str, lived: &Lived) {
    let Some(state) = &lived.state else {
        assert!(lived.calls.is_empty(), "{place}: calls were made for a run that was not on disk");
        return;
    };
    let undecided = case.once && lived.status == Some(RunStatus::NeedsDecision);
    if !undecided {
        assert_eq!(state, expected, "{place}");
    }
    let (then, now) = (counts(&whole.calls), counts(&lived.calls));
    for (what, Made { times, keys, bodies, once }) in &now {
        // The crash may have met the call in flight: one more than without.
        let most = if *once { 1 } else { then.get(what).map_or(0, |made| made.times) + 1 };
        assert!(*times <= most, "{place}: {what} was called {times} times, at most {most} are explained");
        assert_eq!(keys.len(), 1, "{place}: {what} came under several keys");
        assert_eq!(bodies.len(), 1, "{place}: {what} was repeated with another body");
    }
    for what in then.keys().filter(|_| !undecided) {
        assert!(now.contains_key(what), "{place}: {what} was never called");
    }
}

/// What the ledger saw of one step.
#[derive(Default)]
struct Made<'a> {
    times: u32,
    keys: BTreeSet<&'a str>,
    bodies: BTreeSet<u64>,
    once: bool,
}

fn counts(calls: &[Call]) -> BTreeMap<&str, Made<'_>> {
    let mut counts: BTreeMap<&str, Made> = BTreeMap::new();
    for call in calls {
        let made = counts.entry(&call.what).or_default();
        made.times += 1;
        made.keys.insert(&call.key);
        made.bodies.insert(call.body);
        made.once |= call.once;
    }
    counts
}

impl Bench {
    fn new() -> Bench {
        let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ledger = outside.block_on(Ledger::start(0));
        let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bench = Bench { ledger, outside, fresh, origin: wall_ms() };
        inside("a fresh folder", async {
            let node = bench.open(bench.fresh.path(), None).await;
            node.engine.store().close().await;
        });
        bench
    }

    async fn open(&self, folder: &Path, crash: Option<(u32, At)>) -> Node {
        Node::open(Birth { folder, clock: Arc::new(FastClock::new(self.origin)), crash, marks: None, providers: Vec::new() }).await
    }

    /// A run from its start to its end, through one crash when asked for.
    fn live(&self, case: &Case, crash: Option<(u32, At)>) -> Lived {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for name in [mainspring_store::DATABASE_FILE, "key"] {
            std::fs::copy(self.fresh.path().join(name), folder.path().join(name)).unwrap();
        }
        let place = format!("{}, crash {crash:?}", case.name);
        let (run, accepted, whole) = inside(&place, async {
            let node = self.open(folder.path(), crash).await;
            for other in &case.others {
                node.save(other).await;
            }
            let plan = node.save(&case.document).await;
            node.go_on().await;
            let handle = node.start(plan, &case.inputs(&self.ledger.url())).await;
            let ended = async {
                let ending = node.end_of(handle.id).await?;
                Some((node.render(handle.id).await, ending.status))
            };
            // A crash while the end is being read is a crash too.
            let state = tokio::select! {
                state = ended => state,
                () = node.crashed() => None,
            };
            (handle.id, handle.progress.borrow().accepted, state)
        });
        let (state, status) = match whole.clone() {
            Some((state, status)) => (Some(state), Some(status)),
            None => inside(&format!("{place}, taken up"), async {
                let node = self.open(folder.path(), None).await;
                node.go_on().await;
                if node.engine.store().header(run).await.unwrap().is_none() {
                    assert!(!accepted, "{}: a run was accepted that is not on disk", case.name);
                    return (None, None);
                }
                let ending = node.end_of(run).await.unwrap();
                (Some(node.render(run).await), Some(ending.status))
            }),
        };
        Lived { state, status, whole: whole.is_some(), calls: self.calls() }
    }

    fn calls(&self) -> Vec<Call> {
        // The engines are gone: what they sent has arrived when their connections have ended.
        self.outside.block_on(self.ledger.drained());
        self.ledger.take()
    }
}

/// One life: everything that runs in it is dropped with its runtime, wherever it is.
fn inside<T>(place: &str, life: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let guarded = async { tokio::time::timeout(std::time::Duration::from_secs(60), life).await };
    runtime.block_on(guarded).unwrap_or_else(|_| panic!("{place}: a life neither ended nor crashed within a minute"))
}
