//! Triggers that listen: to events, and to the ends of other plans' runs.

use std::time::Duration;

use http::Method;
use mainspring_model::role::Role;
use serde_json::{Value, json};

use super::organizations::{joined, send};
use super::world::World;

async fn world() -> World {
    let world = World::dev().await.driving().await;
    let engine = world.app.engine.clone();
    tokio::spawn(async move { engine.serve_schedules().await });
    world
}

fn plan(name: &str, trigger: Value) -> Value {
    json!({"name": name, "triggers": [trigger], "steps": [{"id": "seen", "action": "logic.set", "params": {"event": "${trigger.event ?? null}"}}]})
}

/// The runs of a plan, newest first, once there are so many and all have ended.
async fn runs(world: &World, plan: &str, count: usize) -> Vec<Value> {
    let looking = async {
        loop {
            let runs = world.get(&format!("/api/runs?plan_id={plan}&limit=200")).await.body["runs"].as_array().unwrap().clone();
            assert!(runs.len() <= count, "{} runs of {count}", runs.len());
            if runs.len() == count && runs.iter().all(|run| !run["finished_at"].is_null()) {
                return runs;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looking).await.expect("the runs come")
}

async fn output(world: &World, run: &Value) -> Value {
    world.get(&format!("/api/runs/{}", run["id"].as_str().unwrap())).await.body["run"]["output"].take()
}

#[tokio::test]
async fn an_event_starts_each_plan_that_asks_for_it_once() {
    let world = world().await;
    let before = world.post("/api/events", json!({"type": "paid", "data": {"sum": 900}})).await;
    assert_eq!(before.status, 202, "{}", before.text);
    let all = world.plan(plan("All", json!({"type": "event", "event_type": "paid"}))).await;
    let large =
        world.plan(plan("Large", json!({"id": "big", "type": "event", "event_type": "paid", "if": "trigger.event.data.sum > 100"}))).await;
    let other = world.plan(plan("Other", json!({"type": "event", "event_type": "sent"}))).await;
    let id = "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10";
    for sum in [500, 501] {
        // The same id is the same event, whatever it says.
        world.post("/api/events", json!({"type": "paid", "data": {"sum": sum}, "id": id})).await;
    }
    world.post("/api/events", json!({"type": "paid", "data": {"sum": 5}})).await;
    assert_eq!(runs(&world, &all, 2).await.len(), 2, "what came before the plan is none of it");
    let run = &runs(&world, &large, 1).await[0];
    assert_eq!(run["trigger"], json!("event"));
    let event = output(&world, run).await["event"].take();
    assert_eq!((&event["id"], &event["type"], &event["data"]), (&json!(id), &json!("paid"), &json!({"sum": 500})));
    assert_eq!(runs(&world, &other, 0).await.len(), 0);
    let jobs = world.get("/api/scheduler/jobs").await;
    assert_eq!(jobs.body["total"], json!(0), "who listens is no schedule: {}", jobs.text);
}

/// Events that steps emit, and inputs by name from their data.
#[tokio::test]
async fn an_emitted_event_fills_the_inputs() {
    let world = world().await;
    let mut document = plan("Ship", json!({"type": "event", "event_type": "order.paid"}));
    document["inputs"] = json!({"order": {"type": "integer", "required": true}});
    document["steps"][0]["params"] = json!({"order": "${inputs.order}"});
    let ship = world.plan(document).await;
    let steps = json!([{"id": "e", "for_each": "[1, 'two', 3]", "action": "logic.emit", "params": {"type": "order.paid", "data": {"order": "${item}", "more": 1}}}]);
    let emits = world.plan(json!({"name": "Emits", "steps": steps})).await;
    assert_eq!(world.post("/api/execute", json!({"plan_id": emits})).await.body["success"], true);
    // What does not fit is passed over, and holds nothing up.
    let runs = runs(&world, &ship, 2).await;
    assert_eq!((output(&world, &runs[0]).await, output(&world, &runs[1]).await), (json!({"order": 3}), json!({"order": 1})));
}

/// Two who look at the same signals at once, as two nodes may, or one that was killed before it could write down that it had.
#[tokio::test]
async fn however_often_it_is_looked_at_an_event_is_one_run() {
    let world = World::dev().await.driving().await;
    let all = world.plan(plan("All", json!({"type": "event", "event_type": "paid"}))).await;
    for n in 0..300 {
        assert_eq!(world.post("/api/events", json!({"type": "paid", "data": n})).await.status, 202);
    }
    let org = mainspring_model::id::Owner::LOCAL.org;
    let before = world.app.store.due_schedules(world.app.clock.now(), 9).await.unwrap();
    assert_eq!(before.len(), 1);
    let (engine, second) = (world.app.engine.clone(), world.app.engine.clone());
    let (one, two) = tokio::join!(engine.fire_due(), second.fire_due());
    one.unwrap();
    two.unwrap();
    assert_eq!(world.app.store.due_schedules(world.app.clock.now(), 9).await.unwrap(), []);
    // Whoever looks again begins with the last one that was looked at.
    let signals = world.app.store.signals(org, "event:paid", 0, None, 999).await.unwrap();
    assert_eq!(signals.len(), 300);
    let saved = mainspring_model::store::NewSignal {
        org,
        id: mainspring_model::id::SignalId(engine.new_id()),
        topic: "event:paid".to_owned(),
        data: json!(300),
        sole: false,
    };
    world.app.store.put_signal(&saved).await.unwrap();
    engine.fire_due().await.unwrap();
    let runs = world.get(&format!("/api/runs?plan_id={all}&limit=200")).await;
    assert!(runs.body["next_cursor"].is_string(), "more than a page");
    let rest = world.get(&format!("/api/runs?plan_id={all}&limit=200&cursor={}", runs.body["next_cursor"].as_str().unwrap())).await;
    assert_eq!(rest.body["runs"].as_array().unwrap().len(), 101);
}

#[tokio::test]
async fn ends_of_other_plans_are_told_of() {
    let world = world().await;
    let failed = world.plan(plan("On failure", json!({"type": "plan_failed"}))).await;
    let named = world.plan(plan("After work", json!({"type": "plan_finished", "plan": "Work"}))).await;
    let work = world.plan(json!({"name": "Work", "inputs": {"n": {"type": "number"}}, "steps": [{"id": "a", "action": "logic.set", "params": {"n": "${1 / inputs.n}"}}], "output": "${steps.a.output}"})).await;
    let idle = world.plan(json!({"name": "Idle", "steps": [{"action": "logic.set", "params": {}}]})).await;
    assert_eq!(world.post("/api/execute", json!({"plan_id": idle})).await.body["success"], true);
    let good = world.post("/api/execute", json!({"plan_id": work, "inputs": {"n": 2}})).await;
    assert_eq!(good.body["success"], true, "{}", good.text);
    let bad = world.post("/api/execute", json!({"plan_id": work, "inputs": {"n": 0}})).await;
    assert_eq!(bad.body["success"], false, "{}", bad.text);
    let run = &runs(&world, &failed, 1).await[0];
    assert_eq!(run["trigger"], json!("plan_failed"));
    let event = output(&world, run).await["event"].take();
    assert_eq!(event["data"]["run_id"], bad.body["execution"]["id"]);
    assert_eq!(
        (&event["data"]["plan_name"], &event["data"]["status"], &event["data"]["error"]["code"]),
        (&json!("Work"), &json!("error"), &json!("EXPRESSION_FAILED"))
    );
    let told = runs(&world, &named, 2).await;
    let mut outputs = Vec::new();
    for run in &told {
        outputs.push(output(&world, run).await["event"]["data"]["output"].take());
    }
    assert_eq!(outputs, [Value::Null, json!({"n": 0.5})]);
}

/// Two that wait for each other: each hears the other once, and the ring ends.
#[tokio::test]
async fn a_ring_of_plans_ends() {
    let world = world().await;
    let one = world.plan(plan("One", json!({"type": "plan_finished", "plan": "Two"}))).await;
    let two = world.plan(plan("Two", json!({"type": "plan_finished", "plan": "One"}))).await;
    let any = world.plan(plan("Any", json!({"type": "plan_finished"}))).await;
    assert_eq!(world.post("/api/execute", json!({"plan_id": one})).await.body["success"], true);
    // One by hand, Two by One, and no One by Two. Any hears One and Two, each of which hears only the other.
    runs(&world, &two, 1).await;
    runs(&world, &any, 2).await;
    assert_eq!(runs(&world, &one, 1).await.len(), 1);
    let listening = world.app.store.due_schedules(world.app.clock.now() + 60_000, 9).await.unwrap();
    let quiet = async {
        while !world.app.store.due_schedules(world.app.clock.now() + 60_000, 9).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), quiet).await.unwrap_or_else(|_| panic!("{listening:?}"));
    assert_eq!((runs(&world, &one, 1).await.len(), runs(&world, &two, 1).await.len(), runs(&world, &any, 2).await.len()), (1, 1, 2));
}

/// What ended is told to those who may look at it, and their plans hear nothing of the others.
#[tokio::test]
async fn a_private_plan_s_end_is_heard_by_who_reaches_it() {
    let world = World::keyed().await.driving().await;
    let (ada, _) = world.key().await;
    let (_, mine) = joined(&world, ada.org, Role::Member).await;
    let (_, others) = joined(&world, ada.org, Role::Member).await;
    let listener = |name: &str| plan(name, json!({"type": "plan_finished", "plan": "Mine alone"}));
    let made = async |key: &str, document: Value| {
        let answer = send(&world, key, Method::POST, "/api/plans", document).await;
        answer.body["plan"]["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    };
    let (own, foreign) = (made(&mine, listener("Own")).await, made(&others, listener("Foreign")).await);
    let private = made(&mine, json!({"name": "Mine alone", "steps": [{"action": "logic.set", "params": {"secret": 1}}]})).await;
    let sharing = format!("/api/plans/{private}/sharing");
    assert_eq!(send(&world, &mine, Method::PUT, &sharing, json!({"visibility": "private"})).await.status, 200);
    let executed = send(&world, &mine, Method::POST, "/api/execute", json!({"plan_id": private})).await;
    assert_eq!(executed.body["success"], true, "{}", executed.text);
    world.app.engine.fire_due().await.unwrap();
    world.app.engine.idle().await;
    let count = async |key: &str, plan: &str| {
        let runs = send(&world, key, Method::GET, &format!("/api/runs?plan_id={plan}"), None).await;
        runs.body["runs"].as_array().unwrap_or_else(|| panic!("{}", runs.text)).len()
    };
    assert_eq!((count(&mine, &own).await, count(&others, &foreign).await), (1, 0));
}

#[tokio::test]
async fn earlier_callers_tell_and_read_events_in_their_words() {
    let world = world().await;
    let heard = world
        .plan(plan("Heard", json!({"type": "event", "config": {"event_type": "file_opened"}, "if": "trigger.event.data.tool == 'vim'"})))
        .await;
    let told = json!({"event_type": "file_opened", "file_path": "/a/b.md", "tool": "vim", "details": {"size": 3}});
    let made = world.post("/api/events", told).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let shown = |event: &Value| json!([event["event_type"], event["file_path"], event["tool"], event["operation"], event["details"]]);
    assert_eq!(shown(&made.body), json!(["file_opened", "/a/b.md", "vim", null, {"size": 3}]));
    assert_eq!(made.body["timestamp"], made.body["received_at"]);
    let event = output(&world, &runs(&world, &heard, 1).await[0]).await["event"].take();
    assert_eq!((&event["id"], &event["data"]["file_path"]), (&made.body["id"], &json!("/a/b.md")));
    assert_eq!(world.post("/api/events", json!({"type": "paid", "data": 7})).await.status, 202);
    let list = async |query: &str| {
        let answer = world.get(&format!("/api/events{query}")).await;
        let events = answer.body["events"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone();
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["paid", "file_opened"]);
    for query in ["?event_type=file_opened", "?type=file_opened", "?tool=vim", "?search=B.MD"] {
        assert_eq!(list(query).await, ["file_opened"], "{query}");
    }
    for (body, pointer) in [
        (json!({"event_type": "a", "type": "b"}), "/event_type"),
        (json!({"event_type": "a", "data": 1}), "/data"),
        (json!({"type": "a", "tool": "vim"}), "/type"),
        (json!({"data": 1}), "/type"),
        (json!({"event_type": ""}), "/event_type"),
    ] {
        let refused = world.post("/api/events", body.clone()).await;
        assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["pointer"]), (422, &json!(pointer)), "{body}: {}", refused.text);
    }
}
