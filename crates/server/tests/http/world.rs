//! A server without a socket: the real router, engine and store in a folder of its own.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use mainspring_engine::NoMarks;
use mainspring_model::clock::{Clock, FakeClock};
use mainspring_model::id::{ApiKeyId, OrgId, Owner, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{ApiKeyRecord, MemberRecord, OrganizationRecord, UserRecord};
use mainspring_server::app::App;
use mainspring_server::limits::Terms;
use mainspring_server::settings::{EgressMode, Settings};
use mainspring_server::{http as interface, wire};
use mainspring_store::{OpenOptions, SqliteStore};
use mainspring_vault::{KeyRing, OsEntropy, Token};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

pub struct World {
    pub app: Arc<App>,
    pub router: Router,
    folder: TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Null when the body is no JSON.
    pub body: Value,
    pub text: String,
}

impl World {
    /// Dev mode: the caller is the local owner.
    pub async fn dev() -> World {
        World::with(Settings { dev: true, ..World::settings() }).await
    }

    /// API keys are needed.
    pub async fn keyed() -> World {
        World::with(World::settings()).await
    }

    /// What tests start from; the folder is filled in. The doors are not limited: all callers of tests are at one address.
    pub fn settings() -> Settings {
        let limits = Terms { doors: [[0, 0]; 5], ..Terms::default() };
        Settings {
            egress: EgressMode::Dev,
            listen: ([127, 0, 0, 1], 5_000).into(),
            limits,
            helper: Some(env!("CARGO_BIN_EXE_mainspring").into()),
            ..Settings::default()
        }
    }

    pub async fn with(settings: Settings) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings { data: folder.path().to_owned(), ..settings };
        let app = wire::open(&settings, true).await.expect("the parts join");
        let router = interface::router(app.clone());
        World { app, router, folder }
    }

    /// The same with a clock that the test moves.
    pub async fn at(settings: Settings, clock: FakeClock) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings { data: folder.path().to_owned(), ..settings };
        let ring = KeyRing::open_or_create_file(&folder.path().join("key"), false, &OsEntropy).expect("a key file is made");
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let store = SqliteStore::open(OpenOptions::new(folder.path(), clock.clone())).await.expect("an empty folder opens");
        let app = wire::join(&settings, store, ring, clock, Arc::new(NoMarks)).await.expect("the parts join");
        let router = interface::router(app.clone());
        World { app, router, folder }
    }

    /// Also takes up what waits, as the server does.
    pub async fn driving(self) -> World {
        let engine = self.app.engine.clone();
        tokio::spawn(async move { engine.serve_claims().await });
        self
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A new organization's only person, with an API key.
    pub async fn key(&self) -> (Owner, String) {
        let owner = Owner { org: OrgId(self.app.engine.new_id()), user: UserId(self.app.engine.new_id()) };
        let (now, slug) = (self.app.clock.now(), owner.org.to_string());
        let organization = OrganizationRecord { id: owner.org, name: "Org".to_owned(), slug, created_at: now, updated_at: now };
        self.app.store.put_organization(&organization).await.expect("stored");
        self.joins(owner, Role::Owner).await;
        (owner, self.key_of(owner, None).await)
    }

    /// A user, new or known, is a member of an organization.
    pub async fn joins(&self, owner: Owner, role: Role) {
        let now = self.app.clock.now();
        let user = UserRecord {
            id: owner.user,
            email: format!("{}@example.com", owner.user),
            name: "Somebody".to_owned(),
            password_hash: None,
            operator: false,
            verified_at: None,
            disabled_at: None,
            created_at: now,
            updated_at: now,
        };
        self.app.store.put_user(&user).await.expect("stored");
        let member = MemberRecord { org: owner.org, user: owner.user, role, created_at: now };
        self.app.store.put_member(&member).await.expect("stored");
    }

    pub async fn key_of(&self, owner: Owner, expires_at: Option<i64>) -> String {
        let token = Token::generate(Token::API_KEY, &OsEntropy).expect("entropy");
        let record = ApiKeyRecord {
            id: ApiKeyId(self.app.engine.new_id()),
            owner,
            name: "test".to_owned(),
            hash: token.hash().0.to_vec(),
            created_at: self.app.clock.now(),
            expires_at,
            last_used_at: None,
            scopes: None,
        };
        self.app.store.put_api_key(&record).await.expect("stored");
        token.expose().to_owned()
    }

    /// Of an answer that is no text.
    pub async fn bytes(&self, request: Request<Body>) -> Vec<u8> {
        let response = self.router.clone().oneshot(request).await.expect("never fails");
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.expect("a whole body").to_bytes().to_vec()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("never fails");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), text }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(ask(Method::GET, path).body(Body::empty()).expect("a request")).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(ask(Method::DELETE, path).body(Body::empty()).expect("a request")).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(json_request(Method::POST, path, &body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(json_request(Method::PUT, path, &body)).await
    }

    /// Creates a plan and gives its id.
    pub async fn plan(&self, document: Value) -> String {
        let answer = self.post("/api/plans", document).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.body["plan"]["id"].as_str().expect("an id").to_owned()
    }
}

pub fn ask(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "localhost:5000")
}

pub fn json_request(method: Method, path: &str, body: &Value) -> Request<Body> {
    ask(method, path).header("content-type", "application/json").body(Body::from(body.to_string())).expect("a request")
}

/// A plan that only computes: doubles `n`.
pub fn doubling(name: &str) -> Value {
    json!({
        "name": name,
        "inputs": {"n": {"type": "integer", "required": true}},
        "steps": [
            {"id": "double", "action": "logic.set", "params": {"n": "${inputs.n * 2}"}},
            {"id": "say", "action": "logic.set", "params": {"text": "twice is ${steps.double.output.n}"}},
        ],
    })
}

/// The answer with what differs from run to run made plain: ids by order of appearance, moments, durations.
pub fn plain(value: &Value) -> Value {
    let mut seen = Vec::new();
    plain_in(value, "", &mut seen)
}

fn plain_in(value: &Value, name: &str, seen: &mut Vec<String>) -> Value {
    match value {
        Value::String(text) => Value::String(plain_text(text, seen)),
        Value::Number(_) if name.ends_with("latency_ms") => json!("<ms>"),
        Value::Array(items) => items.iter().map(|item| plain_in(item, "", seen)).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(name, value)| (name.clone(), plain_in(value, name, seen))).collect()),
        other => other.clone(),
    }
}

fn plain_text(text: &str, seen: &mut Vec<String>) -> String {
    if text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok() {
        return "<time>".to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = (0..rest.len())
        .find(|at| rest.is_char_boundary(*at) && rest.get(*at..at + 36).is_some_and(|part| uuid::Uuid::try_parse(part).is_ok()))
    {
        let id = rest[at..at + 36].to_owned();
        let number = seen.iter().position(|known| *known == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        });
        out.push_str(&rest[..at]);
        out.push_str(&format!("<id {}>", number + 1));
        rest = &rest[at + 36..];
    }
    out + rest
}
