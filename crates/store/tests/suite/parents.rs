//! Runs that call runs: a parent that waits never misses the end of its child.

use mainspring_model::id::RunId;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, Standing};

use super::make::{World, ending};

async fn child_of(world: &World, parent: RunId) -> RunId {
    let mut header = world.header();
    header.parent = Some((parent, "call".to_owned()));
    assert_eq!(world.commit(world.creation(&header, Standing::Running)).await, Committed::Done);
    header.id
}

fn end(world: &World, run: RunId) -> mainspring_model::store::RunWrite {
    world.write(run, &[], Standing::Ended(ending(RunStatus::Success)))
}

async fn claim(world: &World) -> Vec<RunId> {
    world.store.claim(10).await.unwrap().iter().map(|claimed| claimed.header.id).collect()
}

pub async fn the_end_of_a_child_wakes_its_parent(world: &World) {
    let parent = world.held().await;
    let (first, second) = (child_of(world, parent).await, child_of(world, parent).await);
    world.commit(world.write(parent, &[], Standing::Waiting(None))).await;
    assert_eq!(claim(world).await, []);
    world.commit(end(world, first)).await;
    world.store.work_arrived().await;
    assert_eq!(claim(world).await, [parent]);
    assert_eq!(world.store.ending(first).await.unwrap(), Some(ending(RunStatus::Success)));
    world.commit(world.write(parent, &[], Standing::Waiting(Some(world.now() + 99_000)))).await;
    world.commit(end(world, second)).await;
    assert_eq!(claim(world).await, [parent]);
    world.commit(end(world, parent)).await;
    let orphan = child_of(world, parent).await;
    world.commit(end(world, orphan)).await;
    assert_eq!(claim(world).await, [], "a parent that ended stays ended");
}

pub async fn a_child_that_ends_first_is_not_missed(world: &World) {
    let parent = world.held().await;
    let child = child_of(world, parent).await;
    world.commit(end(world, child)).await;
    assert_eq!(claim(world).await, [], "a parent that is held is woken at its next wait");
    world.commit(world.write(parent, &[], Standing::Waiting(None))).await;
    world.store.work_arrived().await;
    assert_eq!(claim(world).await, [parent]);
    world.commit(world.write(parent, &[], Standing::Waiting(None))).await;
    assert_eq!(claim(world).await, [], "woken once");
}

pub async fn parent_and_child_in_one_batch(world: &World) {
    for child_first in [true, false] {
        let parent = world.held().await;
        let child = child_of(world, parent).await;
        // Something slow ahead of them makes the two gather into one group.
        let ahead = world.creation(&world.header(), Standing::Running);
        let wait = world.write(parent, &[], Standing::Waiting(None));
        let (a, b) = if child_first { (end(world, child), wait) } else { (wait, end(world, child)) };
        let (_, a, b) = tokio::join!(world.commit(ahead), world.commit(a), world.commit(b));
        assert_eq!((a, b), (Committed::Done, Committed::Done));
        assert_eq!(claim(world).await, [parent]);
    }
}
