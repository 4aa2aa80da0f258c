//! Gate S12: all keys are changed while several nodes read and write; nobody notices, and nothing is left under an old key.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use mainspring_model::credential::Secret;
use mainspring_model::id::{CredentialId, OrgId, Owner, UserId};
use mainspring_server::app::App;
use mainspring_server::settings::Settings;
use mainspring_server::wire;
use serde_json::json;

use super::sealed;
use crate::cli::program::Place;
use crate::postgres::database::Database;

const OLD: &str = "wk/tYeWin4b+rEWqGqlchfxxzJgpPuxS0jHyNkDKbs8=";
const NEW: &str = "q0b1kRr0aU8bXq3yE7mJ5nq1m9v0sZt2cW4hL6dPpXg=";
const SECRETS: usize = 400;
/// The long form: how many instead.
const COUNT: &str = "MAINSPRING_TEST_KEYS";
const ORGANIZATIONS: usize = 8;

fn settings(data: &Path, database: Option<&Database>, keys: &str) -> Settings {
    Settings {
        data: data.to_owned(),
        postgres: database.map(|database| Secret::new(database.url())),
        migrate_url: database.map(|database| Secret::new(database.migrate_url())),
        encryption_key: Some(Secret::new(keys)),
        ..Settings::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "the long form is asked for by hand")]
fn count() -> usize {
    std::env::var(COUNT).map_or(SECRETS, |text| text.parse().expect("a number"))
}

fn name(n: usize) -> String {
    format!("name {n}")
}

