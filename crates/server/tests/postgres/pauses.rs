//! A node that is stopped for longer than its lease and goes on: what it was about to do is another node's by then.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::json;

use super::database::Database;
use super::node::{Node, now};

const RUNS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(30);

/// A service that remembers its requests: `/later` is refused until it is open, `/held` is not answered until then.
#[derive(Default)]
struct Service {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    /// By path: requests, and how many of them were answered well.
    seen: BTreeMap<String, (u32, u32)>,
}

impl Service {
    fn start() -> (Arc<Service>, String) {
        let (service, listener) = (Arc::new(Service::default()), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = service.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let service = serving.clone();
                std::thread::spawn(move || service.answer(stream));
            }
        });
        (service, url)
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let Some(path) = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)) else { return };
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let mut state = self.state.lock().unwrap();
        state.seen.entry(path.clone()).or_default().0 += 1;
        self.changed.notify_all();
        if path == "/held" {
            state = self.changed.wait_while(state, |state| !state.open).unwrap();
        }
        let status = if state.open { "200 OK" } else { "503 Service Unavailable" };
        state.seen.entry(path).or_default().1 += u32::from(state.open);
        drop(state);
        // Whoever asked may have been taken for dead.
        let _ = write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    }

    fn open(&self) {
        self.state.lock().unwrap().open = true;
        self.changed.notify_all();
    }

    fn until(&self, what: &str, enough: impl Fn(&BTreeMap<String, (u32, u32)>) -> bool) {
        let (state, late) = self.changed.wait_timeout_while(self.state.lock().unwrap(), PATIENCE, |state| !enough(&state.seen)).unwrap();
        assert!(!late.timed_out(), "{what}: {:?}", state.seen);
    }

    fn seen(&self) -> BTreeMap<String, (u32, u32)> {
        self.state.lock().unwrap().seen.clone()
    }
}

fn until(what: &str, enough: impl Fn() -> bool) {
    let began = now();
    while !enough() {
        assert!(began.elapsed() < PATIENCE, "{what}");
    }
}

#[test]
fn a_node_that_was_stopped_for_twice_its_lease_begins_nothing_and_writes_nothing() {
    let (database, (service, url)) = (Database::make(), Service::start());
    // The service fails on purpose and its host is not to be held back: who asks whom is what is looked at.
    let all = || Node::start_in(&database, "all", &[], &[("MAINSPRING_BREAKER_AFTER", "0")]);
    let first = all();
    let get = |path: &str| {
        json!({"id": "get", "action": "http.get", "params": {"url": format!("{url}{path}")},
        "retry": {"max_attempts": 100, "delay": "900ms", "factor": 1, "jitter": false}})
    };
    let start = |node: &Node, plan: &str, n: usize| {
        let (status, answer) = node.ask("POST", "/api/execute", &json!({"plan_id": plan, "inputs": {"n": n}, "wait": false}));
        assert!(matches!(status, 200 | 202), "{answer}");
        answer["execution"]["id"].as_str().unwrap().to_owned()
    };
    let inputs = json!({"n": {"type": "integer", "required": true}});
    let later = first.plan(&json!({"name": "Later", "inputs": inputs, "steps": [get("/later/${inputs.n}")]}));
    let held = first.plan(&json!({"name": "Held", "inputs": inputs, "steps": [get("/held")]}));
    let mut runs: Vec<String> = (0..RUNS).map(|n| start(&first, &later, n)).collect();
    runs.push(start(&first, &held, 0));
    // Each has failed once and is about to try again, whose grounds are on disk; one has its request out.
    service.until("every run has asked", |seen| seen.len() == RUNS + 1);
    let second = all();

    let stopped = now();
    first.send("STOP");
    until("the first node is declared dead", || database.psql("select count(*) from nodes") == "1");
    service.open();
    for run in &runs {
        let ended = second.ended(run, PATIENCE);
        assert_eq!(ended["status"], "success", "{ended}");
    }
    until("twice the lease", || stopped.elapsed() > Duration::from_secs(4));
    let before = service.seen();
    first.send("CONT");
    until("the first node is rid of its runs", || first.figure("mainspring_runs_live") == 0.0);
    until("it has joined again", || database.psql("select count(*) from nodes") == "2");
    println!("stopped for {:?}", stopped.elapsed());

    assert_eq!(service.seen(), before, "nobody was asked again");
    for n in 0..RUNS {
        assert_eq!(before[&format!("/later/{n}")].1, 1, "the step that was about to start was done once");
    }
    assert!(first.figure("mainspring_stale_writes_total") >= 1.0, "the answer that it had waited for came too late");
    let withheld = first.figure("mainspring_attempts_withheld_total");
    assert!(withheld >= 1.0, "no run was about to start a step");
    println!("{withheld} attempts withheld");
    let log = first.log();
    assert_eq!(log.matches("was declared dead").count(), 1, "{log}");
    // And it is a node like any other again.
    let fresh = start(&first, &later, 99);
    assert_eq!(first.ended(&fresh, PATIENCE)["status"], "success");
    assert_eq!((first.stop(), second.stop()), (0, 0));
}
