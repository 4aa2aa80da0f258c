//! `stripe-payments.yaml`: events that Stripe signed start one run each, others none.

use axum::body::Body;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response};
use mainspring_server::http as interface;
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt;

use super::world::World;

pub const PLAN: &str = "stripe-payments.yaml";

async fn tell(world: &World, secret: &str, event: &Value) -> (u16, Value) {
    let (at, body) = (world.app.clock.now() / 1_000, event.to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let code: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = Request::post("/api/webhook/stripe").header("host", "localhost:5000").header("content-type", "application/json");
    let request = request.header("stripe-signature", format!("t={at},v1={code}")).body(Body::from(body)).unwrap();
    let answer: Response<Body> = interface::router(world.app.clone()).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn a_signed_event_is_one_run() {
    let world = World::open().await;
    world.save(PLAN).await;
    world.named_credential("webhook", "stripe", &[("signing_secret", "whsec_new\nwhsec_old")]).await;
    let charge =
        json!({"id": "evt_1", "type": "charge.succeeded", "data": {"object": {"amount": 125_000, "receipt_email": "ada@example.org"}}});
    let (status, refused) = tell(&world, "whsec_other", &charge).await;
    assert_eq!((status, &refused["code"]), (401, &json!("SIGNATURE_REJECTED")));
    let (status, first) = tell(&world, "whsec_old", &charge).await;
    assert_eq!(status, 202, "{first}");
    // Stripe saw no answer and tells it again, by now signed with the new secret.
    let (_, again) = tell(&world, "whsec_new", &charge).await;
    assert_eq!(again, first);
    let run = world.ended(first["runs"][0]["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(run.output(), &json!({"thanks": "Thank you for 1250.", "told": "ada@example.org paid 1250"}));
    let (status, other) = tell(&world, "whsec_new", &json!({"id": "evt_2", "type": "invoice.paid"})).await;
    assert_eq!((status, &other["runs"]), (202, &json!([])));
}
