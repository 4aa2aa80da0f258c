//! After the storm: one operation of each kind must work, and the server's own words must hold no error.

use std::sync::Arc;

use serde_json::json;

use super::client::Client;
use super::dice::Dice;
use super::load::{Load, Worker};
use super::oracle::Broken;

/// Each operation by name, and whether it did what it should. `name` tells these requests from all others.
pub async fn last_operations(load: &Arc<Load>, dice: &Dice, name: &str) -> Vec<(String, bool)> {
    let mut last = Vec::new();
    let mut worker = Worker::new(load, dice, name);
    for hook in ["pure", "calls"] {
        last.push((format!("{name}: webhook {hook}"), worker.hook(hook).await));
    }
    let (_, plans) = Client::new(load.address()).get("/api/plans").await.unwrap();
    for plan in plans["plans"].as_array().into_iter().flatten() {
        let asked = json!({"plan_id": plan["id"], "wait": true, "inputs": {"token": format!("{name}/{}", plan["name"]), "n": 5}});
        let answer = Client::new(load.address()).post("/api/execute", &asked).await;
        last.push((format!("{name}: execute {}", plan["name"]), matches!(answer, Ok((200, answer)) if answer["success"] == json!(true))));
    }
    last
}

/// What a server may never say, however it is treated.
pub fn said(log: &str) -> Vec<Broken> {
    let bad = log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked at"));
    bad.map(|line| Broken { rule: "error in the log", text: line.to_owned() }).collect()
}
