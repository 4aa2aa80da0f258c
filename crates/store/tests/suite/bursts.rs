//! Bursts: firings that wait for others, who begins when they close, and what becomes of the rest.

use std::sync::Arc;

use mainspring_model::burst::{Burst, Gather, Gathered, HeldFor};
use mainspring_model::flow::{Flow, Policy, Priority, Reason, Refusal};
use mainspring_model::id::{OrgId, Owner, RunId};
use mainspring_model::run::{RunHeader, RunStatus};
use mainspring_model::store::{BurstEnd, Claimed, Committed, DueBursts, NewRun, Ripe, RunFilter, Standing};
use serde_json::{Value, json};

use super::make::{World, owner, page, plan_id};

const KEY: &str = "00ff";
const QUIET: Gather = Gather::Debounce { quiet: 1_000, most: Some(2_500) };
const LOT: Gather = Gather::Batch { size: 3, within: 5_000 };

fn firing(header: &RunHeader, key: &str, gather: Gather) -> NewRun {
    let burst = Some(Burst { key: key.to_owned(), gather });
    NewRun { header: Arc::new(header.clone()), slot: None, key: None, flow: None, burst, priority: Priority::Normal }
}

async fn fire(world: &World, gather: Gather) -> RunId {
    world.pass(1);
    let mut header = world.header();
    header.trigger = json!({"id": "hook", "type": "webhook", "body": {"run": header.id, "text": "ä\u{0}"}});
    assert_eq!(world.commit(world.creation_of(firing(&header, KEY, gather), Standing::Queued)).await, Committed::Done);
    header.id
}

async fn ripe(world: &World) -> Option<Ripe> {
    world.store.ripe_burst(Owner::LOCAL.org, KEY).await.unwrap()
}

fn end(ripe: &Ripe) -> BurstEnd {
    BurstEnd {
        org: Owner::LOCAL.org,
        key: KEY.to_owned(),
        begins: ripe.begins.as_ref().map(|header| header.id),
        merged: ripe.merged.clone(),
        trigger: None,
        inputs: None,
        flow: None,
        unfit: false,
    }
}

async fn close(world: &World) -> bool {
    let ripe = ripe(world).await.unwrap();
    world.store.close_burst(&end(&ripe)).await.unwrap()
}

async fn claim(world: &World) -> Vec<Claimed> {
    let mut claimed = world.store.claim(50).await.unwrap();
    claimed.sort_by_key(|claimed| claimed.header.id);
    claimed
}

async fn due(world: &World) -> (Vec<(OrgId, String)>, Option<i64>) {
    let found = world.store.due_bursts(10).await.unwrap();
    (found.due, found.next)
}

fn of(ids: &[Claimed]) -> Vec<(RunId, Option<Refusal>)> {
    ids.iter().map(|claimed| (claimed.header.id, claimed.refused)).collect()
}

fn merged(by: Gathered, into: RunId) -> Option<Refusal> {
    Some(Refusal { reason: Reason::Gathered(by), by: Some(into) })
}

pub async fn the_last_of_a_burst_begins_when_none_came_for_a_while(world: &World) {
    assert_eq!(due(world).await, (vec![], None));
    let mut runs = vec![fire(world, QUIET).await];
    let first_at = world.now();
    world.pass(600);
    runs.push(fire(world, QUIET).await);
    let until = world.now() + 1_000;
    assert_eq!(due(world).await, (vec![], Some(until)));
    let seen = world.store.get_run(Owner::LOCAL.org, runs[0]).await.unwrap().unwrap();
    assert_eq!((seen.status, seen.held_for), (RunStatus::Queued, Some(HeldFor { by: Gathered::Debounce, until })));
    let listed = world.store.list_runs(Owner::LOCAL.org, &RunFilter::default(), &page(10)).await.unwrap().items;
    assert!(listed.iter().all(|run| run.held_for == seen.held_for), "{listed:?}");
    assert_eq!(claim(world).await.len(), 0);
    assert!(ripe(world).await.is_none(), "it is not due");
    // Firings that do not stop: it closes after its most.
    for _ in 0..3 {
        world.pass(600);
        runs.push(fire(world, QUIET).await);
    }
    assert_eq!(due(world).await, (vec![], Some(first_at + 2_500)));
    world.pass(first_at + 2_500 - world.now());
    assert_eq!(due(world).await, (vec![(Owner::LOCAL.org, KEY.to_owned())], None));
    let found = ripe(world).await.unwrap();
    let last = *runs.last().unwrap();
    assert_eq!((found.gather, found.begins.as_ref().unwrap().id, &found.merged), (QUIET, last, &runs[..4].to_vec()));
    assert!(found.triggers.is_empty());
    assert!(close(world).await);
    world.store.work_arrived().await;
    assert_eq!(due(world).await, (vec![], None));
    let taken = claim(world).await;
    let expected: Vec<_> = runs.iter().map(|run| (*run, merged(Gathered::Debounce, last).filter(|_| *run != last))).collect();
    assert_eq!(of(&taken), expected);
    assert!(ripe(world).await.is_none());
    assert!(!world.store.close_burst(&end(&found)).await.unwrap(), "once");
    let next = fire(world, QUIET).await;
    assert_eq!(due(world).await.1, Some(world.now() + 1_000), "the next burst is its own");
    assert_eq!(world.store.get_run(Owner::LOCAL.org, next).await.unwrap().unwrap().held_for.unwrap().until, world.now() + 1_000);
}

