//! `trip.yaml`: bookings that are given back, newest first, when one of them cannot be had.

use mainspring_model::run::RunStatus;
use serde_json::json;

use super::world::{Finished, World};
use crate::servers::{Server, json as answer};

pub const PLAN: &str = "trip.yaml";

async fn run(cars: bool) -> (Finished, Server) {
    let agency = Server::start(move |asked| match asked.line().as_str() {
        "POST /booking" if asked.json()["kind"] == "car" && !cars => answer(409, &json!({"error": "no car is left"})),
        "POST /booking" => {
            let body = asked.json();
            let night = body["night"].as_str().map(str::to_owned).or(body["night"].as_i64().map(|night| night.to_string()));
            answer(201, &json!({"id": format!("{}{}", body["kind"].as_str().unwrap(), night.unwrap_or_default())}))
        }
        _ => answer(200, &json!({"ok": true})),
    })
    .await;
    let world = World::open().await;
    let plan = world.save(PLAN).await;
    let run = world.run(&plan, json!({"service": agency.url("")})).await;
    (run, agency)
}

#[tokio::test]
async fn with_a_car_all_of_it_is_booked_and_nothing_is_given_back() {
    let (run, agency) = run(true).await;
    assert_eq!(run.output(), &json!({"flight": "flight", "hotel": ["hotel1", "hotel2"], "car": "car"}));
    assert_eq!(agency.asked_for("DELETE /booking").len(), 0);
    let receipt = run.step("flight").effect.clone().unwrap();
    assert_eq!((receipt.reached.as_str(), receipt.undone, receipt.maybe_repeated), ("confirmed", None, false));
    let sent = Some(agency.asked()[0].header("idempotency-key").to_owned());
    assert_eq!(receipt.idempotency_key, sent, "the receipt names the key that was sent");
}

#[tokio::test]
async fn without_a_car_the_rest_is_given_back_newest_first() {
    let (run, agency) = run(false).await;
    assert_eq!(run.ending.status, RunStatus::Error);
    let given_back: Vec<_> = agency.asked_for("DELETE /booking").iter().map(|asked| asked.query("id").unwrap()).collect();
    assert_eq!(given_back, ["hotel2", "hotel1", "flight"]);
    for path in ["flight", "hotel[0]", "hotel[1]"] {
        let receipt = run.step(path).effect.clone().unwrap();
        assert_eq!((receipt.reached.as_str(), receipt.undone), ("confirmed", Some(true)), "{path}");
    }
    assert_eq!(run.step("car").effect.as_ref().unwrap().reached.as_str(), "sent");
    assert_eq!(run.steps.last().unwrap().id, "tell", "what was done is undone before on_error");
}
