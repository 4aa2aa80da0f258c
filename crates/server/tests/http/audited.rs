//! What the audit log says of changes: how it was and how it is, without a secret, in the order in which it happened.

use http::Method;
use mainspring_model::clock::FakeClock;
use mainspring_model::id::Owner;
use mainspring_model::store::{AuditFilter, AuditOutcome, AuditRecord, Paging};
use serde_json::{Value, json};

use super::world::{World, ask, json_request};

async fn entries(world: &World, key: &str) -> Vec<Value> {
    let request = ask(Method::GET, "/api/organizations/current/audit-log?limit=200").header("authorization", format!("Bearer {key}"));
    let answer = world.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["entries"].as_array().unwrap().clone()
}

async fn does(world: &World, key: &str, method: Method, path: &str, body: Value) -> Value {
    let mut request = json_request(method, path, &body);
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let answer = world.send(request).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text);
    answer.body
}

#[tokio::test]
async fn every_change_says_how_it_was_and_how_it_is() {
    let world = World::keyed().await;
    let (owner, key) = world.key().await;
    let mut user = world.app.store.user(owner.user).await.unwrap().unwrap();
    user.operator = true;
    world.app.store.put_user(&user).await.unwrap();
    let does = async |method, path: &str, body| does(&world, &key, method, path, body).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let plan = |secret: &str| json!({"name": "Digest", "vars": {"token": secret}, "steps": [{"id": "a", "action": "logic.set", "params": {"x": secret}}]});
    let id = text(&does(Method::POST, "/api/plans", plan("s3cret-1")).await["plan"]["id"]);
    does(Method::PUT, &format!("/api/plans/{id}"), plan("s3cret-2")).await;
    does(Method::POST, &format!("/api/plans/{id}/schedule"), json!({"cron_expression": "@daily"})).await;
    does(Method::POST, &format!("/api/plans/{id}/unschedule"), json!({})).await;
    does(Method::DELETE, &format!("/api/plans/{id}"), json!({})).await;
    let wanted = json!({"provider": "openai", "name": "ours", "scope": "organization", "credentials": {"api_key": "s3cret-3"}});
    let id = text(&does(Method::POST, "/api/credentials", wanted).await["credential"]["id"]);
    does(Method::PATCH, &format!("/api/credentials/{id}"), json!({"hosts": ["api.example.com"], "credentials": {"api_key": "s3cret-4"}}))
        .await;
    does(Method::DELETE, &format!("/api/credentials/{id}"), json!({})).await;
    does(Method::POST, "/api/provider-credentials/openai", json!({"credentials": {"api_key": "s3cret-5"}})).await;
    let shop = |url: &str| json!({"name": "shop", "base_url": url, "auth_type": "api_key"});
    let id = text(&does(Method::POST, "/api/custom-integrations", shop("http://127.0.0.1:1")).await["integration"]["id"]);
    does(Method::PUT, &format!("/api/custom-integrations/{id}"), shop("http://127.0.0.1:2")).await;
    does(Method::PUT, "/api/organization/hidden-fields", json!({"fields": [{"field": "email", "least": "admin"}]})).await;
    does(Method::POST, "/api/organization/egress", json!({"host": "api.example.com", "note": "ours"})).await;
    does(Method::PUT, "/api/feature-flags/new_editor", json!({"enabled": true})).await;
    does(Method::DELETE, "/api/feature-flags/new_editor", json!({})).await;
    let rule = json!({"name": "mail", "events": ["run.failed"], "channel": "mail", "to": "ada@example.com"});
    does(Method::POST, "/api/notification-rules", rule).await;
    does(Method::PUT, "/api/organizations/current/variables/REGION", json!({"value": "eu"})).await;
    does(Method::PUT, "/api/organizations/current/variables/REGION", json!({"value": "s3cret-6", "secret": true})).await;
    does(Method::DELETE, "/api/organizations/current/variables/REGION", json!({})).await;

    let mut entries = entries(&world, &key).await;
    entries.reverse();
    let said: Vec<Value> =
        entries.iter().map(|entry| json!([entry["action"], entry["target_kind"], entry["before"], entry["after"]])).collect();
    let said = super::world::plain(&Value::Array(said));
    assert!(!said.to_string().contains("s3cret") && !said.to_string().contains("ada@example.com"), "{said}");
    insta::assert_json_snapshot!("said", said);
}

