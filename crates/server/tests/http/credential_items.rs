//! Credentials of oneself, of others and of everybody: which one a step takes, where it may go, and who may change it.

use axum::body::Body;
use http::Method;
use mainspring_model::id::{Owner, UserId};
use mainspring_model::role::Role;
use serde_json::{Value, json};

use super::world::{Answer, World, ask};
use crate::servers::{Server, json as answer_json};

async fn send(world: &World, key: &str, method: Method, path: &str, body: Value) -> Answer {
    let mut request = ask(method, path).header("authorization", format!("Bearer {key}"));
    let mut text = Body::empty();
    if !body.is_null() {
        request = request.header("content-type", "application/json");
        text = Body::from(body.to_string());
    }
    world.send(request.body(text).unwrap()).await
}

struct Office {
    world: World,
    /// A member, her colleague, an admin: each by id and key.
    ann: (Owner, String),
    bob: (Owner, String),
    boss: (Owner, String),
    server: Server,
}

impl Office {
    async fn open() -> Office {
        let world = World::keyed().await;
        let (founder, _) = world.key().await;
        let person = async |role| {
            let owner = Owner { org: founder.org, user: UserId(world.app.engine.new_id()) };
            world.joins(owner, role).await;
            (owner, world.key_of(owner, None).await)
        };
        let (ann, bob, boss) = (person(Role::Member).await, person(Role::Member).await, person(Role::Admin).await);
        Office { world, ann, bob, boss, server: Server::start(|_| answer_json(200, &json!({}))).await }
    }

