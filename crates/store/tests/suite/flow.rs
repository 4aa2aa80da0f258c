//! Runs that are held back: who begins, who is refused, who makes way; and runs that are paused.

use std::sync::Arc;

use mainspring_model::flow::{Flow, Policy, Priority, Reason, Refusal};
use mainspring_model::id::{OrgId, Owner, RunId};
use mainspring_model::run::{RunHeader, RunStatus};
use mainspring_model::store::{Admitted, Claimed, Committed, NewRun, Standing};
use mainspring_model::wait::triggers_topic;
use serde_json::json;

use super::make::{World, code, ending, owner, plan_id};

const KEY: &str = "00ff";

fn born(header: &RunHeader, key: &str, limit: u32, policy: Policy) -> NewRun {
    let flow = Flow { key: key.to_owned(), limit, policy };
    NewRun { header: Arc::new(header.clone()), slot: None, key: None, flow: Some(flow), burst: None, priority: Priority::Normal }
}

async fn queued(world: &World, limit: u32, policy: Policy) -> RunId {
    world.pass(1);
    let new = born(&world.header(), KEY, limit, policy);
    let run = new.header.id;
    assert_eq!(world.commit(world.creation_of(new, Standing::Queued)).await, Committed::Done);
    run
}

async fn admit(world: &World) -> Admitted {
    world.store.admit(Owner::LOCAL.org, KEY).await.unwrap()
}

async fn claim(world: &World) -> Vec<Claimed> {
    world.store.claim(50).await.unwrap()
}

async fn claimed(world: &World) -> Vec<RunId> {
    claim(world).await.iter().map(|claimed| claimed.header.id).collect()
}

async fn end(world: &World, run: RunId) {
    assert_eq!(world.commit(world.write(run, &[], Standing::Ended(ending(RunStatus::Success)))).await, Committed::Done);
}

async fn status(world: &World, run: RunId) -> RunStatus {
    world.store.get_run(Owner::LOCAL.org, run).await.unwrap().unwrap().status
}

pub async fn a_run_over_the_limit_is_held_until_its_turn(world: &World) {
    let runs = [queued(world, 2, Policy::Queue).await, queued(world, 2, Policy::Queue).await, queued(world, 2, Policy::Queue).await];
    assert_eq!(claimed(world).await, [], "nobody was let begin yet");
    admit(world).await;
    world.store.work_arrived().await;
    assert_eq!(claimed(world).await, runs[..2]);
    admit(world).await;
    assert_eq!(claimed(world).await, []);
    assert_eq!(status(world, runs[2]).await, RunStatus::Queued);
    // One that waits is live too.
    world.commit(world.write(runs[0], &[], Standing::Waiting(None))).await;
    admit(world).await;
    assert_eq!(claimed(world).await, []);
    end(world, runs[1]).await;
    admit(world).await;
    assert_eq!(claimed(world).await, [runs[2]]);
    let others = world.queued().await;
    assert_eq!(claimed(world).await, [others], "runs without a limit are claimed as ever");
}

pub async fn the_limit_holds_whoever_admits(world: &World) {
    let mut runs = Vec::new();
    for _ in 0..12 {
        runs.push(queued(world, 3, Policy::Queue).await);
    }
    let mut left = runs.len();
    while left > 0 {
        let admissions = (0..6).map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move { store.admit(Owner::LOCAL.org, KEY).await.unwrap() })
        });
        for admission in admissions.collect::<Vec<_>>() {
            admission.await.unwrap();
        }
        let began = claimed(world).await;
        assert_eq!(began.len(), 3);
        for run in &began {
            end(world, *run).await;
        }
        left -= began.len();
    }
}

