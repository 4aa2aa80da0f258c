//! Gate S5: secrets (a thousand in the long form) in every kind of credential, used in steps that end well, fail, panic and are killed. A service that
//! gives back what it got, in nine encodings, does its worst; the secrets are nowhere but where they belong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use mainspring_engine::{Engine, NoMarks, Parts};
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect};
use mainspring_model::catalog::{BuiltIns, Provider};
use mainspring_model::credential::{CredentialField, Secret};
use mainspring_model::id::{CredentialId, Owner};
use mainspring_model::plan;
use mainspring_server::settings::Settings;
use mainspring_server::wire;
use mainspring_vault::Redactor;
use serde_json::{Value, json};

use super::client::Client;
use super::dice::Dice;
use super::process::Server as Program;
use crate::servers::{Asked, Server, json as answer};

const KEY: &str = "wk/tYeWin4b+rEWqGqlchfxxzJgpPuxS0jHyNkDKbs8=";
const TOKEN: &str = "a-token-for-the-monitor";
const SECRETS: usize = 280;
/// The long form: how many instead.
const COUNT: &str = "MAINSPRING_TEST_LEAKS";
/// Steps of one plan.
const STEPS: usize = 50;
/// Of the last steps each is in flight when the process is killed; the ones before them panic.
const KILLED: usize = 20;
const PANICKED: usize = 30;
/// Told to the process that panics: where its data lies.
const CHILD: &str = "MAINSPRING_TEST_LEAKS_IN";

#[expect(clippy::disallowed_methods, reason = "the long form is asked for by hand")]
fn count() -> usize {
    std::env::var(COUNT).map_or(SECRETS, |text| text.parse().expect("a number"))
}

/// Texts of the kinds that need escaping somewhere, none of which is part of another.
fn secrets() -> Vec<String> {
    let mut dice = Dice::new(0x55);
    let odd = ["+/=", " \"\\", "&?#%", "äß€", "<'>;", "{$}~"];
    (0..count()).map(|n| format!("{:016x}{}{n:04}-{:08x}", dice.next(), odd[n % odd.len()], dice.next() as u32)).collect()
}

/// The provider and the fields of the n-th credential. A header takes no odd characters, so those kinds get the hex digits alone.
fn kind(n: usize, secret: &str, base: &str) -> (&'static str, Vec<(&'static str, String)>) {
    let plain: String = secret.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    match n % 7 {
        0 => ("http", vec![("token", plain)]),
        1 => ("http", vec![("username", "ann".to_owned()), ("password", secret.to_owned())]),
        2 => ("http", vec![("header_name", "x-key".to_owned()), ("header_value", plain)]),
        3 => ("http", vec![("query_name", "key".to_owned()), ("query_value", secret.to_owned())]),
        4 => ("webhook", vec![("token", plain)]),
        5 => ("custom_api", vec![("token", plain)]),
        _ => ("openai", vec![("api_key", plain), ("base_url", base.to_owned())]),
    }
}

fn secret_of(n: usize, secret: &str) -> String {
    let (_, fields) = kind(n, secret, "");
    let secret = fields.into_iter().find(|(name, _)| ["token", "password", "header_value", "query_value", "api_key"].contains(name));
    secret.expect("every kind has one").1
}

fn step(n: usize, url: &str) -> Value {
    let (provider, _) = kind(n, "", "");
    let params = match provider {
        "openai" => json!({"prompt": "?"}),
        "custom_api" => json!({"base_url": url, "endpoint": "/"}),
        "webhook" => json!({"url": url, "payload": {}}),
        _ => json!({"url": url, "method": "POST", "body": {}}),
    };
    let action = match provider {
        "openai" => "openai.chat_completion",
        "webhook" => "webhook.post_request",
        "custom_api" => "custom_api.call_api",
        _ => "http.request",
    };
    json!({"id": format!("s{n}"), "action": action, "credential": format!("c{n}"), "params": params, "on_error": "continue"})
}

/// The nine encodings.
fn encoded(secret: &str) -> [String; 9] {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String =
        secret
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            })
            .collect();
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = json!(secret).to_string();
    [
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex.to_uppercase(),
        STANDARD.encode(&percent),
        percent,
        form,
        json[1..json.len() - 1].to_owned(),
        hex,
    ]
}

