//! Organizations over HTTP: making them, who is in them, invitations, variables in runs, and the end.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use mainspring_model::id::{OrgId, Owner, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::copy::{Cell, Row, Sink, Source, Table};
use mainspring_model::store::{AuditFilter, Erasure, Paging, StoreError};
use mainspring_server::settings::Settings;
use mainspring_store::SqliteSnapshot;
use serde_json::{Value, json};

use super::world::{Answer, World, ask, doubling};
use crate::servers::echo;

pub fn request(key: &str, method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let request = ask(method, path).header("authorization", format!("Bearer {key}")).header("content-type", "application/json");
    request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).expect("a request")
}

pub async fn send(world: &World, key: &str, method: Method, path: &str, body: impl Into<Option<Value>>) -> Answer {
    world.send(request(key, method, path, body.into())).await
}

pub async fn joined(world: &World, org: OrgId, role: Role) -> (Owner, String) {
    let owner = Owner { org, user: UserId(world.app.engine.new_id()) };
    world.joins(owner, role).await;
    (owner, world.key_of(owner, None).await)
}

#[tokio::test]
async fn one_person_has_several_organizations() {
    let world = World::dev().await;
    let made = world.post("/api/organizations", json!({"name": "North Wind"})).await;
    assert_eq!((made.status.as_u16(), &made.body["organization"]["slug"]), (201, &json!("north-wind")), "{}", made.text);
    let again = world.post("/api/organizations", json!({"name": "North  Wind!"})).await;
    assert_eq!(again.body["organization"]["slug"], "north-wind-2");
    let taken = world.post("/api/organizations", json!({"name": "Else", "slug": "north-wind"})).await;
    assert_eq!(taken.status, 409, "{}", taken.text);
    for (body, pointer) in [(json!({"name": " "}), "/name"), (json!({"name": "a", "slug": "A b"}), "/slug")] {
        let refused = world.post("/api/organizations", body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
    let listed = world.get("/api/organizations").await.body;
    let slugs: Vec<&str> = listed["organizations"].as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, ["local", "north-wind", "north-wind-2"]);
    // The header picks one, by id or slug; what is made there is not here.
    let id = made.body["organization"]["id"].as_str().unwrap();
    for name in [id, "north-wind"] {
        let mut there = super::world::json_request(Method::POST, "/api/plans", &doubling("There"));
        there.headers_mut().insert("x-organization", name.parse().unwrap());
        assert_eq!(world.send(there).await.status, 201);
    }
    assert_eq!(world.get("/api/plans").await.body["plans"], json!([]));
    let renamed = world.put("/api/organizations/north-wind", json!({"name": "South", "slug": "south"})).await;
    assert_eq!((renamed.status.as_u16(), &renamed.body["organization"]["name"]), (200, &json!("South")), "{}", renamed.text);
    assert_eq!(world.get("/api/organizations/north-wind").await.status, 404);
    assert_eq!(world.get("/api/organizations/current").await.body["organization"]["slug"], "local");
}

#[tokio::test]
async fn members_come_by_invitation_and_go_with_their_keys() {
    let world = World::keyed().await;
    let (ada, key) = world.key().await;
    let (bob, bobs) = world.key().await;
    let home = format!("/api/organizations/{}", ada.org);
    let invite = async |key: &str, body: Value| send(&world, key, Method::POST, &format!("{home}/invitations"), body).await;
    let made = invite(&key, json!({"role": "member", "email": format!("{}@EXAMPLE.com", bob.user)})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = made.body["token"].clone();
    assert!(made.body["link"].as_str().unwrap().contains(token.as_str().unwrap()));
    let use_it =
        async |key: &str, verb: &str| send(&world, key, Method::POST, &format!("/api/invitations/{verb}"), json!({"token": token})).await;
    // It is for one address.
    let (_, eves) = world.key().await;
    assert_eq!(use_it(&eves, "accept").await.status, 403);
    assert_eq!(use_it(&bobs, "look").await.body["invitation"]["state"], "pending");
    let accepted = use_it(&bobs, "accept").await;
    assert_eq!((accepted.status.as_u16(), &accepted.body["invitation"]["state"]), (200, &json!("accepted")), "{}", accepted.text);
    assert_eq!(use_it(&bobs, "accept").await.body["code"], "INVITATION_ENDED");
    let there = Owner { org: ada.org, user: bob.user };
    let bob_there = world.key_of(there, None).await;
    assert_eq!(invite(&bob_there, json!({})).await.status, 403, "a member invites nobody");
    let members = send(&world, &bob_there, Method::GET, &format!("{home}/members"), None).await;
    assert_eq!(members.body["members"].as_array().map(Vec::len), Some(2), "{}", members.text);
    // What Bob has here: a plan with a schedule, a credential, a key.
    let plan =
        send(&world, &bob_there, Method::POST, "/api/plans", doubling("Bob's")).await.body["plan"]["id"].as_str().unwrap().to_owned();
    let daily = json!({"cron_expression": "@daily"});
    assert_eq!(send(&world, &bob_there, Method::POST, &format!("/api/plans/{plan}/schedule"), daily).await.status, 200);
    let credential = json!({"credentials": {"api_key": "sk-bob"}});
    assert_eq!(send(&world, &bob_there, Method::POST, "/api/provider-credentials/openai", credential).await.status, 201);
    let removed = send(&world, &key, Method::DELETE, &format!("{home}/members/{}", bob.user), None).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    assert_eq!((&removed.body["api_keys"], &removed.body["credentials"], &removed.body["plans"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(send(&world, &bob_there, Method::GET, "/api/plans", None).await.status, 401, "at once on this node");
    assert_eq!(send(&world, &bobs, Method::GET, "/api/plans", None).await.status, 200, "his own organization is his");
    // The plan goes on, and is Ada's.
    let jobs = send(&world, &key, Method::GET, "/api/scheduler/jobs", None).await.body;
    assert_eq!(jobs["total"], 1);
    assert_eq!(world.app.store.get_plan(ada.org, plan.parse().unwrap()).await.unwrap().unwrap().owner, ada);
}

#[tokio::test]
async fn ranks_hold_and_somebody_always_owns_it() {
    let world = World::keyed().await;
    let (ada, key) = world.key().await;
    let (admin, admins) = joined(&world, ada.org, Role::Admin).await;
    let (viewer, viewers) = joined(&world, ada.org, Role::Viewer).await;
    let home = format!("/api/organizations/{}", ada.org);
    let role = async |key: &str, user: UserId, role: &str| {
        send(&world, key, Method::PUT, &format!("{home}/members/{user}"), json!({"role": role})).await.status.as_u16()
    };
    assert_eq!(role(&viewers, viewer.user, "owner").await, 403);
    assert_eq!(role(&admins, admin.user, "owner").await, 403, "nobody raises themselves above their own role");
    assert_eq!(role(&admins, viewer.user, "owner").await, 403);
    assert_eq!(role(&admins, ada.user, "viewer").await, 403, "only owners touch owners");
    assert_eq!(role(&admins, viewer.user, "admin").await, 200);
    assert_eq!(role(&key, ada.user, "admin").await, 409, "the last owner");
    let owner = send(&world, &admins, Method::POST, &format!("{home}/invitations"), json!({"role": "owner"})).await;
    assert_eq!(owner.status, 403, "{}", owner.text);
    assert_eq!(send(&world, &key, Method::POST, &format!("{home}/leave"), json!({})).await.status, 409);
    assert_eq!(send(&world, &key, Method::DELETE, &format!("{home}/members/{}", ada.user), None).await.status, 409);
    let over = send(&world, &key, Method::POST, &format!("{home}/transfer"), json!({"to": admin.user})).await;
    assert_eq!(over.status, 200, "{}", over.text);
    assert_eq!(role(&key, admin.user, "viewer").await, 403, "an admin now");
    let left = send(&world, &key, Method::POST, &format!("{home}/leave"), json!({})).await;
    assert_eq!((left.status.as_u16(), &left.body["heir"]), (200, &json!(admin.user)), "{}", left.text);
    assert_eq!(send(&world, &key, Method::GET, &home, None).await.status, 401);
}

#[tokio::test]
async fn an_invitation_ends_in_one_way() {
    let world = World::keyed().await;
    let (ada, key) = world.key().await;
    let (_, bobs) = world.key().await;
    let path = format!("/api/organizations/{}/invitations", ada.org);
    let mut made = Vec::new();
    for _ in 0..2 {
        made.push(send(&world, &key, Method::POST, &path, json!({"expires_in": "2d"})).await.body);
    }
    let declined = send(&world, &bobs, Method::POST, "/api/invitations/decline", json!({"token": made[0]["token"]})).await;
    assert_eq!(declined.body["invitation"]["state"], "declined");
    let revoke = format!("{path}/{}", made[1]["invitation"]["id"].as_str().unwrap());
    assert_eq!(send(&world, &key, Method::DELETE, &revoke, None).await.status, 204);
    assert_eq!(send(&world, &key, Method::DELETE, &revoke, None).await.status, 409);
    for one in &made {
        let answer = send(&world, &bobs, Method::POST, "/api/invitations/accept", json!({"token": one["token"]})).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (409, &json!("INVITATION_ENDED")));
    }
    for wrong in ["", "msi_x", "msk_0000000000000000000000000000000000000000"] {
        assert_eq!(send(&world, &bobs, Method::POST, "/api/invitations/accept", json!({"token": wrong})).await.status, 404, "{wrong}");
    }
    for wrong in [json!({"expires_in": "0s"}), json!({"expires_in": "1000d"}), json!({"email": "nobody"})] {
        assert_eq!(send(&world, &key, Method::POST, &path, wrong).await.status, 422);
    }
    let listed = send(&world, &key, Method::GET, &path, None).await.body;
    let states: Vec<&str> = listed["invitations"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["revoked", "declined"]);
    assert!(!listed.to_string().contains("token"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_reach_runs_and_secrets_reach_only_the_service() {
    let world = World::dev().await;
    let path = "/api/organizations/current/variables";
    let secret = "s3cr3t/of the&organization";
    assert_eq!(world.put(&format!("{path}/REGION"), json!({"value": {"name": "eu"}})).await.status, 200);
    let stored = world.put(&format!("{path}/TOKEN"), json!({"value": secret, "secret": true})).await;
    assert_eq!((stored.status.as_u16(), stored.body["variable"].get("value")), (200, None), "{}", stored.text);
    for (name, body) in [("1X", json!({"value": 1})), ("A-B", json!({"value": 1})), ("X", json!({"value": 1, "secret": true}))] {
        assert_eq!(world.put(&format!("{path}/{name}"), body).await.status, 422, "{name}");
    }
    let service = echo().await;
    let plan = world
        .plan(json!({"name": "Uses both", "inputs": {"text": {"type": "string"}}, "steps": [
            {"id": "plain", "action": "logic.set", "params": {"region": "${org.REGION.name}", "kept": "${org.TOKEN}"}},
            {"id": "call", "action": "http.request", "params": {"method": "POST", "url": format!("{}/x?k=${{org.TOKEN}}", service.url("")),
                "headers": {"x-token": "Bearer ${steps.plain.output.kept}"}, "body": {"t": "${org.TOKEN}", "text": "${inputs.text}"}}},
        ]}))
        .await;
    let forged = "mainspring-secret.TOKEN.00000000000000000000000000000000.end";
    let done = world.post("/api/execute", json!({"plan_id": plan, "inputs": {"text": forged}})).await;
    assert_eq!(done.body["success"], true, "{}", done.text);
    let seen = service.asked().pop().unwrap();
    assert_eq!(seen.header("x-token"), format!("Bearer {secret}"));
    assert_eq!(seen.json()["t"], secret);
    assert_eq!(seen.json()["text"], forged, "text that looks like a mark is text");
    assert_eq!(seen.query("k").as_deref(), Some(secret), "one parameter and no more: {}", seen.query);
    // Nothing of it anywhere that is stored or answered.
    let run = done.body["execution"]["id"].as_str().unwrap();
    let shown = world.get(&format!("/api/runs/{run}")).await;
    assert!(!shown.text.contains("s3cr3t") && shown.text.contains("\"region\":\"eu\""), "{}", shown.text);
    world.app.store.probe().await.unwrap();
    for entry in std::fs::read_dir(world.folder()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(6).any(|part| part == b"s3cr3t"), "{} holds it in clear", entry.path().display());
    }
    assert_eq!(world.delete(&format!("{path}/TOKEN")).await.status, 204);
    assert_eq!(world.delete(&format!("{path}/TOKEN")).await.status, 404);
    let listed = world.get(path).await.body;
    assert_eq!(listed["variables"][0]["value"], json!({"name": "eu"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_sees_plain_variables_and_no_secret() {
    let world = World::dev().await.driving().await;
    let path = "/api/organizations/current/variables";
    world.put(&format!("{path}/REGION"), json!({"value": "eu"})).await;
    world.put(&format!("{path}/TOKEN"), json!({"value": "s3cr3t", "secret": true})).await;
    let plan = |name: &str, condition: &str| {
        json!({"name": name, "inputs": {"region": {"type": "string"}},
            "triggers": [{"type": "webhook", "path": name, "respond": "last_step", "if": condition, "inputs": {"region": "${org.REGION}"}}],
            "steps": [{"id": "said", "action": "logic.set", "params": {"region": "${inputs.region}"}}]})
    };
    world.plan(plan("here", "org.REGION == trigger.body.region")).await;
    let answer = world.post("/api/webhook/here", json!({"region": "eu"})).await;
    assert_eq!((answer.status.as_u16(), &answer.body["region"]), (200, &json!("eu")), "{}", answer.text);
    world.plan(plan("secret", "org.TOKEN == 's3cr3t'")).await;
    let refused = world.post("/api/webhook/secret", json!({})).await;
    assert_eq!(refused.body["code"], "UNRESOLVED_REFERENCE", "a secret belongs to runs alone: {}", refused.text);
}

#[tokio::test]
async fn a_deleted_organization_can_come_back_until_its_time_has_come() {
    let world = World::keyed().await;
    let (ada, key) = world.key().await;
    let home = format!("/api/organizations/{}", ada.org);
    assert_eq!(send(&world, &key, Method::POST, "/api/plans", doubling("Kept")).await.status, 201);
    let unsure = send(&world, &key, Method::DELETE, &home, None).await;
    assert_eq!((unsure.status.as_u16(), &unsure.body["errors"][0]["code"]), (422, &json!("CONFIRMATION_MISSING")));
    let gone = send(&world, &key, Method::DELETE, &format!("{home}?confirm={}", ada.org), None).await;
    assert_eq!(gone.status, 202, "{}", gone.text);
    assert!(gone.body["organization"]["erase_at"].is_string());
    let closed = send(&world, &key, Method::GET, "/api/plans", None).await;
    assert_eq!((closed.status.as_u16(), &closed.body["code"]), (409, &json!("ORGANIZATION_CLOSED")));
    assert_eq!(send(&world, &key, Method::POST, &format!("{home}/restore"), json!({})).await.status, 200);
    assert_eq!(send(&world, &key, Method::GET, "/api/plans", None).await.body["plans"].as_array().map(Vec::len), Some(1));
    assert_eq!(send(&world, &key, Method::POST, &format!("{home}/restore"), json!({})).await.status, 409);
}

/// Counts the rows of one organization.
struct Of {
    org: Cell,
    found: BTreeMap<&'static str, usize>,
}

#[async_trait::async_trait]
impl Sink for Of {
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        let own = rows.iter().filter(|row| row[0] == self.org).count();
        if own > 0 {
            *self.found.entry(table.name).or_default() += own;
        }
        Ok(())
    }
}

/// Rows of each table that are the organization's, as a copy of the whole store would have them.
async fn rows_of(world: &World, org: OrgId) -> BTreeMap<&'static str, usize> {
    let mut whole = SqliteSnapshot::open(world.folder()).await.unwrap();
    let mut of = Of { org: Cell::Bytes(org.0.as_bytes().to_vec()), found: BTreeMap::new() };
    whole.read(&mut of).await.unwrap();
    of.found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_leaves_no_row_and_opens_no_backup() {
    let world = World::with(Settings { grace: Duration::ZERO, ..World::settings() }).await;
    let (ada, key) = world.key().await;
    let home = format!("/api/organizations/{}", ada.org);
    let plan = send(&world, &key, Method::POST, "/api/plans", doubling("Mine")).await.body["plan"]["id"].clone();
    let done = send(&world, &key, Method::POST, "/api/execute", json!({"plan_id": plan, "inputs": {"n": 1}})).await;
    assert_eq!(done.body["success"], true, "{}", done.text);
    let steps = json!([{"id": "wait", "action": "logic.sleep", "params": {"for": "1h"}}]);
    let waits = send(&world, &key, Method::POST, "/api/plans", json!({"name": "Waits", "steps": steps})).await.body["plan"]["id"].clone();
    assert_eq!(send(&world, &key, Method::POST, "/api/execute", json!({"plan_id": waits, "wait": false})).await.status, 202);
    let credential = json!({"credentials": {"api_key": "sk-ada"}});
    assert_eq!(send(&world, &key, Method::POST, "/api/provider-credentials/openai", credential).await.status, 201);
    assert_eq!(send(&world, &key, Method::PUT, &format!("{home}/variables/A"), json!({"value": "x", "secret": true})).await.status, 200);
    let before = rows_of(&world, ada.org).await;
    for table in ["plans", "credentials", "variables", "data_keys", "api_keys", "audit_log", "runs", "journal", "members", "organizations"]
    {
        assert!(before.contains_key(table), "{table}: {before:?}");
    }
    // What a backup from before still has, sealed.
    let sealed = world.app.store.list_credentials(&ada, None).await.unwrap().remove(0);
    assert!(world.app.engine.credentials().open_record(&sealed).await.is_ok());
    assert_eq!(send(&world, &key, Method::DELETE, &format!("{home}?confirm={}", ada.org), None).await.status, 202);
    let gone = async {
        while world.app.store.organization(ada.org).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), gone).await;
    assert!(in_time.is_ok(), "{:?}", rows_of(&world, ada.org).await);
    assert_eq!(rows_of(&world, ada.org).await, BTreeMap::new());
    assert!(world.app.engine.credentials().open_record(&sealed).await.is_err(), "its key is gone");
    assert!(world.app.store.data_keys().await.unwrap().iter().all(|key| key.org != ada.org));
    assert_eq!(world.app.store.erase(ada.org, 10).await.unwrap(), Erasure::Gone);
    assert_eq!(send(&world, &key, Method::GET, &home, None).await.status, 401);
    // The installation remembers that it happened.
    let paging = Paging { limit: 5, cursor: None };
    let kept = world.app.store.list_audit(OrgId::INSTALLATION, &AuditFilter::default(), &paging).await.unwrap().items;
    assert_eq!(kept.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["delete_organization"]);
}

#[tokio::test]
async fn the_audit_log_is_filtered_and_exported() {
    let world = World::keyed().await;
    let (ada, key) = world.key().await;
    let (bob, bobs) = joined(&world, ada.org, Role::Member).await;
    let log = format!("/api/organizations/{}/audit-log", ada.org);
    let plan = send(&world, &bobs, Method::POST, "/api/plans", doubling("=cmd")).await.body["plan"]["id"].as_str().unwrap().to_owned();
    assert_eq!(send(&world, &bobs, Method::DELETE, &format!("/api/plans/{plan}"), None).await.status, 403);
    assert_eq!(send(&world, &key, Method::DELETE, &format!("/api/plans/{plan}"), None).await.status, 204);
    assert_eq!(send(&world, &bobs, Method::GET, &log, None).await.status, 403, "members do not read it");
    let read = async |query: &str| send(&world, &key, Method::GET, &format!("{log}{query}"), None).await;
    let all = read("").await.body;
    let mut shown: Vec<String> =
        all["entries"].as_array().unwrap().iter().map(|entry| format!("{} {}", entry["action"], entry["outcome"])).collect();
    // Those of one millisecond have no order.
    shown.sort();
    assert_eq!(
        shown,
        ["\"create_plan\" \"done\"", "\"delete_plan\" \"done\"", "\"delete_plan\" \"refused\"", "\"list_audit_log\" \"refused\""]
    );
    assert_eq!(read(&format!("?actor={}", bob.user)).await.body["entries"].as_array().map(Vec::len), Some(3));
    assert_eq!(read("?action=create_plan").await.body["entries"].as_array().map(Vec::len), Some(1));
    assert_eq!(read("?since=2999-01-01T00:00:00Z").await.body["entries"], json!([]));
    assert_eq!(read("?actor=nobody").await.status, 400);
    let page = read("?limit=1").await.body;
    assert!(page["next_cursor"].is_string());
    let lines = read("?format=jsonl").await;
    assert_eq!(lines.headers["content-type"], "application/x-ndjson");
    assert_eq!(lines.text.lines().count(), 4);
    assert!(lines.text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let mut evil = request(&key, Method::POST, "/api/plans", Some(doubling("x")));
    evil.headers_mut().insert("user-agent", "=HYPERLINK(\"http://evil.example\")".parse().unwrap());
    assert_eq!(world.send(evil).await.status, 201);
    let csv = read("?format=csv").await;
    assert!(csv.text.starts_with("id,at,user_id,via,") && csv.text.contains("\"'=HYPERLINK(\"\"http"), "{}", csv.text);
}

#[tokio::test]
async fn using_a_credential_is_noted_without_a_write_of_its_own() {
    let world = World::dev().await;
    let service = echo().await;
    let definition = json!({"name": "shop", "base_url": service.url(""), "auth_type": "api_key"});
    let integration = world.post("/api/custom-integrations", definition).await.body["integration"].clone();
    let (id, provider) = (integration["id"].as_str().unwrap(), integration["provider"].as_str().unwrap());
    let stored =
        world.post(&format!("/api/custom-integrations/{id}/credentials"), json!({"type": "api_key", "value": "t0k3n-12345"})).await;
    assert!(stored.status.is_success(), "{}", stored.text);
    let step =
        |n: u32| json!({"id": format!("s{n}"), "action": format!("{provider}.request"), "params": {"method": "GET", "endpoint": "/"}});
    let steps: Vec<Value> = (0..5).map(step).collect();
    let plan = world.plan(json!({"name": "Five calls", "steps": steps})).await;
    let done = world.post("/api/execute", json!({"plan_id": plan})).await;
    assert_eq!(done.body["success"], true, "{}", done.text);
    let log = world.get("/api/organizations/current/audit-log?action=use_credential").await.body;
    let entries = log["entries"].as_array().unwrap();
    let times: u64 = entries.iter().map(|entry| entry["after"]["times"].as_u64().unwrap()).sum();
    assert_eq!(times, 5, "{log}");
    assert_eq!((&entries[0]["via"], &entries[0]["via_id"]), (&json!("run"), &done.body["execution"]["id"]));
    assert!(entries[0]["target_id"].as_str().unwrap().starts_with(provider) && !log.to_string().contains("t0k3n"));
}
