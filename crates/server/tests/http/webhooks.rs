//! Webhooks: which plans a call starts, with what, and who may call.

use axum::body::Body;
use http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::world::{World, ask, json_request, plain};

fn plan(name: &str, trigger: Value) -> Value {
    let mut trigger = trigger;
    trigger["type"] = json!("webhook");
    json!({"name": name, "triggers": [trigger], "steps": [{"id": "seen", "action": "logic.set", "params": {"inputs": "${inputs}", "trigger": "${trigger}"}}]})
}

#[tokio::test]
async fn every_plan_on_a_path_runs() {
    let world = World::dev().await;
    world.plan(plan("First", json!({"path": "orders/new"}))).await;
    world.plan(plan("Second", json!({"path": "/orders/new/", "methods": ["post", "PUT"]}))).await;
    world.plan(plan("Never", json!({"path": "orders/new", "if": "trigger.body.total > 1000"}))).await;
    let answer = world.post("/api/webhook/orders/new?source=shop", json!({"total": 5})).await;
    assert_eq!(answer.status, 202);
    assert_json_snapshot!("accepted", plain(&answer.body));
    let runs = answer.body["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), 2);
    let run = runs[0]["id"].as_str().unwrap();
    world.get(&format!("/api/runs/{run}/events")).await;
    assert_json_snapshot!("seen", plain(&world.get(&format!("/api/runs/{run}")).await.body["run"]["output"]));

    assert_eq!(world.put("/api/webhook/orders/new", json!({})).await.body["runs"].as_array().unwrap().len(), 1);
    let wrong = world.get("/api/webhook/orders/new").await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.headers["allow"], &wrong.body["code"]),
        (405, &"POST,PUT".parse().unwrap(), &json!("METHOD_NOT_ALLOWED"))
    );
    assert_eq!(world.post("/api/webhook/orders", json!({})).await.status, 404);
}

#[tokio::test]
async fn routes_follow_the_plans() {
    let world = World::dev().await;
    let id = world.plan(plan("Hook", json!({"path": "one"}))).await;
    assert_eq!(world.post("/api/webhook/one", json!({})).await.status, 202);
    world.put(&format!("/api/plans/{id}"), plan("Hook", json!({"path": "two"}))).await;
    assert_eq!(world.post("/api/webhook/one", json!({})).await.status, 404);
    assert_eq!(world.post("/api/webhook/two", json!({})).await.status, 202);
    world.delete(&format!("/api/plans/{id}")).await;
    assert_eq!(world.post("/api/webhook/two", json!({})).await.status, 404);
}

#[tokio::test]
async fn an_answering_webhook_needs_its_path_for_itself() {
    let world = World::dev().await;
    world.plan(plan("First", json!({"path": "mine", "respond": "last_step"}))).await;
    let taken = world.post("/api/plans", plan("Second", json!({"path": "mine"}))).await;
    assert_eq!((taken.status.as_u16(), &taken.body["code"]), (409, &json!("CONFLICT")));
    world.plan(plan("Third", json!({"path": "mine", "methods": ["PUT"]}))).await;
}

#[tokio::test]
async fn inputs_come_from_the_body_and_are_checked() {
    let world = World::dev().await;
    let mut document = plan("Named", json!({"path": "named"}));
    document["inputs"] = json!({"email": {"type": "string", "required": true}});
    world.plan(document).await;
    assert_eq!(world.post("/api/webhook/named", json!({"email": "a@b.example", "more": 1})).await.status, 202);
    let refused = world.post("/api/webhook/named", json!({"email": 7})).await;
    assert_eq!(refused.status, 422);
    assert_json_snapshot!("refused", plain(&refused.body));

    let mut document = plan("Mapped", json!({"path": "named", "inputs": {"email": "${trigger.body.mail}"}}));
    document["inputs"] = json!({"email": {"type": "string"}});
    world.plan(document).await;
    // One plan's trouble is not the other's.
    let both = world.post("/api/webhook/named", json!({"email": "a@b.example"})).await;
    assert_eq!(both.status, 202);
    assert_json_snapshot!("one_refused", plain(&both.body));
}

#[tokio::test]
async fn bodies_of_any_type_are_taken() {
    let world = World::dev().await;
    world.plan(plan("Any", json!({"path": "any", "respond": "last_step"}))).await;
    let send = async |content_type: &str, body: &'static [u8]| {
        let request = ask(Method::POST, "/api/webhook/any").header("content-type", content_type).body(Body::from(body)).unwrap();
        world.send(request).await.body["trigger"]["body"].clone()
    };
    assert_eq!(send("application/json", b"[1, 2]").await, json!([1, 2]));
    assert_eq!(send("application/x-www-form-urlencoded", b"a=1&a=2&b=x%20y").await, json!({"a": ["1", "2"], "b": "x y"}));
    assert_eq!(send("text/csv", b"a,b\n1,2").await, json!("a,b\n1,2"));
    assert_eq!(
        send("application/octet-stream", b"\xff\xfe").await,
        json!({"base64": "//4=", "media_type": "application/octet-stream", "size": 2})
    );
    let broken = ask(Method::POST, "/api/webhook/any").header("content-type", "application/json").body(Body::from("{\"a\": }")).unwrap();
    let refused = world.send(broken).await;
    assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["column"]), (400, &json!(7)));
}

