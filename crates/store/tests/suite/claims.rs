//! Holding runs: claims, waits, cancellations and what a crash leaves behind.

use std::collections::HashSet;

use futures_util::FutureExt;
use futures_util::future::join_all;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, Standing};

use super::make::{World, code, ending, owner, plan_id, success};

async fn claim(world: &World, max: u32) -> Vec<RunId> {
    world.store.claim(max).await.unwrap().iter().map(|claimed| claimed.header.id).collect()
}

pub async fn oldest_due_first(world: &World) {
    let first = world.queued().await;
    let waiting = world.held().await;
    world.commit(world.write(waiting, &[], Standing::Waiting(Some(world.now() + 5)))).await;
    world.pass(10);
    let last = world.queued().await;
    assert_eq!(claim(world, 2).await, [first, waiting]);
    assert_eq!(claim(world, 2).await, [last]);
    assert_eq!(claim(world, 2).await, []);
}

pub async fn a_claimed_run_is_held(world: &World) {
    let header = world.header();
    world.commit(world.creation(&header, Standing::Queued)).await;
    let claimed = world.store.claim(10).await.unwrap().pop().unwrap();
    assert_eq!((&claimed.header, claimed.epoch), (&header, world.store.epoch()));
    assert_eq!((claimed.cancel_requested, claimed.crashes, claimed.crashes_alone), (false, 0, 0));
    let summary = world.store.get_run(Owner::LOCAL.org, header.id).await.unwrap().unwrap();
    assert_eq!((summary.status, summary.started_at), (RunStatus::Running, Some(world.now())));
    assert_eq!(world.commit(world.write(header.id, &[success(1, world.now())], Standing::Running)).await, Committed::Done);
}

pub async fn a_wait_ends_at_its_moment(world: &World) {
    assert_eq!(world.store.next_wake().await.unwrap(), None);
    let (timed, signalled) = (world.held().await, world.held().await);
    world.commit(world.write(timed, &[success(1, world.now())], Standing::Waiting(Some(world.now() + 1_000)))).await;
    world.commit(world.write(signalled, &[], Standing::Waiting(None))).await;
    assert_eq!(world.store.next_wake().await.unwrap(), Some(world.now() + 1_000));
    let summary = world.store.get_run(Owner::LOCAL.org, timed).await.unwrap().unwrap();
    assert_eq!((summary.status, summary.wake_at), (RunStatus::Waiting, Some(world.now() + 1_000)));
    world.pass(999);
    assert_eq!(claim(world, 10).await, [], "never early");
    world.pass(1);
    assert_eq!(claim(world, 10).await, [timed]);
    assert_eq!(world.store.next_wake().await.unwrap(), None);
    assert_eq!(world.commit(world.write(timed, &[success(2, world.now())], Standing::Running)).await, Committed::Done);
}

pub async fn release_gives_back(world: &World) {
    let run = world.queued().await;
    let claimed = world.store.claim(1).await.unwrap().pop().unwrap();
    world.store.release(run, claimed.epoch - 1).await.unwrap();
    assert_eq!(claim(world, 1).await, [], "another epoch gives nothing back");
    world.store.release(run, claimed.epoch).await.unwrap();
    let write = world.write(run, &[success(1, world.now())], Standing::Running);
    assert_eq!(world.commit(write.clone()).await, Committed::Late, "who gave it back has it no more");
    assert_eq!(claim(world, 1).await, [run]);
    assert_eq!(world.commit(write).await, Committed::Done);
    let ended = world.ended(RunStatus::Success).await;
    world.store.release(ended, world.store.epoch()).await.unwrap();
    assert_eq!(claim(world, 1).await, []);
}

pub async fn work_arrives(world: &World) {
    assert!(world.store.work_arrived().now_or_never().is_none());
    world.queued().await;
    // The notice came before anybody listened.
    world.store.work_arrived().await;
    world.held().await;
    assert!(world.store.work_arrived().now_or_never().is_none(), "a run that is held is nobody's work");
    let waiting = world.held().await;
    world.commit(world.write(waiting, &[], Standing::Waiting(None))).await;
    let (arrived, cancelled) = tokio::join!(world.store.work_arrived(), world.store.request_cancel(Owner::LOCAL.org, waiting, "Ada"));
    assert_eq!((arrived, cancelled.unwrap()), ((), true));
}

