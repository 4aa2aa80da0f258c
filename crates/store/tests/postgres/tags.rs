//! Runs that ask for a tag: claimed by nodes that serve it and by nobody else.

use std::sync::Arc;

use mainspring_model::clock::FakeClock;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::Standing;
use mainspring_store::postgres::{OpenOptions, PostgresStore};

use super::database::Database;
use crate::suite::make::{START, World};

async fn node(database: &Database, clock: &FakeClock, tags: &[&str]) -> (Arc<PostgresStore>, World) {
    let tags = tags.iter().map(ToString::to_string).collect();
    let options = OpenOptions { clock: Some(Arc::new(clock.clone())), sweep: None, tags, ..database.options() };
    let store = PostgresStore::open(options).await.unwrap();
    (store.clone(), World::new(store, clock.clone(), tempfile::tempdir().unwrap()))
}

async fn claim(world: &World) -> Vec<RunId> {
    world.store.claim(10).await.unwrap().iter().map(|claimed| claimed.header.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_to_a_node_that_serves_its_tag() {
    let database = Database::make().await;
    let clock = FakeClock::at(START);
    let (_plain_store, plain) = node(&database, &clock, &["default"]).await;
    let (_gpu_store, gpu) = node(&database, &clock, &["gpu", "lab"]).await;
    let header = plain.header();
    plain.commit(plain.creation(&header, Standing::QueuedFor("gpu".to_owned()))).await;
    let tag = async |world: &World| world.store.get_run(Owner::LOCAL.org, header.id).await.unwrap().unwrap().tag;
    let untagged = plain.queued().await;
    assert_eq!(tag(&plain).await.as_deref(), Some("gpu"));
    assert_eq!(claim(&plain).await, [untagged]);
    assert_eq!(claim(&gpu).await, [header.id]);
    assert_eq!(tag(&gpu).await, None, "whoever holds it: if it dies, anybody goes on");
    // It moves on, and waits there for a moment that only nodes for untagged steps look after.
    gpu.commit(gpu.write(header.id, &[], Standing::QueuedFor("default".to_owned()))).await;
    assert_eq!((claim(&gpu).await, claim(&plain).await), (vec![], vec![header.id]));
    plain.commit(plain.write(header.id, &[], Standing::Waiting(Some(plain.now() + 10)))).await;
    plain.pass(20);
    assert_eq!(gpu.store.next_wake().await.unwrap(), None, "it would look again and again");
    assert!(plain.store.next_wake().await.unwrap().is_some());
    assert_eq!((claim(&gpu).await, claim(&plain).await), (vec![], vec![header.id]));
    plain.store.close().await;
    gpu.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_tag_nobody_serves_can_be_cancelled() {
    let database = Database::make().await;
    let clock = FakeClock::at(START);
    let (_store, plain) = node(&database, &clock, &["default"]).await;
    let header = plain.header();
    plain.commit(plain.creation(&header, Standing::QueuedFor("gpu".to_owned()))).await;
    assert_eq!(claim(&plain).await, []);
    assert!(plain.store.request_cancel(Owner::LOCAL.org, header.id, "Ada").await.unwrap());
    let claimed = plain.store.claim(10).await.unwrap();
    assert!(claimed[0].cancel_requested);
    let summary = plain.store.get_run(Owner::LOCAL.org, header.id).await.unwrap().unwrap();
    assert_eq!((summary.status, summary.tag), (RunStatus::Running, None));
    plain.store.close().await;
}
