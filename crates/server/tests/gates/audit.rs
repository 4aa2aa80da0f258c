//! A write is never without its entry in the audit log: the process is killed while it writes, many times over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{pause, wall_ms};
use super::dice::Dice;
use super::process::Server;

const ROUNDS: u64 = 12;
/// That write at once, each on its own connection.
const WRITERS: u64 = 6;
const HOME: &str = "/api/organizations/current";

/// Writes one variable again and again until the server is gone; its name, and the last value that was answered.
async fn write(mut client: Client, name: String) -> (String, u64) {
    for number in 1.. {
        match client.send("PUT", &format!("{HOME}/variables/{name}"), Some(&json!({"value": number})), None).await {
            Ok((200, _)) => {}
            Ok((status, answer)) => panic!("{status} {answer}"),
            Err(_) => return (name, number - 1),
        }
    }
    unreachable!("the server is killed")
}

/// What the log has of a variable: the values that are known to have been written, and how many entries are of unknown outcome.
#[derive(Default)]
struct Known {
    done: BTreeSet<u64>,
    unknown: usize,
}

#[test]
fn no_write_is_without_its_entry_after_a_kill() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let mut dice = Dice::new(seed);
    let folder = tempfile::Builder::new().prefix("audit-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = Server::new(folder.path(), &mut dice);
        let mut told = Vec::new();
        for round in 0..ROUNDS {
            server.start().await;
            let names = (0..WRITERS).map(|writer| format!("R{round}_{writer}"));
            let writers: Vec<_> = names.map(|name| tokio::spawn(write(Client::new(server.address), name))).collect();
            pause(Duration::from_millis(dice.between(30, 250))).await;
            server.kill();
            for writer in writers {
                told.push(writer.await.unwrap());
            }
        }
        server.start().await;
        let mut client = Client::new(server.address);
        let (_, answer) = client.get(&format!("{HOME}/variables")).await.unwrap();
        let value = |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["value"].as_u64().unwrap());
        let written: BTreeMap<String, u64> = answer["variables"].as_array().unwrap().iter().map(value).collect();
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let (_, page) = client.get(&format!("{HOME}/audit-log?limit=200&action=put_variable{cursor}")).await.unwrap();
            for entry in page["entries"].as_array().unwrap() {
                let known = known.entry(entry["target_id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).or_default();
                match entry["outcome"].as_str().unwrap() {
                    "done" => assert!(known.done.insert(entry["after"]["value"].as_u64().unwrap()), "one entry for a write"),
                    outcome => {
                        assert_eq!(outcome, "unknown");
                        known.unknown += 1;
                    }
                }
            }
            match &page["next_cursor"] {
                Value::String(next) => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        for (name, value) in &written {
            let known = known.entry(name.clone()).or_default();
            assert!(
                known.done.contains(value) || known.unknown > 0,
                "seed {seed}: {name} = {value} was written and the log has no entry; {}",
                folder.path().display()
            );
        }
        for (name, last) in &told {
            let done = &known.entry(name.clone()).or_default().done;
            assert!((1..=*last).all(|value| done.contains(&value)), "seed {seed}: {name} was answered up to {last}");
        }
        let (done, unknown) = known.values().fold((0, 0), |(done, unknown), known| (done + known.done.len(), unknown + known.unknown));
        assert!(done > 50, "only {done} were written");
        println!("audit: {ROUNDS} kills, {done} writes, {unknown} of unknown outcome");
    });
}
