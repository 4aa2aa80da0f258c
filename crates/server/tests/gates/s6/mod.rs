//! S6: texts that break programs, into every place that takes a text: no server error, no panic, nobody waits, and what is kept is
//! given back to the byte.
//!
//! `cargo x chaos s6 --inputs N` runs the long form, 25,000 texts into each place, on the release build.

mod corpus;
mod sinks;

use std::time::Duration;

use mainspring_server::limits::read_doors;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};

use super::clock::{asked, now};
use crate::http::world::World;

/// In the tests so many texts go into each place; another stretch of the corpus into each.
const INPUTS: usize = 60;
/// On a machine that does nothing else 250 ms; this one may.
const WITHIN: Duration = Duration::from_millis(1_000);

async fn world() -> World {
    let mut settings = Settings { dev: true, ..World::settings() };
    settings.limits.doors = read_doors("login=0,register=0,forgot=0,refresh=0,verify=0").unwrap();
    World::with(settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_break_nothing_wherever_they_go() {
    let world = world().await;
    let sinks = sinks::of(&world.get("/api/openapi.json").await.body);
    let inputs = asked("MAINSPRING_S6_INPUTS").map_or(INPUTS, |inputs| usize::try_from(inputs).unwrap());
    let (mut wrong, mut took, mut taken) = (Vec::new(), Vec::new(), 0);
    for (place, sink) in sinks.iter().enumerate() {
        for n in 0..inputs {
            let text = corpus::text((place * INPUTS + n) % 25_000);
            let Some(request) = sink.request(&text) else { continue };
            let began = now();
            let answer = world.send(request).await;
            took.push(began.elapsed());
            taken += usize::from(answer.status.is_success());
            // Not ready is an answer of readiness alone.
            if answer.status.is_server_error() && !sink.name().contains("/health/readiness") {
                wrong.push(format!("{} with {text:?}: {} {}", sink.name(), answer.status, answer.text));
            }
        }
    }
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    println!("S6: {} texts into {} places, {taken} were taken, p99 {p99:?}, the slowest {:?}", took.len(), sinks.len(), took.last());
    assert!(wrong.is_empty(), "{} server errors:\n{}", wrong.len(), wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
    assert!(sinks.len() >= 200 && took.len() >= 10_000, "{} places, {} texts", sinks.len(), took.len());
    // Texts that are only refused would say nothing of what comes behind the door.
    assert!(taken * 20 > took.len(), "{taken} of {} were taken", took.len());
    assert!(p99 <= WITHIN, "{p99:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_is_given_back_to_the_byte() {
    let world = world().await;
    let plan = world
        .plan(json!({"name": "kept", "inputs": {"text": {}}, "steps": [{"id": "a", "action": "logic.set", "params": {"text": "${inputs.text}"}}]}))
        .await;
    let inputs = asked("MAINSPRING_S6_INPUTS").map_or(1_000, |inputs| usize::try_from(inputs).unwrap());
    let mut differ = Vec::new();
    for n in 0..inputs {
        let text = corpus::text(n);
        let mut same = |place: &str, given: &Value| {
            if *given != json!(text) {
                differ.push(format!("{place}: {text:?} came back as {given}"));
            }
        };
        let run = world.post("/api/execute", json!({"plan_id": plan, "inputs": {"text": text}})).await;
        assert_eq!(run.status, 200, "{text:?}: {}", run.text);
        same("a run's output", &run.body["execution"]["step_outputs"][0]["text"]);
        if n % 10 == 0 {
            let id = run.body["execution"]["id"].as_str().unwrap();
            same("a run's inputs", &world.get(&format!("/api/runs/{id}")).await.body["run"]["inputs"]["text"]);
            let document = json!({"name": format!("plan {n}"), "description": text, "original_prompt": text, "steps": [{"id": "a", "action": "logic.set"}]});
            let made = world.post("/api/plans", document).await;
            if made.status == 201 {
                let id = made.body["plan"]["id"].as_str().unwrap();
                let shown = world.get(&format!("/api/plans/{id}")).await.body;
                same("a plan's description", &shown["plan"]["description"]);
            }
            let rule = world.post("/api/organization/egress", json!({"host": "api.example.com", "note": text})).await;
            if rule.status == 201 {
                same("a note", &world.get("/api/organization/egress").await.body["rules"][0]["note"]);
            }
        }
    }
    assert!(differ.is_empty(), "{} texts changed:\n{}", differ.len(), differ.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
}
