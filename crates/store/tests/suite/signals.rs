//! Signals: whom they wake, that each is kept once, and that nothing that waits is left behind by the end of its run.

use mainspring_model::id::{OrgId, Owner, RunId, SignalId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{EventFilter, NewSignal, Paging, Retention, SIGNAL_KEPT, Standing, WaitKey, WaitRecord};
use serde_json::{Value, json};

use super::make::{World, ending, owner};

fn signal(world: &World, topic: &str, data: Value) -> NewSignal {
    NewSignal { org: Owner::LOCAL.org, id: SignalId(world.uuid()), topic: topic.to_owned(), data, sole: false }
}

async fn wait(world: &World, run: RunId, path: &str, topic: &str, key: Option<(&str, Value)>) {
    let key = key.map(|(pointer, value)| WaitKey { pointer: pointer.to_owned(), value: WaitKey::text_of(&value).unwrap() });
    let wait = WaitRecord {
        org: Owner::LOCAL.org,
        run,
        path: path.to_owned(),
        topic: topic.to_owned(),
        key,
        detail: json!({"message": "Pay?"}),
        created_at: world.now(),
    };
    world.store.put_wait(&wait).await.unwrap();
    world.store.put_wait(&wait).await.unwrap();
    assert_eq!(world.store.wait_for(wait.org, topic).await.unwrap().unwrap().topic, topic);
}

async fn lies_down(world: &World, run: RunId) {
    world.commit(world.write(run, &[], Standing::Waiting(None))).await;
}

async fn claim(world: &World) -> Vec<RunId> {
    let mut claimed: Vec<RunId> = world.store.claim(10).await.unwrap().iter().map(|claimed| claimed.header.id).collect();
    claimed.sort_unstable();
    claimed
}

pub async fn a_signal_wakes_who_waits_for_it(world: &World) {
    let (asleep, held, other) = (world.held().await, world.held().await, world.held().await);
    wait(world, asleep, "a", "event:paid", None).await;
    wait(world, held, "a", "event:paid", None).await;
    wait(world, other, "a", "event:sent", None).await;
    lies_down(world, asleep).await;
    lies_down(world, other).await;
    let new = signal(world, "event:paid", json!({"id": 1}));
    let told = world.store.put_signal(&new).await.unwrap();
    let mut woken = told.woken.clone();
    woken.sort_unstable();
    let mut expected = vec![asleep, held];
    expected.sort_unstable();
    assert_eq!((told.new, woken), (true, expected));
    assert_eq!((told.signal.id, &told.signal.data, told.signal.received_at), (new.id, &new.data, world.now()));
    world.store.work_arrived().await;
    assert_eq!(claim(world).await, [asleep], "the held one goes on by itself");
    lies_down(world, held).await;
    assert_eq!(claim(world).await, [held], "what came while it was held ends its next wait at once");
    lies_down(world, held).await;
    world.store.delete_waits(Owner::LOCAL.org, held, Some("a")).await.unwrap();
    assert_eq!(world.store.put_signal(&signal(world, "event:paid", json!(null))).await.unwrap().woken, [asleep]);
    let foreign = NewSignal { org: owner(1).org, ..signal(world, "event:sent", json!({})) };
    assert_eq!(world.store.put_signal(&foreign).await.unwrap().woken, [], "it is another organization's");
}

pub async fn only_those_whose_key_it_holds(world: &World) {
    let (one, two, text, any) = (world.held().await, world.held().await, world.held().await, world.held().await);
    wait(world, one, "a", "event:paid", Some(("/order", json!(1)))).await;
    wait(world, two, "a", "event:paid", Some(("/order", json!(2)))).await;
    wait(world, text, "a", "event:paid", Some(("/customer/name", json!("1")))).await;
    wait(world, any, "a", "event:paid", None).await;
    let woken = async |data| {
        let mut woken = world.store.put_signal(&signal(world, "event:paid", data)).await.unwrap().woken;
        woken.sort_unstable();
        woken
    };
    let sorted = |mut runs: Vec<RunId>| {
        runs.sort_unstable();
        runs
    };
    assert_eq!(woken(json!({"order": 1.0})).await, sorted(vec![one, any]));
    assert_eq!(woken(json!({"order": "1", "customer": {"name": "1"}})).await, sorted(vec![text, any]));
    assert_eq!(woken(json!({"order": {"order": 2}})).await, [any]);
    assert_eq!(woken(json!({"order": 2, "customer": {"name": "1"}})).await, sorted(vec![two, text, any]));
}

pub async fn a_signal_is_kept_once(world: &World) {
    let new = signal(world, "event:paid", json!({"n": 1}));
    assert!(world.store.put_signal(&new).await.unwrap().new);
    world.pass(5);
    let again = world.store.put_signal(&NewSignal { data: json!({"n": 2}), ..new.clone() }).await.unwrap();
    assert_eq!((again.new, again.signal.data, again.signal.received_at), (false, json!({"n": 1}), world.now() - 5));
    let answer = |yes: bool| NewSignal { sole: true, ..signal(world, "approval:1", json!({"approved": yes})) };
    assert!(world.store.put_signal(&answer(true)).await.unwrap().new);
    let second = world.store.put_signal(&answer(false)).await.unwrap();
    assert_eq!((second.new, second.signal.data), (false, json!({"approved": true})), "the first answer counts");
    let other = NewSignal { org: owner(1).org, ..answer(false) };
    assert!(world.store.put_signal(&other).await.unwrap().new, "a topic is its organization's");
}

pub async fn signals_are_read_in_pages(world: &World) {
    let org = Owner::LOCAL.org;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(world.store.put_signal(&signal(world, "event:tick", json!(n))).await.unwrap().signal.id);
        world.pass(i64::from(n % 2 == 1));
    }
    world.store.put_signal(&signal(world, "event:tock", json!(9))).await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = world.store.signals(org, "event:tick", 0, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|signal| signal.id));
    }
    seen.sort_unstable();
    made.sort_unstable();
    assert_eq!(seen, made);
    let late = world.store.signals(org, "event:tick", world.now(), None, 9).await.unwrap();
    assert_eq!(late.into_iter().map(|signal| signal.data).collect::<Vec<_>>(), [json!(4)]);
    assert_eq!(world.store.signals(OrgId(world.uuid()), "event:tick", 0, None, 9).await.unwrap(), []);
    for (most, counted) in [(9, 5), (3, 3)] {
        assert_eq!(world.store.count_signals(org, "event:tick", 0, most).await.unwrap(), counted);
    }
    let one = world.store.signal(org, made[0]).await.unwrap().expect("it is kept");
    assert_eq!((one.id, one.topic.as_str()), (made[0], "event:tick"));
    assert_eq!(world.store.signal(OrgId(world.uuid()), made[0]).await.unwrap(), None, "of another organization");
    assert_eq!(world.store.signal(org, SignalId(world.uuid())).await.unwrap(), None);
}