/// What a secret holds; a replaced one says so.
fn value(n: usize, version: u64) -> String {
    format!("canary-{n}-{version}-{:016x}", (n as u64 + version).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

async fn put(app: &App, owners: &[Owner], n: usize, version: u64) -> Result<(), String> {
    let fields = BTreeMap::from([("api_key".to_owned(), Secret::new(value(n, version)))]);
    let id = CredentialId(app.engine.new_id());
    let put = app.engine.credentials().put(id, owners[n % owners.len()], "openai", &name(n), fields, None).await;
    put.map(drop).map_err(|error| format!("secret {n} could not be written: {error}"))
}

/// Opens a secret as a step does; it holds what was written, whichever write was the last.
async fn check(app: &App, owners: &[Owner], n: usize) -> Result<(), String> {
    let found = app.store.find_credential(&owners[n % owners.len()], "openai", Some(&name(n))).await;
    let record = found.map_err(|error| error.to_string())?.ok_or_else(|| format!("secret {n} is gone"))?;
    let opened = app.engine.credentials().open_record(&record).await.map_err(|error| format!("secret {n} does not open: {error}"))?;
    let text = opened.field("api_key").unwrap_or_default();
    let version = text.split('-').nth(2).and_then(|version| version.parse().ok()).ok_or_else(|| format!("secret {n} is something else"))?;
    if text == value(n, version) { Ok(()) } else { Err(format!("secret {n} is something else")) }
}

#[derive(Default)]
struct Load {
    over: AtomicBool,
    reads: AtomicU64,
    writes: AtomicU64,
    failures: std::sync::Mutex<Vec<String>>,
}

impl Load {
    fn note(&self, done: Result<(), String>, count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
        if let Err(failure) = done {
            self.failures.lock().unwrap().push(failure);
        }
    }
}

/// Reads without a pause, and one write in 16, until the load is over.
async fn work(app: Arc<App>, owners: Arc<Vec<Owner>>, load: Arc<Load>, seed: u64, secrets: usize) {
    let mut dice = seed;
    while !load.over.load(Ordering::Relaxed) {
        dice = dice.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        let n = (dice >> 33) as usize % secrets;
        if dice >> 57 == 127 {
            load.note(sealed::put(&app, &owners[n % owners.len()]).await, &load.writes);
        } else if dice >> 59 == 30 {
            load.note(sealed::check(&app, &owners[n % owners.len()]).await, &load.reads);
        } else if dice >> 60 == 0 {
            load.note(put(&app, &owners, n, dice >> 40).await, &load.writes);
        } else {
            load.note(check(&app, &owners, n).await, &load.reads);
        }
    }
}

/// The whole of it; `nodes` processes' worth of parts work while another one rotates.
async fn rotate_under_load(data: &Path, database: Option<&Database>, nodes: usize, secrets: usize) {
    let began = super::clock::now();
    let owners: Vec<Owner> = (1..=ORGANIZATIONS as u128)
        .map(|n| Owner { org: OrgId(uuid::Uuid::from_u128(n << 64 | n)), user: UserId(uuid::Uuid::from_u128(n << 65 | n)) })
        .collect();
    let owners = Arc::new(owners);
    let before = wire::open(&settings(data, database, OLD), false).await.unwrap();
    let all: Vec<_> = stream::iter(0..secrets).map(|n| put(&before, &owners, n, 0)).buffer_unordered(16).collect().await;
    assert_eq!(all.into_iter().collect::<Result<Vec<_>, _>>().err(), None);
    for owner in owners.iter() {
        assert_eq!(sealed::put(&before, owner).await, Ok(()));
    }
    before.store.close().await;

    let both = format!("{NEW},{OLD}");
    let mut apps = Vec::new();
    for node in 0..nodes {
        // The embedded store is one process's to drive; beside it stand others with a connection of their own.
        apps.push(wire::open(&settings(data, database, &both), database.is_some() || node == 0).await.unwrap());
    }
    let load = Arc::new(Load::default());
    let mut tasks = Vec::new();
    for (node, app) in apps.iter().enumerate() {
        for task in 0..2 {
            let seed = (node * 2 + task) as u64 + 1;
            tasks.push(tokio::spawn(work(app.clone(), owners.clone(), load.clone(), seed, secrets)));
        }
    }
    let rotator = wire::open(&settings(data, database, &both), false).await.unwrap();
    let credentials = rotator.engine.credentials();
    let report = credentials.key_report().await.unwrap();
    // The organization of the local owner is there from the start, and second factors are the installation's.
    let keys = ORGANIZATIONS as u64 + 2;
    assert_eq!((report.ring[1].data_keys, report.ring[1].canary, report.ring[1].may_go()), (keys, true, false));
    let rows: u64 = report.data_keys.iter().map(|key| key.rows).sum();
    assert!(rows >= (secrets + 4 * ORGANIZATIONS) as u64, "{rows} rows are counted");
    let ring = credentials.rotate_ring().await.unwrap();
    assert_eq!((ring.rewrapped, ring.canary), (keys, true));
    let mut rounds = Vec::new();
    for _ in 0..2 {
        rounds.push(credentials.rotate_data_keys(&mut |_, _| {}).await.unwrap());
    }
    // One that is dropped in the middle, as by a kill, and then brought to its end.
    let interrupted = {
        let (pages, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(tokio::sync::Notify::new()));
        let (count, tell) = (pages.clone(), seen.clone());
        let mut said = move |_: OrgId, done: mainspring_engine::DataKeysRotated| {
            count.store(done.rows, Ordering::Relaxed);
            if done.rows > 0 {
                tell.notify_one();
            }
        };
        tokio::select! {
            done = credentials.rotate_data_keys(&mut said) => panic!("it was to be interrupted: {done:?}"),
            () = seen.notified() => pages.load(Ordering::Relaxed),
        }
    };
    assert!(interrupted > 0 && (interrupted as usize) < secrets, "{interrupted} rows before the interruption");
    rounds.push(credentials.rotate_data_keys(&mut |_, _| {}).await.unwrap());
    load.over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let failures = std::mem::take(&mut *load.failures.lock().unwrap());
    assert!(failures.is_empty(), "{} failures, the first: {}", failures.len(), failures[0]);
    // What was written meanwhile is under the new key already.
    assert!(rounds[0].rows > secrets as u64 / 2 && rounds.iter().all(|round| round.unopened == 0), "{rounds:?}");
    let report = credentials.key_report().await.unwrap();
    assert_eq!((report.rows_under_old_keys(), report.damaged), (0, 0), "left under old keys: {report:?}");
    assert!(report.ring[1].may_go(), "{report:?}");
    for app in apps.iter().chain([&rotator]) {
        app.store.close().await;
    }
    // The old key is gone for good.
    let after = wire::open(&settings(data, database, NEW), false).await.unwrap();
    for n in 0..secrets {
        assert_eq!(check(&after, &owners, n).await, Ok(()));
    }
    for owner in owners.iter() {
        assert_eq!(sealed::check(&after, owner).await, Ok(()));
    }
    after.store.close().await;
    let refused = wire::open(&settings(data, database, OLD), false).await.map(drop).unwrap_err();
    assert_eq!(refused.code(), "VAULT_KEY_UNKNOWN");
    let (reads, writes) = (load.reads.load(Ordering::Relaxed), load.writes.load(Ordering::Relaxed));
    println!("{secrets} secrets, {nodes} nodes, {reads} reads and {writes} writes meanwhile, 0 failures, {:?}", began.elapsed());
    assert!(reads > 100 && writes > 10, "too little load to say anything: {reads} reads, {writes} writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_changed_under_three_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::make();
    rotate_under_load(folder.path(), Some(&database), 3, count()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_changed_under_an_embedded_store() {
    let folder = tempfile::tempdir().unwrap();
    rotate_under_load(folder.path(), None, 2, count()).await;
}

/// The command, killed again and again at other moments, gets there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_goes_on() {
    let place = Place::new();
    let owners: Arc<Vec<Owner>> = Arc::new(vec![Owner::LOCAL]);
    let secrets = 600;
    let app = wire::open(&settings(&place.data(), None, OLD), true).await.unwrap();
    let all: Vec<_> = stream::iter(0..secrets).map(|n| put(&app, &owners, n, 0)).buffer_unordered(16).collect().await;
    assert_eq!(all.into_iter().collect::<Result<Vec<_>, _>>().err(), None);
    app.store.close().await;
    let both = format!("{NEW},{OLD}");
    let app = wire::open(&settings(&place.data(), None, &both), true).await.unwrap();
    let mut killed = 0;
    for millis in [20, 100, 180, 260, 340] {
        let mut child = place.command(&["key", "rotate", "--data-keys"]).env("ENCRYPTION_KEY", &both).spawn().unwrap();
        super::clock::pause(Duration::from_millis(millis)).await;
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();
        for n in (0..secrets).step_by(7) {
            assert_eq!(check(&app, &owners, n).await, Ok(()));
        }
    }
    app.store.close().await;
    assert!(killed > 0, "nothing was interrupted");
    let run = |args: &[&str]| {
        let output = place.command(args).env("ENCRYPTION_KEY", &both).output().unwrap();
        crate::cli::program::Done::of(output).expect(0).json()
    };
    let done = run(&["key", "rotate", "--data-keys", "-o", "json"]);
    assert_eq!(done["data_keys"]["unopened"], json!(0), "{done}");
    let report = run(&["key", "report", "-o", "json"]);
    assert_eq!((&report["rows_under_old_keys"], &report["ring"][1]["may_go"]), (&json!(0), &json!(true)), "{report}");
    let after = wire::open(&settings(&place.data(), None, NEW), false).await.unwrap();
    for n in 0..secrets {
        assert_eq!(check(&after, &owners, n).await, Ok(()));
    }
    after.store.close().await;
    println!("killed {killed} times");
}