pub async fn keys_and_organizations_are_apart(world: &World) {
    let mine = queued(world, 1, Policy::Queue).await;
    let other = born(&world.header(), "other", 1, Policy::Queue);
    let theirs = born(&world.header_of(owner(1), plan_id(1)), KEY, 1, Policy::Queue);
    let (other_id, their_id) = (other.header.id, theirs.header.id);
    world.commit(world.creation_of(other, Standing::Queued)).await;
    world.commit(world.creation_of(theirs, Standing::Queued)).await;
    admit(world).await;
    assert_eq!(claimed(world).await, [mine]);
    world.store.admit(Owner::LOCAL.org, "other").await.unwrap();
    assert_eq!(claimed(world).await, [other_id]);
    world.store.admit(owner(1).org, KEY).await.unwrap();
    assert_eq!(claimed(world).await, [their_id]);
}

pub async fn one_over_the_limit_is_refused_and_says_for_whom(world: &World) {
    let first = queued(world, 1, Policy::Skip).await;
    admit(world).await;
    assert_eq!(claimed(world).await, [first]);
    let second = queued(world, 1, Policy::Skip).await;
    admit(world).await;
    let claimed = claim(world).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.header.id).collect::<Vec<_>>(), [second]);
    assert_eq!(claimed[0].refused, Some(Refusal { reason: Reason::Limit(Policy::Skip), by: Some(first) }));
    // Given back, it is refused still.
    world.store.release(second, world.store.epoch()).await.unwrap();
    assert_eq!(claim(world).await[0].refused, Some(Refusal { reason: Reason::Limit(Policy::Skip), by: Some(first) }));
}

pub async fn the_oldest_makes_way(world: &World) {
    let first = queued(world, 1, Policy::CancelRunning).await;
    admit(world).await;
    assert_eq!(claimed(world).await, [first]);
    let second = queued(world, 1, Policy::CancelRunning).await;
    assert_eq!(admit(world).await.cancelled, [first]);
    assert_eq!(admit(world).await.cancelled, [], "once");
    let asked = world.store.cancel_requests().await.unwrap();
    assert_eq!((asked[0].0, asked[0].1.contains(&second.to_string())), (first, true), "{asked:?}");
    let third = queued(world, 1, Policy::CancelRunning).await;
    admit(world).await;
    let gone = claim(world).await;
    assert_eq!((gone.len(), gone[0].header.id), (1, second), "the newest is wanted, and waits for the end of the first");
    assert_eq!(gone[0].refused, Some(Refusal { reason: Reason::Limit(Policy::CancelRunning), by: Some(third) }));
    end(world, first).await;
    admit(world).await;
    let began = claim(world).await;
    assert_eq!((began.len(), began[0].header.id, began[0].refused, began[0].cancel_requested), (1, third, None, false));
}

pub async fn a_trigger_is_delivered_once(world: &World) {
    let first = queued(world, 1, Policy::Deliver).await;
    admit(world).await;
    assert_eq!(claimed(world).await, [first]);
    world.commit(world.write(first, &[], Standing::Waiting(None))).await;
    let mut header = world.header();
    header.trigger = json!({"id": "payment", "type": "webhook", "body": {"text": "ä\u{0}"}});
    let second = header.id;
    world.commit(world.creation_of(born(&header, KEY, 1, Policy::Deliver), Standing::Queued)).await;
    assert_eq!(admit(world).await.told, [first]);
    assert_eq!(admit(world).await.told, [], "once");
    let signals = world.store.signals(Owner::LOCAL.org, &triggers_topic(first), 0, None, 10).await.unwrap();
    assert_eq!((signals.len(), signals[0].id.0, &signals[0].data), (1, second.0, &header.trigger));
    let mut taken = claim(world).await;
    taken.sort_by_key(|claimed| claimed.header.id);
    assert_eq!(taken.iter().map(|claimed| claimed.header.id).collect::<Vec<_>>(), [first, second], "the live one is woken");
    assert_eq!(taken[1].refused, Some(Refusal { reason: Reason::Limit(Policy::Deliver), by: Some(first) }));
}

