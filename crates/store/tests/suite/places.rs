//! Places: never more runs of an organization at work than its limit says, in the order of priority and age, and none left behind.

use std::sync::Arc;

use mainspring_model::flow::{Priority, Refusal};
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::{HeldBy, RunStatus};
use mainspring_model::store::{Claimed, Committed, NewRun, OrganizationRecord, Standing};

use super::make::{World, code, ending, owner, plan_id};

const ORG: u128 = 7;

/// An organization whose runs at work are limited.
async fn limited(world: &World, places: u32) {
    let org = owner(ORG).org;
    let record =
        OrganizationRecord { id: org, name: "North".into(), slug: "north".into(), created_at: world.now(), updated_at: world.now() };
    world.store.put_organization(&record).await.unwrap();
    world.store.set_own_places(org, Some(places)).await.unwrap();
}

async fn queue(world: &World, who: Owner, priority: Priority) -> RunId {
    world.pass(1);
    let header = world.header_of(who, plan_id(ORG));
    let run = header.id;
    let new = NewRun { header: Arc::new(header), slot: None, key: None, flow: None, burst: None, priority };
    assert_eq!(world.commit(world.creation_of(new, Standing::Queued)).await, Committed::Done);
    run
}

async fn queued(world: &World) -> RunId {
    queue(world, owner(ORG), Priority::Normal).await
}

async fn claim(world: &World) -> Vec<Claimed> {
    world.store.claim(50).await.unwrap()
}

async fn claimed(world: &World) -> Vec<RunId> {
    claim(world).await.iter().map(|claimed| claimed.header.id).collect()
}

async fn offered(world: &World) -> Vec<RunId> {
    assert!(world.store.offer_place(owner(ORG).org).await.unwrap());
    claimed(world).await
}

async fn stand(world: &World, run: RunId, standing: Standing) {
    assert_eq!(world.commit(world.write(run, &[], standing)).await, Committed::Done);
}

async fn end(world: &World, run: RunId) {
    stand(world, run, Standing::Ended(ending(RunStatus::Success))).await;
}

async fn seen(world: &World, run: RunId) -> (RunStatus, Option<HeldBy>) {
    let run = world.store.get_run(owner(ORG).org, run).await.unwrap().unwrap();
    (run.status, run.held_by)
}

pub async fn no_more_are_at_work_than_there_are_places(world: &World) {
    limited(world, 2).await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(queued(world).await);
    }
    let urgent = queue(world, owner(ORG), Priority::High).await;
    let other = queue(world, owner(8), Priority::Normal).await;
    let mut first = claimed(world).await;
    first.sort_unstable();
    let mut expected = [urgent, runs[0], other];
    expected.sort_unstable();
    assert_eq!(first, expected, "two of the organization, the urgent one first, and the other organization's");
    assert_eq!(seen(world, runs[1]).await, (RunStatus::Queued, Some(HeldBy::OrganizationLimit)));
    assert_eq!(seen(world, runs[0]).await, (RunStatus::Running, None));
    assert_eq!(offered(world).await, [], "no place is free");
    assert_eq!(world.store.with_set_aside(None, 9).await.unwrap(), [owner(ORG).org]);
    assert_eq!(world.store.with_set_aside(Some(owner(ORG).org), 9).await.unwrap(), []);
    end(world, urgent).await;
    assert_eq!(claimed(world).await, [], "nobody was told yet");
    assert_eq!(offered(world).await, [runs[1]]);
    // Two at once, and by one offer.
    end(world, runs[0]).await;
    end(world, runs[1]).await;
    let late = queued(world).await;
    assert_eq!(offered(world).await, [runs[2], runs[3]], "the older ones go first");
    end(world, runs[2]).await;
    end(world, runs[3]).await;
    assert_eq!(offered(world).await, [runs[4], late]);
    assert_eq!(world.store.with_set_aside(None, 9).await.unwrap(), []);
}

pub async fn who_waits_has_no_place_and_waits_for_one_to_go_on(world: &World) {
    limited(world, 1).await;
    let (parent, child) = (queued(world).await, queued(world).await);
    assert_eq!(claimed(world).await, [parent]);
    stand(world, parent, Standing::Waiting(Some(world.now() + 50))).await;
    assert_eq!(offered(world).await, [child]);
    world.pass(60);
    assert_eq!(claimed(world).await, []);
    assert_eq!(seen(world, parent).await, (RunStatus::Queued, Some(HeldBy::OrganizationLimit)));
    assert_eq!(world.store.next_wake().await.unwrap(), None, "it wakes nobody before there is a place");
    let young = queued(world).await;
    end(world, child).await;
    let found = {
        assert!(world.store.offer_place(owner(ORG).org).await.unwrap());
        claim(world).await
    };
    assert_eq!(found.iter().map(|run| (run.header.id, run.begun)).collect::<Vec<_>>(), [(parent, true)], "it is older than {young}");
    // A paused one has no place, and one that is resumed waits for one.
    assert!(world.store.request_pause(owner(ORG).org, parent).await.unwrap());
    stand(world, parent, Standing::Paused).await;
    assert_eq!(offered(world).await, [young]);
    assert!(world.store.resume(owner(ORG).org, parent).await.unwrap());
    assert_eq!(claimed(world).await, []);
    end(world, young).await;
    assert_eq!(offered(world).await, [parent]);
}

