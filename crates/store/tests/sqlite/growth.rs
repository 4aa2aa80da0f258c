//! Growth: what retention removes leaves the file, too.

use mainspring_model::run::RunStatus;
use mainspring_model::store::{Health, LogStore, Retention, Standing};

use super::{fresh, open};
use crate::suite::make::{World, ending, finished, rows, success};

async fn size(world: &World) -> u64 {
    world.store.close().await;
    std::fs::metadata(world.folder.path().join("mainspring.db")).unwrap().len()
}

async fn fill(world: &World, runs: usize) {
    let writes = (0..runs).map(|_| {
        let mut write = world.creation(&world.header(), Standing::Ended(ending(RunStatus::Success)));
        let mut events: Vec<_> = (1..=10).map(|seq| success(seq, world.now())).collect();
        events.push(finished(11, world.now(), RunStatus::Success));
        write.events = rows(&events);
        world.commit(write)
    });
    futures_util::future::join_all(writes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_shrinks_to_what_is_live() {
    let runs = if cfg!(debug_assertions) { 1_000 } else { 20_000 };
    let live = 10;
    let alone = fresh().await;
    fill(&alone, live).await;
    let expected = size(&alone).await;

    let world = fresh().await;
    fill(&world, runs).await;
    world.pass(15 * 24 * 3_600_000);
    fill(&world, live).await;
    let full = size(&world).await;
    let store = open(world.folder.path(), &world.clock).await.unwrap();
    while store.prune(&Retention::default(), 500).await.unwrap() > 0 {}
    // The last batches of pages: what is above the reserve goes within a few calls.
    for _ in 0..4 {
        store.prune(&Retention::default(), 500).await.unwrap();
    }
    store.close().await;
    let pruned = std::fs::metadata(world.folder.path().join("mainspring.db")).unwrap().len();
    println!("{runs} runs: {full} bytes, after pruning {pruned}, a file of {live} runs has {expected}");
    assert!(pruned * 10 <= expected * 12, "{pruned} bytes are over 1.2 times {expected}");
}
