//! Secrets that are kept elsewhere: nothing unless the operator opened it, read when a credential is used, and shown to nobody.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::Method;
use mainspring_model::catalog::Catalog;
use mainspring_model::clock::FakeClock;
use mainspring_model::credential::Secret;
use mainspring_model::fault::Fault;
use mainspring_model::id::{CredentialId, Owner, UserId};
use mainspring_model::role::Role;
use mainspring_server::references::Terms;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use super::world::{Answer, World, ask};
use crate::servers::{Server, json as answer_json, reply};

/// A variable that every process of tests has, and its value.
const VARIABLE: &str = "CARGO_PKG_NAME";
const VALUE: &str = "mainspring-server";

fn terms() -> Terms {
    Terms { env: vec![VARIABLE.to_owned()], ..Terms::default() }
}

async fn world(references: Terms) -> World {
    World::with(Settings { dev: true, references, ..World::settings() }).await
}

async fn save(world: &World, fields: Value) -> Answer {
    world.post("/api/credentials", json!({ "provider": "http", "credentials": fields })).await
}

async fn patch(world: &World, id: &str, fields: Value) -> Answer {
    let body = Body::from(json!({ "credentials": fields }).to_string());
    world.send(ask(Method::PATCH, &format!("/api/credentials/{id}")).header("content-type", "application/json").body(body).unwrap()).await
}

/// Puts fields into the store as they are, without a look at them.
async fn put(world: &World, fields: &[(&str, &str)]) {
    let fields: BTreeMap<String, Secret> = fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
    let id = CredentialId(world.app.engine.new_id());
    world.app.engine.credentials().put(id, Owner::LOCAL, "http", "default", fields, None).await.unwrap();
}

/// The token that a step would send.
async fn token(world: &World) -> Result<String, Fault> {
    let provider = world.app.catalog.provider(&Owner::LOCAL, "http").unwrap();
    let credential = world.app.engine.credentials().open(&Owner::LOCAL, &provider, None).await?.unwrap();
    assert_eq!(credential.fields.keys().collect::<Vec<_>>(), ["token"], "notes stay with us");
    Ok(credential.field("token").unwrap().to_owned())
}

async fn refused(world: &World) -> Fault {
    let fault = token(world).await.unwrap_err();
    assert_eq!(fault.code.as_str(), "SECRET_REFERENCE", "{fault}");
    fault
}

#[tokio::test]
async fn by_default_a_reference_is_refused_when_it_is_saved_and_when_it_is_used() {
    let world = world(Terms::default()).await;
    for value in ["env:HOME", "env:HUNTER2", "file:/etc/HUNTER2", "vault:kv/HUNTER2#key", "env:", "vault:HUNTER2"] {
        let answer = save(&world, json!({ "token": value })).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (422, &json!("SECRET_REFERENCE")), "{}", answer.text);
        assert_eq!(answer.body["errors"][0]["pointer"], "/credentials/token");
        assert!(!answer.text.contains("HUNTER2"), "{}", answer.text);
        let answer = world.post("/api/provider-credentials/http", json!({ "credentials": { "token": value } })).await;
        assert_eq!(answer.body["code"], "SECRET_REFERENCE", "{}", answer.text);
    }
    let id = save(&world, json!({ "token": "plain" })).await.body["credential"]["id"].as_str().unwrap().to_owned();
    assert_eq!(patch(&world, &id, json!({ "token": "env:HOME" })).await.body["code"], "SECRET_REFERENCE");
    assert_eq!(token(&world).await.unwrap(), "plain");
    // One that comes from an installation where it was allowed.
    put(&world, &[("token", "env:HOME"), ("reference.token", "env:HOME")]).await;
    let fault = refused(&world).await;
    assert!(!fault.retryable && fault.message.contains("field \"token\": env:HOME"), "{fault}");
}

