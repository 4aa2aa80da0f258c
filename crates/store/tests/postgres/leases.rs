//! How long a node trusts its lease: by a monotonic clock that is moved, and no longer than its last answered renewal was good for.

use std::time::Duration;

use futures_util::FutureExt;
use mainspring_model::store::{Health, RunStore};
use mainspring_store::postgres::OpenOptions;
use sqlx::Executor;

use super::database::Database;
use crate::suite::make::START;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_trusts_its_lease_until_a_renewal_is_overdue() {
    let database = Database::make().await;
    let options = OpenOptions { lease: Duration::from_secs(2), sweep: None, ..database.options() };
    let (store, world) = super::world_with(options).await;
    let (epoch, mut server) = (store.epoch(), database.beside().await);
    // Renewals wait behind this lock and are not answered, as when the database hangs.
    let lock = "begin; select from nodes for update";
    server.execute(lock).await.unwrap();
    world.clock.advance_to(START + 1_499);
    assert!(store.trusts(epoch), "two seconds from when it was asked for, less a fourth");
    world.clock.advance_to(START + 1_500);
    assert!(!store.trusts(epoch));
    assert_eq!(store.trusted(epoch).now_or_never(), None, "nobody knows yet whose the runs are");
    server.execute("commit").await.unwrap();
    assert!(store.trusted(epoch).await && store.trusts(epoch), "it was renewed");
    assert_eq!(store.epoch(), epoch);

    server.execute(lock).await.unwrap();
    world.clock.advance_to(START + 9_000);
    assert!(!store.trusts(epoch));
    server.execute("delete from nodes; commit").await.unwrap();
    assert!(!store.trusted(epoch).await, "somebody declared it dead");
    assert!(store.epoch() > epoch && store.trusts(store.epoch()), "and it goes on under another number");
    let last = store.epoch();
    store.close().await;
    assert!(!store.trusts(last) && !store.trusted(last).await, "who signed off begins nothing");
}
