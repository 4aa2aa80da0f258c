//! S7: a flood of signed webhooks with a kill in it: what was answered is there, once for each message, and what is forged or replayed
//! starts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;

use super::client::{Answer, Client, Gone};
use super::clock::{asked, now, pause, wall_ms};
use super::dice::Dice;
use super::dump::summaries;
use super::process::Server;

const SECRET: &[u8] = b"a secret of 32 bytes for a flood";
const SENDERS: u64 = 32;
const PATH: &str = "/api/webhook/flood";

/// A delivery as Standard Webhooks has it, signed by `secret` at `at` (Unix seconds).
async fn deliver(client: &mut Client, id: &str, at: i64, body: &str, secret: &[u8]) -> Result<Answer, Gone> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let at = at.to_string();
    client.post_with(PATH, body, &[("webhook-id", id), ("webhook-timestamp", &at), ("webhook-signature", &signature)]).await
}

/// What the senders share.
struct Flood {
    address: SocketAddr,
    next: AtomicU64,
    /// Deliveries that are offered, one each so many microseconds.
    every_us: u64,
    began: std::time::Instant,
    over: AtomicBool,
}

/// Message → the run that it was answered with.
type Told = BTreeMap<u64, String>;

/// Offers deliveries at their moments, each until it is answered, and notes the answers and every status.
async fn send(flood: Arc<Flood>) -> (Told, BTreeMap<u16, u64>) {
    let mut client = Client::new(flood.address);
    let (mut told, mut statuses) = (Told::new(), BTreeMap::new());
    while !flood.over.load(Ordering::Acquire) {
        let number = flood.next.fetch_add(1, Ordering::AcqRel);
        let at = Duration::from_micros(number * flood.every_us);
        if let Some(early) = at.checked_sub(flood.began.elapsed()) {
            pause(early).await;
        }
        let body = json!({"n": number}).to_string();
        loop {
            match deliver(&mut client, &format!("msg_{number}"), wall_ms() / 1_000, &body, SECRET).await {
                Ok((status, answer)) => {
                    *statuses.entry(status).or_default() += 1;
                    if status == 202 {
                        told.insert(number, run_of(&answer));
                        break;
                    }
                }
                // As every sender does: nobody knows whether it was taken.
                Err(Gone) => pause(Duration::from_millis(5)).await,
            }
            if flood.over.load(Ordering::Acquire) {
                break;
            }
        }
    }
    (told, statuses)
}

fn run_of(answer: &Value) -> String {
    answer["runs"][0]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn set_up(server: &Server) {
    let mut client = Client::new(server.address);
    let secret = format!("whsec_{}", STANDARD.encode(SECRET));
    let credential = json!({"credentials": {"signing_secret": secret}, "name": "flood"});
    assert_eq!(client.post("/api/provider-credentials/webhook", &credential).await.unwrap().0, 201);
    let trigger = json!({"type": "webhook", "path": "flood", "signature": "standard_webhooks", "credential": "flood"});
    let steps = json!([{"id": "keep", "action": "logic.set", "params": {"n": "${trigger.body.n}"}}]);
    let plan = json!({"name": "Flood", "triggers": [trigger], "steps": steps});
    let (status, answer) = client.post("/api/plans", &plan).await.unwrap();
    assert_eq!(status, 201, "{answer}");
}

#[test]
fn a_flood_of_webhooks_loses_and_doubles_nothing() {
    let long = asked("MAINSPRING_S7_SECONDS");
    let time = Duration::from_secs(long.unwrap_or(4));
    let rate = asked("MAINSPRING_S7_RATE").unwrap_or(if long.is_some() { 5_000 } else { 300 });
    let attempts: u64 = if long.is_some() { 10_000 } else { 300 };
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("s7-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = Server::new(folder.path(), &mut Dice::new(seed));
        server.start().await;
        set_up(&server).await;
        let flood = Arc::new(Flood {
            address: server.address,
            next: AtomicU64::new(0),
            every_us: 1_000_000 / rate,
            began: now(),
            over: AtomicBool::new(false),
        });
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(send(flood.clone()));
        }
        pause(time / 2).await;
        let resident = server.resident();
        assert!(server.kill(), "the flood ended it: {}", server.log());
        server.start().await;
        pause(time.saturating_sub(flood.began.elapsed())).await;
        flood.over.store(true, Ordering::Release);
        let (mut told, mut statuses) = (Told::new(), BTreeMap::<u16, u64>::new());
        for (theirs, counted) in senders.join_all().await {
            told.extend(theirs);
            counted.into_iter().for_each(|(status, count)| *statuses.entry(status).or_default() += count);
        }
        let took = flood.began.elapsed();
        let offered = flood.next.load(Ordering::Acquire);
        assert!(statuses.keys().all(|status| [202, 401, 413, 429, 503].contains(status)), "{statuses:?}");
        assert!(told.len() > 100, "{} of {offered} were answered; {statuses:?}", told.len());
        let distinct: BTreeSet<&String> = told.values().collect();
        assert_eq!(distinct.len(), told.len(), "two messages have one run");

        // After the flood: forged ones, and messages of the flood again, both as they were and under an old stamp.
        let before = known(&mut server, folder.path(), "before").await;
        let mut client = Client::new(server.address);
        for n in 0..attempts {
            let (status, _) = deliver(&mut client, &format!("forged_{n}"), wall_ms() / 1_000, "{}", b"another secret of the same size!").await.unwrap();
            assert_eq!(status, 401);
        }
        for (number, run) in told.iter().cycle().take(usize::try_from(attempts).unwrap()) {
            let (id, body) = (format!("msg_{number}"), json!({"n": number}).to_string());
            let (status, answer) = deliver(&mut client, &id, wall_ms() / 1_000, &body, SECRET).await.unwrap();
            assert_eq!((status, run_of(&answer)), (202, run.clone()), "the answer of the first");
            let (status, _) = deliver(&mut client, &id, wall_ms() / 1_000 - 600, &body, SECRET).await.unwrap();
            assert_eq!(status, 401, "ten minutes old");
        }
        let after = known(&mut server, folder.path(), "after").await;
        let lost: Vec<_> = told.iter().filter(|(_, run)| !after.contains(*run)).collect();
        assert_eq!(lost, [], "seed {seed}: answered and not there");
        assert_eq!(before, after, "what was forged or replayed started a run");
        // Those that were taken and whose answer was never seen have a run too, and nothing else has.
        assert!(after.len() as u64 <= offered && after.len() >= told.len(), "{} runs of {offered} messages, {} told", after.len(), told.len());
        println!(
            "S7: {offered} messages in {took:?} ({:.0}/s), {statuses:?}, {} runs told and {} there after a kill, {resident} KiB; {attempts} forged and {attempts} replayed: 0 runs",
            offered as f64 / took.as_secs_f64(),
            told.len(),
            after.len(),
        );
        if long.is_some() {
            assert!(resident <= 400 * 1_024, "{resident} KiB");
        }
    });
}

/// Every run that is on disk; the server is killed for it and started again.
async fn known(server: &mut Server, folder: &std::path::Path, name: &str) -> BTreeSet<String> {
    server.kill();
    let known = summaries(server.data(), &folder.join(name)).await.into_iter().map(|run| run.id.to_string()).collect();
    server.start().await;
    known
}
