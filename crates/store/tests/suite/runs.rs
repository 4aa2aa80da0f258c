//! Runs as they are written and read back.

use mainspring_model::fault::{Code, Fault};
use mainspring_model::id::Owner;
use mainspring_model::run::{Ending, RunStatus};
use mainspring_model::store::{Committed, Paging, RunFilter, Standing};
use serde_json::{Value, json};

use super::make::{World, ending, finished, owner, page, plan_id, rows, skipped, success};

pub async fn a_run_comes_back_as_it_was_written(world: &World) {
    let mut header = world.header();
    header.parent = Some((world.held().await, "outer[3].inner".to_owned()));
    header.inputs = json!({"list": [1, 2.5, null, true], "text": "a \"quoted\" text"});
    header.plan_version = 7;
    assert_eq!(world.commit(world.creation(&header, Standing::Running)).await, Committed::Done);
    assert_eq!(world.store.header(header.id).await.unwrap(), Some(header.clone()));
    assert_eq!(world.store.header(mainspring_model::id::RunId(world.uuid())).await.unwrap(), None);

    let events = [success(1, world.now()), skipped(2, world.now() + 5)];
    assert_eq!(world.commit(world.write(header.id, &events, Standing::Running)).await, Committed::Done);
    let last = finished(3, world.now() + 9, RunStatus::Error);
    world.pass(10);
    let write = world.write(header.id, std::slice::from_ref(&last), Standing::Ended(ending(RunStatus::Error)));
    assert_eq!(world.commit(write).await, Committed::Done);
    assert_eq!(world.store.history(header.id).await.unwrap(), [&events[..], &[last]].concat());

    let summary = world.store.get_run(Owner::LOCAL.org, header.id).await.unwrap().unwrap();
    assert_eq!((summary.id, summary.plan_id, summary.plan_version), (header.id, header.plan_id, 7));
    assert_eq!((summary.status, summary.trigger.as_str()), (RunStatus::Error, "manual"));
    assert_eq!((summary.started_at, summary.finished_at, summary.wake_at), (Some(world.now() - 10), Some(world.now()), None));
    assert_eq!((summary.output, summary.error), (Some(json!({"ok": false})), ending(RunStatus::Error).error));
}

pub async fn an_ending_is_stored_once(world: &World) {
    let run = world.held().await;
    assert_eq!(world.store.ending(run).await.unwrap(), None);
    let error = Some(Fault::new(Code::other("USER_STOP"), "enough").details(json!({"at": [1, 2]})));
    let first = Ending { status: RunStatus::Cancelled, output: Value::Null, blob: None, error };
    assert_eq!(world.commit(world.write(run, &[], Standing::Ended(first.clone()))).await, Committed::Done);
    let second = Standing::Ended(ending(RunStatus::Success));
    assert_eq!(world.commit(world.write(run, &[], second)).await, Committed::Late);
    assert_eq!(world.store.ending(run).await.unwrap(), Some(first));
}

pub async fn a_create_with_its_end_in_one_write(world: &World) {
    let header = world.header();
    let mut write = world.creation(&header, Standing::Ended(ending(RunStatus::Success)));
    let events = [success(1, world.now()), success(2, world.now()), finished(3, world.now(), RunStatus::Success)];
    write.events = rows(&events);
    assert_eq!(world.commit(write).await, Committed::Done);
    assert_eq!(world.store.history(header.id).await.unwrap(), events);
    assert_eq!(world.store.ending(header.id).await.unwrap(), Some(ending(RunStatus::Success)));
    let summary = world.store.get_run(Owner::LOCAL.org, header.id).await.unwrap().unwrap();
    assert_eq!((summary.started_at, summary.finished_at), (Some(world.now()), Some(world.now())));
    assert_eq!(world.commit(world.write(header.id, &[success(4, 1)], Standing::Running)).await, Committed::Late);
}

