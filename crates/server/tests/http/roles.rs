//! Roles at the door: each may call what the table gives it, and nothing else.

use axum::body::Body;
use http::Method;
use mainspring_model::id::{Owner, UserId};
use mainspring_model::role::Role;
use serde_json::{Value, json};

use super::world::{Answer, World, ask, doubling};

async fn send(world: &World, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let mut request = ask(method, path).header("authorization", format!("Bearer {key}"));
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    world.send(request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()).await
}

#[tokio::test]
async fn a_role_opens_what_the_table_gives_it() {
    let world = World::keyed().await;
    let (founder, owner) = world.key().await;
    let plan =
        send(&world, &owner, Method::POST, "/api/plans", Some(&doubling("Ours"))).await.body["plan"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/plans/{plan}");
    for role in Role::ALL {
        let person = Owner { org: founder.org, user: UserId(world.app.engine.new_id()) };
        world.joins(person, role).await;
        let key = world.key_of(person, None).await;
        let allowed = |status: u16, least: Role, answer: Answer| {
            let expected = if role >= least { (status, Value::Null) } else { (403, json!("PERMISSION_DENIED")) };
            let code = if answer.status == 403 { answer.body["code"].clone() } else { Value::Null };
            assert_eq!((answer.status.as_u16(), code), expected, "{role}: {}", answer.text);
        };
        allowed(200, Role::Viewer, send(&world, &key, Method::GET, &path, None).await);
        let run = json!({"plan_id": plan, "inputs": {"n": 1}});
        allowed(200, Role::Member, send(&world, &key, Method::POST, "/api/execute", Some(&run)).await);
        let made = send(&world, &key, Method::POST, "/api/plans", Some(&doubling("Theirs"))).await;
        let theirs = made.body["plan"]["id"].as_str().unwrap_or("00000000-0000-7000-8000-00000000000a").to_owned();
        allowed(201, Role::Member, made);
        allowed(204, Role::Admin, send(&world, &key, Method::DELETE, &format!("/api/plans/{theirs}"), None).await);
    }
}

#[tokio::test]
async fn who_is_disabled_or_was_removed_is_a_stranger() {
    let world = World::keyed().await;
    let (founder, _) = world.key().await;
    let person = Owner { org: founder.org, user: UserId(world.app.engine.new_id()) };
    world.joins(person, Role::Admin).await;
    world.app.store.delete_member(person.org, person.user).await.unwrap();
    let removed = world.key_of(person, None).await;
    assert_eq!(send(&world, &removed, Method::GET, "/api/plans", None).await.status, 401);
    world.joins(person, Role::Admin).await;
    let mut user = world.app.store.user(person.user).await.unwrap().unwrap();
    user.disabled_at = Some(1);
    world.app.store.put_user(&user).await.unwrap();
    let disabled = world.key_of(person, None).await;
    assert_eq!(send(&world, &disabled, Method::GET, "/api/plans", None).await.status, 401);
}

#[tokio::test]
async fn hidden_fields_are_hidden_wherever_runs_are_read() {
    let world = World::keyed().await;
    let (founder, owner) = world.key().await;
    let plan = json!({"name": "Contact", "inputs": {"email": {"type": "string"}},
        "steps": [{"id": "note", "action": "logic.set", "params": {"email": "${inputs.email}", "ok": true}}],
        "output": {"list": [{"Email": "${steps.note.output.email}"}]}});
    let plan = send(&world, &owner, Method::POST, "/api/plans", Some(&plan)).await.body["plan"]["id"].as_str().unwrap().to_owned();
    let rules = json!({"fields": [{"field": "*email", "least": "admin"}]});
    assert_eq!(send(&world, &owner, Method::PUT, "/api/organization/hidden-fields", Some(&rules)).await.status, 200);
    let key_of = async |role| {
        let person = Owner { org: founder.org, user: UserId(world.app.engine.new_id()) };
        world.joins(person, role).await;
        world.key_of(person, None).await
    };
    let (member, admin) = (key_of(Role::Member).await, key_of(Role::Admin).await);
    assert_eq!(send(&world, &member, Method::PUT, "/api/organization/hidden-fields", Some(&rules)).await.status, 403);
    let body = json!({"plan_id": plan, "inputs": {"email": "ada@example.com"}});
    let executed = send(&world, &member, Method::POST, "/api/execute", Some(&body)).await;
    let run = executed.body["execution"]["id"].as_str().unwrap_or_else(|| panic!("{}", executed.text)).to_owned();
    assert!(executed.text.contains("[hidden]") && !executed.text.contains("ada@"), "{}", executed.text);
    for path in [format!("/api/runs/{run}"), format!("/api/runs/{run}/events"), "/api/execution-logs".to_owned()] {
        let (hidden, seen) = (send(&world, &member, Method::GET, &path, None).await, send(&world, &admin, Method::GET, &path, None).await);
        assert!(hidden.text.contains("[hidden]") && !hidden.text.contains("ada@"), "{path}: {}", hidden.text);
        assert!(seen.text.contains("ada@example.com") && !seen.text.contains("[hidden]"), "{path}: {}", seen.text);
    }
    let wrong = json!({"fields": [{"field": "*", "least": "admin"}, {"field": "x", "least": "viewer"}]});
    let refused = send(&world, &owner, Method::PUT, "/api/organization/hidden-fields", Some(&wrong)).await;
    assert_eq!((refused.status.as_u16(), refused.body["errors"].as_array().map(Vec::len)), (422, Some(2)), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_holds_what_is_ones_own_and_nothing_else() {
    let world = World::keyed().await;
    let (founder, ours) = world.key().await;
    let person = Owner { org: founder.org, user: UserId(world.app.engine.new_id()) };
    world.joins(person, Role::Member).await;
    let theirs = world.key_of(person, None).await;
    for (key, name, secret) in [(&ours, "Ours", "sk-of-ours"), (&theirs, "Theirs", "sk-of-theirs")] {
        let plan = send(&world, key, Method::POST, "/api/plans", Some(&doubling(name))).await.body["plan"]["id"].clone();
        let run = json!({"plan_id": plan, "inputs": {"n": 21}});
        assert_eq!(send(&world, key, Method::POST, "/api/execute", Some(&run)).await.status, 200);
        let credential = json!({"credentials": {"api_key": secret}});
        assert_eq!(send(&world, key, Method::POST, "/api/provider-credentials/openai", Some(&credential)).await.status, 201);
    }
    let request = ask(Method::GET, "/api/data/export").header("authorization", format!("Bearer {theirs}")).body(Body::empty()).unwrap();
    let bytes = world.bytes(request).await;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut texts = std::collections::BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file, &mut text).unwrap();
        texts.insert(name, text);
    }
    let whole = texts.values().map(String::as_str).collect::<String>();
    assert!(whole.contains("\"Theirs\"") && !whole.contains("\"Ours\"") && !whole.contains("sk-of"), "{texts:?}");
    assert_eq!(texts["runs.jsonl"].lines().count(), 1, "{texts:?}");
    let run: Value = serde_json::from_str(&texts["runs.jsonl"]).unwrap();
    assert_eq!((&run["inputs"]["n"], &run["status"]), (&json!(21), &json!("success")));
    assert!(texts["user.json"].contains(&person.user.to_string()) && texts["credentials.json"].contains("api_key"));
}