/// All that a request carried, in every encoding; every second answer is a failure.
fn reflect(asked: &Asked, known: &BTreeMap<String, String>) -> (u16, Value) {
    let carried = format!("{:?} {}", asked.headers, asked.query);
    let basic = asked.header("authorization").strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    found.extend(asked.header("authorization").strip_prefix("Bearer ").map(str::to_owned));
    found.extend(String::from_utf8_lossy(&basic).split_once(':').map(|(_, password)| password.to_owned()));
    found.extend(asked.query("key"));
    found.extend(Some(asked.header("x-key").to_owned()).filter(|value| !value.is_empty()));
    assert!(found.iter().all(|secret| known.contains_key(secret)), "{carried}");
    let status = if found.first().is_some_and(|secret| secret.as_bytes()[0] % 2 == 0) { 200 } else { 400 };
    let encodings: Vec<[String; 9]> = found.iter().map(|secret| encoded(secret)).collect();
    (status, json!({"error": {"message": format!("refused {}", found.join(" "))}, "encodings": encodings, "carried": carried}))
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), std::fs::read(entry.path()).unwrap()));
        }
    }
    found
}

struct Panics(ActionSpec);

impl Action for Panics {
    fn spec(&self) -> &ActionSpec {
        &self.0
    }

    fn call<'a>(&'a self, _: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult> {
        let secret =
            cx.credential.as_ref().and_then(|credential| credential.fields.values().next()).map(|secret| secret.expose().to_owned());
        async move {
            let secret = secret.expect("a credential");
            tracing::error!("on its way with {secret}");
            panic!("it broke with {:?}", encoded(&secret));
        }
        .boxed()
    }
}

fn panicking() -> Provider {
    let spec = ActionSpec { effect: Effect::Write, needs_credential: true, ..ActionSpec::of::<Value>("die", "Die", "For tests.") };
    let field = CredentialField { name: "token".into(), title: "Token".into(), required: true, secret: true, help: None };
    Provider {
        id: "panics".into(),
        title: "Test".into(),
        category: "test".into(),
        version: 1,
        description: "Panics.".into(),
        credential: vec![field],
        hosts: Vec::new(),
        verify: None,
        actions: vec![Arc::new(Panics(spec))],
        aliases: BTreeMap::new(),
    }
}

fn settings(data: &Path) -> Settings {
    Settings { data: data.to_owned(), encryption_key: Some(Secret::new(KEY)), ..Settings::default() }
}