pub async fn lists_are_newest_first_and_page(world: &World) {
    let mut made = Vec::new();
    for n in 0..25 {
        // Several to a millisecond: the page's edge may fall between them.
        if n % 4 == 0 {
            world.pass(1);
        }
        made.push(world.queued().await);
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut paging = page(10);
    loop {
        let page = world.store.list_runs(Owner::LOCAL.org, &RunFilter::default(), &paging).await.unwrap();
        seen.extend(page.items.iter().map(|run| run.id));
        // Newer runs move nothing on the pages that follow.
        world.queued().await;
        match page.next_cursor {
            Some(cursor) => paging.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(seen, made);
    let all = world.store.list_runs(Owner::LOCAL.org, &RunFilter::default(), &page(0)).await.unwrap();
    assert_eq!(all.items.len(), 1, "the least page has one row");
    let wrong = Paging { limit: 10, cursor: Some("'; drop table runs; --".to_owned()) };
    assert_eq!(super::make::code(world.store.list_runs(Owner::LOCAL.org, &RunFilter::default(), &wrong).await), "INVALID_REQUEST");
}

pub async fn filters_of_runs(world: &World) {
    let mut other = world.header_of(Owner::LOCAL, plan_id(2));
    other.created_at = world.now() - 1_000;
    let failed = world.ended_as(&other, RunStatus::Error).await;
    let well = world.ended(RunStatus::Success).await;
    let queued = world.queued().await;
    let elsewhere = world.header_of(owner(1), plan_id(1));
    world.ended_as(&elsewhere, RunStatus::Success).await;
    let find = async |filter: RunFilter| {
        let page = world.store.list_runs(Owner::LOCAL.org, &filter, &page(50)).await.unwrap();
        page.items.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let none = RunFilter::default;
    assert_eq!(find(none()).await, [queued, well, failed]);
    assert_eq!(find(RunFilter { plan: Some(plan_id(2)), ..none() }).await, [failed]);
    assert_eq!(find(RunFilter { status: Some(RunStatus::Success), ..none() }).await, [well]);
    assert_eq!(find(RunFilter { status: Some(RunStatus::Error), ..none() }).await, [failed]);
    assert_eq!(find(RunFilter { status: Some(RunStatus::Queued), plan: Some(plan_id(1)), ..none() }).await, [queued]);
    assert_eq!(find(RunFilter { status: Some(RunStatus::Paused), ..none() }).await, []);
    assert_eq!(find(RunFilter { until: Some(world.now()), ..none() }).await, [failed]);
    assert_eq!(find(RunFilter { since: Some(world.now()), ..none() }).await, [queued, well]);
    assert_eq!(find(RunFilter { since: Some(world.now() - 1_000), until: Some(world.now()), ..none() }).await, [failed]);
}

pub async fn totals_count_what_ended(world: &World) {
    for status in [RunStatus::Success, RunStatus::Success, RunStatus::Error, RunStatus::Cancelled, RunStatus::TimedOut] {
        world.ended(status).await;
    }
    world.queued().await;
    let held = world.held().await;
    let totals = async || {
        let found = world.store.monitoring(Owner::LOCAL.org).await.unwrap();
        [found.total_executions, found.successful, found.failed, found.running, found.queued]
    };
    assert_eq!(totals().await, [7, 2, 2, 1, 1]);
    world.commit(world.write(held, &[], Standing::Ended(ending(RunStatus::Success)))).await;
    assert_eq!(world.commit(world.write(held, &[], Standing::Ended(ending(RunStatus::Error)))).await, Committed::Late);
    assert_eq!(totals().await, [7, 3, 2, 0, 1], "a late write counts nothing");
    assert_eq!(world.store.monitoring(owner(5).org).await.unwrap().total_executions, 0);
}

pub async fn large_inputs_stay(world: &World) {
    let mut header = world.header();
    header.inputs = json!({"text": "long ".repeat(200_000)});
    assert_eq!(world.commit(world.creation(&header, Standing::Queued)).await, Committed::Done);
    assert_eq!(world.store.claim(1).await.unwrap()[0].header, header);
    let end = world.write(header.id, &[], Standing::Ended(ending(RunStatus::Success)));
    assert_eq!(world.commit(end).await, Committed::Done);
    assert_eq!(world.store.header(header.id).await.unwrap(), Some(header));
}