#[tokio::test]
async fn what_was_stored_as_a_plain_value_stays_one() {
    for references in [Terms::default(), terms()] {
        let world = world(references).await;
        let text = format!("env:{VARIABLE}");
        put(&world, &[("token", &text)]).await;
        assert_eq!(token(&world).await.unwrap(), text);
        assert_eq!(world.get("/api/credentials").await.body["credentials"][0]["references"], json!({}));
        // Nobody can give the note.
        assert_eq!(save(&world, json!({ "token": "a", "reference.token": "a" })).await.body["code"], "UNKNOWN_FIELD");
    }
}

#[tokio::test]
async fn a_variable_is_read_when_it_is_used_and_shown_nowhere() {
    let world = world(Terms { env: vec![VARIABLE.to_owned(), "NOT_THERE_*".to_owned()], ..terms() }).await;
    let text = format!("env:{VARIABLE}");
    let saved = save(&world, json!({ "token": text })).await;
    assert_eq!(saved.status, 201, "{}", saved.text);
    let id = saved.body["credential"]["id"].as_str().unwrap().to_owned();
    assert_eq!(token(&world).await.unwrap(), VALUE);
    for path in ["/api/credentials".to_owned(), format!("/api/credentials/{id}"), "/api/provider-credentials/http".to_owned()] {
        let shown = world.get(&path).await;
        let credential = shown.body["credential"].as_object().map(|one| json!(one)).unwrap_or(shown.body["credentials"][0].clone());
        assert_eq!(credential["references"], json!({ "token": "env" }), "{}", shown.text);
        assert_eq!(credential["fields"], json!(["token"]), "{}", shown.text);
        assert!(!shown.text.contains(VALUE) && !shown.text.contains(VARIABLE) && !shown.text.contains("reference.token"), "{}", shown.text);
    }
    let log = world.get("/api/organizations/current/audit-log").await;
    assert!(!log.text.contains("reference.") && !log.text.contains(VARIABLE), "{}", log.text);
    let record = world.app.store.find_credential(&Owner::LOCAL, "http", None).await.unwrap().unwrap();
    let stored = world.app.engine.credentials().open_record(&record).await.unwrap();
    assert!(stored.fields.values().all(|value| value.expose() == text), "what is stored is the reference");
    // A variable that is not there, and one that is not listed.
    assert_eq!(patch(&world, &id, json!({ "token": "env:NOT_THERE_1" })).await.status, 200);
    assert!(refused(&world).await.message.ends_with("the server's environment has no such variable"));
    for value in ["env:HOME", "env:ENCRYPTION_KEY", "file:/etc/passwd", "vault:kv/a#b"] {
        assert_eq!(patch(&world, &id, json!({ "token": value })).await.body["code"], "SECRET_REFERENCE", "{value}");
    }
    // A plain value takes the note away.
    let plain = patch(&world, &id, json!({ "token": "plain" })).await;
    assert_eq!((plain.status.as_u16(), &plain.body["credential"]["references"]), (200, &json!({})), "{}", plain.text);
    assert_eq!(token(&world).await.unwrap(), "plain");
    // Fields that outputs may repeat take none.
    for field in ["username", "header_name", "token_url", "client_id"] {
        let answer = save(&world, json!({ "token": "a", field: text })).await;
        assert_eq!(answer.status, 422, "{field}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_secret_from_elsewhere_is_taken_out_of_what_a_service_gives_back() {
    let world = world(terms()).await;
    assert_eq!(save(&world, json!({ "token": format!("env:{VARIABLE}") })).await.status, 201);
    let service = Server::start(|asked| {
        let said = json!({ "error": { "message": format!("I do not know {}", asked.header("authorization")) } });
        answer_json(if asked.path == "/fails" { 400 } else { 200 }, &said)
    })
    .await;
    for (path, success) in [("/fails", false), ("/echoes", true)] {
        let step = json!({ "id": "a", "action": "http.get", "params": { "url": service.url(path) } });
        let answer = world.post("/api/execute-step", json!({ "step": step })).await;
        assert_eq!(answer.body["success"], success, "{}", answer.text);
        assert!(answer.text.contains("I do not know") && answer.text.contains("***") && !answer.text.contains(VALUE), "{}", answer.text);
        assert_eq!(service.asked_for(&format!("GET {path}"))[0].header("authorization"), format!("Bearer {VALUE}"));
    }
    assert!(world.app.redactor.finds(VALUE.as_bytes()), "the log knows it too");
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

#[tokio::test]
async fn files_below_the_folder_are_read_and_no_others() {
    let (place, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = place.path().join("secrets");
    std::fs::create_dir_all(folder.join("..data")).unwrap();
    let world = world(Terms { files: Some(folder.clone()), ..Terms::default() }).await;
    write(outside.path(), "theirs", "HUNTER2");
    write(place.path(), "beside", "HUNTER2");
    write(&folder, "plain", "one");
    write(&folder, "line", "one\n");
    write(&folder, "lines", "one\n\n");
    write(&folder, "windows", "one\r\n");
    write(&folder, "largest", "x".repeat(64 << 10));
    write(&folder, "larger", "x".repeat((64 << 10) + 1));
    write(&folder, "bytes", [0xff, 0xfe]);
    write(&folder, "empty", "\n");
    write(&folder, "..data/key", "inner");
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
    link(Path::new("..data/key"), "inside");
    link(&outside.path().join("theirs"), "out");
    link(outside.path(), "door");
    link(Path::new("../beside"), "up");
    for (name, expected) in [
        ("plain", Ok("one".to_owned())),
        ("line", Ok("one".to_owned())),
        ("lines", Ok("one\n".to_owned())),
        ("windows", Ok("one".to_owned())),
        ("largest", Ok("x".repeat(64 << 10))),
        ("inside", Ok("inner".to_owned())),
        ("..data/key", Ok("inner".to_owned())),
        ("larger", Err("larger than 64 KiB")),
        ("bytes", Err("cannot be read as text")),
        ("empty", Err("it is empty")),
        ("..data", Err("it is no file")),
        ("missing", Err("not found")),
        ("out", Err("a link leads out")),
        ("door/theirs", Err("a link leads out")),
        ("up", Err("a link leads out")),
    ] {
        let saved = save(&world, json!({ "token": format!("file:{}", folder.join(name).display()) })).await;
        assert_eq!(saved.status, 201, "{}", saved.text);
        assert_eq!(saved.body["credential"]["references"], json!({ "token": "file" }));
        match (token(&world).await, expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{name}"),
            (Err(fault), Err(reason)) => {
                assert_eq!(fault.code.as_str(), "SECRET_REFERENCE");
                assert!(fault.message.contains(reason) && !fault.message.contains("HUNTER2"), "{name}: {fault}");
            }
            (read, _) => panic!("{name}: {read:?}"),
        }
    }
    // A file is read anew at each use.
    save(&world, json!({ "token": format!("file:{}", folder.join("plain").display()) })).await;
    write(&folder, "plain", "two");
    assert_eq!(token(&world).await.unwrap(), "two");
    let (folder, theirs) = (folder.display(), outside.path().join("theirs"));
    for path in [
        format!("{folder}/../beside"),
        format!("{folder}/./plain"),
        format!("{folder}//plain"),
        format!("{folder}"),
        format!("{folder}-of-others/a"),
        theirs.display().to_string(),
        "/etc/passwd".to_owned(),
        "plain".to_owned(),
    ] {
        let answer = save(&world, json!({ "token": format!("file:{path}") })).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (422, &json!("SECRET_REFERENCE")), "{path}: {}", answer.text);
    }
}

/// What the Vault answers with.
type Status = Arc<Mutex<u16>>;

async fn vault() -> (Server, Status) {
    let status: Status = Arc::new(Mutex::new(200));
    let known = status.clone();
    let server = Server::start(move |asked| match *known.lock().unwrap() {
        _ if asked.header("x-vault-token") != "hvs.the-token" => reply(403, &[], "{}"),
        200 => {
            let data = json!({ "key": "from the vault", "other": "another", "number": 7 });
            answer_json(200, &json!({ "data": { "data": data, "metadata": { "version": 3 } } }))
        }
        307 => reply(307, &[("location", "/elsewhere")], ""),
        201 => reply(200, &[], "<html>Log in</html>"),
        status => answer_json(status, &json!({ "errors": [] })),
    })
    .await;
    (server, status)
}

fn of_vault(url: &str) -> Terms {
    Terms {
        vault: vec!["kv/app".to_owned()],
        vault_url: Some(Url::parse(url).unwrap()),
        vault_token: Some(Secret::new("hvs.the-token")),
        ..Terms::default()
    }
}

#[tokio::test]
async fn vault_is_asked_and_remembered_for_less_than_a_minute() {
    let (server, status) = vault().await;
    let clock = FakeClock::at(1_800_000_000_000);
    let settings = Settings { dev: true, references: of_vault(&server.url("")), ..World::settings() };
    let world = World::at(settings, clock.clone()).await;
    let saved = save(&world, json!({ "token": "vault:kv/app/crm#key" })).await;
    assert_eq!((saved.status.as_u16(), &saved.body["credential"]["references"]), (201, &json!({ "token": "vault" })), "{}", saved.text);
    assert!(server.asked().is_empty(), "to save is not to read");
    for _ in 0..3 {
        assert_eq!(token(&world).await.unwrap(), "from the vault");
    }
    assert_eq!(server.lines(), ["GET /v1/kv/data/app/crm"]);
    for (field, reason) in [("number", "no text field"), ("missing", "no text field")] {
        save(&world, json!({ "token": format!("vault:kv/app/crm#{field}") })).await;
        assert!(refused(&world).await.message.contains(reason));
    }
    assert_eq!(server.asked().len(), 1);
    save(&world, json!({ "token": "vault:kv/app/crm#key" })).await;
    let mut now = 1_800_000_000_000;
    for (code, retryable) in [(403, false), (404, false), (201, false), (307, false), (500, true), (503, true), (429, true)] {
        *status.lock().unwrap() = code;
        now += 60_000;
        clock.advance_to(now);
        let (before, fault) = (server.asked().len(), refused(&world).await);
        assert_eq!((fault.retryable, server.asked().len()), (retryable, before + 1), "{code}: {fault}");
        assert!(!fault.message.contains("hvs.") && !fault.message.contains("127.0.0.1"), "{fault}");
    }
    assert!(server.asked_for("GET /elsewhere").is_empty(), "the token goes to one address");
    *status.lock().unwrap() = 200;
    assert_eq!(token(&world).await.unwrap(), "from the vault");
    for value in ["vault:kv/other#key", "vault:kv/application#key", "vault:kv/app/../other#key", "vault:sys/app#key", "env:HOME"] {
        assert_eq!(save(&world, json!({ "token": value })).await.body["code"], "SECRET_REFERENCE", "{value}");
    }
}

#[tokio::test]
async fn a_vault_that_is_away_is_asked_again() {
    let world = world(of_vault("http://127.0.0.1:1")).await;
    assert_eq!(save(&world, json!({ "token": "vault:kv/app#key" })).await.status, 201);
    let fault = refused(&world).await;
    assert!(fault.retryable && fault.message.contains("Vault could not be asked (CONNECTION_FAILED)"), "{fault}");
    // Through a step it is the step's error, and its retry decides.
    let step = json!({ "id": "a", "action": "http.get", "params": { "url": "http://127.0.0.1:1/" }, "retry": { "max_attempts": 1 } });
    let answer = world.post("/api/execute-step", json!({ "step": step })).await;
    assert!(answer.text.contains("SECRET_REFERENCE"), "{}", answer.text);
}

#[tokio::test]
async fn who_may_name_a_secret_of_the_operators() {
    let keyed = async |organizations: Vec<String>| {
        World::with(Settings { references: Terms { organizations, ..terms() }, ..World::settings() }).await
    };
    let store = async |world: &World, key: &str| {
        let body = json!({ "provider": "http", "credentials": { "token": format!("env:{VARIABLE}") } });
        let request = ask(Method::POST, "/api/credentials").header("authorization", format!("Bearer {key}"));
        world.send(request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()).await
    };
    // Every other organization is closed unless it is listed.
    let world = keyed(Terms::default().organizations).await;
    let answer = store(&world, &world.key().await.1).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (422, &json!("SECRET_REFERENCE")), "{}", answer.text);
    assert!(answer.text.contains("not open to this organization"), "{}", answer.text);
    let world = keyed(vec!["*".to_owned()]).await;
    let (founder, key) = world.key().await;
    assert_eq!(store(&world, &key).await.status, 201);
    for (role, status) in [(Role::Admin, 201), (Role::Member, 422)] {
        let person = Owner { org: founder.org, user: UserId(world.app.engine.new_id()) };
        world.joins(person, role).await;
        let answer = store(&world, &world.key_of(person, None).await).await;
        assert_eq!(answer.status, status, "{role}: {}", answer.text);
        assert_eq!(status == 422, answer.text.contains("credential:manage"), "{}", answer.text);
    }
}

/// The client's secret is kept in a file that goes away while the service has the refresh token: what it gave is written down all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_kept_when_the_secret_that_got_it_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(Terms { files: Some(folder.path().to_owned()), ..Terms::default() }).await;
    write(folder.path(), "client", "hush-hush");
    let gate = Arc::new(Notify::new());
    let held = gate.clone();
    let service = Server::held(move |_| {
        let gate = held.clone();
        Box::pin(async move {
            gate.notified().await;
            answer_json(200, &json!({ "access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600 }))
        })
    })
    .await;
    let fields = json!({
        "refresh_token": "refresh-1", "client_id": "me", "client_secret": format!("file:{}/client", folder.path().display()),
        "token_url": service.url("/token"),
    });
    let saved = save(&world, fields).await;
    assert_eq!(saved.body["credential"]["references"], json!({ "client_secret": "file" }), "{}", saved.text);
    let user = async {
        service.reaches(1).await;
        std::fs::remove_file(folder.path().join("client")).unwrap();
        gate.notify_one();
    };
    let (used, ()) = tokio::join!(token(&world), user);
    assert_eq!(used.unwrap_err().code.as_str(), "SECRET_REFERENCE");
    write(folder.path(), "client", "hush-hush");
    assert_eq!(token(&world).await.unwrap(), "access-2");
    let asked = service.asked();
    let sent: BTreeMap<String, String> = url::form_urlencoded::parse(&asked[0].body).into_owned().collect();
    assert_eq!((asked.len(), sent["client_secret"].as_str(), sent["refresh_token"].as_str()), (1, "hush-hush", "refresh-1"));
}

#[tokio::test]
async fn a_webhook_asks_for_the_secret_and_not_for_its_reference() {
    let world = world(terms()).await;
    let fields = json!({ "header_name": "X-Door", "header_value": format!("env:{VARIABLE}") });
    assert_eq!(save(&world, fields).await.status, 201);
    let trigger = json!({ "type": "webhook", "path": "door", "auth": "header", "credential": "default", "respond": "last_step" });
    let step = json!({ "id": "a", "action": "logic.set", "params": { "n": 1 } });
    world.plan(json!({ "name": "Door", "triggers": [trigger], "steps": [step] })).await;
    for (value, status) in [(VALUE.to_owned(), 200), (format!("env:{VARIABLE}"), 401)] {
        let request = ask(Method::POST, "/api/webhook/door").header("content-type", "application/json").header("x-door", value);
        let answer = world.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}
