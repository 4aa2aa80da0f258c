//! Runs once more: what a caller sees of retries, replays and decisions, and what the services see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use mainspring_model::event::{EventBody, Started};
use mainspring_model::flow::Priority;
use mainspring_model::id::{Owner, PlanId, RunId};
use mainspring_model::run::{RunHeader, RunStatus};
use mainspring_model::store::{Committed, JournalRow, NewRun, RunWrite, Standing};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::world::{Answer, World, json_request};

/// A service that refuses while it is told to, and tells of each request: its path and its idempotency key.
struct Service {
    url: String,
    down: Arc<AtomicBool>,
    heard: mpsc::UnboundedReceiver<(String, String)>,
}

impl Service {
    async fn start() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (down, (tell, heard)) = (Arc::new(AtomicBool::new(true)), mpsc::unbounded_channel());
        let fails = down.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap().to_owned();
                let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap_or_default().to_owned();
                // A refusal is heard; silence leaves open what became of the request.
                let answer = match (fails.load(Ordering::Acquire), path.as_str()) {
                    (true, "/refuses") => "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                    (true, "/silent") => "",
                    _ => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
                };
                tell.send((path, key)).unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Service { url, down, heard }
    }

    fn heard(&mut self) -> Vec<(String, String)> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }

    fn calls(&self, path: &str) -> Value {
        json!({"method": "POST", "url": format!("{}{path}", self.url), "idempotency_header": "Idempotency-Key"})
    }
}

async fn again(world: &World, run: &str, verb: &str, body: Value) -> Answer {
    world.send(json_request(Method::POST, &format!("/api/runs/{run}/{verb}"), &body)).await
}

/// The run at its end.
async fn ended(world: &World, run: &str) -> Value {
    world.get(&format!("/api/runs/{run}/events")).await;
    world.get(&format!("/api/runs/{run}")).await.body["run"].take()
}

