//! The lines of the log say what they belong to: request, organization, run, step and attempt.

use std::time::Duration;

use serde_json::{Value, json};

use super::until;
use crate::gates::clock::pause;
use crate::gates::dice::Dice;
use crate::gates::process::Server;

const ORG: &str = "00000000-0000-7000-8000-000000000002";

/// The lines so far that say `message`.
fn lines(server: &Server, message: &str) -> Vec<Value> {
    let parsed = |line: &str| serde_json::from_str::<Value>(line).ok();
    server.log().lines().filter_map(parsed).filter(|line| line["fields"]["message"] == message).collect()
}

async fn post(server: &Server, path: &str, id: Option<&str>, body: &Value) -> (String, Value) {
    // Fails where another test of this process was first, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(format!("http://{}{path}", server.address)).json(body);
    if let Some(id) = id {
        request = request.header("x-request-id", id);
    }
    let answer = request.send().await.unwrap();
    let given = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    (given, answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_says_what_it_belongs_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path(), &mut Dice::new(0x1d5));
    server.tell("MAINSPRING_LOG", "info,mainspring_providers=debug,mainspring_engine=debug");
    server.tell("MAINSPRING_LOG_FORMAT", "json");
    server.start().await;
    // Nobody listens on port 1.
    let call = json!({"id": "fetch", "action": "http.request", "params": {"url": "http://127.0.0.1:1/x"}, "retry": {"max_attempts": 2, "delay": "1ms"}});
    let plan = json!({"name": "Broken", "steps": [{"id": "first", "action": "logic.set", "params": {"x": 1}}, call]});
    let (_, made) = post(&server, "/api/plans", None, &plan).await;
    let (given, run) = post(&server, "/api/execute", Some("caller-7:1"), &json!({"plan_id": made["plan"]["id"]})).await;
    assert_eq!((given.as_str(), &run["success"]), ("caller-7:1", &json!(false)), "{run}");
    let id = run["execution"]["id"].as_str().unwrap();
    until("the lines of two attempts", || async { lines(&server, "an attempt failed").len() == 2 }).await;
    for message in ["a call was not answered", "an attempt failed"] {
        let told = lines(&server, message);
        for (line, attempt) in told.iter().zip(1..) {
            let ids = json!([line["request_id"], line["org_id"], line["run_id"], line["step_id"], line["attempt"]]);
            assert_eq!(ids, json!(["caller-7:1", ORG, id, "fetch", attempt]), "{line}");
        }
        assert_eq!(told.len(), 2, "{told:?}");
    }
    // A run that is taken up again keeps its ids; the request of then is over.
    let call = json!({"id": "later", "action": "http.request", "params": {"url": "http://127.0.0.1:1/x"}, "retry": {"max_attempts": 1}});
    let plan = json!({"name": "Later", "steps": [{"id": "rest", "action": "logic.sleep", "params": {"for": "4s"}}, call]});
    let (_, made) = post(&server, "/api/plans", None, &plan).await;
    let (given, run) = post(&server, "/api/execute", Some("forged\tid"), &json!({"plan_id": made["plan"]["id"], "wait": false})).await;
    assert_ne!(given, "forged\tid");
    server.kill();
    server.start().await;
    let id = run["execution"]["id"].as_str().unwrap();
    let of_run = || lines(&server, "an attempt failed").into_iter().find(|line| line["run_id"] == id);
    until("the attempt after the restart", || async {
        pause(Duration::from_millis(20)).await;
        of_run().is_some()
    })
    .await;
    let line = of_run().unwrap();
    assert_eq!((&line["org_id"], &line["step_id"], &line["attempt"]), (&json!(ORG), &json!("later"), &json!(1)), "{line}");
    assert_eq!(line.get("request_id"), None, "{line}");
}
