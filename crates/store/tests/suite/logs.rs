//! The execution log, read through the journal.

use mainspring_model::event::{AttemptStatus, BlobRef, Event, EventBody};
use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, LogFilter, Standing};
use serde_json::{Value, json};

use super::make::{START, World, attempt, finished, owner, page, plan_id, rows, skipped, success};

const ORG: mainspring_model::id::OrgId = Owner::LOCAL.org;

async fn steps(world: &World, filter: LogFilter) -> Vec<String> {
    world.store.list_logs(ORG, &filter, &page(200)).await.unwrap().items.into_iter().map(|entry| entry.step_id).collect()
}

pub async fn one_row_per_attempt(world: &World) {
    let run = world.held().await;
    let failed = attempt(2, world.now() + 1, "b", "slack", AttemptStatus::Error, Value::Null);
    let events = [success(1, world.now()), failed.clone(), skipped(3, world.now()), finished(4, world.now(), RunStatus::Error)];
    assert_eq!(world.commit(world.write(run, &events, Standing::Running)).await, Committed::Done);
    let page = world.store.list_logs(ORG, &LogFilter::default(), &page(50)).await.unwrap();
    assert_eq!((page.items.len(), page.next_cursor), (2, None));
    let (newest, oldest) = (&page.items[0], &page.items[1]);
    assert_eq!((newest.run_id, newest.plan_id, newest.plan_name.as_str()), (run, plan_id(1), "Greeting"));
    assert_eq!((newest.step_id.as_str(), newest.step_number, newest.attempt), ("b", Some(1), 1));
    assert_eq!((newest.provider.as_str(), newest.action.as_str(), newest.status.as_str()), ("slack", "get", "error"));
    assert_eq!((newest.message.as_str(), newest.latency_ms, newest.timestamp), ("done", 1.5, world.now() + 1));
    let EventBody::Attempted(body) = failed.body else { unreachable!() };
    assert_eq!(newest.error, Some(serde_json::to_value(body.error).unwrap()));
    assert_eq!((oldest.error.clone(), oldest.output_preview.as_str()), (None, "{\"n\":1}"));
    assert_ne!(newest.id, oldest.id);
}

pub async fn filters(world: &World) {
    let mut header = world.header();
    let mut events = |plan, names: [&str; 2], provider: &str, status, at| {
        header = world.header_of(Owner::LOCAL, plan_id(plan));
        let events =
            [attempt(1, at, names[0], provider, status, json!(1)), attempt(2, at, names[1], provider, AttemptStatus::Success, json!(1))];
        let mut write = world.creation(&header, Standing::Running);
        write.events = rows(&events);
        write
    };
    let first = events(1, ["a", "b"], "http", AttemptStatus::Error, START);
    let second = events(2, ["c", "d"], "slack", AttemptStatus::Retrying, START + 10);
    let run = second.run;
    world.commit(first).await;
    world.commit(second).await;
    let none = LogFilter::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(steps(world, none()).await, ["d", "c", "b", "a"]);
    assert_eq!(steps(world, LogFilter { plan: Some(plan_id(1)), ..none() }).await, ["b", "a"]);
    assert_eq!(steps(world, LogFilter { plan: Some(plan_id(9)), ..none() }).await, [""; 0]);
    assert_eq!(steps(world, LogFilter { run: Some(run), ..none() }).await, ["d", "c"]);
    assert_eq!(steps(world, LogFilter { status: text("retrying"), ..none() }).await, ["c"]);
    assert_eq!(steps(world, LogFilter { provider: text("http"), ..none() }).await, ["b", "a"]);
    assert_eq!(steps(world, LogFilter { provider: text("http"), status: text("error"), ..none() }).await, ["a"]);
    assert_eq!(steps(world, LogFilter { since: Some(START + 10), ..none() }).await, ["d", "c"]);
    assert_eq!(steps(world, LogFilter { until: Some(START + 10), ..none() }).await, ["b", "a"]);
    assert_eq!(steps(world, LogFilter { run: Some(run), status: text("success"), plan: Some(plan_id(2)), ..none() }).await, ["d"]);
    assert_eq!(steps(world, LogFilter { provider: text("' or 1=1 --"), ..none() }).await, [""; 0]);
    assert_eq!(world.store.list_logs(owner(1).org, &none(), &page(50)).await.unwrap().items, []);
}