async fn new_run(world: &World, answer: Answer) -> Value {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let id = answer.body["run"]["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["location"], format!("/api/runs/{id}"));
    ended(world, &id).await
}

#[tokio::test]
async fn a_retry_does_again_only_what_failed() {
    let world = World::dev().await.driving().await;
    let mut service = Service::start().await;
    let quick = json!({"max_attempts": 1});
    let plan = world
        .plan(json!({"name": "Mailing", "inputs": {"to": {"type": "string"}}, "steps": [
            {"id": "sent", "action": "http.request", "params": service.calls("/sent")},
            {"id": "refused", "action": "http.request", "params": service.calls("/refuses"), "retry": quick},
            {"id": "last", "action": "logic.set", "params": {"to": "${inputs.to}"}}]}))
        .await;
    let first = world.post("/api/execute", json!({"plan_id": plan, "inputs": {"to": "ada"}})).await;
    assert_eq!(first.body["success"], false, "{}", first.text);
    let run = first.body["execution"]["id"].as_str().unwrap().to_owned();
    let before = service.heard();
    assert_eq!(before.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["/sent", "/refuses"]);
    service.down.store(false, Ordering::Release);
    let retried = new_run(&world, again(&world, &run, "retry", json!({})).await).await;
    assert_eq!((&retried["status"], &retried["output"]), (&json!("success"), &json!({"to": "ada"})), "{retried}");
    assert_eq!((&retried["replay_of"], &retried["steps"][0]["metadata"]["recorded_by"]), (&json!(run), &json!(run)));
    let after = service.heard();
    assert_eq!(after.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["/refuses"], "what was sent is not sent again");
    assert_ne!(after[0].1, before[1].1, "the service said what it did with the first one, so this is another");
    // Once: whoever presses twice gets the same run.
    let twice = again(&world, &run, "retry", json!({})).await;
    assert_eq!(twice.body["run"]["id"], retried["id"]);
    assert_eq!(service.heard(), []);
    let done = again(&world, retried["id"].as_str().unwrap(), "retry", json!({})).await;
    assert_eq!((done.status.as_u16(), &done.body["code"]), (409, &json!("CONFLICT")), "it ended well");
}

#[tokio::test]
async fn what_nobody_heard_of_is_repeated_under_its_own_key() {
    let world = World::dev().await.driving().await;
    let mut service = Service::start().await;
    let step = json!({"id": "pay", "action": "http.request", "params": service.calls("/silent"), "retry": {"max_attempts": 1}});
    let plan = world.plan(json!({"name": "Pays", "steps": [step]})).await;
    let first = world.post("/api/execute", json!({"plan_id": plan})).await;
    let mut run = first.body["execution"]["id"].as_str().unwrap().to_owned();
    let key = service.heard().remove(0).1;
    for _ in 0..2 {
        let failed = new_run(&world, again(&world, &run, "retry", json!({})).await).await;
        assert_eq!(failed["status"], "error");
        run = failed["id"].as_str().unwrap().to_owned();
        assert_eq!(service.heard(), [("/silent".to_owned(), key.clone())], "also the retry of a retry");
    }
    let anew = new_run(&world, again(&world, &run, "replay", json!({})).await).await;
    assert_eq!(anew["status"], "error");
    assert_ne!(service.heard()[0].1, key, "who runs it all again wants it again");
}

#[tokio::test]
async fn a_run_is_run_again_from_a_step_with_other_inputs_and_a_newer_plan() {
    let world = World::dev().await.driving().await;
    let document = |greeting: &str| {
        json!({"name": "Greets", "inputs": {"to": {"type": "string", "required": true}}, "steps": [
            {"id": "drawn", "action": "logic.set", "params": {"n": "${random()}"}},
            {"id": "greet", "action": "logic.set", "params": {"text": format!("{greeting} ${{inputs.to}}"), "n": "${steps.drawn.output.n}"}}]})
    };
    let plan = world.plan(document("Hello")).await;
    let first = world.post("/api/execute", json!({"plan_id": plan, "inputs": {"to": "Ada"}})).await;
    let run = first.body["execution"]["id"].as_str().unwrap().to_owned();
    let drawn = ended(&world, &run).await["output"]["n"].clone();
    let replay = async |body: Value| new_run(&world, again(&world, &run, "replay", body).await).await;
    assert_eq!(world.put(&format!("/api/plans/{plan}"), document("Bye")).await.status, 200);
    let from = replay(json!({"from_step": "greet", "inputs": {"to": "Bob"}})).await;
    assert_eq!(from["output"], json!({"text": "Hello Bob", "n": drawn}), "the version that the run had, and what it drew");
    let latest = replay(json!({"from_step": "greet", "latest": true})).await;
    assert_eq!(latest["output"], json!({"text": "Bye Ada", "n": drawn}));
    assert_ne!(replay(json!({})).await["output"]["n"], drawn);
    let refused = async |body: Value| {
        let answer = again(&world, &run, "replay", body).await;
        (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default().to_owned(), answer.body["errors"][0]["pointer"].clone())
    };
    assert_eq!(refused(json!({"from_step": "gone"})).await, (422, "UNKNOWN_STEP".to_owned(), json!("/from_step")));
    assert_eq!(refused(json!({"inputs": {"to": 5}})).await.0, 422);
    let other =
        json!({"name": "Greets", "inputs": {"to": {"type": "string"}}, "steps": [{"id": "greet", "action": "logic.set", "params": {}}]});
    assert_eq!(world.put(&format!("/api/plans/{plan}"), other).await.status, 200);
    assert_eq!(refused(json!({"from_step": "greet", "latest": true})).await.1, "REPLAY_UNFIT", "it has no step \"drawn\"");
}

#[tokio::test]
async fn only_what_has_ended_runs_again() {
    let world = World::dev().await.driving().await;
    let plan = world.plan(json!({"name": "Sleeps", "steps": [{"id": "s", "action": "logic.sleep", "params": {"for": "1h"}}]})).await;
    let run = world.post("/api/execute", json!({"plan_id": plan})).await.body["execution"]["id"].as_str().unwrap().to_owned();
    for verb in ["retry", "replay"] {
        let answer = again(&world, &run, verb, json!({})).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (409, &json!("CONFLICT")), "{verb}: {}", answer.text);
    }
    let answer = again(&world, &run, "resume", json!({"decision": "repeat"})).await;
    assert_eq!(answer.status, 409);
    assert_eq!(again(&world, "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10", "retry", json!({})).await.status, 404);
    assert_eq!(ended_status(&world, &run).await, RunStatus::Waiting.as_str());
}

#[tokio::test]
async fn a_run_that_needs_a_decision_goes_on_as_somebody_decides() {
    let world = World::dev().await.driving().await;
    let steps = json!([
        {"id": "pay", "once": true, "action": "logic.set", "params": {"charge": "ch_new"}},
        {"id": "note", "action": "logic.set", "params": {"text": "charged ${steps.pay.output.charge}"}}]);
    let plan = world.plan(json!({"name": "Pays once", "steps": steps})).await.parse().unwrap();
    for (decision, expected) in
        [(json!({"decision": "done", "output": {"charge": "ch_old"}}), "charged ch_old"), (json!({"decision": "repeat"}), "charged ch_new")]
    {
        let run = died_in(&world, plan, "pay").await;
        assert_eq!(ended(&world, &run).await["status"], "needs_decision");
        let asked = again(&world, &run, "retry", json!({})).await;
        assert_eq!((asked.status.as_u16(), &asked.body["code"]), (409, &json!("DECISION_NEEDED")), "{}", asked.text);
        let wrong = again(&world, &run, "resume", json!({"decision": "repeat", "output": 1})).await;
        assert_eq!((wrong.status.as_u16(), &wrong.body["errors"][0]["pointer"]), (422, &json!("/output")));
        let went_on = new_run(&world, again(&world, &run, "resume", decision.clone()).await).await;
        assert_eq!((&went_on["status"], &went_on["output"]["text"]), (&json!("success"), &json!(expected)));
        let twice = again(&world, &run, "resume", decision).await;
        assert_eq!(twice.body["run"]["id"], went_on["id"], "a decision is taken once");
    }
}

