//! A limit on live runs, while the process is killed again and again: never more than the limit by the rows, and every run ends.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::dump::dump;
use super::process::Server;

const RUNS: u32 = 160;
/// A kill after each so many.
const BETWEEN: u32 = 20;
const KEYS: u32 = 3;
const LIMIT: usize = 2;

#[test]
fn no_kill_lets_more_live_than_the_limit_or_leaves_one_behind() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("limits-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let mut server = Server::new(folder.path(), &mut dice);
        server.start().await;
        let mut client = Client::new(server.address);
        let plan = json!({
            "name": "Few", "inputs": {"token": {"type": "string"}, "n": {"type": "integer"}},
            "concurrency": {"limit": LIMIT, "key": "${inputs.token}"},
            "triggers": [{"id": "asked", "type": "event", "event_type": "asked"}],
            // Both in memory and as a row.
            "steps": [
                {"id": "short", "action": "logic.sleep", "params": {"for": "15ms"}},
                {"id": "long", "if": "inputs.n % 8 == 0", "action": "logic.sleep", "params": {"for": "1200ms"}},
                {"id": "end", "action": "logic.set", "params": {"n": "${inputs.n}"}},
            ],
        });
        let (status, answer) = client.post("/api/plans", &plan).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let mut kills = 0;
        for n in 0..RUNS {
            if n % BETWEEN == BETWEEN - 1 {
                pause(Duration::from_millis(dice.between(0, 60))).await;
                server.kill();
                kills += 1;
                server.start().await;
            }
            let event = json!({"type": "asked", "data": {"token": format!("key {}", n % KEYS), "n": n}, "id": format!("0198c3f2-7a51-7cc3-9d2e-{n:012x}")});
            // Until it is answered: the same id is one event.
            while !matches!(client.post("/api/events", &event).await, Ok((202, _))) {
                client = Client::new(server.address);
            }
        }
        let began = now();
        loop {
            let seen = client.get("/api/monitoring/status").await;
            if matches!(&seen, Ok((200, status)) if status["successful"] == RUNS) {
                break;
            }
            // Meanwhile it dies once more, with runs queued and live.
            if kills == RUNS / BETWEEN {
                server.kill();
                kills += 1;
                server.start().await;
                client = Client::new(server.address);
            }
            assert!(began.elapsed() < Duration::from_secs(120), "not all have run: {seen:?}; seed {seed}");
            pause(Duration::from_millis(20)).await;
        }
        server.kill();
        let runs = dump(server.data(), &folder.path().join("copy")).await;
        assert_eq!(runs.len(), RUNS as usize, "seed {seed}");
        let mut moments: BTreeMap<&str, Vec<(i64, i32)>> = BTreeMap::new();
        for run in &runs {
            assert_eq!(run.status, "success", "seed {seed}: {}", run.id);
            // From its first entry to its last: what it did, not what the admission says of it. At one moment the end comes first.
            let (began, ended) = (run.rows.first().expect("it began").at, run.rows.last().expect("it ended").at);
            moments.entry(&run.token).or_default().extend([(began, 1), (ended, -1)]);
        }
        let mut most = 0;
        for (key, mut moments) in moments {
            moments.sort_unstable();
            let mut live = 0;
            for (at, change) in moments {
                live += change;
                most = most.max(live);
                assert!(live <= i32::try_from(LIMIT).unwrap(), "seed {seed}: {live} runs of key {key} are live at {at}");
            }
        }
        assert_eq!(most, i32::try_from(LIMIT).unwrap(), "the limit was never reached");
        println!("limits: {RUNS} runs of {KEYS} keys with {kills} kills, at most {most} of a key side by side");
    });
}
