//! Watching a folder whose files come and change, while the process is killed again and again: each version of a file has its one run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::dump::summaries;
use super::process::Server;

const FILES: usize = 120;
const KILLS: usize = 6;

#[test]
fn each_file_has_its_one_run() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("watched-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    std::fs::write(inbox.join("before.csv"), "it was there before").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let mut server = Server::new(folder.path(), &mut dice);
        server.tell("MAINSPRING_WATCH_FOLDERS", inbox.to_str().unwrap());
        server.start().await;
        let mut client = Client::new(server.address);
        let trigger = json!({"id": "inbox", "type": "folder", "path": inbox, "pattern": "*.csv", "every": "1s", "settle": "300ms"});
        let steps = json!([
            {"id": "text", "action": "file.read", "params": {"file": "${trigger.file}"}},
            {"id": "seen", "action": "logic.set", "params": {"name": "${trigger.name}", "text": "${steps.text.output}"}},
        ]);
        let (status, answer) = client
            .post("/api/plans", &json!({"name": "watched", "triggers": [trigger], "steps": steps, "output": "${steps.seen.output}"}))
            .await
            .unwrap();
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
        for n in 0..FILES {
            // In two parts: who looks in between sees half a file.
            let path = inbox.join(format!("{n}.csv"));
            std::fs::write(&path, "half").unwrap();
            pause(Duration::from_millis(dice.between(0, 20))).await;
            std::fs::write(&path, format!("whole {n}")).unwrap();
            std::fs::write(inbox.join(format!("{n}.part")), "not wanted").unwrap();
            if n % (FILES / KILLS) == 7 {
                pause(Duration::from_millis(dice.between(0, 900))).await;
                server.kill();
                server.start().await;
                client = Client::new(server.address);
            }
        }
        loop {
            let (_, listed) = client.get("/api/monitoring/status").await.unwrap();
            let (_, runs) = client.get("/api/runs?limit=200").await.unwrap();
            if runs["runs"].as_array().unwrap().len() >= FILES && listed["running"] == json!(0) && listed["queued"] == json!(0) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(300), "not all have run: {listed} {}; seed {seed}", looked(&mut client).await);
            pause(Duration::from_millis(50)).await;
        }
        // One more look starts nothing more.
        let before = looked(&mut client).await["worked_at"].clone();
        while looked(&mut client).await["worked_at"] == before {
            pause(Duration::from_millis(10)).await;
        }
        server.stop().await;
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        for run in summaries(server.data(), &folder.path().join("copy")).await {
            let output = run.output.clone().unwrap_or_else(|| panic!("seed {seed}: {run:?}"));
            let name = output["name"].as_str().unwrap().to_owned();
            assert_eq!(seen.insert(name.clone(), output), None, "seed {seed}: {name} has two runs");
        }
        assert_eq!(seen.len(), FILES, "seed {seed}: {:?}", seen.keys());
        for n in 0..FILES {
            assert_eq!(seen[&format!("{n}.csv")]["text"], json!(format!("whole {n}")), "seed {seed}");
        }
        println!("{FILES} files, {KILLS} kills: each one run, with its whole content");
    });
}
