//! `partner-record.yaml`: a record at a partner is read, changed, replaced and noted, each call as that API wants it.

use mainspring_model::run::StepStatus::{Skipped, Success};
use serde_json::{Value, json};

use super::world::World;
use crate::servers::{Server, json as answer};

pub const PLAN: &str = "partner-record.yaml";

async fn partner() -> Server {
    Server::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/customers/c-7") => answer(200, &json!({"tier": "basic", "version": "\"v3\""})),
        ("POST", "/customers/c-7/notes") => answer(201, &json!({"id": "n-1"})),
        ("PATCH" | "PUT", _) => answer(200, &json!({})),
        _ => answer(404, &Value::Null),
    })
    .await
}

#[tokio::test]
async fn each_call_is_made_once_and_with_the_key() {
    let world = World::open().await;
    let partner = partner().await;
    world.credential("custom_api", &[("api_key", "k-7")]).await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"partner": partner.url(""), "customer": "c-7"})).await;
    assert_eq!(run.output(), &json!({"was": "basic", "note": "n-1"}));
    let asked = partner.asked();
    let lines: Vec<_> = asked.iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    assert_eq!(lines, ["GET /customers/c-7", "PATCH /customers/c-7", "PUT /customers/c-7/settings", "POST /customers/c-7/notes"]);
    assert_eq!([&asked[0], &asked[3]].map(|asked| asked.header("x-partner-key")), ["k-7", "k-7"]);
    assert_eq!(asked[1].header("if-match"), "\"v3\"");
    assert_eq!(asked[1].json(), json!({"tier": "gold"}));
    assert_eq!(asked[2].json(), json!({"mails": true}));
    assert_eq!(asked[3].json(), json!({"text": "basic → gold"}));
}

#[tokio::test]
async fn what_is_as_wanted_stays() {
    let world = World::open().await;
    let partner = partner().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"partner": partner.url(""), "customer": "c-7", "tier": "basic"})).await;
    assert_eq!(run.statuses(), [("before", Success), ("tier", Skipped), ("settings", Success), ("note", Success)]);
}