#[tokio::test]
async fn a_secret_opens_the_webhook_and_is_not_kept() {
    let world = World::dev().await;
    world.plan(plan("Basic", json!({"path": "basic", "auth": "basic", "credential": "door", "respond": "last_step"}))).await;
    world.plan(plan("Header", json!({"path": "header", "auth": "header", "credential": "door", "respond": "last_step"}))).await;
    let call = |path: &str, header: Option<(&str, &str)>| {
        let mut request = ask(Method::POST, path).header("cookie", "session=1");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        request.body(Body::empty()).unwrap()
    };
    // Without the credential nobody may.
    assert_eq!(world.send(call("/api/webhook/basic", None)).await.status, 401);
    let fields = json!({"username": "shop", "password": "pass-phrase", "header_name": "X-Door", "header_value": "open-sesame"});
    let stored = world.post("/api/provider-credentials/webhook", json!({"credentials": fields, "name": "door"})).await;
    assert_eq!(stored.status, 201, "{}", stored.text);

    let refused = world.send(call("/api/webhook/basic", Some(("authorization", "Basic c2hvcDp3cm9uZw==")))).await;
    assert_eq!(
        (refused.status.as_u16(), refused.headers["www-authenticate"].to_str().unwrap()),
        (401, "Basic realm=\"webhook\", charset=\"UTF-8\"")
    );
    let admitted = world.send(call("/api/webhook/basic", Some(("authorization", "Basic c2hvcDpwYXNzLXBocmFzZQ==")))).await;
    assert_eq!((admitted.status.as_u16(), &admitted.body["trigger"]["headers"]), (200, &json!({"host": "localhost:5000"})));
    assert_eq!(world.send(call("/api/webhook/header", Some(("x-door", "open")))).await.status, 401);
    let admitted = world.send(call("/api/webhook/header", Some(("x-door", "open-sesame")))).await;
    assert_eq!((admitted.status.as_u16(), &admitted.body["trigger"]["headers"]), (200, &json!({"host": "localhost:5000"})));
}

#[tokio::test]
async fn webhooks_need_no_key() {
    let world = World::keyed().await;
    let (_, key) = world.key().await;
    let mut create = json_request(Method::POST, "/api/plans", &plan("Hook", json!({"path": "open"})));
    create.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    assert_eq!(world.send(create).await.status, 201);
    assert_eq!(world.post("/api/webhook/open", json!({})).await.status, 202);
    let foreign = ask(Method::POST, "/api/webhook/open").header("origin", "https://shop.example").body(Body::empty()).unwrap();
    assert_eq!(world.send(foreign).await.status, 202);
}

#[tokio::test]
async fn changes_of_another_process_are_followed() {
    let world = World::dev().await;
    tokio::spawn(mainspring_server::webhooks::follow(world.app.clone()));
    let settings = mainspring_server::settings::Settings { data: world.folder().to_owned(), ..World::settings() };
    let other = mainspring_server::wire::open(&settings, false).await.unwrap();
    let owner = mainspring_model::id::Owner::LOCAL;
    let checked = mainspring_model::plan::load_value(plan("Theirs", json!({"path": "theirs"})), &*other.catalog, &owner).unwrap();
    mainspring_server::plans::create(&other, owner, mainspring_model::store::PlanSource::Api, &checked).await.unwrap();
    let followed = async {
        while world.post("/api/webhook/theirs", json!({})).await.status != 202 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), followed).await.expect("the new route is seen");
}

#[tokio::test]
async fn files_of_a_delivery_become_files_of_the_plan() {
    let world = World::dev().await;
    let mut hooked = plan("Papers", json!({"path": "papers", "if": "trigger.body.kind !== 'spam'", "dedupe": "${trigger.body.no}"}));
    hooked["steps"] = json!([{"id": "read", "action": "file.read", "params": {"file": "${trigger.body.paper}"}},
        {"id": "seen", "action": "logic.set", "params": {"text": "${steps.read.output}", "body": "${trigger.body}"}}]);
    world.plan(hooked).await;
    let send = async |kind: &str, no: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\n{kind}\r\n--b\r\nContent-Disposition: form-data; name=\"no\"\r\n\r\n{no}\r\n\
             --b\r\nContent-Disposition: form-data; name=\"paper\"; filename=\"a/b.txt\"\r\nContent-Type: text/plain\r\n\r\nwhat it says\r\n--b--\r\n"
        );
        let request = ask(Method::POST, "/api/webhook/papers").header("content-type", "multipart/form-data; boundary=b");
        world.send(request.body(Body::from(body)).unwrap()).await
    };
    let files = async || world.get("/api/files").await.body["files"].as_array().unwrap().len();
    let taken = send("order", "1").await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let run = taken.body["runs"][0]["id"].as_str().unwrap().to_owned();
    world.get(&format!("/api/runs/{run}/events")).await;
    let output = world.get(&format!("/api/runs/{run}")).await.body["run"]["output"].clone();
    assert_eq!(
        (&output["text"], &output["body"]["kind"], &output["body"]["paper"]["name"]),
        (&json!("what it says"), &json!("order"), &json!("b.txt"))
    );
    assert_eq!(files().await, 1);
    assert_eq!(send("order", "1").await.body["runs"][0]["id"], json!(run), "the same message");
    assert_eq!(send("spam", "2").await.body["runs"], json!([]));
    assert_eq!(files().await, 1, "what starts nothing keeps nothing");
    let broken = ask(Method::POST, "/api/webhook/papers")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(Body::from("--b\r\nno"))
        .unwrap();
    assert_eq!(world.send(broken).await.status, 400);
}