pub async fn one_that_is_held_can_be_cancelled(world: &World) {
    let (first, second) = (queued(world, 1, Policy::Queue).await, queued(world, 1, Policy::Queue).await);
    admit(world).await;
    assert_eq!(claimed(world).await, [first]);
    assert!(world.store.request_cancel(Owner::LOCAL.org, second, "somebody").await.unwrap());
    let taken = claim(world).await;
    assert_eq!((taken.len(), taken[0].header.id), (1, second));
    assert_eq!((taken[0].refused, taken[0].cancel_requested), (Some(Refusal { reason: Reason::Limit(Policy::Queue), by: None }), true));
    end(world, first).await;
    admit(world).await;
    assert_eq!(claimed(world).await, []);
}

pub async fn urgent_ones_begin_first(world: &World) {
    let mut runs = Vec::new();
    for priority in [Priority::Low, Priority::Normal, Priority::High, Priority::Normal] {
        world.pass(1);
        let new = NewRun { priority, ..born(&world.header(), KEY, 1, Policy::Queue) };
        runs.push(new.header.id);
        world.commit(world.creation_of(new, Standing::Queued)).await;
    }
    for expected in [2, 1, 3, 0] {
        admit(world).await;
        assert_eq!(claimed(world).await, [runs[expected]]);
        end(world, runs[expected]).await;
    }
    // Of those without a limit too. Writers know nothing of each other's places, but what can wait is later than all of them.
    let mut runs = Vec::new();
    for priority in [Priority::Low, Priority::Normal, Priority::Normal, Priority::High] {
        let new = NewRun { header: Arc::new(world.header()), slot: None, key: None, flow: None, burst: None, priority };
        runs.push(new.header.id);
        world.commit(world.creation_of(new, Standing::Queued)).await;
    }
    let order = claimed(world).await;
    assert_eq!((order.len(), order[3]), (4, runs[0]), "{order:?} of {runs:?}");
}

