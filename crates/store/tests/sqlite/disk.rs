//! A disk that is full: the refused write leaves nothing behind, what was accepted stays, and room heals it.

use std::sync::Arc;

use mainspring_model::clock::FakeClock;
use mainspring_model::event::AttemptStatus;
use mainspring_model::id::RunId;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, Health, LogStore, Retention, RunStore, Standing};
use mainspring_store::{OpenOptions, SqliteStore};
use serde_json::json;

use super::beside;
use crate::suite::make::{START, World, attempt, ending, rows};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_and_healed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::at(START);
    let options = OpenOptions { max_pages: Some(300), ..OpenOptions::new(folder.path(), Arc::new(clock.clone())) };
    let store = SqliteStore::open(options).await.unwrap();
    let world = World::new(store.clone(), clock, tempfile::tempdir().unwrap());
    let (mut kept, mut refused): (Vec<RunId>, Vec<RunId>) = (vec![], vec![]);
    while refused.len() < 3 {
        let mut write = world.creation(&world.header(), Standing::Ended(ending(RunStatus::Success)));
        let event = attempt(1, world.now(), "a", "http", AttemptStatus::Success, json!("x".repeat(20_000)));
        write.events = rows(&[event]);
        let run = write.run;
        match store.commit(write).await {
            Ok(committed) => {
                assert_eq!(committed, Committed::Done);
                kept.push(run);
            }
            Err(error) => {
                assert_eq!(error.code(), "DISK_FULL", "{error}");
                refused.push(run);
            }
        }
    }
    assert!(kept.len() > 10);
    for run in &kept {
        assert_eq!(world.seqs(*run).await, [1]);
    }
    for run in &refused {
        assert_eq!(store.header(*run).await.unwrap(), None);
        assert_eq!(world.seqs(*run).await, [0; 0]);
    }
    world.pass(15 * 24 * 3_600_000);
    assert!(store.prune(&Retention::default(), 100).await.unwrap() > 0);
    let run = world.ended(RunStatus::Success).await;
    assert_eq!(world.seqs(run).await, [1, 2]);
    store.probe().await.unwrap();
    let verdict: String = sqlx::query_scalar("pragma integrity_check").fetch_one(&mut beside(folder.path()).await).await.unwrap();
    assert_eq!(verdict, "ok");
}
