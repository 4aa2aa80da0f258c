//! What live updates read.

use mainspring_model::event::{Event, EventBody};
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::{RunStatus, RunSummary};
use mainspring_model::store::Standing;
use serde_json::Value;

use super::make::{World, ending, finished, owner, plan_id, success};

pub async fn states_without_values(world: &World) {
    let (ended, queued, held) = (world.ended(RunStatus::Error).await, world.queued().await, world.held().await);
    let theirs = world.ended_as(&world.header_of(owner(1), plan_id(2)), RunStatus::Success).await;
    let ids = [ended, queued, held, theirs, RunId(world.uuid())];
    let mut found = world.store.runs_by_id(Owner::LOCAL.org, &ids).await.unwrap();
    found.sort_by_key(|run| run.id);
    for run in &found {
        let whole = world.store.get_run(Owner::LOCAL.org, run.id).await.unwrap().unwrap();
        assert_eq!(*run, RunSummary { output: None, ..whole });
    }
    let seen: Vec<_> = found.iter().map(|run| (run.id, run.status)).collect();
    assert_eq!(seen, [(ended, RunStatus::Error), (queued, RunStatus::Queued), (held, RunStatus::Running)]);
    assert_eq!(found[0].error, ending(RunStatus::Error).error);
    assert_eq!(world.store.runs_by_id(Owner::LOCAL.org, &[]).await.unwrap(), []);
}

pub async fn what_changed_since(world: &World) {
    let (old, slow) = (world.ended(RunStatus::Success).await, world.held().await);
    world.pass(1_000);
    let since = world.now();
    let new = world.queued().await;
    world.ended_as(&world.header_of(owner(1), plan_id(2)), RunStatus::Success).await;
    world.pass(10);
    let last = finished(1, world.now(), RunStatus::Success);
    world.commit(world.write(slow, &[last], Standing::Ended(ending(RunStatus::Success)))).await;
    let ids = async |since, limit| {
        let found = world.store.runs_changed(Owner::LOCAL.org, since, limit).await.unwrap();
        found.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(since, 50).await, [new, slow], "made first, then ended");
    assert_eq!(ids(since + 1, 50).await, [slow]);
    assert_eq!(ids(since - 1_000, 1).await, [old, old], "at most so many of each");
    assert_eq!(ids(since + 11, 50).await, []);
}

pub async fn the_journal_in_pages(world: &World) {
    let run = world.held().await;
    let mut events: Vec<Event> = (1..=7).map(|seq| success(seq, world.now())).collect();
    events.push(finished(8, world.now(), RunStatus::Error));
    world.commit(world.write(run, &events, Standing::Ended(ending(RunStatus::Error)))).await;
    for event in &mut events {
        match &mut event.body {
            EventBody::Attempted(attempted) => attempted.output = Value::Null,
            EventBody::Finished(ending) => ending.output = Value::Null,
            _ => {}
        }
    }
    let rows = async |after, limit| world.store.journal_after(Owner::LOCAL.org, run, after, limit).await.unwrap();
    assert_eq!(rows(0, 3).await, events[..3]);
    assert_eq!(rows(3, 100).await, events[3..]);
    assert_eq!(rows(8, 100).await, []);
    assert_eq!(world.store.journal_after(owner(1).org, run, 0, 100).await.unwrap(), []);
}
