//! `github-webhook.yaml`: every payload that GitHub documents, posted to the webhook, comes out of the right branch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use mainspring_model::id::OrgId;
use mainspring_model::run::RunStatus;
use mainspring_model::run::StepStatus::{NotReached, Success};
use mainspring_model::store::{Paging, RunFilter};
use serde_json::{Value, json};

use super::serving::Serving;
use super::world::World;
use crate::servers::Client;

pub const PLAN: &str = "github-webhook.yaml";

const BRANCHES: [&str; 8] = ["ping", "push", "review", "issue", "release", "build", "alert", "other"];

/// The payloads of the npm package `@octokit/webhooks-examples`: event name → payloads, of github.com and of each server edition.
#[expect(clippy::disallowed_methods, reason = "where the fixtures are is known to whoever runs the tests")]
fn payloads() -> Option<Vec<(String, Value)>> {
    let folder = PathBuf::from(std::env::var_os("MAINSPRING_TEST_OCTOKIT")?);
    let mut all = Vec::new();
    let mut editions: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path().join("index.json")).filter(|file| file.is_file()).collect();
    editions.sort();
    assert!(editions.contains(&folder.join("api.github.com/index.json")), "{editions:?}");
    for file in editions {
        let events: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for event in events {
            let name = event["name"].as_str().unwrap();
            all.extend(event["examples"].as_array().unwrap().iter().map(|example| (name.to_owned(), example.clone())));
        }
    }
    Some(all)
}

/// The branch and the line that the plan must find, by plain Rust.
fn expected(event: &str, payload: &Value) -> (&'static str, String) {
    let text = |pointer: &str| payload.pointer(pointer).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let get = |pointer: &str| text(pointer).unwrap_or_else(|| panic!("{event} has no {pointer}"));
    match event {
        "ping" => ("ping", format!("GitHub says: {}", get("/zen"))),
        "push" => {
            let name = get("/ref");
            let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(&name).to_owned();
            let commits = payload["commits"].as_array().unwrap().len();
            ("push", format!("{} pushed {commits} commits to {name}", get("/pusher/name")))
        }
        "pull_request" | "pull_request_review" | "pull_request_review_comment" | "pull_request_review_thread" => {
            ("review", format!("pull request {} {}: {}", get("/pull_request/number"), get("/action"), get("/pull_request/title")))
        }
        "issues" | "issue_comment" => ("issue", format!("issue {} {}: {}", get("/issue/number"), get("/action"), get("/issue/title"))),
        "release" => ("release", format!("release {} {}", get("/release/tag_name"), get("/action"))),
        "check_run" | "check_suite" | "workflow_run" | "workflow_job" | "workflow_dispatch" | "status" => {
            let own = |field: &str| payload[event].get(field).and_then(Value::as_str);
            let state = own("conclusion").or_else(|| own("status")).or_else(|| payload["state"].as_str()).unwrap_or("started");
            ("build", format!("{event}: {state}"))
        }
        "code_scanning_alert" | "dependabot_alert" | "repository_vulnerability_alert" | "secret_scanning_alert" | "security_advisory" => {
            ("alert", format!("{event} {}", get("/action")))
        }
        _ => ("other", format!("{event} {}", text("/action").unwrap_or_else(|| "happened".to_owned()))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_payload_takes_its_branch() {
    let Some(payloads) = payloads() else {
        return println!(
            "skipped: MAINSPRING_TEST_OCTOKIT is not set; `cargo x fixtures` fetches GitHub's payloads and says where they are"
        );
    };
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let serving = Serving::start(&world).await;
    let mut client = Client::connect(serving.address).await;
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    for (event, payload) in &payloads {
        let answer = client.post("/api/webhook/github", &[("x-github-event", event), ("x-github-delivery", "7a")], payload).await;
        let (route, text) = expected(event, payload);
        let place = payload["repository"]["full_name"].as_str().or_else(|| payload["organization"]["login"].as_str()).unwrap_or("GitHub");
        assert_eq!(answer.status, 200, "{event}: {:?}", answer.body);
        assert_eq!(answer.json(), json!({"event": event, "where": place, "route": route, "text": text}));
        *taken.entry(route).or_default() += 1;
    }
    serving.stop().await;

    let events: BTreeSet<&str> = payloads.iter().map(|(event, _)| event.as_str()).collect();
    assert!(events.len() >= 58 && payloads.len() >= 329, "{} events, {} payloads", events.len(), payloads.len());
    assert_eq!(taken.keys().copied().collect::<BTreeSet<_>>(), BRANCHES.into_iter().collect(), "no branch is only for show");

    // Each call was one run, and each run took one branch and no other.
    let filter = RunFilter { plan: Some(plan.id), ..RunFilter::default() };
    let (mut cursor, mut seen) = (None, 0);
    loop {
        let page = world.app.store.list_runs(OrgId::LOCAL, &filter, &Paging { limit: 200, cursor }).await.unwrap();
        for run in &page.items {
            assert_eq!((run.status, run.trigger.as_str()), (RunStatus::Success, "webhook"));
            seen += 1;
            // The journals of some of them, spread over all.
            if seen % 25 == 0 {
                let run = world.ended(run.id).await;
                let reached: Vec<&str> = BRANCHES.into_iter().filter(|branch| run.step(branch).status == Success).collect();
                assert_eq!(reached, [run.output()["route"].as_str().unwrap()]);
                assert_eq!(run.step("route").port.as_deref(), Some(reached[0]));
                assert_eq!(run.statuses().iter().filter(|(_, status)| *status == NotReached).count(), 7);
                assert_eq!(run.count("attempted"), 3);
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, payloads.len());
    println!("{} payloads of {} events: {taken:?}", payloads.len(), events.len());
}

#[tokio::test]
async fn a_call_that_is_not_githubs_starts_nothing() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let serving = Serving::start(&world).await;
    let mut client = Client::connect(serving.address).await;

    let answer = client.post("/api/webhook/github", &[], &json!({"zen": "hm"})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (202, json!({"runs": []})));
    // A payload that is no object does not fit the plan's inputs.
    let answer = client.post("/api/webhook/github", &[("x-github-event", "push")], &json!([1])).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("/inputs/payload")), "{:?}", answer.body);
    let answer = client.send("GET", "/api/webhook/github", &[("x-github-event", "push")], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    serving.stop().await;

    let filter = RunFilter { plan: Some(plan.id), ..RunFilter::default() };
    let runs = world.app.store.list_runs(OrgId::LOCAL, &filter, &Paging { limit: 10, cursor: None }).await.unwrap();
    assert_eq!(runs.items, []);
}

#[tokio::test]
async fn by_hand_it_takes_the_same_branches() {
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"event": "ping", "payload": {"zen": "Design for failure."}})).await;
    assert_eq!(run.output(), &json!({"event": "ping", "where": "GitHub", "route": "ping", "text": "GitHub says: Design for failure."}));
    let statuses = run.statuses();
    assert_eq!((statuses[0], statuses[1], statuses[9]), (("route", Success), ("ping", Success), ("line", Success)));
    assert_eq!(statuses[2..9].iter().map(|(_, status)| *status).collect::<Vec<_>>(), [NotReached; 7]);
}
