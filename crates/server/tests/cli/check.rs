//! Commands that need no run: usage, validate, schema, schedule, provider, plan and doctor.

use serde_json::json;

use super::program::Place;

const GOOD: &str = "name: Greeting\ninputs: {who: {type: string, default: world}}\nsteps:\n  - {id: hello, action: logic.set, params: {text: \"Hello, ${inputs.who}\"}}\n";
const BAD: &str = "name: Broken\nsteps:\n  - {id: a, action: logic.set, parms: {x: 1}}\n  - {id: b, action: logic.sett}\n";

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    let place = Place::new();
    for args in
        [&["flan"][..], &["run"], &["run", "a.yaml", "--resume", "last"], &["plan"], &["run", "list", "--status", "odd"], &["validate"]]
    {
        let done = place.run(args).expect(2);
        assert!(done.err.contains("--help") || done.err.contains("Usage"), "{}", done.err);
    }
    let help = place.run(&["--help"]).expect(0).out;
    assert!(help.contains("Exit codes:") && help.contains("130  interrupted"), "{help}");
    place.run(&["--version"]).expect(0);
    assert!(!place.data().exists(), "help makes no data folder");
}

#[test]
fn validate_shows_problems_like_a_compiler() {
    let place = Place::new();
    place.write("good.yaml", GOOD);
    place.write("bad.yaml", BAD);
    assert_eq!(place.run(&["validate", "good.yaml"]).expect(0).out, "✓ good.yaml  Greeting\n");
    let done = place.run(&["validate", "good.yaml", "bad.yaml"]).expect(3);
    assert!(done.out.contains("bad.yaml:3:32: UNKNOWN_FIELD: "), "{}", done.out);
    assert!(
        done.out.contains("3 |   - {id: a, action: logic.set, parms: {x: 1}}\n  |                                ^^^^^\n"),
        "{}",
        done.out
    );
    assert!(done.out.contains("bad.yaml:4:") && done.out.contains("UNKNOWN_ACTION"), "{}", done.out);
    let report = place.feed(&["validate", "-", "--json"], BAD).expect(3).json();
    assert_eq!((&report["valid"], &report["files"][0]["file"]), (&json!(false), &json!("<stdin>")));
    assert_eq!(report["files"][0]["problems"].as_array().unwrap().len(), 2);
    assert!(!place.data().exists(), "validate makes no data folder");
}

#[test]
fn a_file_that_is_not_there_is_5() {
    let place = Place::new();
    let done = place.run(&["validate", "none.yaml"]).expect(5);
    assert!(done.err.starts_with("error[NOT_FOUND]: none.yaml does not exist\n  next: "), "{}", done.err);
    let done = place.run(&["run", "none.yaml", "-o", "json"]).expect(5);
    let error: serde_json::Value = serde_json::from_str(&done.err).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["exit"]), (&json!("NOT_FOUND"), &json!(5)));
}

#[test]
fn schemas_schedules_and_providers_are_told() {
    let place = Place::new();
    let schema = place.run(&["schema", "plan"]).expect(0).json();
    assert_eq!(schema["title"], "Mainspring plan");
    let next = place
        .run(&["schedule", "next", "0 9 * * *", "--tz", "Europe/Berlin", "--after", "2026-03-01T00:00:00Z", "-n", "1", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(next["next"][0]["utc"], "2026-03-01T08:00:00Z");
    let wrong = place.run(&["schedule", "next", "61 * * * *"]).expect(3);
    assert!(wrong.err.starts_with("error[CRON_FIELD]: ") && wrong.err.contains("minute"), "{}", wrong.err);
    let list = place.run(&["provider", "list"]).expect(0).out;
    assert!(list.lines().any(|line| line.starts_with("http ")), "{list}");
    let action = place.run(&["provider", "show", "logic.switch"]).expect(0).out;
    assert!(action.contains("cases") && action.contains("action: logic.switch"), "{action}");
    let near = place.run(&["provider", "show", "htp"]).expect(5);
    assert!(near.err.contains("UNKNOWN_PROVIDER") && near.err.contains("\"http\""), "{}", near.err);
}

#[test]
fn plans_are_saved_shown_and_deleted() {
    let place = Place::new();
    place.write("good.yaml", GOOD);
    place.write("bad.yaml", BAD);
    let saved = place.run(&["plan", "save", "good.yaml", "-o", "json"]).expect(0).json();
    assert_eq!((&saved["version"], &saved["changed"]), (&json!(1), &json!(true)));
    let again = place.run(&["plan", "save", "good.yaml", "-o", "json"]).expect(0).json();
    assert_eq!((&again["id"], &again["version"], &again["changed"]), (&saved["id"], &json!(1), &json!(false)));
    let changed = place.feed(&["plan", "save", "-", "-o", "json"], &GOOD.replace("Hello", "Good day")).expect(0).json();
    assert_eq!((&changed["id"], &changed["version"]), (&saved["id"], &json!(2)));
    let shown = place.run(&["plan", "show", "Greeting"]).expect(0).out;
    assert!(shown.starts_with("# version 2, saved ") && shown.contains("Good day"), "{shown}");
    place.feed(&["validate", "-"], &shown).expect(0);
    assert_eq!(place.run(&["plan", "list", "-o", "json"]).expect(0).json()["plans"][0]["name"], "Greeting");
    assert!(place.run(&["plan", "list", "-o", "yaml"]).expect(0).out.contains("name: Greeting"));
    place.run(&["plan", "save", "bad.yaml"]).expect(3);
    place.run(&["plan", "delete", "Greeting"]).expect(0);
    assert!(place.run(&["plan", "show", "Greeting"]).expect(5).err.contains("mainspring plan list"));
}

#[test]
fn doctor_says_what_to_do() {
    let place = Place::new();
    let fresh = place.run(&["doctor", "--listen", "127.0.0.1:0", "-o", "json"]).expect(0).json();
    assert_eq!(fresh["healthy"], true, "{fresh}");
    assert!(!place.data().exists(), "doctor makes nothing");
    place.write("plans/good.yaml", GOOD);
    place.run(&["plan", "save", "plans/good.yaml"]).expect(0);
    place.run(&["doctor", "--listen", "127.0.0.1:0", "--plans", "plans"]).expect(0);
    place.write("plans/bad.yaml", BAD);
    let done = place.run(&["doctor", "--listen", "127.0.0.1:0", "--plans", "plans"]).expect(3);
    assert!(done.out.contains("✗  plan files") && done.out.contains("mainspring validate"), "{}", done.out);
    std::fs::remove_file(place.path("plans/bad.yaml")).unwrap();
    std::fs::remove_file(place.data().join("key")).unwrap();
    let done = place.run(&["doctor", "--listen", "127.0.0.1:0"]).expect(3);
    assert!(done.out.contains("✗  key ring") && done.out.contains("VAULT_KEY_MISSING"), "{}", done.out);
    let refused = place.run(&["plan", "list"]).expect(3);
    assert!(refused.err.starts_with("error[VAULT_KEY_MISSING]: "), "{}", refused.err);
}

#[test]
fn a_server_that_is_not_there_is_9() {
    let place = Place::new();
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let done = place.run(&["plan", "list", "--server", &address]).expect(9);
    assert!(done.err.starts_with("error[CONNECTION_FAILED]: no server answers at http://127.0.0.1:"), "{}", done.err);
    place.run(&["plan", "list", "--server", "ftp://x"]).expect(2);
    place.run(&["plan", "list", "--server", &address, "--data", "d"]).expect(2);
}