    /// Makes an `http` credential whose token says whose it is; its path.
    async fn make(&self, key: &str, token: &str, scope: &str) -> String {
        let body = json!({"provider": "http", "credentials": {"token": token}, "scope": scope, "hosts": ["127.0.0.1"]});
        let made = send(&self.world, key, Method::POST, "/api/credentials", body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        format!("/api/credentials/{}", made.body["credential"]["id"].as_str().unwrap())
    }

    async fn patch(&self, key: &str, path: &str, body: Value) -> Answer {
        send(&self.world, key, Method::PATCH, path, body).await
    }

    /// What a step of Ann's sends, or the code of why it does not.
    async fn sent(&self, url: &str, credential: Option<&str>) -> String {
        let before = self.server.asked().len();
        let mut step = json!({"id": "a", "action": "http.get", "params": {"url": url}});
        if let Some(credential) = credential {
            step["credential"] = json!(credential);
        }
        let answer = send(&self.world, &self.ann.1, Method::POST, "/api/execute-step", json!({"step": step})).await;
        let asked = self.server.asked();
        match asked.get(before) {
            Some(asked) => asked.header("authorization").trim_start_matches("Bearer ").to_owned(),
            None => answer.body["error"].as_str().unwrap_or(&answer.text).to_owned(),
        }
    }
}

/// Every set of credentials that can be there at once, beside one of Bob's that is not shared and one of another organization.
#[tokio::test]
async fn a_step_takes_ones_own_then_a_shared_one_then_the_organizations() {
    let office = Office::open().await;
    let (_, stranger) = office.world.key().await;
    office.make(&stranger, "foreign", "personal").await;
    let url = office.server.url("/");
    for set in 0..8 {
        let mut paths = Vec::new();
        for (bit, key, token, scope) in [
            (0, &office.ann.1, "own", "personal"),
            (1, &office.bob.1, "shared", "personal"),
            (2, &office.boss.1, "organization", "organization"),
        ] {
            // Bob's is there in any case, and Ann may use it or not.
            if set >> bit & 1 == 1 || bit == 1 {
                paths.push((bit, key, office.make(key, token, scope).await));
            }
        }
        if set & 2 == 2 {
            let (_, key, path) = paths.iter().find(|(bit, ..)| *bit == 1).unwrap();
            let shared = office.patch(key, path, json!({"shared_with": [office.ann.0.user.to_string()]})).await;
            assert_eq!(shared.status, 200, "{}", shared.text);
        }
        let expected = ["", "own", "shared", "own", "organization", "own", "shared", "own"][set];
        assert_eq!(office.sent(&url, None).await, expected, "set {set:#05b}");
        let named = if expected.is_empty() { "MISSING_CREDENTIALS" } else { expected };
        assert_eq!(office.sent(&url, Some("default")).await, named, "set {set:#05b}, by name");
        for (bit, key, path) in &paths {
            let id = path.rsplit('/').next().unwrap();
            let may = *bit != 1 || set & 2 == 2;
            let token = ["own", "shared", "organization"][*bit];
            assert_eq!(office.sent(&url, Some(id)).await, if may { token } else { "MISSING_CREDENTIALS" }, "by id, set {set:#05b}");
            assert_eq!(send(&office.world, key, Method::DELETE, path, Value::Null).await.status, 204);
        }
    }
}

/// The right is looked at when the step runs, whatever it was when the plan was saved.
#[tokio::test]
async fn what_is_taken_back_is_gone_at_once() {
    let office = Office::open().await;
    let path = office.make(&office.bob.1, "shared", "personal").await;
    let url = office.server.url("/");
    assert_eq!(office.patch(&office.bob.1, &path, json!({"shared_with": [office.ann.0.user.to_string()]})).await.status, 200);
    let plan = json!({"name": "Uses", "steps": [{"id": "a", "action": "http.get", "credential": "default", "params": {"url": url}}]});
    let saved = send(&office.world, &office.ann.1, Method::POST, "/api/plans", plan).await;
    let run = json!({"plan_id": saved.body["plan"]["id"]});
    let ran = send(&office.world, &office.ann.1, Method::POST, "/api/execute", run.clone()).await;
    assert_eq!((&ran.body["success"], office.server.asked().len()), (&json!(true), 1), "{}", ran.text);
    assert_eq!(office.patch(&office.bob.1, &path, json!({"shared_with": []})).await.status, 200);
    let ran = send(&office.world, &office.ann.1, Method::POST, "/api/execute", run).await;
    assert_eq!((&ran.body["success"], office.server.asked().len()), (&json!(false), 1), "{}", ran.text);
    assert!(ran.text.contains("MISSING_CREDENTIALS"), "{}", ran.text);
}

#[tokio::test]
async fn a_credential_is_sent_to_its_hosts_only() {
    let office = Office::open().await;
    let path = office.make(&office.ann.1, "own", "personal").await;
    let url = office.server.url("/");
    let port = url.rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    for (hosts, expected) in [
        (json!(["127.0.0.1"]), "own"),
        (json!([format!("127.0.0.1:{port}")]), "own"),
        (json!(["*"]), "own"),
        (Value::Null, "own"),
        (json!(["127.0.0.1:1"]), "CREDENTIAL_HOST"),
        (json!(["api.example.com", "*.example.org"]), "CREDENTIAL_HOST"),
    ] {
        assert_eq!(office.patch(&office.ann.1, &path, json!({"hosts": hosts})).await.status, 200);
        assert_eq!(office.sent(&url, None).await, expected, "{hosts}");
    }
    // A provider with a host of its own needs no list, and a base_url adds its own.
    let body = json!({"provider": "openai", "credentials": {"api_key": "k", "base_url": office.server.url("/v1")}});
    let made = send(&office.world, &office.ann.1, Method::POST, "/api/credentials", body).await;
    let test = format!("/api/credentials/{}/test", made.body["credential"]["id"].as_str().unwrap());
    let tested = send(&office.world, &office.ann.1, Method::POST, &test, json!({})).await;
    assert_eq!(
        (&tested.body["status"], office.server.asked().last().unwrap().line().contains("/v1/models")),
        (&json!("ok"), true),
        "{}",
        tested.text
    );
}

#[tokio::test]
async fn who_may_change_what() {
    let office = Office::open().await;
    let refused = |answer: Answer, status: u16, text: &str| {
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(text), "{}", answer.text);
    };
    let body = |scope: &str, hosts: Value| json!({"provider": "http", "credentials": {"token": "t"}, "scope": scope, "hosts": hosts});
    let post = async |key: &str, body| send(&office.world, key, Method::POST, "/api/credentials", body).await;
    refused(post(&office.ann.1, body("organization", json!(["a.example"]))).await, 403, "PERMISSION_DENIED");
    refused(post(&office.boss.1, body("organization", Value::Null)).await, 422, "/hosts");
    refused(post(&office.boss.1, body("organization", json!(["https://a.example/x"]))).await, 422, "/hosts/0");
    refused(post(&office.boss.1, body("everybody", Value::Null)).await, 422, "/scope");
    let ours = office.make(&office.boss.1, "t", "organization").await;
    let hers = office.make(&office.ann.1, "t", "personal").await;
    refused(office.patch(&office.ann.1, &ours, json!({"name": "mine"})).await, 403, "PERMISSION_DENIED");
    refused(send(&office.world, &office.ann.1, Method::DELETE, &ours, Value::Null).await, 403, "PERMISSION_DENIED");
    refused(office.patch(&office.boss.1, &hers, json!({"name": "mine"})).await, 404, "NOT_FOUND");
    refused(send(&office.world, &office.bob.1, Method::GET, &hers, Value::Null).await, 404, "NOT_FOUND");
    let stranger = UserId(office.world.app.engine.new_id()).to_string();
    refused(office.patch(&office.ann.1, &hers, json!({"shared_with": [stranger]})).await, 422, "/shared_with/0");
    refused(office.patch(&office.ann.1, &hers, json!({"hosts": null, "shared_with": [office.bob.0.user]})).await, 422, "/hosts");
    assert_eq!(office.patch(&office.ann.1, &hers, json!({"shared_with": [office.bob.0.user]})).await.status, 200);
    refused(office.patch(&office.bob.1, &hers, json!({"hosts": ["*"]})).await, 403, "by its owner alone");
    let seen = send(&office.world, &office.bob.1, Method::GET, &hers, Value::Null).await;
    assert_eq!((&seen.body["credential"]["access"], &seen.body["credential"]["shared_with"]), (&json!("shared"), &Value::Null));
    let change = json!({"name": "work", "credentials": {"username": "ann", "password": "p"}, "expires_at": "2999-01-01T00:00:00Z"});
    let changed = office.patch(&office.ann.1, &hers, change).await;
    assert_eq!(changed.body["credential"]["fields"], json!(["password", "token", "username"]), "{}", changed.text);
    let changed = office.patch(&office.ann.1, &hers, json!({"credentials": {"token": null}, "expires_at": null})).await;
    let credential = &changed.body["credential"];
    assert_eq!((&credential["fields"], &credential["expires_at"]), (&json!(["password", "username"]), &Value::Null), "{}", changed.text);
    assert_eq!((&credential["name"], &credential["valid"]), (&json!("work"), &json!(true)));
    refused(office.patch(&office.ann.1, &hers, json!({"credentials": {"tokn": "x"}, "name": "${x}"})).await, 422, "UNKNOWN_FIELD");
    let listed = send(&office.world, &office.bob.1, Method::GET, "/api/credentials?provider=http", Value::Null).await;
    let rights: Vec<&Value> = listed.body["credentials"].as_array().unwrap().iter().map(|one| &one["access"]).collect();
    assert_eq!(rights, ["organization", "shared"]);
}

