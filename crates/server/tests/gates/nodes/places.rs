//! Places over three nodes that are killed: never more runs of an organization at work than its limit, by what they call; none is left
//! behind, and no other organization waits for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::cluster::Cluster;
use super::{books, faults, gate, verdict};
use crate::gates::client::Client;
use crate::gates::clock::{now, pause};
use crate::gates::dice::Dice;
use crate::gates::oracle::Broken;
use crate::postgres::database::Database;
use crate::servers::server::{Server as Outside, reply};

const RUNS: usize = 300;
/// Its own limit; [`EACH`] is what the operator lets every organization have.
const PLACES: usize = 4;
const EACH: usize = 16;
/// A call takes so long, far less than a lease: of a node that died it is over before its run is another's.
const TAKES: Duration = Duration::from_millis(100);
const OTHERS: usize = 40;
const KILLS: u64 = 4;
const KILL_EVERY: Duration = Duration::from_millis(2_500);
const SETTLE: Duration = Duration::from_secs(180);
/// Another organization's runs are done within this while the limited one stands still.
const BESIDE: Duration = Duration::from_secs(20);

/// Calls under way, and the most there were.
#[derive(Default)]
struct Busy {
    now: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
    /// Whose caller went away.
    cut: AtomicUsize,
}

/// A call under way: until it is answered, or its caller is gone.
struct Call {
    busy: Arc<Busy>,
    answered: bool,
}

impl Call {
    fn begin(busy: Arc<Busy>) -> Call {
        let at_once = busy.now.fetch_add(1, Ordering::SeqCst) + 1;
        busy.most.fetch_max(at_once, Ordering::SeqCst);
        Call { busy, answered: false }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.busy.now.fetch_sub(1, Ordering::SeqCst);
        let how = if self.answered { &self.busy.done } else { &self.busy.cut };
        how.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn places_hold_over_nodes_that_are_killed() {
    gate::run("places", async |folder, dice| places(folder, dice).await);
}

async fn places(folder: &Path, dice: &Dice) -> Vec<Broken> {
    let (few, others) = (Arc::new(Busy::default()), Arc::new(Busy::default()));
    let (few_seen, others_seen) = (few.clone(), others.clone());
    // Closed until the other organization's runs have ended: whoever is at work stays at work, and everybody else in the line.
    let (open, gate) = tokio::sync::watch::channel(false);
    let outside = Outside::held(move |asked| {
        let limited = asked.path == "/few";
        let (busy, mut gate) = (if limited { few_seen.clone() } else { others_seen.clone() }, gate.clone());
        Box::pin(async move {
            let mut call = Call::begin(busy);
            pause(TAKES).await;
            if limited {
                gate.wait_for(|open| *open).await.unwrap();
            }
            call.answered = true;
            reply(200, &[], "done")
        })
    })
    .await;
    let tell = |_| vec![("MAINSPRING_RUNS_PER_ORGANIZATION".to_owned(), EACH.to_string())];
    let cluster = Cluster::new(folder, Database::make(), dice, Duration::ZERO, tell).await;
    for member in &cluster.members {
        cluster.start(&mut *member.lock().await).await;
    }
    let mut client = Client::new(cluster.loads[0].address());
    let (status, answer) = client.post("/api/organizations", &json!({"name": "Other"})).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    let limits = json!({"runs_at_work": PLACES});
    let (status, answer) = client.send("PUT", "/api/organizations/local/limits", Some(&limits), None).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["limits"], json!({"runs_at_work": PLACES, "operator": EACH, "in_force": PLACES}));
    for (org, path) in [("local", "/few"), ("other", "/other")] {
        let answer = client.post_with("/api/plans", &plan(&outside.url(path)).to_string(), &[("x-organization", org)]).await.unwrap();
        assert_eq!(answer.0, 201, "{}", answer.1);
    }
    // Nodes hear of triggers and limits within five seconds.
    pause(Duration::from_secs(6)).await;
    asked(&cluster, "local", RUNS).await;
    let began = now();
    asked(&cluster, "other", OTHERS).await;
    let mut found = Vec::new();
    while others.done.load(Ordering::SeqCst) < OTHERS && began.elapsed() < BESIDE {
        pause(Duration::from_millis(5)).await;
    }
    if others.done.load(Ordering::SeqCst) < OTHERS {
        found.push(Broken { rule: "held up", text: format!("{:?} of {OTHERS} other runs have called in {BESIDE:?}", others.done) });
    }
    open.send_replace(true);
    let others_took = began.elapsed();
    let began = now();
    faults::kills(&cluster, dice.fork("kills"), KILLS, KILL_EVERY).await;
    while block_in_place(|| books::open_runs(&cluster.database)) > 0 && began.elapsed() < SETTLE {
        pause(Duration::from_millis(50)).await;
    }
    let left = block_in_place(|| books::open_runs(&cluster.database));
    if left > 0 {
        found.push(Broken { rule: "left behind", text: format!("{left} runs have not ended after {SETTLE:?}") });
    }
    let mut client = Client::new(cluster.loads[0].address());
    let (_, status) = client.get("/api/monitoring/status").await.unwrap();
    if status["successful"] != RUNS {
        found.push(Broken { rule: "wrong ending", text: status.to_string() });
    }
    let (most, of_others) = (few.most.load(Ordering::SeqCst), others.most.load(Ordering::SeqCst));
    if most > PLACES || of_others > EACH {
        found.push(Broken { rule: "too many at work", text: format!("{most} of {PLACES}, and {of_others} of {EACH}") });
    }
    if most < PLACES {
        found.push(Broken { rule: "too little work", text: format!("at most {most} were at work") });
    }
    let faults = cluster.faults.lock().unwrap().clone();
    found.extend(verdict::healthy(&cluster, &faults));
    println!(
        "places: {RUNS} runs with {} kills in {:?}, {} calls cut off, at most {most} at work; {OTHERS} of another organization took {others_took:?}, at most \
         {of_others} at once, while all of the first stood still",
        faults.len(),
        began.elapsed(),
        few.cut.load(Ordering::SeqCst)
    );
    found
}

/// Each calls once; some lie down afterwards and call again, and need a place for that.
fn plan(url: &str) -> Value {
    let call = |id: &str| {
        json!({"id": id, "action": "http.post", "timeout": "5m",
        "params": {"url": url, "body": {"n": "${inputs.n}"}, "response": "text", "timeout": "5m"}})
    };
    let mut again = call("again");
    again["if"] = json!("inputs.n % 10 == 0");
    json!({
        "name": "Few", "inputs": {"n": {"type": "integer"}},
        "triggers": [{"id": "asked", "type": "event", "event_type": "asked"}],
        "steps": [
            call("call"),
            {"id": "wait", "if": "inputs.n % 10 == 0", "action": "logic.sleep", "params": {"for": "1200ms"}},
            again,
        ],
    })
}

/// Through all nodes in turn. The same id is one event.
async fn asked(cluster: &Cluster, org: &str, count: usize) {
    let mut clients: Vec<Client> = cluster.loads.iter().map(|load| Client::new(load.address())).collect();
    for n in 0..count {
        let id = format!("0198c3f2-7a51-7cc3-9d2e-{n:012x}");
        let event = json!({"type": "asked", "data": {"n": n}, "id": id}).to_string();
        let node = n % clients.len();
        let answer = clients[node].post_with("/api/events", &event, &[("x-organization", org)]).await.unwrap();
        assert_eq!(answer.0, 202, "{}", answer.1);
    }
}