/// A run whose process died behind the start marker of a step.
async fn died_in(world: &World, plan: PlanId, step: &str) -> String {
    let (store, now) = (&world.app.store, world.app.clock.now());
    let id = RunId(world.app.engine.new_id());
    let header = RunHeader {
        id,
        owner: Owner::LOCAL,
        plan_id: plan,
        plan_version: 1,
        plan_name: "Pays once".to_owned(),
        inputs: json!({}),
        trigger: json!({"type": "manual"}),
        org: json!({}),
        created_at: now,
        environment: "test".to_owned(),
        seed: [1; 16],
        parent: None,
    };
    let body = EventBody::Started(Started { path: step.to_owned(), attempt: 1, now: None, once: true, reserved: None, undo: false });
    let row = JournalRow { seq: 1, at: now, kind: body.kind(), body: serde_json::to_string(&body).unwrap(), progress: false };
    let create =
        Some(Arc::new(NewRun { header: Arc::new(header), slot: None, key: None, flow: None, burst: None, priority: Priority::Normal }));
    let write = RunWrite { run: id, epoch: store.epoch(), create, events: Arc::new(vec![row]), standing: Standing::Running };
    assert_eq!(store.commit(write).await.unwrap(), Committed::Done);
    store.release(id, store.epoch()).await.unwrap();
    id.to_string()
}

async fn ended_status(world: &World, run: &str) -> String {
    world.get(&format!("/api/runs/{run}")).await.body["run"]["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn failed_runs_are_grouped_and_retried_together() {
    let world = World::dev().await.driving().await;
    let steps = json!([{"id": "no", "action": "logic.fail", "params": {"code": "USER_NO", "message": "order ${inputs.n} is refused"}}]);
    let plan = world.plan(json!({"name": "Orders", "inputs": {"n": {"type": "integer"}}, "steps": steps})).await;
    let other = json!([{"id": "gone", "action": "logic.fail", "params": {"code": "USER_GONE", "message": "gone"}}]);
    let other = world.plan(json!({"name": "Others", "steps": other})).await;
    for n in 0..3 {
        world.post("/api/execute", json!({"plan_id": plan, "inputs": {"n": n}})).await;
    }
    world.post("/api/execute", json!({"plan_id": other})).await;
    let groups = world.get("/api/runs/failures").await.body;
    let told = |place: usize| {
        let group = &groups["failures"][place];
        (
            group["plan_name"].as_str().unwrap(),
            group["step"].as_str().unwrap(),
            group["code"].as_str().unwrap(),
            group["count"].as_u64().unwrap(),
        )
    };
    assert_eq!((told(0), told(1)), (("Orders", "no", "USER_NO", 3), ("Others", "gone", "USER_GONE", 1)), "{groups}");
    assert_eq!((&groups["incomplete"], &groups["failures"][0]["message"]), (&json!(false), &json!("order 2 is refused")));
    let wanted = json!({"fingerprint": groups["failures"][0]["fingerprint"], "limit": 2});
    let bulk = async |verb: &str, body: &Value| {
        let answer = world.send(json_request(Method::POST, &format!("/api/runs/{verb}"), body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    };
    let first = bulk("retry", &wanted).await;
    assert_eq!((first["retried"].as_array().unwrap().len(), &first["earlier"], &first["more"]), (2, &json!(0), &json!(true)), "{first}");
    for retried in first["retried"].as_array().unwrap() {
        assert_eq!(ended(&world, retried["run_id"].as_str().unwrap()).await["replay_of"], retried["of"]);
    }
    let rest = bulk("retry", &json!({"plan_id": plan})).await;
    // The third, and the two retries that failed too.
    assert_eq!((rest["retried"].as_array().unwrap().len(), &rest["earlier"], &rest["refused"]), (3, &json!(2), &json!([])), "{rest}");
    let sleeping = world.plan(json!({"name": "Sleeps", "steps": [{"id": "s", "action": "logic.sleep", "params": {"for": "1h"}}]})).await;
    for _ in 0..2 {
        world.post("/api/execute", json!({"plan_id": sleeping})).await;
    }
    let cancelled = bulk("cancel", &json!({"plan_id": sleeping, "status": "waiting"})).await;
    assert_eq!((cancelled["cancelled"].as_array().unwrap().len(), &cancelled["more"]), (2, &json!(false)));
    for body in [json!({"limit": 0}), json!({"limit": 101}), json!({"status": "success"}), json!({"since": "yesterday"})] {
        let answer = world.send(json_request(Method::POST, "/api/runs/retry", &body)).await;
        assert!(answer.status == 422 || answer.status == 400, "{body}: {}", answer.text);
    }
}
