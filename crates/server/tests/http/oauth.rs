//! OAuth credentials: renewed by one of all who need it, kept when the endpoint fails, and marked when the service took the grant back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use futures_util::future::join_all;
use http::Method;
use mainspring_model::catalog::Catalog;
use mainspring_model::credential::Secret;
use mainspring_model::id::{CredentialId, Owner};
use mainspring_server::app::App;
use mainspring_server::settings::{EgressMode, Settings};
use mainspring_server::wire;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::world::{World, ask};
use crate::postgres::database::Database;
use crate::servers::{Asked, Server, reply};

const KEY: &str = "wk/tYeWin4b+rEWqGqlchfxxzJgpPuxS0jHyNkDKbs8=";

/// What the token endpoint does next.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Grant,
    /// Without `expires_in`.
    Endless,
    Fails,
    Html,
    Revoked,
}

/// A service with a token endpoint that takes each refresh token once, and an API that takes the newest access token.
struct Service {
    server: Server,
    state: Arc<Mutex<(u32, Mode)>>,
    /// The endpoint waits for it before it answers, when it is to.
    gate: Arc<Notify>,
}

fn form(asked: &Asked) -> HashMap<String, String> {
    url::form_urlencoded::parse(&asked.body).into_owned().collect()
}

fn token(asked: &Asked, state: &Mutex<(u32, Mode)>) -> crate::servers::server::Reply {
    let mut state = state.lock().unwrap();
    let (number, mode) = *state;
    let json = |status, body: Value| reply(status, &[("content-type", "application/json")], body.to_string());
    match mode {
        Mode::Fails => reply(503, &[], "busy"),
        Mode::Html => reply(200, &[("content-type", "text/html")], "<html>Log in, please</html>"),
        Mode::Revoked => json(400, json!({ "error": "invalid_grant", "error_description": "revoked" })),
        _ if form(asked).get("refresh_token") != Some(&format!("refresh-{number}")) => json(400, json!({ "error": "invalid_grant" })),
        _ => {
            state.0 += 1;
            let number = state.0;
            let mut body =
                json!({ "access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"), "token_type": "Bearer" });
            if mode == Mode::Grant {
                body["expires_in"] = json!(3600);
            }
            json(200, body)
        }
    }
}

impl Service {
    async fn start(waits: bool) -> Service {
        let state = Arc::new(Mutex::new((1, Mode::Grant)));
        let gate = Arc::new(Notify::new());
        let (known, held) = (state.clone(), gate.clone());
        let server = Server::held(move |asked| {
            let (state, gate) = (known.clone(), held.clone());
            Box::pin(async move {
                if asked.path == "/token" {
                    if waits {
                        gate.notified().await;
                    }
                    return token(&asked, &state);
                }
                let wanted = format!("Bearer access-{}", state.lock().unwrap().0);
                reply(if asked.header("authorization") == wanted { 200 } else { 401 }, &[], "{}")
            })
        })
        .await;
        Service { server, state, gate }
    }

    fn set(&self, mode: Mode) {
        self.state.lock().unwrap().1 = mode;
    }

    fn renewals(&self) -> usize {
        self.server.asked_for("POST /token").len()
    }

    /// The fields of a credential whose token ends at that moment, in seconds since 1970.
    fn fields(&self, expires_at: i64) -> Value {
        json!({
            "access_token": "access-1", "refresh_token": "refresh-1", "client_id": "me", "client_secret": "hush",
            "token_url": self.server.url("/token"), "expires_at": expires_at,
        })
    }
}

async fn put(app: &App, fields: &Value) {
    let fields: BTreeMap<String, Secret> = fields
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), Secret::new(value.as_str().map_or_else(|| value.to_string(), str::to_owned))))
        .collect();
    let id = CredentialId(app.engine.new_id());
    app.engine.credentials().put(id, Owner::LOCAL, "http", "default", fields, None).await.unwrap();
}

/// The token that a step would send, or the code of why not.
async fn used(app: &App) -> String {
    let provider = app.catalog.provider(&Owner::LOCAL, "http").unwrap();
    match app.engine.credentials().open(&Owner::LOCAL, &provider, None).await {
        Ok(credential) => {
            let credential = credential.unwrap();
            assert_eq!(credential.fields.keys().collect::<Vec<_>>(), ["token"], "the rest stays with us");
            credential.field("token").unwrap().to_owned()
        }
        Err(fault) => fault.code.to_string(),
    }
}