/// In a process of its own, whose output the gate reads: the log sink and the panic hook are a process's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_panics() {
    #[expect(clippy::disallowed_methods, reason = "how the gate tells its child where to work")]
    let Ok(folder) = std::env::var(CHILD) else { return };
    let app = wire::open(&settings(Path::new(&folder)), true).await.unwrap();
    wire::log::install(app.redactor.clone(), Some("debug"), false, None);
    let catalog = Arc::new(BuiltIns::new([panicking()]));
    let engine = Engine::new(Parts {
        store: app.store.clone(),
        catalog: catalog.clone(),
        vault: app.vault.clone(),
        redactor: app.redactor.clone(),
        clock: app.clock.clone(),
        marks: Arc::new(NoMarks),
        settings: mainspring_engine::Settings::default(),
    });
    for (n, secret) in secrets().iter().enumerate().take(count() - KILLED).skip(count() - KILLED - PANICKED) {
        let fields = BTreeMap::from([("token".to_owned(), Secret::new(secret))]);
        let id = CredentialId(engine.new_id());
        engine.credentials().put(id, Owner::LOCAL, "panics", &format!("c{n}"), fields, None).await.unwrap();
        let document = json!({"name": "Panics", "steps": [{"id": "a", "action": "panics.die", "credential": format!("c{n}")}]});
        let plan = plan::load_value(document, &*catalog, &Owner::LOCAL).unwrap().plan;
        let result = engine.rehearse(Owner::LOCAL, Arc::new(plan), json!({}), vec![]).await.unwrap();
        println!("ended: {:?}", result.error.expect("it failed"));
    }
    app.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_anywhere_but_where_it_belongs() {
    let began = super::clock::now();
    let folder = tempfile::tempdir().unwrap();
    let secrets = secrets();
    let count = secrets.len();
    let known: BTreeMap<String, String> = secrets.iter().enumerate().map(|(n, secret)| (secret_of(n, secret), format!("c{n}"))).collect();
    let echo = Server::start(move |asked| {
        let (status, body) = reflect(asked, &known);
        answer(status, &body)
    })
    .await;
    let held = Server::held(|_| std::future::pending().boxed()).await;
    let mut program = Program::new(folder.path(), &mut Dice::new(5));
    for (name, value) in [("ENCRYPTION_KEY", KEY), ("MAINSPRING_LOG", "debug"), ("MAINSPRING_METRICS_TOKEN", TOKEN)] {
        program.tell(name, value);
    }
    let app = wire::open(&settings(program.data()), false).await.unwrap();
    let stored: Vec<_> = stream::iter(secrets.iter().enumerate())
        .map(|(n, secret)| {
            let base = if n >= count - KILLED { held.url("/v1") } else { echo.url("/v1") };
            let (provider, fields) = kind(n, secret, &base);
            let fields: BTreeMap<String, Secret> = fields.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect();
            let engine = app.engine.clone();
            async move {
                let (id, name) = (CredentialId(engine.new_id()), format!("c{n}"));
                engine.credentials().put(id, Owner::LOCAL, provider, &name, fields, None).await
            }
        })
        .buffer_unordered(32)
        .collect()
        .await;
    assert!(stored.iter().all(Result::is_ok));
    app.store.close().await;

    // Success and failure, journalled; then one in flight while the process is killed; then the process again.
    program.start().await;
    let mut client = Client::new(program.address);
    let mut answers: Vec<(String, String)> = Vec::new();
    let used: Vec<usize> = (0..count - KILLED - PANICKED).collect();
    for part in used.chunks(STEPS) {
        let steps: Vec<Value> = part.iter().map(|n| step(*n, &echo.url("/"))).collect();
        let plan = client.post("/api/plans", &json!({"name": format!("From {}", part[0]), "steps": steps})).await.unwrap();
        let ran = client.post("/api/execute", &json!({"plan_id": plan.1["plan"]["id"]})).await.unwrap();
        assert_eq!(ran.0, 200, "{}", ran.1);
        let run = format!("/api/runs/{}", ran.1["execution"]["id"].as_str().unwrap());
        answers.push(("the answer of a run".to_owned(), ran.1.to_string()));
        answers.push((run.clone(), client.get(&run).await.unwrap().1.to_string()));
    }
    assert!(echo.asked().len() >= used.len(), "{} requests", echo.asked().len());
    for path in
        ["/api/execution-logs?limit=200", "/api/credentials", "/api/provider-credentials/http", "/api/monitoring/status", "/api/runs"]
    {
        answers.push((path.to_owned(), client.get(path).await.unwrap().1.to_string()));
    }
    let one = client.post("/api/execute-step", &json!({"step": step(1, &echo.url("/"))})).await.unwrap();
    answers.push(("the answer of a step".to_owned(), one.1.to_string()));
    let mut curl = Command::new("curl");
    curl.args(["-s", "-H", &format!("authorization: Bearer {TOKEN}"), &format!("http://{}/metrics", program.address)]);
    let figures = curl.output().unwrap().stdout;
    assert!(!figures.is_empty(), "no figures");
    answers.push(("/metrics".to_owned(), String::from_utf8_lossy(&figures).into_owned()));
    for n in count - KILLED..count {
        let plan = client.post("/api/plans", &json!({"name": format!("Held {n}"), "steps": [step(n, &held.url("/"))]})).await.unwrap();
        client.post("/api/execute", &json!({"plan_id": plan.1["plan"]["id"], "wait": false})).await.unwrap();
    }
    held.reaches(KILLED).await;
    assert!(program.kill());
    // The next process joins the write-ahead log into the database.
    let mut all = files(program.data());
    assert!(all.iter().any(|(path, _)| path.to_string_lossy().ends_with("-wal")), "no write-ahead log");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "gates::leaks::a_process_that_panics", "--nocapture"])
        .env(CHILD, program.data())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let panics = String::from_utf8_lossy(&child.stderr).matches("a panic was caught").count();
    assert_eq!(panics, PANICKED, "panics in the log:\n{}", String::from_utf8_lossy(&child.stderr));

    let judge = Redactor::new();
    secrets.iter().enumerate().for_each(|(n, secret)| judge.add(&secret_of(n, secret)));
    let mut hits = Vec::new();
    let mut looked = 0;
    let mut look = |place: String, bytes: &[u8]| {
        looked += bytes.len();
        if judge.finds(bytes) {
            hits.push(format!("a secret leaked into {place}"));
        }
    };
    look("the output of the process that panicked".to_owned(), &child.stdout);
    look("the log of the process that panicked".to_owned(), &child.stderr);
    look("the log".to_owned(), program.log().as_bytes());
    answers.iter().for_each(|(place, text)| look(place.clone(), text.as_bytes()));
    all.extend(files(program.data()));
    all.iter().for_each(|(path, bytes)| look(path.display().to_string(), bytes));
    assert_eq!(hits, [""; 0]);
    // The gate proves itself: whatever is planted is found, in each encoding.
    for (n, planted) in encoded(&secret_of(1, &secrets[1])).iter().enumerate() {
        assert!(judge.finds(format!("{{\"a\": \"…{planted}…\"}}").as_bytes()), "encoding {n} of a planted secret was not found: {planted}");
    }
    println!("{count} secrets, {} answers, {} files, {looked} bytes: 0 hits, {:?}", answers.len(), all.len(), began.elapsed());
}
