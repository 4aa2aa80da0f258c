//! Nodes share the work, take over from the dead, and give callers the same answers as a process alone.

use std::time::Duration;

use serde_json::json;

use super::database::Database;
use super::node::{Node, now};
use crate::servers::imap::{Imap, PASSWORD, USER, mail};

#[test]
fn a_node_without_workers_gives_the_answers_of_those_that_have_them() {
    let database = Database::make();
    let (api, worker) = (Node::start(&database, "api"), Node::start(&database, "worker,scheduler"));
    let steps = json!([{"id": "a", "action": "logic.set", "params": {"n": "${inputs.n * 2}"}}]);
    let plan = api.plan(
        &json!({"name": "Double", "inputs": {"n": {"type": "integer", "required": true}}, "output": "${steps.a.output.n}", "steps": steps}),
    );
    let (status, answer) = api.ask("POST", "/api/execute", &json!({"plan_id": plan, "inputs": {"n": 21}}));
    assert_eq!((status, &answer["success"], &answer["execution"]["step_outputs"]), (200, &json!(true), &json!([{"n": 42}])), "{answer}");
    let hook = |path: &str, respond: &str, steps: serde_json::Value| {
        api.plan(&json!({"name": path, "output": "${steps.a.output.n}", "steps": steps,
            "triggers": [{"id": "hook", "type": "webhook", "path": path, "respond": respond}]}));
    };
    hook("last", "last_step", json!([{"id": "a", "action": "logic.set", "params": {"n": "${trigger.body.n + 1}"}}]));
    hook(
        "said",
        "step",
        json!([
        {"id": "a", "action": "logic.set", "params": {"n": 1}},
        {"id": "say", "action": "logic.respond", "params": {"status": 201, "body": {"said": "${trigger.body.n}"}}},
        {"id": "later", "action": "logic.sleep", "params": {"for": "1h"}}]),
    );
    assert_eq!(api.ask("POST", "/api/webhook/last", &json!({"n": 4})), (200, json!(5)));
    assert_eq!(api.ask("POST", "/api/webhook/said", &json!({"n": 7})), (201, json!({"said": 7})));
    let (status, answer) = worker.ask("GET", "/api/plans", &json!(null));
    assert_eq!((status, &answer["code"]), (404, &json!("NOT_FOUND")), "a node without the interface answers for its health alone");
    assert_eq!((api.stop(), worker.stop()), (0, 0));
}

#[test]
fn runs_of_a_node_that_dies_go_on_elsewhere() {
    let database = Database::make();
    let (first, second) = (Node::start(&database, "all"), Node::start(&database, "all"));
    let steps = json!([
        {"id": "before", "action": "logic.set", "params": {"n": 1}},
        {"id": "wait", "action": "logic.sleep", "params": {"for": "900ms"}},
        {"id": "after", "action": "logic.set", "params": {"n": "${steps.before.output.n + 1}"}}]);
    let plan = first.plan(&json!({"name": "Slow", "output": "${steps.after.output.n}", "steps": steps}));
    let mut runs = Vec::new();
    for _ in 0..10 {
        let (status, answer) = first.ask("POST", "/api/execute", &json!({"plan_id": plan, "wait": false}));
        assert_eq!(status, 202, "{answer}");
        runs.push(answer["execution"]["id"].as_str().unwrap().to_owned());
    }
    let died = now();
    first.kill();
    for run in &runs {
        let ended = second.ended(run, Duration::from_secs(20));
        assert_eq!((&ended["status"], &ended["output"]), (&json!("success"), &json!(2)), "{ended}");
    }
    println!("{} runs ended {:?} after their node was killed, with a lease of 2 s", runs.len(), died.elapsed());
    let logs = second.command(&database, &["run", "list", "-o", "json"]).expect(0).json();
    assert_eq!(logs["runs"].as_array().unwrap().len(), 10);
    assert_eq!(second.stop(), 0);
}

#[test]
fn a_node_that_stops_in_order_leaves_its_runs_at_once() {
    let database = Database::make();
    let (first, second) = (Node::start(&database, "all"), Node::start(&database, "all"));
    let steps = json!([{"id": "wait", "action": "logic.sleep", "params": {"for": "900ms"}}, {"id": "n", "action": "logic.set", "params": {"n": 1}}]);
    let plan = first.plan(&json!({"name": "Slow", "steps": steps}));
    let (_, answer) = first.ask("POST", "/api/execute", &json!({"plan_id": plan, "wait": false}));
    let run = answer["execution"]["id"].as_str().unwrap();
    assert_eq!(first.stop(), 0);
    assert_eq!(second.ended(run, Duration::from_secs(20))["status"], "success");
    assert_eq!(database.psql("select count(*) from nodes"), "1", "a node that stops in order signs off");
}

