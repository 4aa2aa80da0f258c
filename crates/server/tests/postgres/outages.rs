//! A node whose database goes away: it says so and waits, and ends when that takes too long.

use std::time::Duration;

use serde_json::{Value, json};

use super::database::Database;
use super::node::{Node, now};
use super::relay::Relay;

const PATIENCE: Duration = Duration::from_secs(30);

/// A node of which the database can be taken away, and which bears that for five seconds.
fn node(database: &Database) -> (Relay, Node) {
    let relay = Relay::start(&database.url());
    let url = relay.in_place_of(&database.url());
    let node = Node::start_in(database, "all", &[], &[("DATABASE_URL", &url), ("MAINSPRING_DATABASE_PATIENCE", "5s")]);
    (relay, node)
}

fn readiness(node: &Node, status: u16) -> Value {
    let began = now();
    loop {
        let (said, body) = node.ask("GET", "/health/readiness", &json!(null));
        if said == status {
            return body;
        }
        assert!(began.elapsed() < PATIENCE, "readiness is {said} and not {status}: {body}");
    }
}

#[test]
fn a_database_that_comes_back_soon_costs_nothing_but_answers() {
    let database = Database::make();
    let (relay, node) = node(&database);
    let plan = node.plan(&json!({"name": "One", "steps": [{"id": "n", "action": "logic.set", "params": {"n": 1}}]}));
    assert_eq!(readiness(&node, 200)["database"], json!({"circuit": "closed"}));
    relay.cut(true);
    let said = readiness(&node, 503);
    assert_eq!((&said["status"], &said["checks"]["database"]), (&json!("not_ready"), &json!("error")), "{said}");
    assert_eq!(node.ask("GET", "/health/liveness", &json!(null)).0, 200);
    let (status, answer) = node.ask("POST", "/api/execute", &json!({"plan_id": plan}));
    assert_eq!((status, &answer["code"]), (503, &json!("STORE_UNREACHABLE")), "{answer}");
    relay.cut(false);
    let back = now();
    readiness(&node, 200);
    println!("ready {:?} after the database was", back.elapsed());
    assert!(back.elapsed() < Duration::from_secs(5));
    let (status, answer) = node.ask("POST", "/api/execute", &json!({"plan_id": plan}));
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    assert_eq!(node.figure("mainspring_database_circuit{state=\"closed\"}"), 1.0);
    assert_eq!(node.stop(), 0);
}

#[test]
fn a_database_that_stays_away_ends_the_node() {
    let database = Database::make();
    let (relay, mut node) = node(&database);
    let began = now();
    relay.cut(true);
    let mut lost = 0;
    let code = loop {
        if let Some(code) = node.ended_by_itself() {
            break code;
        }
        let (_, said) = node.ask("GET", "/health/readiness", &json!(null));
        lost = said["database"]["unreachable_for_s"].as_u64().unwrap_or(lost);
        assert!(began.elapsed() < PATIENCE, "it lives on: {said}");
    };
    assert_eq!(code, 10, "{}", node.log());
    assert!(began.elapsed() > Duration::from_secs(5) && lost >= 2, "{:?} {lost}", began.elapsed());
    let log = node.log();
    assert!(log.contains("error[STORE_LOST]") && log.contains("let a service manager start the node again"), "{log}");
}
