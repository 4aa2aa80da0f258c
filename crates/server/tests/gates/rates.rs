//! The `rate` of steps while the process is killed: in no window begin more calls than it says, by the clock of who is called.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::process::Server;
use crate::servers::server::{Server as Outside, reply};

pub const CALLS: usize = 150;
pub const LIMIT: usize = 20;
pub const PER: Duration = Duration::from_secs(2);
pub const KILLS: u32 = 6;
pub const PLANS: usize = 3;
/// Each call is in flight for so long, so that kills meet some.
const TAKES: Duration = Duration::from_millis(400);

/// Who is called, and when, by what it was called with.
pub struct Called {
    pub outside: Outside,
    notes: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Called {
    pub async fn start() -> Called {
        let notes: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let noted = notes.clone();
        let outside = Outside::held(move |asked| {
            noted.lock().unwrap().push((now(), String::from_utf8_lossy(&asked.body).into_owned()));
            Box::pin(async {
                pause(TAKES).await;
                reply(200, &[], "done")
            })
        })
        .await;
        Called { outside, notes }
    }

    /// What was broken, and how full the fullest window was.
    ///
    /// A call that was in flight at a kill is made again, and both were counted when they began; but the death of the process that was about
    /// to make one says nothing of when it left. So in each window those that were made again are let through beside the limit.
    pub fn judge(&self) -> (Vec<String>, usize, usize) {
        let mut notes = self.notes.lock().unwrap().clone();
        notes.sort();
        let (mut broken, mut seen, mut again) = (Vec::new(), HashMap::<&str, usize>::new(), Vec::new());
        for (_, body) in &notes {
            let times = seen.entry(body).or_default();
            *times += 1;
            again.push(*times > 1);
        }
        let expected: BTreeSet<String> = (0..CALLS).map(|n| json!({ "n": n }).to_string()).collect();
        let lost: Vec<&String> = expected.iter().filter(|body| !seen.contains_key(body.as_str())).collect();
        if !lost.is_empty() {
            broken.push(format!("lost: {lost:?}"));
        }
        let mut fullest = 0;
        for first in 0..notes.len() {
            let until = notes[first].0 + PER;
            let window: Vec<usize> = (first..notes.len()).take_while(|n| notes[*n].0 < until).collect();
            let repeated = window.iter().filter(|n| again[**n]).count();
            fullest = fullest.max(window.len());
            if window.len() > LIMIT + repeated {
                broken.push(format!("{} calls within {PER:?}, {repeated} of them made again", window.len()));
            }
        }
        (broken, fullest, again.iter().filter(|again| **again).count())
    }
}

/// Plans that share a key.
pub fn plan(which: usize, url: &str) -> Value {
    json!({
        "name": format!("Slowly {which}"), "inputs": {"n": {"type": "integer"}},
        "triggers": [{"id": "asked", "type": "event", "event_type": format!("asked.{which}")}],
        "steps": [{
            "id": "call", "action": "http.post", "rate": {"limit": LIMIT, "per": format!("{}s", PER.as_secs()), "key": "shared"},
            "params": {"url": url, "body": {"n": "${inputs.n}"}, "response": "text"},
        }],
    })
}

pub fn event(n: usize) -> Value {
    json!({"type": format!("asked.{}", n % PLANS), "data": {"n": n}, "id": format!("0198c3f2-7a51-7cc3-9d2e-{n:012x}")})
}

/// The shortest time in which all calls can begin, and what kills and a busy machine may add to it.
pub const SETTLE: Duration = Duration::from_secs(150);

#[test]
fn no_kill_lets_more_calls_begin_than_the_rate_says() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("rates-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let called = Called::start().await;
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        for which in 0..PLANS {
            let (status, answer) = client.post("/api/plans", &plan(which, &called.outside.url("/call"))).await.unwrap();
            assert_eq!(status, 201, "{answer}");
        }
        for n in 0..CALLS {
            let (status, answer) = client.post("/api/events", &event(n)).await.unwrap();
            assert_eq!(status, 202, "{answer}");
        }
        let began = now();
        for _ in 0..KILLS {
            pause(Duration::from_millis(dice.between(1_500, 2_500))).await;
            server.kill();
            server.start().await;
        }
        loop {
            let mut client = Client::new(server.address);
            let seen = client.get("/api/monitoring/status").await;
            if matches!(&seen, Ok((200, status)) if status["successful"] == CALLS) {
                break;
            }
            assert!(began.elapsed() < SETTLE, "not all have run: {seen:?}; seed {seed}");
            pause(Duration::from_millis(50)).await;
        }
        let (broken, fullest, again) = called.judge();
        println!(
            "rates: {CALLS} calls, {again} of them again after {KILLS} kills, in {:?}, at most {fullest} within {PER:?}",
            began.elapsed()
        );
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
        assert!(fullest > LIMIT / 2, "the rate was never needed");
    });
}