pub async fn cancelling(world: &World) {
    let org = Owner::LOCAL.org;
    let (queued, waiting, held) = (world.queued().await, world.held().await, world.held().await);
    world.commit(world.write(waiting, &[], Standing::Waiting(Some(world.now() + 1_000_000)))).await;
    for run in [queued, waiting, held] {
        assert!(world.store.request_cancel(org, run, "Ada").await.unwrap());
        assert!(world.store.request_cancel(org, run, "Bob").await.unwrap());
    }
    assert_eq!(world.store.cancel_requests().await.unwrap(), [(held, "Ada".to_owned())]);
    let claimed = world.store.claim(10).await.unwrap();
    assert_eq!(claimed.iter().map(|run| run.header.id).collect::<HashSet<_>>(), HashSet::from([queued, waiting]));
    assert!(claimed.iter().all(|run| run.cancel_requested));
    assert_eq!(world.store.cancel_requests().await.unwrap().len(), 3);
    for run in [queued, waiting, held] {
        world.commit(world.write(run, &[], Standing::Ended(ending(RunStatus::Cancelled)))).await;
        assert!(!world.store.request_cancel(org, run, "Ada").await.unwrap());
    }
    assert_eq!(world.store.cancel_requests().await.unwrap(), []);
    assert_eq!(code(world.store.request_cancel(org, RunId(world.uuid()), "Ada").await), "NOT_FOUND");
}

pub async fn a_cancel_while_held_is_not_lost(world: &World) {
    let run = world.held().await;
    assert!(world.store.request_cancel(Owner::LOCAL.org, run, "Ada").await.unwrap());
    // Its driver goes to sleep before it looks.
    world.commit(world.write(run, &[], Standing::Waiting(None))).await;
    world.store.work_arrived().await;
    let claimed = world.store.claim(1).await.unwrap().pop().unwrap();
    assert!(claimed.cancel_requested);
    // It knows now: a wait in its cleaning up is an ordinary wait.
    world.commit(world.write(run, &[], Standing::Waiting(None))).await;
    assert_eq!(claim(world, 1).await, []);
}

pub async fn recovery_leaves_the_living_alone(world: &World) {
    let run = world.held().await;
    assert_eq!(world.store.recover(&[run], Some(run)).await.unwrap(), 0, "runs of this generation are alive");
    assert_eq!(world.commit(world.write(run, &[success(1, world.now())], Standing::Running)).await, Committed::Done);
}

pub async fn wake_cuts_a_wait_short(world: &World) {
    let (waiting, held) = (world.held().await, world.held().await);
    world.commit(world.write(waiting, &[], Standing::Waiting(Some(world.now() + 1_000_000)))).await;
    world.store.wake(held).await.unwrap();
    world.store.wake(RunId(world.uuid())).await.unwrap();
    assert!(world.store.work_arrived().now_or_never().is_none());
    assert_eq!(claim(world, 5).await, []);
    world.store.wake(waiting).await.unwrap();
    world.store.work_arrived().await;
    assert_eq!(claim(world, 5).await, [waiting]);
}

pub async fn claims_never_overlap(world: &World) {
    let mut made = HashSet::new();
    for _ in 0..60 {
        made.insert(world.queued().await);
    }
    let batches = join_all((0..12).map(|_| claim(world, 7))).await;
    let claimed: Vec<RunId> = batches.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 60);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), made);
}

async fn queued_by(world: &World, org: u128) -> RunId {
    let header = world.header_of(owner(org), plan_id(1));
    world.commit(world.creation(&header, Standing::Queued)).await;
    header.id
}

pub async fn a_flood_stands_behind_who_comes_later(world: &World) {
    let mut flood = vec![];
    for _ in 0..400 {
        flood.push(queued_by(world, 1).await);
    }
    // Far enough into the flood that claims no longer begin at the oldest place.
    let mut taken = vec![];
    while taken.len() < 150 {
        world.pass(10);
        taken.extend(claim(world, 50).await);
    }
    assert_eq!(taken, flood[..taken.len()], "an organization's own runs keep their order");
    let (other, third) = (queued_by(world, 2).await, queued_by(world, 3).await);
    assert_eq!(claim(world, 10).await[..2], [other, third]);
    // A second flood gets its share from its first moment on.
    let mut second = HashSet::new();
    for _ in 0..100 {
        second.insert(queued_by(world, 4).await);
    }
    let mut claims = 0;
    while !second.is_empty() {
        claims += 1;
        assert!(claims <= 40, "{} of the second flood still wait", second.len());
        for run in claim(world, 10).await {
            second.remove(&run);
        }
    }
}

pub async fn many_waits_that_are_due_do_not_hold_up_the_queue(world: &World) {
    let mut waits = vec![];
    for _ in 0..100 {
        let run = world.held().await;
        world.commit(world.write(run, &[], Standing::Waiting(Some(world.now() + 1)))).await;
        waits.push(run);
    }
    world.pass(1_000);
    let queued = world.queued().await;
    assert_eq!(claim(world, 4).await, [waits[0], waits[1], waits[2], queued]);
}
