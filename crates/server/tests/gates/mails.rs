//! Reading a mailbox into which mail comes, while the process is killed again and again and connections break off in the middle of messages: each
//! message has its one run, with its whole text and its attachment, and is marked as seen.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::dump::summaries;
use super::process::Server;
use crate::servers::imap::{Imap, PASSWORD, USER};

const MAILS: usize = 120;
const KILLS: usize = 6;

fn mail(n: usize) -> String {
    // Some have no id, and two of them have the same one.
    let id = if n % 10 == 3 { String::new() } else { format!("Message-ID: <{}@example.net>\r\n", if n % 10 == 4 { n - 2 } else { n }) };
    format!(
        "From: Bob <bob@example.net>\r\nSubject: {n}\r\n{id}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
         whole {n}\r\n--b\r\nContent-Type: text/plain; name={n}.txt\r\nContent-Disposition: attachment\r\n\r\nattached {n}\r\n--b--\r\n"
    )
}

#[test]
fn each_mail_has_its_one_run() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("mails-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let imap = Imap::start().await;
        imap.add(mail(9_999));
        imap.state.lock().unwrap().breaks_each = Some(70);
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        let fields = json!({"host": "127.0.0.1", "port": imap.address.port().to_string(), "username": USER, "password": PASSWORD, "security": "none"});
        let credential = json!({"credentials": fields, "name": "inbox"});
        assert_eq!(client.post("/api/provider-credentials/imap", &credential).await.unwrap().0, 201);
        let trigger = json!({"id": "inbox", "type": "email", "credential": "inbox", "every": "1s", "mark_seen": true});
        let steps = json!([
            {"id": "file", "action": "file.read", "params": {"file": "${trigger.attachments[0]}"}},
            {"id": "seen", "action": "logic.set", "params": {"n": "${trigger.subject}", "text": "${trigger.text}", "file": "${steps.file.output}"}},
        ]);
        let plan = json!({"name": "mails", "triggers": [trigger], "steps": steps, "output": "${steps.seen.output}"});
        let (status, answer) = client.post("/api/plans", &plan).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let began = now();
        let looked = async |client: &mut Client| {
            let (_, jobs) = client.get("/api/scheduler/jobs").await.unwrap();
            jobs["jobs"][0].clone()
        };
        // What is there at the first look starts nothing.
        while looked(&mut client).await["worked_at"].is_null() {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody looks: {}\n{}", looked(&mut client).await, server.log());
            pause(Duration::from_millis(10)).await;
        }
        for n in 0..MAILS {
            imap.add(mail(n));
            pause(Duration::from_millis(dice.between(0, 20))).await;
            if n % (MAILS / KILLS) == 7 {
                pause(Duration::from_millis(dice.between(0, 1_200))).await;
                server.kill();
                server.start().await;
                client = Client::new(server.address);
            }
        }
        let (mut told, mut failures) = (0, json!(0));
        loop {
            let (_, listed) = client.get("/api/monitoring/status").await.unwrap();
            let (_, runs) = client.get("/api/runs?limit=200").await.unwrap();
            if runs["runs"].as_array().unwrap().len() >= MAILS && listed["running"] == json!(0) && listed["queued"] == json!(0) {
                break;
            }
            // A broken connection is waited for, half a minute and more; saving the plan tries at once.
            let job = looked(&mut client).await;
            if job["failures"] != failures && job["failures"] != json!(0) {
                told += 1;
                failures = job["failures"].clone();
                let (_, plans) = client.get("/api/plans").await.unwrap();
                let id = plans["plans"][0]["id"].as_str().unwrap();
                let mut again = plan.clone();
                again["description"] = json!(format!("try {told}"));
                let (status, answer) = client.send("PUT", &format!("/api/plans/{id}"), Some(&again), None).await.unwrap();
                assert_eq!(status, 200, "{answer}");
            }
            assert!(began.elapsed() < Duration::from_secs(300), "not all have run: {listed} {job}; seed {seed}\n{}", server.log());
            pause(Duration::from_millis(200)).await;
        }
        // One more look starts nothing more.
        let before = looked(&mut client).await["worked_at"].clone();
        while looked(&mut client).await["worked_at"] == before {
            assert!(began.elapsed() < Duration::from_secs(400), "nobody looks any more: {}; seed {seed}", looked(&mut client).await);
            pause(Duration::from_millis(10)).await;
        }
        let (_, kept) = client.get("/api/files?limit=200").await.unwrap();
        let kept = kept["files"].as_array().map(Vec::len);
        server.stop().await;
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        for run in summaries(server.data(), &folder.path().join("copy")).await {
            let output = run.output.clone().unwrap_or_else(|| panic!("seed {seed}: {run:?}"));
            let n = output["n"].as_str().unwrap().to_owned();
            assert_eq!(seen.insert(n.clone(), output), None, "seed {seed}: {n} has two runs");
        }
        assert_eq!(seen.len(), MAILS, "seed {seed}: {:?}", seen.keys());
        for n in 0..MAILS {
            let expected = json!({"n": n.to_string(), "text": format!("whole {n}"), "file": format!("attached {n}")});
            assert_eq!(seen[&n.to_string()], expected, "seed {seed}");
        }
        let state = imap.state.lock().unwrap();
        let unmarked = state.folders["INBOX"].mails.iter().filter(|mail| !mail.seen).count();
        assert_eq!(unmarked, 1, "seed {seed}: what was there before, and nothing else");
        println!("{MAILS} mails, {KILLS} kills, {} bodies sent, {told} times saved again, {kept:?} files: each one run, whole and marked", state.bodies);
    });
}
