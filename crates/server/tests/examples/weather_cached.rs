//! `weather-cached.yaml`: a service is asked once for what many ask for, until the time is over.

use mainspring_model::clock::{Clock, FakeClock};
use serde_json::{Value, json};

use super::world::World;
use crate::servers::{Server, json as answer};

pub const PLAN: &str = "weather-cached.yaml";

#[tokio::test]
async fn each_place_is_asked_for_once_an_hour() {
    let clock = FakeClock::at(1_795_000_000_000);
    let world = World::at(clock.clone()).await;
    let service = Server::start(|asked| answer(200, &json!({"place": asked.query("place"), "summary": "rain"}))).await;
    let plan = world.save(PLAN).await;
    let inputs = json!({"service": service.url("/weather")});
    let rain = |place: &str| json!({"place": place, "summary": "rain"});
    let run = world.run(&plan, inputs.clone()).await;
    assert_eq!(run.output(), &json!([rain("Oslo"), rain("Bergen"), rain("Oslo")]));
    assert_eq!(service.asked().len(), 2);
    let cached = |run: &super::world::Finished, path: &str| run.attempted(path).metadata.get("cached").cloned().unwrap_or(Value::Null);
    assert_eq!((cached(&run, "weather[0]"), cached(&run, "weather[2]")), (Value::Null, json!(true)));
    // Another run, and one of another version of the plan, use it as well.
    assert_eq!(world.run(&plan, inputs.clone()).await.output(), run.output());
    assert_eq!(service.asked().len(), 2);
    clock.advance_to(clock.now() + 3_600_000);
    world.run(&plan, inputs).await;
    assert_eq!(service.asked().len(), 4);
}

#[tokio::test]
async fn what_failed_is_asked_for_again() {
    let world = World::open().await;
    let service = Server::start(|_| answer(404, &json!({"error": "no such place"}))).await;
    let plan = world.save(PLAN).await;
    for asked in 1..=2 {
        let run = world.run(&plan, json!({"service": service.url("/weather"), "places": ["Nowhere"]})).await;
        assert!(run.ending.error.is_some());
        assert_eq!(service.asked().len(), asked);
    }
}
