//! What a database can refuse, and what is refused of it: each with its code and what to do.

use serde_json::json;

use super::database::Database;
use super::node::{Node, command};
use crate::cli::program::{Done, Place};

/// A command over some address, without the owner's.
fn over(url: &str, args: &[&str]) -> Done {
    let place = Place::new();
    Done::of(place.command(args).env("DATABASE_URL", url).output().unwrap())
}

#[test]
fn migrations_are_looked_at_and_applied_by_command() {
    let (database, place) = (Database::make(), Place::new());
    let state = command(&place, &database, &["migrate", "status", "-o", "json"]).expect(3).json();
    assert_eq!((&state["status"], &state["applied"]), (&json!("pending"), &json!([])));
    let pending = state["pending"].as_array().unwrap().len();
    let mut refused = place.command(&["run", "list"]);
    refused.env("DATABASE_URL", database.url()).env("MAINSPRING_AUTO_MIGRATE", "false");
    let done = Done::of(refused.output().unwrap()).expect(3);
    assert!(done.err.contains("error[STORE_PENDING]") && done.err.contains("mainspring migrate up"), "{}", done.err);
    let state = command(&place, &database, &["migrate", "up", "-o", "json"]).expect(0).json();
    assert_eq!((&state["status"], state["applied"].as_array().unwrap().len()), (&json!("up_to_date"), pending));
    command(&place, &database, &["migrate", "status"]).expect(0);
    let node = Node::start(&database, "all");
    let (_, answer) = node.ask("GET", "/health/migrations", &json!(null));
    assert_eq!(answer, json!({"status": "up_to_date", "applied": pending, "pending": []}));
    assert_eq!(node.stop(), 0);
}

#[test]
fn every_refusal_says_what_to_do() {
    let database = Database::make();
    for (url, exit, code, words) in [
        (database.url_of("node", "wrong"), 4, "STORE_DENIED", "check user, password and database"),
        ("postgres://nobody:secret@127.0.0.1:1/none".to_owned(), 9, "STORE_UNREACHABLE", "check that the server runs"),
        (database.superuser_url(), 3, "STORE_RIGHTS", "SUPERUSER"),
        ("mysql://u:secret@h/d".to_owned(), 3, "BAD_SETTING", "write postgres://"),
    ] {
        let done = over(&url, &["run", "list"]).expect(exit);
        assert!(done.err.contains(&format!("error[{code}]")) && done.err.contains(words), "{code}: {}", done.err);
        assert!(!done.err.contains("secret") && !done.err.contains("wrong"), "{}", done.err);
    }
    let place = Place::new();
    let mut named = place.command(&["run", "list", "--data", "here"]);
    Done::of(named.env("DATABASE_URL", "postgres://u:p@127.0.0.1:1/x").output().unwrap()).expect(0);
    assert!(place.path("here").is_dir(), "a folder on the line is meant, whatever the environment names");
    let done = place.run(&["serve", "--dev", "--roles", "api"]).expect(3);
    assert!(done.err.contains("error[BAD_SETTING]") && done.err.contains("roles are for nodes over PostgreSQL"), "{}", done.err);
    let done = place.run(&["serve", "--dev", "--tags", "gpu"]).expect(3);
    assert!(done.err.contains("error[BAD_SETTING]") && done.err.contains("serves every tag"), "{}", done.err);
}

#[test]
fn doctor_looks_at_the_database_and_at_redis() {
    let (database, place) = (Database::make(), Place::new());
    command(&place, &database, &["migrate", "up"]).expect(0);
    let mut doctor = place.command(&["doctor", "--listen", "127.0.0.1:0"]);
    doctor.env("DATABASE_URL", database.url()).env("REDIS_URL", "redis://:secret@127.0.0.1:1");
    let done = Done::of(doctor.output().unwrap()).expect(0);
    assert!(done.out.contains("✓  tables") && done.out.contains("as the database has it"), "{}", done.out);
    assert!(done.out.contains("!  redis") && done.out.contains("REDIS_URL: no answer") && !done.out.contains("secret@"), "{}", done.out);
}

#[test]
fn doctor_applies_migrations_and_says_so() {
    let (database, place) = (Database::make(), Place::new());
    let looked = command(&place, &database, &["doctor", "--listen", "127.0.0.1:0"]).expect(0).out;
    assert!(looked.contains("!  migrations") && looked.contains("the next start applies them"), "{looked}");
    command(&place, &database, &["migrate", "status"]).expect(3);
    let fix = ["doctor", "--fix", "--listen", "127.0.0.1:0", "-o", "json"];
    let report = command(&place, &database, &fix).expect(0).json();
    assert!(report["fixed"][0].as_str().unwrap().starts_with("applied 0001_"), "{report}");
    assert_eq!(command(&place, &database, &fix).expect(0).json()["fixed"], json!([]));
}

#[test]
fn another_key_than_the_other_nodes_is_refused() {
    let (database, place) = (Database::make(), Place::new());
    command(&place, &database, &["run", "list"]).expect(0);
    let mut other = place.command(&["run", "list"]);
    other.env("DATABASE_URL", database.url()).env("ENCRYPTION_KEY", "0fUf5HrZFXQC6WUCMYdJc0VVe0vujB0XZW2uvD8RQiU=");
    let done = Done::of(other.output().unwrap()).expect(3);
    assert!(done.err.contains("error[VAULT_"), "{}", done.err);
}