async fn nodes_spend_a_refresh_token_once(database: Option<&Database>) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        data: folder.path().to_owned(),
        postgres: database.map(|database| Secret::new(database.url())),
        migrate_url: database.map(|database| Secret::new(database.migrate_url())),
        encryption_key: Some(Secret::new(KEY)),
        egress: EgressMode::Dev,
        ..Settings::default()
    };
    let service = Service::start(false).await;
    let nodes = [wire::open(&settings, true).await.unwrap(), wire::open(&settings, database.is_some()).await.unwrap()];
    put(&nodes[0], &service.fields(1)).await;
    let tokens = join_all((0..50).map(|n| {
        let app = nodes[n % 2].clone();
        tokio::spawn(async move { used(&app).await })
    }));
    for token in tokens.await {
        assert_eq!(token.unwrap(), "access-2");
    }
    assert_eq!(service.renewals(), 1, "fifty uses on two nodes");
    let sent = form(&service.server.asked_for("POST /token")[0]);
    assert_eq!((sent["grant_type"].as_str(), sent["client_id"].as_str(), sent["client_secret"].as_str()), ("refresh_token", "me", "hush"));
    // A token that the service gives and then does not take: the next one is got by what the last answer gave.
    for number in 3..6 {
        let record = nodes[1].store.find_credential(&Owner::LOCAL, "http", None).await.unwrap().unwrap();
        let given = BTreeMap::from([("expires_at".to_owned(), Some(Secret::new("1")))]);
        nodes[1].engine.credentials().change(&record, given, Default::default()).await.unwrap();
        assert_eq!([used(&nodes[0]).await, used(&nodes[1]).await], [format!("access-{number}"), format!("access-{number}")]);
    }
    assert_eq!(service.renewals(), 4);
    for node in nodes {
        node.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_over_postgres_spend_a_refresh_token_once() {
    let database = Database::make();
    nodes_spend_a_refresh_token_once(Some(&database)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_over_sqlite_spend_a_refresh_token_once() {
    nodes_spend_a_refresh_token_once(None).await;
}

/// All keys are changed while the endpoint has the refresh token: the row is another one when the answer comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_of_keys_meanwhile_loses_no_token() {
    let (world, service) = (World::dev().await, Service::start(true).await);
    put(&world.app, &service.fields(1)).await;
    let app = world.app.clone();
    let user = tokio::spawn(async move { used(&app).await });
    service.server.reaches(1).await;
    let rotated = world.app.engine.credentials().rotate_data_keys(&mut |_, _| {}).await.unwrap();
    assert_eq!((rotated.rows, rotated.unopened), (1, 0));
    service.gate.notify_one();
    assert_eq!(user.await.unwrap(), "access-2");
    assert_eq!((used(&world.app).await.as_str(), service.renewals()), ("access-2", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_owner_saves_meanwhile_stays() {
    let (world, service) = (World::dev().await, Service::start(true).await);
    put(&world.app, &service.fields(1)).await;
    let app = world.app.clone();
    let user = tokio::spawn(async move { used(&app).await });
    service.server.reaches(1).await;
    put(&world.app, &json!({ "token": "another" })).await;
    service.gate.notify_one();
    let saved = user.await.unwrap();
    assert_eq!(saved, "another");
}

async fn step(world: &World, url: &str) -> Value {
    let step = json!({ "id": "a", "action": "http.get", "params": { "url": url }, "retry": { "max_attempts": 1 } });
    world.post("/api/execute-step", json!({ "step": step })).await.body
}

fn code(answer: &Value) -> &str {
    answer["error"].as_str().or(answer["error"]["code"].as_str()).unwrap_or_default()
}

async fn save(world: &World, fields: &Value) -> Value {
    let saved = world.post("/api/credentials", json!({ "provider": "http", "credentials": fields })).await;
    assert_eq!(saved.status, 201, "{}", saved.text);
    saved.body["credential"].clone()
}

#[tokio::test]
async fn the_last_good_token_is_used_while_the_endpoint_fails() {
    let (world, service) = (World::dev().await, Service::start(false).await);
    let soon = world.app.clock.now() / 1_000 + 30;
    for mode in [Mode::Fails, Mode::Html] {
        service.set(mode);
        save(&world, &service.fields(soon)).await;
        let before = service.renewals();
        for _ in 0..3 {
            assert_eq!(used(&world.app).await, "access-1", "it is good for half a minute");
        }
        assert!(service.renewals() > before);
        let id = save(&world, &service.fields(1)).await["id"].as_str().unwrap().to_owned();
        let answer = step(&world, &service.server.url("/me")).await;
        assert_eq!(code(&answer), "TOKEN_REFRESH_FAILED", "{answer}");
        let shown = world.get(&format!("/api/credentials/{id}")).await.body["credential"].clone();
        assert_eq!(shown["needs_reconnect"], Value::Null, "it may pass: {shown}");
        assert!(shown["fields"].as_array().unwrap().iter().all(|field| !field.as_str().unwrap().contains('.')), "{shown}");
    }
    assert!(service.server.asked_for("GET /me").is_empty());
    // Nobody there at all.
    let mut fields = service.fields(1);
    fields["token_url"] = json!("http://127.0.0.1:1/token");
    save(&world, &fields).await;
    assert_eq!(used(&world.app).await, "TOKEN_REFRESH_FAILED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_was_taken_back_is_told_of_until_it_is_given_again() {
    let (world, service) = (World::dev().await, Service::start(false).await);
    let rule = json!({ "name": "mine", "events": ["credential.needs_reconnect"], "channel": "app" });
    assert_eq!(world.post("/api/notification-rules", rule).await.status, 201);
    service.set(Mode::Revoked);
    let id = save(&world, &service.fields(1)).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/credentials/{id}");
    for _ in 0..3 {
        let answer = step(&world, &service.server.url("/me")).await;
        assert_eq!(code(&answer), "NEEDS_RECONNECT", "{answer}");
    }
    assert_eq!(service.renewals(), 1, "what is known is not asked again");
    let shown = world.get(&path).await.body["credential"].clone();
    assert!(shown["needs_reconnect"].is_string() && shown["valid"] == false, "{shown}");
    let told = async {
        while world.app.store.next_message().await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("a message of it is on its way");
    service.set(Mode::Grant);
    let given = json!({ "credentials": { "refresh_token": "refresh-1" } });
    let request = ask(Method::PATCH, &path).header("content-type", "application/json").body(Body::from(given.to_string()));
    let saved = world.send(request.unwrap()).await;
    assert_eq!((saved.status.as_u16(), &saved.body["credential"]["needs_reconnect"]), (200, &Value::Null), "{}", saved.text);
    assert_eq!(used(&world.app).await, "access-2");
}

#[tokio::test]
async fn an_answer_401_renews_the_token_once() {
    let (world, service) = (World::dev().await, Service::start(false).await);
    service.set(Mode::Endless);
    let mut fields = service.fields(0);
    fields.as_object_mut().unwrap().remove("expires_at");
    save(&world, &fields).await;
    let url = service.server.url("/me");
    assert_eq!(step(&world, &url).await["success"], true);
    assert_eq!(service.renewals(), 0, "without an end it is good until the service says otherwise");
    // The service no longer takes the token that it gave, though it is new.
    service.state.lock().unwrap().0 = 7;
    fields["refresh_token"] = json!("refresh-7");
    save(&world, &fields).await;
    let answer = step(&world, &url).await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!((service.renewals(), service.server.asked_for("GET /me").len()), (1, 3));
    // A service that takes none at all is asked twice and not in circles.
    let refuses = Server::start(|asked| reply(if asked.path == "/token" { 500 } else { 401 }, &[], "{}")).await;
    let answer = step(&world, &refuses.url("/me")).await;
    assert_eq!(code(&answer), "HTTP_401", "{answer}");
    assert_eq!((refuses.asked().len(), service.renewals()), (2, 2));
}

#[tokio::test]
async fn a_refresh_token_goes_to_the_credentials_hosts_only() {
    let (world, service) = (World::dev().await, Service::start(false).await);
    let body = json!({ "provider": "http", "credentials": service.fields(1), "hosts": ["api.example.com"] });
    assert_eq!(world.post("/api/credentials", body).await.status, 201);
    assert_eq!(used(&world.app).await, "TOKEN_REFRESH_FAILED");
    let mut fields = service.fields(1);
    fields["hosts"] = json!("api.example.com");
    put(&world.app, &fields).await;
    assert_eq!((used(&world.app).await.as_str(), service.renewals()), ("TOKEN_REFRESH_FAILED", 0));
}

#[tokio::test]
async fn material_is_checked_when_it_is_saved() {
    let (world, service) = (World::dev().await, Service::start(false).await);
    for (provider, change, pointer) in [
        ("http", json!({ "token_url": null }), "/credentials/token_url"),
        ("http", json!({ "token_url": "ftp://x" }), "/credentials/token_url"),
        ("openai", json!({ "expires_at": "soon" }), "/credentials/expires_at"),
        ("http", json!({ "expires_in": "1 hour" }), "/credentials/expires_in"),
        ("custom_api", json!({ "client_auth": "mtls" }), "/credentials/client_auth"),
        ("http", json!({ "oauth.claim": "x" }), "/credentials/oauth.claim"),
    ] {
        let mut fields = service.fields(1);
        fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = world.post("/api/credentials", json!({ "provider": provider, "credentials": fields })).await;
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
    // openai needs an api_key, which the material gives; the times that people have are understood.
    let mut fields = service.fields(1);
    fields["expires_at"] = json!("2099-03-01T08:00:00Z");
    let saved = world.post("/api/credentials", json!({ "provider": "openai", "credentials": fields })).await;
    assert_eq!(saved.status, 201, "{}", saved.text);
    let record = world.app.store.find_credential(&Owner::LOCAL, "openai", None).await.unwrap().unwrap();
    let provider = world.app.catalog.provider(&Owner::LOCAL, "openai").unwrap();
    let opened = world.app.engine.credentials().open_this(&provider, &record).await.unwrap();
    assert_eq!((opened.field("api_key"), opened.fields.len()), (Some("access-1"), 1));
}
