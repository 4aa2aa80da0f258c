//! A database that goes away: callers are refused at once, nobody waits for ever, and it is back as soon as it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainspring_model::id::Owner;
use mainspring_model::store::{Circuit, Committed, Health, Reach, RunStore, Standing, StoreError};
use mainspring_store::postgres::{OpenOptions, PostgresStore};

use super::database::Database;
use super::proxy::{Path, Proxy};
use crate::suite::make::{World, success};

const DEADLINE: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "how long a real database keeps callers waiting")]
fn now() -> Instant {
    Instant::now()
}

async fn behind(database: &Database) -> (Proxy, Arc<PostgresStore>, World) {
    let proxy = Proxy::start(database).await;
    let options = database.options();
    let url = proxy.in_place_of(&options.url);
    let (store, world) = super::world_with(OpenOptions { url, deadline: DEADLINE, lease: Duration::from_secs(3), ..options }).await;
    (proxy, store, world)
}

fn unreachable<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Unreachable { .. })), "{answer:?}");
}

/// Asks until the circuit is in this state.
async fn until(store: &PostgresStore, circuit: Circuit) {
    let began = now();
    while store.reach().circuit != circuit {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?} is not {circuit:?}", store.reach());
        drop(store.next_wake().await);
        tokio::task::yield_now().await;
    }
}

/// Once the way is open again.
async fn is_soon_ready(proxy: &Proxy, store: &PostgresStore) {
    proxy.turn(Path::Open);
    let back = now();
    until(store, Circuit::Closed).await;
    store.probe().await.unwrap();
    println!("ready again {:?} after the database was", back.elapsed());
    assert!(back.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_are_refused_at_once_and_let_through_as_soon_as_it_answers() {
    let database = Database::make().await;
    let (proxy, store, world) = behind(&database).await;
    let (run, epoch) = (world.held().await, store.epoch());
    assert_eq!(store.reach(), Reach::default());
    proxy.turn(Path::Cut);
    until(&store, Circuit::Open).await;
    assert!(store.reach().lost_for.is_some());
    let began = now();
    for _ in 0..200 {
        unreachable(store.next_wake().await);
        unreachable(world.store.list_schedules(Owner::LOCAL.org).await);
    }
    unreachable(world.store.commit(world.write(run, &[success(1, 1)], Standing::Running)).await);
    unreachable(store.probe().await);
    assert!(began.elapsed() < Duration::from_secs(5), "refused at once: {:?}", began.elapsed());

    is_soon_ready(&proxy, &store).await;
    assert_eq!(store.reach(), Reach::default());
    if store.epoch() == epoch {
        assert_eq!(world.commit(world.write(run, &[success(1, 1)], Standing::Running)).await, Committed::Done);
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_are_refused_open_nothing() {
    let database = Database::make().await;
    let (_proxy, store, world) = behind(&database).await;
    for _ in 0..10 {
        let missing = world.store.request_cancel(Owner::LOCAL.org, mainspring_model::id::RunId(world.uuid()), "me").await;
        assert_eq!(missing.unwrap_err().code(), "NOT_FOUND");
    }
    assert_eq!(store.reach(), Reach::default());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_accepts_and_never_answers_keeps_nobody_for_ever() {
    let database = Database::make().await;
    let (proxy, store, world) = behind(&database).await;
    let run = world.held().await;
    // Connections of every kind are open and in order, and then nothing comes back.
    store.probe().await.unwrap();
    store.next_wake().await.unwrap();
    proxy.turn(Path::BlackHole);
    let began = now();
    let calls = async {
        let write = world.store.commit(world.write(run, &[success(1, 1)], Standing::Running));
        let (write, claim, probe, read, monitoring, blob, key) = tokio::join!(
            write,
            store.claim(5),
            store.probe(),
            store.history(run),
            world.store.monitoring(Owner::LOCAL.org),
            world.store.put_blob(Owner::LOCAL.org, vec![7; 9]),
            world.store.api_key_by_hash(b"nobody's"),
        );
        unreachable(write);
        unreachable(claim);
        unreachable(probe);
        unreachable(read);
        unreachable(monitoring);
        unreachable(blob);
        unreachable(key);
    };
    tokio::time::timeout(Duration::from_secs(30), calls).await.expect("nobody is kept for ever");
    println!("all refused within {:?}, with a deadline of {DEADLINE:?}", began.elapsed());
    until(&store, Circuit::Open).await;
    is_soon_ready(&proxy, &store).await;
    store.close().await;
}