#[tokio::test]
async fn entries_of_one_millisecond_are_in_their_order() {
    let world = World::at(World::settings(), FakeClock::at(1_800_000_000_000)).await;
    let (owner, key) = world.key().await;
    for n in 0..40 {
        does(&world, &key, Method::PUT, &format!("/api/organizations/current/variables/V{n}"), json!({"value": n})).await;
    }
    let listed = entries(&world, &key).await;
    let values: Vec<u64> = listed.iter().rev().map(|entry| entry["after"]["value"].as_u64().unwrap()).collect();
    assert_eq!(values, (0..40).collect::<Vec<u64>>());
    assert_eq!(listed[0]["at"], listed[39]["at"], "the clock stood still");
    // An export has the same order.
    let request = ask(Method::GET, "/api/organizations/current/audit-log?format=jsonl").header("authorization", format!("Bearer {key}"));
    let lines = world.send(request.body(axum::body::Body::empty()).unwrap()).await.text;
    let exported: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exported, listed);
    let filter = AuditFilter { user: Some(owner.user), ..AuditFilter::default() };
    let page = world.app.store.list_audit(owner.org, &filter, &Paging { limit: 3, cursor: None }).await.unwrap();
    assert_eq!(page.items.iter().map(|entry| entry.target_id.as_deref().unwrap()).collect::<Vec<_>>(), ["V39", "V38", "V37"]);
}

async fn all(world: &World, owner: Owner) -> Vec<AuditRecord> {
    world.app.store.list_audit(owner.org, &AuditFilter::default(), &Paging { limit: 50, cursor: None }).await.unwrap().items
}

#[tokio::test]
async fn what_came_to_nothing_leaves_nothing_and_what_was_cut_off_is_unknown() {
    let world = World::keyed().await;
    let (owner, key) = world.key().await;
    let path = "/api/organizations/current/variables/V";
    let request = |name: &str| {
        let mut request = json_request(Method::PUT, &path.replace("/V", &format!("/{name}")), &json!({"value": 1}));
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        request
    };
    assert_eq!(world.send(request("no-name")).await.status, 422);
    assert_eq!(all(&world, owner).await, []);
    // The caller goes away while its write is under way, at each point where that can be.
    let mut unknown = 0;
    for polls in 1..40 {
        let mut work = Box::pin(world.send(request(&format!("V{polls}"))));
        let mut over = false;
        for _ in 0..polls {
            over = futures_util::poll!(&mut work).is_ready();
            if over {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(work);
        // Whatever was handed to the store by then is written when this one is.
        world
            .app
            .store
            .put_flag(&mainspring_model::store::FlagRecord {
                name: "fence".to_owned(),
                flag: mainspring_model::flag::Flag::default(),
                updated_at: 0,
                updated_by: owner.user,
            })
            .await
            .unwrap();
        let written = world.app.store.list_variables(owner.org).await.unwrap().iter().any(|one| one.name == format!("V{polls}"));
        let found = all(&world, owner).await;
        let of =
            found.iter().find(|entry| entry.target_id.as_deref().is_some_and(|id| id.rsplit('/').next() == Some(&format!("V{polls}"))));
        assert!(!written || of.is_some(), "a write without an entry after {polls} polls");
        unknown += usize::from(of.is_some_and(|entry| entry.outcome == AuditOutcome::Unknown));
        if over {
            return assert!(unknown > 0, "no request was cut off under way");
        }
    }
}