pub async fn held_keys_are_found_in_pages(world: &World) {
    for (key, owner) in [("a", Owner::LOCAL), ("a", Owner::LOCAL), ("b", Owner::LOCAL), ("a", owner(1)), ("c", owner(2))] {
        let new = born(&world.header_of(owner, plan_id(1)), key, 1, Policy::Queue);
        world.commit(world.creation_of(new, Standing::Queued)).await;
    }
    let mut found = Vec::new();
    let mut after: Option<(OrgId, String)> = None;
    loop {
        let page = world.store.held_keys(after.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        found.extend(page.clone());
        match page.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    found.sort();
    let mut expected = vec![
        (Owner::LOCAL.org, "a".to_owned()),
        (Owner::LOCAL.org, "b".to_owned()),
        (owner(1).org, "a".to_owned()),
        (owner(2).org, "c".to_owned()),
    ];
    expected.sort();
    assert_eq!(found, expected);
    for (org, key) in found {
        world.store.admit(org, &key).await.unwrap();
    }
    assert_eq!(world.store.held_keys(None, 10).await.unwrap(), [(Owner::LOCAL.org, "a".to_owned())], "one is over its limit");
}

pub async fn a_paused_run_is_nobodys(world: &World) {
    let org = Owner::LOCAL.org;
    let waiting = world.held().await;
    world.commit(world.write(waiting, &[], Standing::Waiting(Some(world.now() + 1_000)))).await;
    let queued = world.queued().await;
    for run in [waiting, queued] {
        assert!(world.store.request_pause(org, run).await.unwrap());
        assert!(world.store.request_pause(org, run).await.unwrap(), "as often as one likes");
        assert_eq!(status(world, run).await, RunStatus::Paused);
    }
    world.pass(5_000);
    world.store.wake(waiting).await.unwrap();
    assert_eq!(claimed(world).await, [], "what came due is served when it is resumed");
    assert!(world.store.resume(org, waiting).await.unwrap());
    assert!(!world.store.resume(org, waiting).await.unwrap(), "it is not paused any more");
    let taken = claim(world).await;
    assert_eq!((taken[0].header.id, taken[0].pause_requested, taken.len()), (waiting, false, 1));
    end(world, waiting).await;
    assert!(!world.store.request_pause(org, waiting).await.unwrap(), "it has ended");
    assert_eq!(code(world.store.request_pause(owner(1).org, queued).await), "NOT_FOUND");
    assert_eq!(code(world.store.resume(owner(1).org, queued).await), "NOT_FOUND");
}

pub async fn a_run_that_is_held_lies_down_when_its_holder_says(world: &World) {
    let org = Owner::LOCAL.org;
    let (paused, resumed, waits) = (world.held().await, world.held().await, world.held().await);
    for run in [paused, resumed, waits] {
        assert!(world.store.request_pause(org, run).await.unwrap());
        assert_eq!(status(world, run).await, RunStatus::Running, "a step may be under way");
    }
    let mut asked = world.store.pause_requests().await.unwrap();
    asked.sort_unstable();
    let mut all = vec![paused, resumed, waits];
    all.sort_unstable();
    assert_eq!(asked, all);
    assert!(world.store.resume(org, resumed).await.unwrap());
    for run in [paused, resumed] {
        world.commit(world.write(run, &[], Standing::Paused)).await;
    }
    // One that lies down to wait before it heard of the pause is paused all the same.
    world.commit(world.write(waits, &[], Standing::Waiting(Some(world.now())))).await;
    assert_eq!((status(world, paused).await, status(world, waits).await), (RunStatus::Paused, RunStatus::Paused));
    assert_eq!(world.commit(world.write(paused, &[], Standing::Running)).await, Committed::Late, "it is nobody's");
    assert_eq!(claimed(world).await, [resumed]);
    assert_eq!(world.store.pause_requests().await.unwrap(), []);
    // After a crash the holder is another one, and is told so.
    assert!(world.store.request_pause(org, resumed).await.unwrap());
    world.store.release(resumed, world.store.epoch()).await.unwrap();
    assert!(claim(world).await[0].pause_requested);
}

pub async fn a_pause_before_the_turn_keeps_the_line(world: &World) {
    let org = Owner::LOCAL.org;
    let (first, second) = (queued(world, 1, Policy::Queue).await, queued(world, 1, Policy::Queue).await);
    assert!(world.store.request_pause(org, first).await.unwrap());
    admit(world).await;
    assert_eq!(claimed(world).await, [second], "a paused run that has not begun holds nobody up");
    assert!(world.store.resume(org, first).await.unwrap());
    assert_eq!((claimed(world).await, status(world, first).await), (vec![], RunStatus::Queued));
    end(world, second).await;
    admit(world).await;
    assert_eq!(claimed(world).await, [first]);
    // One that has begun keeps its place while it is paused.
    assert!(world.store.request_pause(org, first).await.unwrap());
    world.commit(world.write(first, &[], Standing::Paused)).await;
    let third = queued(world, 1, Policy::Queue).await;
    admit(world).await;
    assert_eq!(claimed(world).await, []);
    assert!(world.store.resume(org, first).await.unwrap());
    assert_eq!(claimed(world).await, [first]);
    end(world, first).await;
    admit(world).await;
    assert_eq!(claimed(world).await, [third]);
}

pub async fn a_cancel_ends_a_pause(world: &World) {
    let org = Owner::LOCAL.org;
    let (lies, held) = (world.queued().await, world.held().await);
    assert!(world.store.request_pause(org, lies).await.unwrap());
    assert!(world.store.request_cancel(org, lies, "somebody").await.unwrap());
    assert!(world.store.request_pause(org, held).await.unwrap());
    assert!(world.store.request_cancel(org, held, "somebody").await.unwrap());
    world.commit(world.write(held, &[], Standing::Paused)).await;
    let mut taken: Vec<(RunId, bool)> = claim(world).await.iter().map(|claimed| (claimed.header.id, claimed.cancel_requested)).collect();
    taken.sort_unstable();
    let mut both = vec![(lies, true), (held, true)];
    both.sort_unstable();
    assert_eq!(taken, both);
    assert!(!world.store.request_pause(org, lies).await.unwrap(), "it is being cancelled");
}
