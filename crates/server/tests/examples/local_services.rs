//! `local/services.yaml`: the stand-ins by which people run the other examples, so each of these is run against them.

use mainspring_model::clock::{Clock, FakeClock};
use serde_json::{Value, json};

use super::serving::Serving;
use super::world::World;
use super::{daily_digest, fallback, fan_out, newsletter, orders_report, poll_until_ready};
use crate::servers::{Client, file};

pub const PLAN: &str = "local/services.yaml";

/// The stand-ins in one program, and another that runs the examples.
struct Pair {
    serving: Serving,
    _stand_ins: World,
    world: World,
}

impl Pair {
    async fn of(stand_ins: World, world: World) -> Pair {
        stand_ins.save(PLAN).await;
        Pair { serving: Serving::start(&stand_ins).await, _stand_ins: stand_ins, world }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/webhook{path}", self.serving.address)
    }

    /// The output of an example that runs against the stand-ins.
    async fn run(&self, file: &str, inputs: Value) -> Value {
        let plan = self.world.save(file).await;
        self.world.run(&plan, inputs).await.output().clone()
    }
}

#[tokio::test]
async fn the_examples_run_against_the_stand_ins_as_their_comments_say() {
    let pair = Pair::of(World::open().await, World::open().await).await;
    let service = json!({"service": pair.url("")});

    assert_eq!(pair.run(fan_out::PLAN, json!({"service": pair.url(""), "count": 100})).await["items"], 100);
    assert_eq!(pair.run(fallback::PLAN, service.clone()).await, json!({"cents": 8790, "source": "second", "published": false}));
    assert_eq!(pair.run(daily_digest::PLAN, service).await["headlines"], 3);

    pair.world.credential("openai", &[("api_key", "local"), ("base_url", &pair.url("/v1"))]).await;
    let letter = pair.run(newsletter::PLAN, json!({"webhook_url": pair.url("/hook")})).await;
    assert_eq!((&letter["subject"], &letter["model"]), (&json!("A letter without a model"), &json!("gpt-4o-mini")));
    let body = letter["delivery"]["received"]["body"].as_str().unwrap();
    assert!(body.starts_with("You asked: Write a newsletter of about 150 words on open-source automation"), "{body}");

    let text = std::fs::read_to_string(super::world::folder().join("data/orders.csv")).unwrap();
    let shop = file("/orders.csv", "text/csv", text).await;
    let report = pair.run(orders_report::PLAN, json!({"csv_url": shop.url("/orders.csv"), "report_url": pair.url("/hook")})).await;
    assert_eq!(report["answered"], 201);
    pair.serving.stop().await;
}

#[tokio::test]
async fn the_stand_ins_job_takes_five_seconds() {
    // One clock for both.
    let clock = FakeClock::at(1_800_000_000_000);
    let pair = Pair::of(World::at(clock.clone()).await, World::at(clock.clone()).await).await;
    let plan = pair.world.save(poll_until_ready::PLAN).await;
    let mut handle = pair.world.start(&plan, json!({"service": pair.url("")})).await;
    assert!(handle.settled().await.parked);
    pair.world.app.engine.idle().await;
    for pause in [2_000, 4_000] {
        pair.world.go_on_at(&clock, clock.now() + pause).await;
    }
    let run = pair.world.ended(handle.id).await;
    assert_eq!(run.output(), &json!({"url": "https://videos.example/1800000000.mp4", "looks": 3}));
    pair.serving.stop().await;
}

#[tokio::test]
async fn each_address_answers_with_its_status_headers_and_body() {
    let clock = FakeClock::at(1_800_000_000_000);
    let pair = Pair::of(World::at(clock.clone()).await, World::open().await).await;
    let mut client = Client::connect(pair.serving.address).await;
    let item = client.send("GET", "/api/webhook/item?id=7", &[], "").await;
    assert_eq!(
        (item.status.as_u16(), item.header("content-type"), item.json()),
        (200, "application/json", json!({"id": 7, "price_cents": 359}))
    );
    let taken = client.post("/api/webhook/hook", &[], &json!({"a": [1, null]})).await;
    assert_eq!((taken.status.as_u16(), taken.header("x-stand-in"), taken.json()), (201, "hook", json!({"received": {"a": [1, null]}})));
    let down = client.send("GET", "/api/webhook/price/first", &[], "").await;
    assert_eq!((down.status.as_u16(), down.json()), (503, json!({"error": "the price list is being rebuilt"})));
    assert_eq!(client.send("DELETE", "/api/webhook/lock", &[], "").await.status, 201);
    for (method, target, status, allow) in [("POST", "/api/webhook/publish", 404, ""), ("GET", "/api/webhook/jobs", 405, "POST")] {
        let refused = client.send(method, target, &[], "").await;
        assert_eq!((refused.status.as_u16(), refused.header("allow")), (status, allow), "{target}");
    }
    let job = client.post("/api/webhook/jobs", &[], &json!({})).await;
    assert_eq!((job.status.as_u16(), job.json()), (202, json!({"id": "1800000000", "state": "queued"})));
    for (after, state) in [(4_999, "running"), (1, "done")] {
        clock.advance_to(clock.now() + after);
        assert_eq!(client.send("GET", "/api/webhook/job?id=1800000000", &[], "").await.json()["state"], state);
    }
    pair.serving.stop().await;
}
