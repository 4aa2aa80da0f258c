//! R17, the drill: a backup of a server under load, restored elsewhere with the key that was kept apart, and served there.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::home::{Home, ask, now};
use crate::gates::clock::asked;

const SECRET: &str = "drill-secret-4711";

/// A service that answers whoever brings the secret; how often that was.
fn service() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicU32::new(0));
    let count = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut head, mut part) = (Vec::new(), [0; 1_024]);
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(read) if read > 0 => head.extend_from_slice(&part[..read]),
                    _ => break,
                }
            }
            let knows = String::from_utf8_lossy(&head).contains(&format!("Bearer {SECRET}"));
            count.fetch_add(knows.into(), Ordering::SeqCst);
            let line = if knows { "200 OK" } else { "401 Unauthorized" };
            drop(write!(stream, "HTTP/1.1 {line}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"));
        }
    });
    (url, seen)
}

struct Plans {
    quick: String,
    slow: String,
    sealed: String,
    ticks: String,
}

fn plans(home: &Home, service: &str) -> Plans {
    let set = |id: &str| json!({"id": id, "action": "logic.set", "params": {"n": 1}});
    let nap = json!({"id": "nap", "action": "logic.sleep", "params": {"for": "4s"}});
    let hook = json!([{"id": "hook", "type": "webhook", "path": "drill"}]);
    let call = json!({"id": "call", "action": "http.get", "params": {"url": service}, "credential": "shop"});
    Plans {
        quick: home.save(&json!({"name": "Quick", "triggers": hook, "steps": [set("a")]})),
        slow: home.save(&json!({"name": "Slow", "steps": [set("a"), nap, set("b")]})),
        sealed: home.save(&json!({"name": "Sealed", "steps": [call]})),
        ticks: home.save(&json!({"name": "Ticks", "triggers": [{"id": "t", "type": "interval", "every": "1s"}], "steps": [set("a")]})),
    }
}

/// Starts runs until told to stop, and notes those that were accepted.
fn load(url: String, plans: [String; 2], accepted: Arc<Mutex<Vec<String>>>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        for plan in &plans {
            let (status, answer) = ask(&url, "POST", "/api/execute", &json!({"plan_id": plan, "wait": false}));
            if status == 202 {
                accepted.lock().unwrap().push(answer["execution"]["id"].as_str().unwrap().to_owned());
            }
        }
        let (status, answer) = ask(&url, "POST", "/api/webhook/drill", &json!({"n": 1}));
        if status == 202 {
            let runs = answer["runs"].as_array().unwrap();
            accepted.lock().unwrap().extend(runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        }
    }
}

/// One each in the tests, `--drills` of them from folder to folder in the long form.
fn drills(from: fn() -> Home, to: fn() -> Home) {
    for _ in 0..asked("MAINSPRING_DRILLS").unwrap_or(1) {
        drill(from(), to());
    }
}

fn drill(mut from: Home, mut to: Home) {
    let (service, seen) = service();
    from.run(&["credential", "set", "http", "--name", "shop", "--field", &format!("token={SECRET}")]).expect(0);
    from.serve();
    let plans = plans(&from, &service);
    let (accepted, stop) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (url, plans) = (from.address(), [plans.quick.clone(), plans.slow.clone()]);
            let (accepted, stop) = (accepted.clone(), stop.clone());
            std::thread::spawn(move || load(url, plans, accepted, stop))
        })
        .collect();
    let began = now();
    while accepted.lock().unwrap().len() < 30 {
        assert!(began.elapsed() < Duration::from_secs(60), "the server accepts too little");
        std::thread::yield_now();
    }
    let before = accepted.lock().unwrap().clone();
    let file = from.place.path("drill.backup");
    let name = file.to_str().unwrap();
    let done = from.run(&["backup", name, "-o", "json"]).expect(0);
    assert!(done.err.contains("The key is not in the backup"), "{}", done.err);
    stop.store(true, Ordering::SeqCst);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    let meanwhile = accepted.lock().unwrap().len();
    let key = from.escrowed_key();
    let bytes = std::fs::read(&file).unwrap();
    for secret in [SECRET, key.as_str()] {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "a secret is in the backup");
    }
    from.kill();

    let without = to.run(&["restore", name]).expect(3);
    assert!(without.err.contains("error[VAULT_KEY_MISSING]") && without.err.contains("ENCRYPTION_KEY"), "{}", without.err);
    to.key = Some(key);
    to.run(&["restore", name]).expect(0);
    let again = to.run(&["restore", name]).expect(6);
    assert!(again.err.contains("error[STORE_NOT_EMPTY]"), "{}", again.err);
    let calls = seen.load(Ordering::SeqCst);
    to.serve();
    for run in &before {
        let ended = to.ended(run);
        assert_eq!(ended["status"], "success", "{ended}");
    }
    let (status, answer) = to.ask("POST", "/api/execute", &json!({"plan_id": plans.sealed}));
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    assert_eq!(seen.load(Ordering::SeqCst), calls + 1, "the restored secret opens the service");
    let ticks = || ticks(&to, &plans.ticks);
    let (first, began) = (ticks(), now());
    while ticks() <= first {
        assert!(began.elapsed() < Duration::from_secs(30), "the schedule does not fire");
    }
    println!("{} runs accepted before the backup, {meanwhile} until its end, {} bytes: 0 lost", before.len(), bytes.len());
}

fn ticks(home: &Home, plan: &str) -> usize {
    let (status, answer): (u16, Value) = home.ask("GET", &format!("/api/runs?plan_id={plan}&limit=200"), &json!(null));
    assert_eq!(status, 200, "{answer}");
    answer["runs"].as_array().unwrap().len()
}

#[test]
fn from_a_folder_into_a_folder() {
    drills(Home::in_folder, Home::in_folder);
}

#[test]
fn from_a_database_into_a_database() {
    drills(Home::in_database, Home::in_database);
}

#[test]
fn from_a_folder_into_a_database() {
    drills(Home::in_folder, Home::in_database);
}

#[test]
fn from_a_database_into_a_folder() {
    drills(Home::in_database, Home::in_folder);
}