pub async fn a_batch_gets_what_fits_and_the_rest_is_the_next(world: &World) {
    let mut runs = vec![fire(world, LOT).await];
    let opened = world.now();
    assert_eq!(due(world).await.1, Some(opened + 5_000));
    for _ in 0..4 {
        runs.push(fire(world, LOT).await);
    }
    assert_eq!(due(world).await.0.len(), 1, "it is full");
    let found = ripe(world).await.unwrap();
    assert_eq!((found.begins.as_ref().unwrap().id, &found.merged), (runs[0], &runs[1..3].to_vec()));
    let bodies: Vec<&Value> = found.triggers.iter().map(|trigger| &trigger["body"]["run"]).collect();
    assert_eq!(bodies, [&json!(runs[0]), &json!(runs[1]), &json!(runs[2])]);
    assert_eq!(found.triggers[0]["body"]["text"], "ä\u{0}");
    let flow = Flow { key: "abcd".to_owned(), limit: 1, policy: Policy::Queue };
    let (trigger, inputs) = (json!({"id": "hook", "type": "webhook", "batch": found.triggers}), json!({"many": 3}));
    let closed = BurstEnd { trigger: Some(trigger.clone()), inputs: Some(inputs.clone()), flow: Some(flow), ..end(&found) };
    assert!(world.store.close_burst(&closed).await.unwrap());
    // The two that are left wait on, from when the first of them came.
    assert_eq!(due(world).await, (vec![], Some(opened + 3 + 5_000)));
    let taken = claim(world).await;
    assert_eq!(
        of(&taken),
        [(runs[1], merged(Gathered::Batch, runs[0])), (runs[2], merged(Gathered::Batch, runs[0]))],
        "the limit holds the run"
    );
    world.store.admit(Owner::LOCAL.org, "abcd").await.unwrap();
    let taken = claim(world).await;
    assert_eq!(of(&taken), [(runs[0], None)]);
    assert_eq!((&taken[0].header.trigger, &taken[0].header.inputs), (&trigger, &inputs));
    assert_eq!(world.store.header(runs[0]).await.unwrap().unwrap().inputs, inputs);
    world.pass(5_000);
    assert!(close(world).await);
    assert_eq!(of(&claim(world).await), [(runs[3], None), (runs[4], merged(Gathered::Batch, runs[3]))]);
}

pub async fn a_burst_that_changed_meanwhile_is_not_closed(world: &World) {
    let runs = [fire(world, LOT).await, fire(world, LOT).await];
    world.pass(6_000);
    let found = ripe(world).await.unwrap();
    assert!(world.store.request_cancel(Owner::LOCAL.org, runs[1], "somebody").await.unwrap());
    assert!(!world.store.close_burst(&end(&found)).await.unwrap(), "one of them has left");
    let gone = claim(world).await;
    assert_eq!(of(&gone), [(runs[1], Some(Refusal { reason: Reason::Cancelled, by: None }))]);
    assert!(gone[0].cancel_requested);
    assert!(close(world).await);
    assert_eq!(of(&claim(world).await), [(runs[0], None)]);
    // A firing that came between the reading and the closing of a debounce puts it off.
    let first = fire(world, QUIET).await;
    world.pass(1_000);
    let found = ripe(world).await.unwrap();
    assert_eq!(found.begins.as_ref().unwrap().id, first);
    fire(world, QUIET).await;
    assert!(!world.store.close_burst(&end(&found)).await.unwrap());
}

pub async fn a_burst_whose_firings_have_all_gone_goes_too(world: &World) {
    let run = fire(world, QUIET).await;
    world.store.request_cancel(Owner::LOCAL.org, run, "somebody").await.unwrap();
    world.pass(1_000);
    let found = ripe(world).await.unwrap();
    assert!(found.begins.is_none() && found.merged.is_empty());
    assert!(close(world).await);
    assert_eq!(due(world).await, (vec![], None));
}

