//! Crashes: a copy of the files as they lie on disk is what a process finds that starts after a power cut.

use std::path::Path;

use mainspring_model::event::AttemptStatus;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, RunStore, Standing};
use serde_json::json;
use tempfile::TempDir;

use super::{fresh, open};
use crate::suite::make::{World, attempt, ending, success};

/// The database and its log, taken while the store works.
fn image(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["mainspring.db", "mainspring.db-wal"] {
        std::fs::copy(folder.join(file), copy.path().join(file)).unwrap();
    }
    copy
}

/// The world after a crash of this one.
async fn crash(world: &World) -> World {
    let folder = image(world.folder.path());
    let store = open(folder.path(), &world.clock).await.unwrap();
    World::new(store, world.clock.clone(), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there() {
    let world = fresh().await;
    let mut runs = Vec::new();
    for n in 0..30_u32 {
        let run = world.held().await;
        for seq in 1..=n {
            assert_eq!(world.commit(world.write(run, &[success(seq, world.now())], Standing::Running)).await, Committed::Done);
        }
        runs.push((run, n));
    }
    let after = crash(&world).await;
    for (run, n) in runs {
        assert_eq!(after.seqs(run).await, (1..=n).collect::<Vec<_>>());
        let late = world.write(run, &[success(n + 1, world.now())], Standing::Running);
        assert_eq!(after.store.commit(late).await.unwrap(), Committed::Late, "a lease of the generation before");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_runs_go_back_to_the_queue_and_others_stay() {
    let world = fresh().await;
    let held = [world.held().await, world.held().await];
    let waiting = world.held().await;
    world.commit(world.write(waiting, &[], Standing::Waiting(Some(world.now() + 1_000)))).await;
    let ended = world.ended(RunStatus::Error).await;
    let queued = world.queued().await;
    world.pass(10);
    let after = crash(&world).await;
    assert_eq!(after.store.recover(&[], None).await.unwrap(), 2);
    after.store.work_arrived().await;
    assert_eq!(after.store.recover(&[], None).await.unwrap(), 0);
    let claimed: Vec<RunId> = after.store.claim(9).await.unwrap().iter().map(|run| run.header.id).collect();
    assert_eq!(claimed, [queued, held[0], held[1]]);
    assert_eq!(after.store.next_wake().await.unwrap(), Some(world.now() + 990));
    assert_eq!(after.store.ending(ended).await.unwrap(), Some(ending(RunStatus::Error)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_counts_are_kept_until_progress() {
    let mut world = fresh().await;
    let (guilty, bystander) = (world.held().await, world.held().await);
    let mut seq = 0;
    for (crashes, alone) in [(1, 0), (2, 0), (3, 1), (4, 2)] {
        world = crash(&world).await;
        world.store.recover(&[guilty], (alone > 0).then_some(guilty)).await.unwrap();
        let claimed = world.store.claim(9).await.unwrap();
        let counts = |id| claimed.iter().find(|run| run.header.id == id).map(|run| (run.crashes, run.crashes_alone)).unwrap();
        assert_eq!((counts(guilty), counts(bystander)), ((crashes, alone), (0, 0)));
        seq += 1;
        let retrying = attempt(seq, world.now(), "a", "http", AttemptStatus::Retrying, json!(null));
        assert_eq!(world.commit(world.write(guilty, &[retrying], Standing::Running)).await, Committed::Done);
    }
    let finished = attempt(seq + 1, world.now(), "a", "http", AttemptStatus::Error, json!(null));
    assert_eq!(world.commit(world.write(guilty, &[finished], Standing::Running)).await, Committed::Done);
    world.store.release(guilty, world.store.epoch()).await.unwrap();
    let claimed = world.store.claim(1).await.unwrap().pop().unwrap();
    assert_eq!((claimed.crashes, claimed.crashes_alone), (0, 0), "a finished step forgives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_written_after_the_last_reference_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let clock = mainspring_model::clock::FakeClock::at(1);
    let store = open(folder.path(), &clock).await.unwrap();
    let world = World::new(store.clone(), clock.clone(), tempfile::tempdir().unwrap());
    let writes: Vec<_> = (0..50).map(|_| world.creation(&world.header(), Standing::Queued)).collect();
    let ids: Vec<RunId> = writes.iter().map(|write| write.run).collect();
    let tasks: Vec<_> = writes
        .into_iter()
        .map(|write| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(write).await.unwrap() })
        })
        .collect();
    drop(world);
    drop(store);
    for task in tasks {
        assert_eq!(task.await.unwrap(), Committed::Done);
    }
    let options = mainspring_store::OpenOptions {
        hold_engine_lock: false,
        ..mainspring_store::OpenOptions::new(folder.path(), std::sync::Arc::new(clock))
    };
    let store = mainspring_store::SqliteStore::open(options).await.unwrap();
    for id in ids {
        assert!(store.get_run(Owner::LOCAL.org, id).await.unwrap().is_some());
    }
}