pub async fn paging_is_exact(world: &World) {
    // Many rows of one moment: a page's edge falls between them.
    let mut expected = Vec::new();
    for batch in 0..10 {
        let run = world.held().await;
        let events: Vec<Event> = (1..=7)
            .map(|seq| attempt(seq, START + batch / 3, &format!("{batch}.{seq}"), "http", AttemptStatus::Success, json!(1)))
            .collect();
        expected.extend(events.iter().map(|event| (event.at, batch, event.seq)));
        world.commit(world.write(run, &events, Standing::Running)).await;
    }
    expected.sort_unstable();
    expected.reverse();
    let expected: Vec<String> = expected.into_iter().map(|(_, batch, seq)| format!("{batch}.{seq}")).collect();
    let mut seen = Vec::new();
    let mut paging = page(4);
    loop {
        let page = world.store.list_logs(ORG, &LogFilter::default(), &paging).await.unwrap();
        seen.extend(page.items.into_iter().map(|entry| entry.step_id));
        let Some(cursor) = page.next_cursor else { break };
        paging.cursor = Some(cursor);
    }
    assert_eq!(seen, expected);
}

pub async fn previews(world: &World) {
    let long = "é".repeat(600);
    let outputs = [
        json!(null),
        json!("plain \"text\""),
        json!({"n": u64::MAX, "m": i64::MIN}),
        json!(u64::MAX),
        json!(long),
        json!("a\u{0}b"),
        json!([]),
        json!(false),
    ];
    let run = world.held().await;
    let mut events: Vec<Event> = (1..)
        .zip(&outputs)
        .map(|(seq, output)| attempt(seq, START + i64::from(seq), "s", "http", AttemptStatus::Success, output.clone()))
        .collect();
    let mut spilled = attempt(9, START + 9, "s", "http", AttemptStatus::Success, Value::Null);
    if let EventBody::Attempted(body) = &mut spilled.body {
        let sha256 = world.store.put_blob(ORG, b"\"large\"".to_vec()).await.unwrap();
        body.blob = Some(BlobRef { sha256, size: 7, preview: "lar".to_owned() });
    }
    events.push(spilled);
    world.commit(world.write(run, &events, Standing::Running)).await;
    let entries = world.store.list_logs(ORG, &LogFilter::default(), &page(50)).await.unwrap().items;
    let previews: Vec<&str> = entries.iter().rev().map(|entry| entry.output_preview.as_str()).collect();
    let cut = "é".repeat(500);
    let numbers = r#"{"n":18446744073709551615,"m":-9223372036854775808}"#;
    let expected = ["", "plain \"text\"", numbers, "18446744073709551615", &cut, "\"a\\u0000b\"", "[]", "false", "lar"];
    assert_eq!(previews, expected);
}

pub async fn monitoring(world: &World) {
    let run = world.held().await;
    let at = |seq: u32, provider: &str, status, us| {
        let mut event = attempt(seq, START, "s", provider, status, json!(1));
        if let EventBody::Attempted(body) = &mut event.body {
            body.latency_us = us;
        }
        event
    };
    let mut events: Vec<Event> = (1..=100).map(|seq| at(seq, "http", AttemptStatus::Success, u64::from(seq) * 1_000)).collect();
    events.push(at(101, "slack", AttemptStatus::Error, 2_000));
    events.push(at(102, "slack", AttemptStatus::Retrying, 4_000));
    world.commit(world.write(run, &events, Standing::Running)).await;
    let found = world.store.monitoring(ORG).await.unwrap();
    let totals: Vec<_> =
        found.providers.iter().map(|p| (p.provider.as_str(), p.total, p.failed, p.avg_latency_ms, p.p95_latency_ms)).collect();
    assert_eq!(totals, [("http", 100, 0, 50.5, 95.0), ("slack", 2, 2, 3.0, 4.0)]);
    assert_eq!(found.recent.iter().map(|run| run.id).collect::<Vec<_>>(), [run]);
    for _ in 0..12 {
        world.queued().await;
    }
    assert_eq!(world.store.monitoring(ORG).await.unwrap().recent.len(), 10);
    world.pass(25 * 3_600_000);
    assert_eq!(world.store.monitoring(ORG).await.unwrap().providers, []);
}