pub async fn one_without_a_place_can_be_paused_and_cancelled(world: &World) {
    limited(world, 1).await;
    let org = owner(ORG).org;
    let runs = [queued(world).await, queued(world).await, queued(world).await];
    assert_eq!(claimed(world).await, [runs[0]]);
    assert!(world.store.request_pause(org, runs[1]).await.unwrap());
    assert_eq!(seen(world, runs[1]).await, (RunStatus::Paused, None));
    assert!(world.store.request_cancel(org, runs[2], "Ada").await.unwrap());
    // It is ended without beginning, whether there is a place or not.
    let found = claim(world).await;
    let refused = found.iter().map(|run| (run.header.id, run.refused)).collect::<Vec<_>>();
    assert!(matches!(refused[..], [(run, Some(Refusal { by: None, .. }))] if run == runs[2]), "{refused:?}");
    assert_eq!(offered(world).await, []);
    stand(world, runs[2], Standing::Ended(ending(RunStatus::Cancelled))).await;
    // One that has begun has cleaning up to do, and is the first that gets a place.
    stand(world, runs[0], Standing::Waiting(None)).await;
    assert!(world.store.resume(org, runs[1]).await.unwrap());
    assert_eq!(offered(world).await, [runs[1]]);
    let urgent = queue(world, owner(ORG), Priority::High).await;
    assert!(world.store.request_cancel(org, runs[0], "Ada").await.unwrap());
    assert_eq!(claimed(world).await, []);
    end(world, runs[1]).await;
    assert_eq!(offered(world).await, [runs[0]], "before {urgent}");
}

pub async fn a_limit_that_changes_holds_from_then_on(world: &World) {
    let org = owner(ORG).org;
    assert_eq!(code(world.store.set_own_places(org, Some(1)).await), "NOT_FOUND");
    limited(world, 3).await;
    assert_eq!((world.store.places_of_each(), world.store.own_places(org).await.unwrap()), (None, Some(3)));
    assert_eq!(world.store.with_own_places().await.unwrap(), [org]);
    let mut runs = Vec::new();
    for _ in 0..9 {
        runs.push(queued(world).await);
    }
    assert_eq!(claimed(world).await, runs[..3]);
    assert_eq!(world.store.set_own_places(org, Some(2)).await.unwrap(), Some(3));
    end(world, runs[0]).await;
    assert_eq!(offered(world).await, [], "two are at work already");
    assert_eq!(world.store.set_own_places(org, Some(4)).await.unwrap(), Some(2));
    assert_eq!(offered(world).await, runs[3..5]);
    assert_eq!(world.store.set_own_places(org, None).await.unwrap(), Some(4));
    assert_eq!(offered(world).await, runs[5..]);
    assert_eq!(world.store.with_own_places().await.unwrap(), []);
}

pub async fn a_long_line_hides_nobody_else(world: &World) {
    limited(world, 1).await;
    let mut runs = Vec::new();
    for _ in 0..70 {
        runs.push(queued(world).await);
    }
    world.pass(1_000_000);
    let other = queue(world, owner(8), Priority::Normal).await;
    let mut found = Vec::new();
    for _ in 0..4 {
        found.extend(world.store.claim(7).await.unwrap().iter().map(|run| run.header.id));
    }
    assert_eq!(found.len(), 2);
    assert!(found.contains(&other) && found.contains(&runs[0]), "{found:?}");
}

pub async fn places_hold_for_claims_at_once(world: &World) {
    limited(world, 3).await;
    let mut left = Vec::new();
    for _ in 0..40 {
        left.push(queued(world).await);
    }
    let mut busy: Vec<RunId> = Vec::new();
    while !left.is_empty() || !busy.is_empty() {
        let claims = (0..6).map(|n| {
            let store = world.store.clone();
            tokio::spawn(async move {
                while n % 2 == 0 && !store.offer_place(owner(ORG).org).await.unwrap() {}
                store.claim(5).await.unwrap()
            })
        });
        for claims in claims.collect::<Vec<_>>() {
            busy.extend(claims.await.unwrap().iter().map(|run| run.header.id));
        }
        assert!(busy.len() <= 3, "{} at work", busy.len());
        left.retain(|run| !busy.contains(run));
        let done = busy.len().min(2);
        for run in busy.drain(..done) {
            end(world, run).await;
        }
    }
}