pub async fn a_wait_goes_with_its_run(world: &World) {
    let (run, other) = (world.held().await, world.held().await);
    let org = Owner::LOCAL.org;
    wait(world, run, "a", "approval:1", None).await;
    wait(world, run, "b", "callback:1", None).await;
    wait(world, other, "a", "approval:2", None).await;
    let listed = async || {
        let found = world.store.list_waits(org, "approval:", 9).await.unwrap();
        let mut topics: Vec<String> = found.into_iter().map(|wait| wait.topic).collect();
        topics.sort_unstable();
        topics
    };
    assert_eq!(listed().await, ["approval:1", "approval:2"]);
    world.store.put_signal(&NewSignal { sole: true, ..signal(world, "approval:2", json!({})) }).await.unwrap();
    world.commit(world.write(run, &[], Standing::Ended(ending(RunStatus::Success)))).await;
    assert_eq!(listed().await, [""; 0], "one run has ended, and the other has its answer");
    assert_eq!(world.store.wait_for(org, "callback:1").await.unwrap(), None);
    world.store.put_signal(&signal(world, "event:old", json!({}))).await.unwrap();
    world.pass(10);
    let old = async || {
        let all = world.store.prunable(&Retention::default()).await.unwrap();
        all.into_iter().find(|one| one.kind == "signals").unwrap().rows
    };
    assert_eq!(old().await, 0);
    world.pass(SIGNAL_KEPT);
    assert_eq!(old().await, 2);
    let prune = async || world.store.prune_signals(world.now(), 1).await.unwrap();
    assert_eq!([prune().await, prune().await, prune().await], [2, 1, 0], "one event and two waits, one of each at a time");
    let left = world.store.signals(org, "approval:2", 0, None, 9).await.unwrap();
    assert_eq!(left.len(), 1, "the answer that a run has yet to see stays");
    world.store.delete_waits(org, other, None).await.unwrap();
    assert_eq!(prune().await, 1);
    assert_eq!(listed().await, [""; 0]);
}

pub async fn events_are_listed_newest_first(world: &World) {
    let org = Owner::LOCAL.org;
    for (n, (topic, data)) in [
        ("event:file_opened", json!({"tool": "vim", "file_path": "/home/ada/Report.MD", "operation": "read"})),
        ("event:paid", json!(7)),
        ("callback:x", json!({"tool": "vim"})),
        ("event:file_closed", json!({"tool": "code", "file_path": null})),
    ]
    .into_iter()
    .enumerate()
    {
        world.pass(i64::try_from(n).unwrap() + 1);
        world.store.put_signal(&signal(world, topic, data)).await.unwrap();
    }
    let foreign = NewSignal { org: OrgId(world.uuid()), ..signal(world, "event:paid", json!(8)) };
    world.store.put_signal(&foreign).await.unwrap();
    let list = async |filter: EventFilter| {
        let page = world.store.list_events(org, &filter, &Paging { limit: 9, cursor: None }).await.unwrap();
        page.items.into_iter().map(|event| event.topic.replace("event:", "")).collect::<Vec<_>>()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(list(EventFilter::default()).await, ["file_closed", "paid", "file_opened"]);
    assert_eq!(list(EventFilter { event_type: text("paid"), ..EventFilter::default() }).await, ["paid"]);
    assert_eq!(list(EventFilter { tool: text("vim"), ..EventFilter::default() }).await, ["file_opened"]);
    assert_eq!(list(EventFilter { search: text("FILE_"), ..EventFilter::default() }).await, ["file_closed", "file_opened"]);
    assert_eq!(list(EventFilter { search: text("report.md"), ..EventFilter::default() }).await, ["file_opened"]);
    assert_eq!(list(EventFilter { search: text("event:"), ..EventFilter::default() }).await, [] as [&str; 0]);
    assert_eq!(list(EventFilter { event_type: text("paid"), search: text("x"), tool: None }).await, [] as [&str; 0]);
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.store.list_events(org, &EventFilter::default(), &Paging { limit: 1, cursor }).await.unwrap();
        seen.extend(page.items.into_iter().map(|event| event.topic));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["event:file_closed", "event:paid", "event:file_opened"]);
}
