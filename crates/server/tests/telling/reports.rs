//! Errors of the program are reported to whom `SENTRY_DSN` names; users' failed runs are not, and nobody waits for the receiver.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::cli::program::{Place, Watchdog};
use crate::gates::client::Client;
use crate::gates::dice::Dice;
use crate::gates::process::Server as Program;
use crate::servers::{Server, json as answer};

/// The events that came, and whether each was sent as the receiver wants it.
fn events(receiver: &Server) -> Vec<Value> {
    let asked = receiver.asked_for("POST /api/7/envelope/");
    assert_eq!(asked.len(), receiver.asked().len());
    asked
        .iter()
        .map(|asked| {
            assert!(asked.header("x-sentry-auth").contains("sentry_key=abc"), "{asked:?}");
            let text = String::from_utf8(asked.body.to_vec()).unwrap();
            serde_json::from_str(text.lines().nth(2).unwrap()).unwrap()
        })
        .collect()
}

fn dsn(receiver: &Server) -> String {
    format!("http://abc@{}/7", receiver.address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_reported_before_the_program_ends() {
    let receiver = Server::start(|_| answer(200, &json!({}))).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new();
    let listen = taken.local_addr().unwrap().to_string();
    let child =
        place.command(&["serve", "--listen", &listen]).env("SENTRY_DSN", dsn(&receiver)).env("ENVIRONMENT", "staging").spawn().unwrap();
    let _watchdog = Watchdog::over(&child);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert!(!output.status.success());
    let told = events(&receiver);
    let [event] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(
        (&event["level"], &event["tags"]["code"], &event["environment"]),
        (&json!("fatal"), &json!("PORT_IN_USE"), &json!("staging"))
    );
    assert_eq!(event["release"], concat!("mainspring@", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_of_a_user_is_nobody_elses_business() {
    let receiver = Server::start(|_| answer(200, &json!({}))).await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), &mut Dice::new(0x5e47));
    program.tell("SENTRY_DSN", &dsn(&receiver));
    program.start().await;
    assert!(program.log().contains("errors are reported to 127.0.0.1"), "{}", program.log());
    let mut client = Client::new(program.address);
    let step = json!({"id": "fetch", "action": "http.request", "params": {"url": "http://127.0.0.1:1/"}, "retry": {"max_attempts": 1}});
    let (_, made) = client.post("/api/plans", &json!({"name": "Broken", "steps": [step]})).await.unwrap();
    let (_, run) = client.post("/api/execute", &json!({"plan_id": made["plan"]["id"]})).await.unwrap();
    assert_eq!(run["success"], json!(false), "{run}");
    assert_eq!(program.stop().await, Some(0));
    assert_eq!(events(&receiver), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_dsn_is_a_warning_and_a_dead_receiver_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), &mut Dice::new(0x5e48));
    program.tell("SENTRY_DSN", "https://errors.example/what-is-this");
    program.start().await;
    let log = program.log();
    let warned = log.lines().find(|line| line.contains("check=sentry")).unwrap_or_else(|| panic!("{log}"));
    assert!(warned.contains("WARN") && warned.contains("no key stands before the host") && !warned.contains("what-is-this"), "{warned}");
    assert_eq!(program.stop().await, Some(0));
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    program.tell("SENTRY_DSN", &format!("http://abc@{}/7", silent.local_addr().unwrap()));
    program.start().await;
    assert_eq!(program.stop().await, Some(0));
}