#[test]
fn steps_run_where_their_tag_is_served() {
    let database = Database::make();
    let plain = Node::start(&database, "all");
    let steps = json!([
        {"id": "a", "action": "logic.set", "params": {"n": 1}},
        {"id": "b", "action": "logic.set", "params": {"n": "${steps.a.output.n + 1}"}, "tag": "gpu"},
        {"id": "c", "action": "logic.set", "params": {"n": "${steps.b.output.n + 1}"}}]);
    let plan = plain.plan(&json!({"name": "Tagged", "output": "${steps.c.output.n}", "steps": steps}));
    let (_, answer) = plain.ask("POST", "/api/execute", &json!({"plan_id": plan, "wait": false}));
    let run = answer["execution"]["id"].as_str().unwrap().to_owned();
    let began = now();
    while plain.run(&run)["tag"] != "gpu" {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not wait for the tag: {}", plain.run(&run));
    }
    assert_eq!(plain.run(&run)["status"], "queued");
    let gpu = Node::start_with(&database, "worker", &["--tags", "gpu"]);
    assert_eq!(plain.ended(&run, Duration::from_secs(20))["output"], json!(3));
    let (status, answer) = plain.ask("POST", "/api/execute", &json!({"plan_id": plan}));
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "a caller gets the answer of a run that went to another node: {answer}");
    assert_eq!((gpu.stop(), plain.stop()), (0, 0));
}

#[test]
fn a_folder_is_watched_by_the_node_that_serves_its_tag() {
    let database = Database::make();
    let folder = tempfile::tempdir().unwrap();
    let plain = Node::start(&database, "all");
    // It alone may look there: a look of the other would fail.
    let root = folder.path().to_str().unwrap();
    let disk = Node::start_in(&database, "all", &["--tags", "disk"], &[("MAINSPRING_WATCH_FOLDERS", root)]);
    let trigger = json!({"type": "folder", "path": root, "every": "1s", "settle": "0s", "first": "all"});
    let steps = json!([{"id": "a", "action": "logic.set", "params": {"name": "${trigger.name}"}}]);
    std::fs::write(folder.path().join("a.txt"), "a").unwrap();
    plain.plan(&json!({"name": "Watch", "tag": "disk", "triggers": [trigger], "steps": steps}));
    let began = now();
    for (name, count) in [("b.txt", 1), ("c.txt", 2)] {
        loop {
            let (_, jobs) = plain.ask("GET", "/api/scheduler/jobs", &json!(null));
            assert_eq!(jobs["jobs"][0]["failures"], 0, "{jobs}");
            let (_, listed) = plain.ask("GET", "/api/runs", &json!(null));
            let runs = listed["runs"].as_array().unwrap();
            if runs.len() == count && runs.iter().all(|run| run["status"] == "success") {
                break;
            }
            assert!(runs.len() <= count && began.elapsed() < Duration::from_secs(60), "{listed} {jobs}");
        }
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    assert_eq!((disk.stop(), plain.stop()), (0, 0));
}

#[test]
fn a_mailbox_is_read_by_one_node_at_a_time() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let imap = runtime.block_on(Imap::start());
    let database = Database::make();
    let (first, second) = (Node::start(&database, "all"), Node::start(&database, "all"));
    let port = imap.address.port().to_string();
    let fields = json!({"host": "127.0.0.1", "port": port, "username": USER, "password": PASSWORD, "security": "none"});
    assert_eq!(first.ask("POST", "/api/provider-credentials/imap", &json!({"credentials": fields, "name": "inbox"})).0, 201);
    let trigger = json!({"type": "email", "credential": "inbox", "every": "1s", "first": "all"});
    let steps = json!([{"id": "a", "action": "logic.set", "params": {"subject": "${trigger.subject}"}}]);
    for n in 0..20 {
        imap.add(mail(n));
    }
    first.plan(&json!({"name": "Mail", "triggers": [trigger], "steps": steps, "output": "${trigger.subject}"}));
    let began = now();
    let runs_are = |count: usize| {
        loop {
            let (_, jobs) = second.ask("GET", "/api/scheduler/jobs", &json!(null));
            assert_eq!(jobs["jobs"][0]["failures"], 0, "{jobs}");
            let (_, listed) = second.ask("GET", "/api/runs?limit=200", &json!(null));
            let runs = listed["runs"].as_array().unwrap().clone();
            if runs.len() == count && runs.iter().all(|run| run["status"] == "success") {
                return runs;
            }
            assert!(runs.len() <= count && began.elapsed() < Duration::from_secs(60), "{listed} {jobs}");
        }
    };
    runs_are(20);
    first.kill();
    for n in 20..40 {
        imap.add(mail(n));
    }
    let runs = runs_are(40);
    let output = |run: &serde_json::Value| second.run(run["id"].as_str().unwrap())["output"].to_string();
    let mut subjects: Vec<String> = runs.iter().map(output).collect();
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!((subjects.len(), second.stop()), (40, 0), "{subjects:?}");
}
