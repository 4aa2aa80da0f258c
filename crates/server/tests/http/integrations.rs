//! Custom integrations: a user's own provider, tried and used in a plan.

use insta::assert_json_snapshot;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::world::{World, plain};

fn shop(base_url: &str) -> Value {
    json!({
        "name": "shop", "display_name": "Our shop", "auth_type": "api_key", "base_url": base_url, "auth_header": "X-Key", "auth_prefix": "",
        "actions": [{"id": "get_order", "name": "Get an order", "method": "GET", "endpoint": "/orders/{order_id}", "params": ["order_id"]}],
    })
}

#[tokio::test]
async fn an_integration_becomes_a_provider() {
    let world = World::dev().await;
    let server = MockServer::start().await;
    let order = ResponseTemplate::new(200).set_body_json(json!({"id": 7, "echo": "key-1234567"}));
    Mock::given(method("GET")).and(path("/orders/7")).and(header("x-key", "key-1234567")).respond_with(order).mount(&server).await;

    let created = world.post("/api/custom-integrations", shop("http://shop.example")).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_json_snapshot!("created", plain(&created.body));
    let path = created.headers["location"].to_str().unwrap().to_owned();
    let provider = created.body["integration"]["provider"].as_str().unwrap().to_owned();
    assert!(world.get("/api/providers").await.body.as_array().unwrap().contains(&json!(provider)));
    assert_eq!(world.put(&path, shop(&server.uri())).await.status, 200);
    assert_eq!(world.get(&path).await.body["integration"]["base_url"], server.uri());
    assert_eq!(world.get("/api/custom-integrations").await.body["integrations"].as_array().unwrap().len(), 1);

    // Without a credential it cannot log in.
    let without = world.post(&format!("{path}/test"), json!({"endpoint": "/orders/7"})).await;
    assert_eq!(without.status, 400);
    assert_json_snapshot!("test_failed", plain(&without.body));
    let stored = world.post(&format!("{path}/credentials"), json!({"type": "api_key", "value": "key-1234567"})).await;
    assert_eq!((stored.status.as_u16(), stored.body["credential_id"].is_string()), (201, true));
    let tested = world.post(&format!("{path}/test"), json!({"endpoint": "/orders/7", "method": "GET"})).await;
    assert_eq!((tested.status.as_u16(), &tested.body["status_code"], &tested.body["response"]["id"]), (200, &json!(200), &json!(7)));
    assert!(!tested.text.contains("key-1234567"), "{}", tested.text);

    let plan = json!({"name": "Order", "steps": [{"id": "order", "action": format!("{provider}.get_order"), "params": {"order_id": 7}}]});
    let id = world.plan(plan).await;
    let executed = world.post("/api/execute", json!({"plan_id": id})).await.body;
    assert_eq!((&executed["success"], &executed["execution"]["step_outputs"][0]["id"]), (&json!(true), &json!(7)), "{executed}");

    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.get(&path).await.status, 404);
    assert_eq!(world.post("/api/execute", json!({"plan_id": id})).await.body["execution"]["errors"][0]["code"], "UNKNOWN_PROVIDER");
}

#[tokio::test]
async fn a_wrong_definition_is_refused_with_all_its_problems() {
    let world = World::dev().await;
    let mut wrong = shop("ftp://shop.example");
    wrong["actions"][0]["id"] = json!("Get Order");
    let refused = world.post("/api/custom-integrations", wrong).await;
    assert_eq!(refused.status, 422);
    assert_json_snapshot!("wrong", plain(&refused.body));
    assert_eq!(world.post("/api/custom-integrations", shop("http://shop.example")).await.status, 201);
    assert_eq!(world.post("/api/custom-integrations", shop("http://shop.example")).await.status, 409);
}