#[tokio::test]
async fn a_test_says_what_it_saw() {
    let office = Office::open().await;
    let picky = Server::start(|asked| {
        let known = asked.header("authorization") == "Bearer right";
        answer_json(if known { 200 } else { 401 }, &json!({"error": {"message": format!("no: {}", asked.header("authorization"))}}))
    })
    .await;
    let test = async |provider: &str, fields: Value, body: Value| {
        let made = json!({"provider": provider, "credentials": fields});
        let made = send(&office.world, &office.ann.1, Method::POST, "/api/credentials", made).await;
        let path = format!("/api/credentials/{}/test", made.body["credential"]["id"].as_str().unwrap());
        let tested = send(&office.world, &office.ann.1, Method::POST, &path, body).await;
        assert_eq!(tested.status, 200, "{}", tested.text);
        assert!(!tested.text.contains("wrong-key"), "{}", tested.text);
        tested.body["status"].as_str().unwrap().to_owned()
    };
    let base = picky.url("/v1");
    assert_eq!(test("openai", json!({"api_key": "right", "base_url": base}), json!({})).await, "ok");
    assert_eq!(test("groq", json!({"api_key": "wrong-key", "base_url": base}), json!({})).await, "refused");
    assert_eq!(test("groq", json!({"api_key": "right", "base_url": "http://127.0.0.1:9/v1"}), json!({})).await, "failed");
    assert_eq!(test("http", json!({"token": "right"}), json!({})).await, "untestable");
    assert_eq!(test("http", json!({"token": "right"}), json!({"url": picky.url("/me")})).await, "ok");
    assert_eq!(test("http", json!({"token": "wrong-key"}), json!({"url": picky.url("/me")})).await, "refused");
    assert_eq!(test("webhook", json!({"token": "right"}), json!({"url": picky.url("/me")})).await, "untestable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_that_are_made_at_once_under_one_name_one_is_there_and_opens() {
    let world = World::dev().await;
    let body = |n: usize| json!({"credentials": {"api_key": format!("sk-{n}")}});
    let answers = futures_util::future::join_all((0..8).map(|n| world.post("/api/provider-credentials/openai", body(n)))).await;
    assert!(answers.iter().all(|answer| answer.status.is_success()));
    let stored = world.app.store.list_credentials(&Owner::LOCAL, Some("openai")).await.unwrap();
    assert_eq!(stored.len(), 1);
    world.app.engine.credentials().open_record(&stored[0]).await.expect("its values are sealed for its own id");
}