pub async fn a_paused_firing_is_merged_and_a_paused_run_begins_when_it_is_resumed(world: &World) {
    let runs = [fire(world, QUIET).await, fire(world, QUIET).await];
    for run in runs {
        assert!(world.store.request_pause(Owner::LOCAL.org, run).await.unwrap());
    }
    assert!(world.store.resume(Owner::LOCAL.org, runs[0]).await.unwrap());
    assert_eq!(claim(world).await.len(), 0, "what is resumed waits on");
    assert!(world.store.request_pause(Owner::LOCAL.org, runs[0]).await.unwrap());
    world.pass(1_000);
    assert!(close(world).await);
    assert_eq!(of(&claim(world).await), [(runs[0], merged(Gathered::Debounce, runs[1]))]);
    assert!(world.store.resume(Owner::LOCAL.org, runs[1]).await.unwrap());
    assert_eq!(of(&claim(world).await), [(runs[1], None)]);
}

pub async fn what_does_not_fit_is_claimed_to_be_ended(world: &World) {
    let run = fire(world, LOT).await;
    world.pass(5_000);
    let found = ripe(world).await.unwrap();
    assert!(world.store.close_burst(&BurstEnd { unfit: true, ..end(&found) }).await.unwrap());
    assert_eq!(of(&claim(world).await), [(run, Some(Refusal { reason: Reason::Unfit, by: None }))]);
}

pub async fn bursts_of_keys_and_organizations_are_apart(world: &World) {
    let mine = fire(world, QUIET).await;
    let other = firing(&world.header(), "other", QUIET);
    let theirs = firing(&world.header_of(owner(1), plan_id(1)), KEY, QUIET);
    let (other_id, their_id) = (other.header.id, theirs.header.id);
    world.commit(world.creation_of(other, Standing::Queued)).await;
    world.commit(world.creation_of(theirs, Standing::Queued)).await;
    world.pass(1_000);
    assert_eq!(due(world).await.0.len(), 3);
    assert!(close(world).await);
    assert_eq!(of(&claim(world).await), [(mine, None)]);
    assert_eq!(due(world).await.0.len(), 2);
    assert_eq!(world.store.ripe_burst(owner(1).org, KEY).await.unwrap().unwrap().begins.unwrap().id, their_id);
    assert_eq!(world.store.ripe_burst(Owner::LOCAL.org, "other").await.unwrap().unwrap().begins.unwrap().id, other_id);
    assert!(world.store.ripe_burst(owner(1).org, "other").await.unwrap().is_none());
}

pub async fn firings_and_closings_at_once_lose_nothing(world: &World) {
    all_at_once(&[world]).await;
}

/// Many who fire and close at once, of several keys and through several nodes: each firing is in one burst, and no burst is larger than it may be.
pub async fn all_at_once(worlds: &[&World]) {
    const KEYS: [&str; 3] = ["0a", "0b", "0c"];
    let (world, org) = (worlds[0], Owner::LOCAL.org);
    let (mut fired, mut begun, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..6 {
        let mut tasks = Vec::new();
        for n in 0..12 {
            let node = worlds[n % worlds.len()];
            let new = firing(&node.header(), KEYS[(n + round) % KEYS.len()], LOT);
            fired.push(new.header.id);
            let (store, write) = (node.store.clone(), node.creation_of(new, Standing::Queued));
            tasks.push(tokio::spawn(async move { assert_eq!(store.commit(write).await.unwrap(), Committed::Done) }));
            let (store, key) = (worlds[(n / 2) % worlds.len()].store.clone(), KEYS[n % KEYS.len()]);
            tasks.push(tokio::spawn(async move {
                if let Some(ripe) = store.ripe_burst(org, key).await.unwrap() {
                    assert!(ripe.merged.len() < 3);
                    store.close_burst(&BurstEnd { key: key.to_owned(), ..end(&ripe) }).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
    while world.store.due_bursts(1).await.unwrap() != DueBursts::default() {
        world.pass(6_000);
        for key in KEYS {
            if let Some(ripe) = world.store.ripe_burst(org, key).await.unwrap() {
                assert!(world.store.close_burst(&BurstEnd { key: key.to_owned(), ..end(&ripe) }).await.unwrap());
            }
        }
    }
    loop {
        let taken = claim(world).await;
        if taken.is_empty() {
            break;
        }
        for claimed in taken {
            match claimed.refused {
                None => begun.push(claimed.header.id),
                Some(refusal) => ended.push((claimed.header.id, refusal.by.unwrap())),
            }
        }
    }
    let mut all: Vec<RunId> = begun.iter().copied().chain(ended.iter().map(|(run, _)| *run)).collect();
    all.sort_unstable();
    fired.sort_unstable();
    assert_eq!(all, fired);
    for run in &begun {
        assert!(ended.iter().filter(|(_, into)| into == run).count() < 3);
    }
    assert!(ended.iter().all(|(_, into)| begun.contains(into)));
}
