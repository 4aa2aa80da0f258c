//! State between runs: written with the end of a run that succeeded, or at once and once; forgotten when its time is over.

use std::sync::Arc;

use mainspring_model::id::{Owner, PlanId, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::state::{Digests, StateChange, StateScope, StateWrite};
use mainspring_model::store::{Committed, Standing, StateBatch, StateDone, StateRecord, StateSpace};
use serde_json::{Value, json};

use super::make::{World, ending, owner, plan_id};

fn organization() -> StateSpace {
    StateSpace { org: Owner::LOCAL.org, plan: None }
}

fn write(key: &str, change: StateChange) -> StateWrite {
    StateWrite { scope: StateScope::Organization, key: key.to_owned(), until: None, change }
}

fn items(digests: &[u8]) -> StateChange {
    StateChange::Remember(Digests(digests.iter().map(|byte| [*byte; 16]).collect()))
}

fn left(plan: PlanId, writes: Vec<StateWrite>) -> Standing {
    Standing::EndedWith(ending(RunStatus::Success), StateBatch { org: Owner::LOCAL.org, plan, writes: Arc::new(writes) })
}

async fn value(world: &World, key: &str) -> Option<Value> {
    world.store.state(organization(), key).await.unwrap().map(|record| record.value)
}

async fn seen(world: &World, set: &str, digests: &[u8]) -> Vec<bool> {
    let digests: Vec<_> = digests.iter().map(|byte| [*byte; 16]).collect();
    world.store.seen(organization(), set, &digests).await.unwrap().into_iter().map(|until| until.is_some()).collect()
}

pub async fn a_run_leaves_its_state_with_its_end(world: &World) {
    let run = world.held().await;
    let changes = vec![
        write("count", StateChange::Add(2.into())),
        write("cursor", StateChange::Set(json!({"at": "é"}))),
        write("set", items(&[1, 2])),
    ];
    assert_eq!(value(world, "count").await, None);
    assert_eq!(world.commit(world.write(run, &[], left(plan_id(1), changes.clone()))).await, Committed::Done);
    assert_eq!((value(world, "count").await, value(world, "cursor").await), (Some(json!(2)), Some(json!({"at": "é"}))));
    assert_eq!(seen(world, "set", &[3, 2, 1, 2]).await, [false, true, true, true]);
    // Whoever comes late changes nothing, and neither does one whose write is refused.
    assert_eq!(world.commit(world.write(run, &[], left(plan_id(1), changes.clone()))).await, Committed::Late);
    let stranger = mainspring_model::store::RunWrite {
        epoch: world.store.epoch() + 1,
        ..world.write(world.held().await, &[], left(plan_id(1), changes.clone()))
    };
    assert_eq!(world.commit(stranger).await, Committed::Late);
    let failed =
        Standing::EndedWith(ending(RunStatus::Error), StateBatch { org: Owner::LOCAL.org, plan: plan_id(1), writes: Arc::new(changes) });
    assert!(world.store.commit(world.write(world.held().await, &[], failed)).await.is_err(), "only success leaves something behind");
    assert_eq!(value(world, "count").await, Some(json!(2)));
    // What another organization has is its own.
    let other = StateSpace { org: owner(1).org, plan: None };
    assert_eq!(world.store.state(other, "count").await.unwrap(), None);
    assert_eq!(world.store.list_state(other, "", None, 9).await.unwrap(), []);
}

pub async fn counts_of_many_runs_add_up(world: &World) {
    let mut all = Vec::new();
    for n in 0_i64..40 {
        let (run, store) = (world.held().await, world.store.clone());
        let by = vec![
            write("a", StateChange::Add(n.into())),
            write("b", StateChange::Add(1.into())),
            write("set", items(&[1, u8::try_from(n).unwrap()])),
        ];
        let write = world.write(run, &[], left(plan_id(1), by));
        all.push(tokio::spawn(async move { store.commit(write).await.unwrap() }));
    }
    for one in all {
        assert_eq!(one.await.unwrap(), Committed::Done);
    }
    assert_eq!((value(world, "a").await, value(world, "b").await), (Some(json!(780)), Some(json!(40))));
    assert_eq!(world.store.count_seen(organization(), "set", 100).await.unwrap(), 40);
    assert_eq!(world.store.count_seen(organization(), "set", 7).await.unwrap(), 7, "counted no further than asked");
}

pub async fn a_change_at_once_happens_once(world: &World) {
    let (run, id) = (world.held().await, world.uuid());
    let add = write("count", StateChange::Add(5.into()));
    for _ in 0..3 {
        let done = world.store.apply_state(organization(), run, id, &add).await.unwrap();
        assert_eq!(done, StateDone::Applied(json!({"value": 5})), "what came of the first time is given again");
    }
    assert_eq!(world.store.apply_state(organization(), run, world.uuid(), &add).await.unwrap(), StateDone::Applied(json!({"value": 10})));
    // Side by side: the same step is applied once, others each.
    let (same, mut all) = (world.uuid(), Vec::new());
    for n in 0..20 {
        let (store, add, id) = (world.store.clone(), add.clone(), if n % 2 == 0 { same } else { world.uuid() });
        all.push(tokio::spawn(async move { store.apply_state(organization(), run, id, &add).await.unwrap() }));
    }
    for one in all {
        assert!(matches!(one.await.unwrap(), StateDone::Applied(_)));
    }
    assert_eq!(value(world, "count").await, Some(json!(10 + 11 * 5)));
    // Of two that ask at once which items are new, one hears it of each.
    let mut all = Vec::new();
    for _ in 0..8 {
        let (store, id) = (world.store.clone(), world.uuid());
        all.push(tokio::spawn(async move { store.apply_state(organization(), run, id, &write("s", items(&[1, 2, 3]))).await.unwrap() }));
    }
    let mut new = 0;
    for one in all {
        let StateDone::Applied(done) = one.await.unwrap() else { panic!("there is room") };
        new += done["new"].as_array().unwrap().len();
    }
    assert_eq!(new, 3);
    let id = world.uuid();
    for _ in 0..2 {
        let done = world.store.apply_state(organization(), run, id, &write("count", StateChange::Delete)).await.unwrap();
        assert_eq!(done, StateDone::Applied(json!({"existed": true})));
    }
    assert_eq!(value(world, "count").await, None);
    // The marks go when their run has ended.
    assert_eq!(world.store.prune_state(500).await.unwrap(), 0);
    world.commit(world.write(run, &[], Standing::Ended(ending(RunStatus::Success)))).await;
    assert_eq!(world.store.prune_state(500).await.unwrap(), 2 + 11 + 8 + 1);
}

pub async fn what_is_past_its_time_is_not_there(world: &World) {
    let (run, now) = (RunId(world.uuid()), world.now());
    let until = |until, write: StateWrite| StateWrite { until: Some(now + until), ..write };
    let apply = async |write| world.store.apply_state(organization(), run, world.uuid(), &write).await.unwrap();
    apply(until(100, write("short", StateChange::Set(json!(7))))).await;
    apply(write("long", StateChange::Set(json!(8)))).await;
    apply(until(100, write("set", items(&[1, 2])))).await;
    apply(until(300, write("set", items(&[2])))).await;
    apply(until(50, write("set", items(&[2])))).await;
    world.store.put_cached(organization().org, &[1; 32], &json!({"a": 1}), now + 100).await.unwrap();
    world.store.put_cached(organization().org, &[1; 32], &json!({"a": 2}), now + 200).await.unwrap();
    assert_eq!(world.store.cached(organization().org, &[1; 32]).await.unwrap(), Some(json!({"a": 2})));
    assert_eq!(world.store.cached(owner(1).org, &[1; 32]).await.unwrap(), None);
    world.pass(100);
    assert_eq!((value(world, "short").await, value(world, "long").await), (None, Some(json!(8))));
    assert_eq!(seen(world, "set", &[1, 2]).await, [false, true], "remembered for as long as the longest that was asked for");
    assert_eq!(apply(write("short", StateChange::Add(1.into()))).await, StateDone::Applied(json!({"value": 1})), "begins anew");
    let keys = |records: Vec<StateRecord>| records.into_iter().map(|record| record.key).collect::<Vec<_>>();
    assert_eq!(keys(world.store.list_state(organization(), "", None, 9).await.unwrap()), ["long", "short"]);
    world.pass(200);
    assert_eq!(world.store.cached(organization().org, &[1; 32]).await.unwrap(), None);
    // Two items, a result and the marks of a run that never was; nothing is left for the second look.
    assert_eq!(world.store.prune_state(500).await.unwrap(), 2 + 1 + 6);
    assert_eq!(world.store.prune_state(500).await.unwrap(), 0);
    assert_eq!(world.store.count_seen(organization(), "set", 9).await.unwrap(), 0);
}

pub async fn state_is_listed_and_mended(world: &World) {
    let record = |key: &str, value: Value| StateRecord { key: key.to_owned(), value, updated_at: 0, expires_at: None };
    for key in ["b/2", "a", "b/1", "c", "b/10", "b"] {
        assert_eq!(world.store.put_state(organization(), &record(key, json!(key))).await.unwrap(), None);
    }
    let list = async |prefix: &str, after: Option<&str>, limit| {
        let found = world.store.list_state(organization(), prefix, after, limit).await.unwrap();
        found.into_iter().map(|record| record.key).collect::<Vec<_>>()
    };
    assert_eq!(list("", None, 9).await, ["a", "b", "b/1", "b/10", "b/2", "c"]);
    assert_eq!(list("b/", None, 2).await, ["b/1", "b/10"]);
    assert_eq!(list("b/", Some("b/10"), 2).await, ["b/2"]);
    let before = world.store.put_state(organization(), &record("a", json!([1]))).await.unwrap().unwrap();
    assert_eq!((before.value, before.updated_at), (json!("a"), world.now()));
    assert_eq!(world.store.delete_state(organization(), "a").await.unwrap().unwrap().value, json!([1]));
    assert_eq!(world.store.delete_state(organization(), "a").await.unwrap(), None);
    assert_eq!(world.store.count_state(organization(), 100).await.unwrap(), 5);
    world.store.apply_state(organization(), RunId(world.uuid()), world.uuid(), &write("seen", items(&[1, 2]))).await.unwrap();
    let sets = world.store.list_state_sets(organization()).await.unwrap();
    assert_eq!(sets.iter().map(|set| (set.name.as_str(), set.items)).collect::<Vec<_>>(), [("seen", 2)]);
    assert_eq!(world.store.delete_state_set(organization(), "seen").await.unwrap(), 2);
    assert_eq!(world.store.list_state_sets(organization()).await.unwrap(), []);
}

pub async fn state_goes_with_its_plan(world: &World) {
    let plan = plan_id(7);
    world.store.create_plan(plan, world.plan("Counting")).await.unwrap();
    let space = StateSpace { org: Owner::LOCAL.org, plan: Some(plan) };
    let change = |key: &str, change| StateWrite { scope: StateScope::Plan, key: key.to_owned(), until: None, change };
    let writes = || vec![change("n", StateChange::Add(1.into())), change("s", items(&[1])), write("n", StateChange::Add(1.into()))];
    world.commit(world.write(world.held().await, &[], left(plan, writes()))).await;
    assert_eq!(world.store.state(space, "n").await.unwrap().unwrap().value, json!(1));
    world.store.delete_plan(Owner::LOCAL.org, plan).await.unwrap();
    assert_eq!(world.store.state(space, "n").await.unwrap(), None);
    assert_eq!(world.store.count_seen(space, "s", 9).await.unwrap(), 0);
    // A run that was under way then leaves nothing to a plan that is not there, and its organization what is the organization's.
    world.commit(world.write(world.held().await, &[], left(plan, writes()))).await;
    assert_eq!((world.store.state(space, "n").await.unwrap(), value(world, "n").await), (None, Some(json!(2))));
}
