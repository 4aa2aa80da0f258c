//! Settings as operators meet them: where each comes from, what a wrong one says, and that no secret is ever shown.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::{Value, json};

use super::program::{Done, Place};

/// Stands in every secret of these tests.
const CANARY: &str = "hunter2canary";

fn with(place: &Place, args: &[&str], variables: &[(&str, &str)]) -> Done {
    let mut command = place.command(args);
    command.envs(variables.iter().copied());
    let output: Output = command.output().unwrap();
    Done::of(output)
}

/// Value and source of a setting, as `config print` has them.
fn printed(report: &Value, name: &str) -> (Value, Value) {
    let setting = report["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap();
    (setting["value"].clone(), setting["source"].clone())
}

#[test]
fn every_value_is_printed_with_its_source() {
    let place = Place::new();
    let file = place.write("mainspring.toml", "listen = \"8080\"\nlog = \"warn\"\n\n[runs]\nkeep = 5\nkeep_for = \"3d\"\n");
    let report = with(&place, &["config", "print", "-o", "json"], &[("MAINSPRING_KEEP_RUNS_FOR", "2d"), ("ENVIRONMENT", "staging")])
        .expect(0)
        .json();
    assert_eq!(report["file"], file);
    assert_eq!(printed(&report, "listen"), (json!("127.0.0.1:8080"), json!({"kind": "file", "path": file, "line": 1, "column": 10})));
    assert_eq!(printed(&report, "runs.keep"), (json!("5"), json!({"kind": "file", "path": file, "line": 5, "column": 8})));
    assert_eq!(printed(&report, "runs.keep_for"), (json!("2d"), json!({"kind": "variable", "name": "MAINSPRING_KEEP_RUNS_FOR"})));
    assert_eq!(printed(&report, "environment"), (json!("staging"), json!({"kind": "variable", "name": "ENVIRONMENT"})));
    assert_eq!(printed(&report, "plans"), (json!(null), json!({"kind": "default"})));
    let data = json!(place.data().display().to_string());
    assert_eq!(printed(&report, "data"), (data, json!({"kind": "variable", "name": "MAINSPRING_DATA"})));
    let report = place.run(&["config", "print", "-o", "json", "--data", "here"]).expect(0).json();
    assert_eq!(printed(&report, "data"), (json!("here"), json!({"kind": "flag", "name": "--data"})));
    let table = place.run(&["config", "print"]).expect(0).out;
    assert!(table.contains("mainspring.toml:6:12") && table.contains("Settings file: mainspring.toml"), "{table}");
    assert!(!place.data().exists() && !place.path("here").exists(), "looking makes nothing");
}

#[test]
fn the_file_is_looked_for_in_order_or_named() {
    let place = Place::new();
    let listen = |args: &[&str], variables: &[(&str, &str)]| {
        let args = [&["config", "print", "-o", "json"], args].concat();
        printed(&with(&place, &args, variables).expect(0).json(), "listen").0
    };
    assert_eq!(listen(&[], &[]), "127.0.0.1:5000");
    place.write("data/mainspring.toml", "listen = \"1001\"\n");
    assert_eq!(listen(&[], &[]), "127.0.0.1:1001");
    place.write("mainspring.toml", "listen = \"1002\"\n");
    assert_eq!(listen(&[], &[]), "127.0.0.1:1002", "the working folder's alone is read");
    place.write("by-name.toml", "listen = \"1003\"\n");
    place.write("by-flag.toml", "listen = \"1004\"\n");
    assert_eq!(listen(&[], &[("MAINSPRING_CONFIG", "by-name.toml")]), "127.0.0.1:1003");
    assert_eq!(listen(&["--config", "by-flag.toml"], &[("MAINSPRING_CONFIG", "by-name.toml")]), "127.0.0.1:1004");
    let done = place.run(&["config", "print", "--config", "none.toml"]).expect(3);
    assert!(done.err.starts_with("error[BAD_SETTINGS_FILE]: none.toml: there is no such file; "), "{}", done.err);
    std::fs::set_permissions(place.path("mainspring.toml"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let done = place.run(&["config", "print"]).expect(3);
    assert!(done.err.contains("chmod o-w mainspring.toml"), "{}", done.err);
}

#[test]
fn every_command_refuses_a_wrong_file_with_all_that_is_wrong() {
    let place = Place::new();
    place.write("mainspring.toml", "lisen = \"8080\"\n[runs]\nkeep = \"many\"\nkeep_for = \"soon\"\n");
    for args in [&["serve", "--dev"][..], &["plan", "list"], &["config", "print"], &["doctor"]] {
        let done = place.run(args).expect(3);
        let lines: Vec<&str> = done.err.lines().collect();
        assert_eq!(
            lines[0], "error[BAD_SETTINGS_FILE]: mainspring.toml:1:1: there is no setting \"lisen\"; did you mean \"listen\"?",
            "{args:?}"
        );
        assert_eq!(lines[1], "mainspring.toml:3:8: runs.keep wants a whole number");
    }
    place.write("mainspring.toml", "[runs]\nkeep_for = \"soon\"\n");
    let done = place.run(&["plan", "list"]).expect(3);
    assert!(done.err.starts_with("error[BAD_SETTING]: mainspring.toml:2:12: runs.keep_for: "), "{}", done.err);
    assert!(!place.data().exists(), "nothing was made");
}

#[test]
fn no_secret_is_in_any_output() {
    let place = Place::new();
    let address = format!("postgres://node:{CANARY}@127.0.0.1:1/x");
    let redis = format!("http://:{CANARY}@127.0.0.1:1");
    let mail = format!("smtp://m:{CANARY}@127.0.0.1:1?tls=none");
    let (key, token) = (format!("{CANARY}:not-base64"), format!("{CANARY}-{CANARY}"));
    let signing = format!("{CANARY}-4f0c9a7be1d25386a9f07c3e8b146d52");
    let issuers =
        format!("[{{\"name\":\"corp\",\"issuer\":\"https://id.example.org\",\"client_id\":\"m\",\"client_secret\":\"{CANARY}\"}}]");
    let dsn = format!("https://{CANARY}@errors.example/{CANARY}");
    let headers = format!("authorization=Bearer%20{CANARY}");
    let secrets = [
        ("auth.jwt_secret", "AUTH_JWT_SECRET", signing.as_str()),
        ("auth.oidc", "MAINSPRING_OIDC", issuers.as_str()),
        ("database.url", "DATABASE_URL", address.as_str()),
        ("database.migrate_url", "MIGRATE_DATABASE_URL", address.as_str()),
        ("redis.url", "REDIS_URL", redis.as_str()),
        ("encryption_key", "ENCRYPTION_KEY", key.as_str()),
        ("metrics.token", "MAINSPRING_METRICS_TOKEN", token.as_str()),
        ("smtp.url", "SMTP_URL", mail.as_str()),
        ("smtp.password", "SMTP_PASSWORD", token.as_str()),
        ("sentry.dsn", "SENTRY_DSN", dsn.as_str()),
        ("secrets.vault_token", "VAULT_TOKEN", token.as_str()),
        ("files.secret", "MAINSPRING_S3_SECRET", token.as_str()),
        ("traces.headers", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", headers.as_str()),
    ];
    let report = place.run(&["config", "print", "-o", "json"]).expect(0).json();
    let secret = report["settings"].as_array().unwrap().iter().filter(|setting| setting["secret"] == true);
    assert_eq!(secret.count(), secrets.len(), "each secret setting is tried here");
    let commands: [&[&str]; 8] = [
        &["config", "print"],
        &["config", "print", "-o", "json"],
        &["config", "print", "-o", "yaml"],
        &["doctor", "--listen", "127.0.0.1:0"],
        &["doctor", "--fix", "--listen", "127.0.0.1:0", "-o", "json"],
        &["serve", "--listen", "127.0.0.1:0", "--environment", "production", "--cors-origin", "*"],
        &["serve", "--dev", "--environment", "production", "-o", "json"],
        &["plan", "list"],
    ];
    for (name, variable, value) in secrets {
        // The star and dev mode keep the server from starting whatever the secret is like.
        for args in commands {
            let file = place.write("secret.toml", &format!("{name} = \"{value}\"\n"));
            std::fs::set_permissions(place.path(&file), std::fs::Permissions::from_mode(0o600)).unwrap();
            for (args, variables) in [(args.to_vec(), vec![(variable, value)]), ([args, &["--config", "secret.toml"]].concat(), vec![])] {
                let done = with(&place, &args, &variables);
                assert!(!done.out.contains(CANARY) && !done.err.contains(CANARY), "{args:?} {name}\n{}\n{}", done.out, done.err);
            }
        }
        let report = with(&place, &["config", "print", "-o", "json"], &[(variable, value)]).expect(0).json();
        assert_eq!(printed(&report, name).1["name"], variable);
        for broken in [format!("{name} = \"{CANARY}\n"), format!("{name} = [\"{CANARY}\"]\n"), format!("{name} = {CANARY}\n")] {
            place.write("broken.toml", &broken);
            let done = place.run(&["config", "print", "--config", "broken.toml"]).expect(3);
            assert!(!done.err.contains(CANARY) && done.err.contains("broken.toml:1:"), "{broken}{}", done.err);
        }
    }
    let done = with(&place, &["serve", "--dev"], &[("DATABASE_URL", &format!("{CANARY}://x"))]).expect(3);
    assert!(!done.err.contains(CANARY), "{}", done.err);
}

#[test]
fn empty_forms_are_written_and_nothing_is_written_over() {
    let place = Place::new();
    place.run(&["config", "init"]).expect(0);
    let file = place.path("mainspring.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let report = place.run(&["config", "print", "-o", "json"]).expect(0).json();
    assert_eq!((&report["file"], printed(&report, "listen").1), (&json!("mainspring.toml"), json!({"kind": "default"})));
    std::fs::write(&file, "listen = \"8080\"\n").unwrap();
    let done = place.run(&["config", "init"]).expect(6);
    assert!(done.err.starts_with("error[CONFLICT]: mainspring.toml is there already\n") && done.err.contains("--force"), "{}", done.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "listen = \"8080\"\n");
    let variables = place.run(&["config", "init", "--as", "env", "-"]).expect(0).out;
    assert!(
        variables.contains("\n#MAINSPRING_LISTEN=127.0.0.1:5000\n") && variables.contains("\n#MAINSPRING_ENCRYPTION_KEY=\n"),
        "{variables}"
    );
}
