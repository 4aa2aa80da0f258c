//! Each rule over the project's own files, and over them with one text broken.

use super::*;

/// Rule, file, text that stands there once, and what breaks it.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    ("missing", UNIT, "User=mainspring\n", "User=root\n"),
    ("missing", SECURITY, "runAsNonRoot: true", "runAsNonRoot: false"),
    ("missing", SECURITY, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    ("missing", ROLES, "mainspring_node login nosuperuser nobypassrls", "mainspring_node login superuser"),
    ("missing", COMPOSE, "${ENCRYPTION_KEY:?", "${ENCRYPTION_KEY:-"),
    ("missing", IGNORED, "\n*\n", "\n"),
    ("missing", IGNORED, "!docs/errors\n", ""),
    ("unwanted", DEPLOYMENT, "- name: ENCRYPTION_KEY", "- name: MIGRATE_DATABASE_URL"),
    ("ports", DOCKERFILE, "EXPOSE 8080 9464", "EXPOSE 8081 9464"),
    ("ports", DEPLOYMENT, "containerPort: 9464", "containerPort: 9465"),
    ("ports", COMPOSE, "127.0.0.1:8080:8080", "127.0.0.1:8080:5000"),
    ("ports", COMPOSE, "$$node:8080/health", "$$node:5000/health"),
    ("ports", UNIT, "127.0.0.1:8080", "127.0.0.1:5000"),
    ("users", DOCKERFILE, "USER 65532:65532", "USER nonroot"),
    ("users", DOCKERFILE, "USER 65532:65532", "USER 0"),
    ("users", SECURITY, "runAsUser: 65532", "runAsUser: 1000"),
    ("times", UNIT, "TimeoutStopSec=35", "TimeoutStopSec=10"),
    ("times", COMPOSE, "stop_grace_period: 35s", "stop_grace_period: 10s"),
    ("times", VALUES, "terminationGracePeriodSeconds: 35", "terminationGracePeriodSeconds: 20"),
    ("times", "crates/server/src/serve.rs", "const DRAIN_FOR: i64 = 8_000;", "const DRAIN_FOR: i64 = 20_000;"),
    ("times", "crates/server/src/serve.rs", "const DRAIN_FOR: i64 = 8_000;", "const DRAIN: i64 = 8_000;"),
    ("images", DOCKERFILE, "rust:1.95.0-bookworm", "rust"),
    ("images", COMPOSE, "busybox:1.37.0", "busybox:latest"),
    ("versions", CHART, "appVersion: \"0.1.0\"", "appVersion: \"0.0.9\""),
    ("versions", COMPOSE, "image: mainspring:0.1.0", "image: mainspring:0.0.9"),
    ("secrets", COMPOSE, "${POSTGRES_PASSWORD:?is not set; it is the database superuser's}", "hunter2hunter2"),
    ("secrets", COMPOSE, "mainspring_owner:${OWNER_PASSWORD}@", "mainspring_owner:hunter2@"),
    ("secrets", VALUES, "encryptionKey: \"\"", "encryptionKey: \"aGVsbG8=\""),
    ("secrets", UNIT, "Environment=MAINSPRING_ENVIRONMENT=production", "Environment=MAINSPRING_METRICS_TOKEN=aaaaaaaaaaaaaaaaaaaa"),
    ("names", DOCKERFILE, "MAINSPRING_DATA=/var", "MAINSPRING_DATE=/var"),
    ("names", UNIT, "mainspring serve\n", "mainspring serve --port 1\n"),
    ("names", DEPLOYMENT, "args: [serve]", "args: [server]"),
];

fn project() -> Vec<Text> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder above");
    let mut texts = crate::tree::read(root).expect("the checkout can be read");
    texts.retain(|text| is_about_deploying(&text.path) || text.path.starts_with("crates/server/src/") || !text.path.contains('/'));
    texts
}

#[test]
fn the_projects_own_files_hold() {
    let found: Vec<String> = check(&project()).iter().map(ToString::to_string).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn each_rule_notices_what_breaks_it() {
    let mut texts = project();
    for (rule, path, from, to) in BROKEN {
        let at = texts.iter().position(|text| text.path == *path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(texts[at].text.matches(from).count(), 1, "`{from}` in {path}");
        let whole = texts[at].text.clone();
        texts[at].text = whole.replacen(from, to, 1);
        let found = check(&texts);
        assert!(found.iter().any(|finding| finding.rule == *rule), "`{to}` in {path} breaks {rule}, but: {found:?}");
        texts[at].text = whole;
    }
}

#[test]
fn a_password_in_a_url_is_seen_and_a_reference_is_none() {
    assert_eq!(password_of_url("a: postgres://u:hunter2@db/x"), Some("hunter2"));
    assert_eq!(password_of_url("http://127.0.0.1:8080/health"), None);
    assert_eq!(password_of_url("${A:?not set: see https://a.example/b:c@d}"), None);
    assert!(!is_literal("${NODE_PASSWORD:?is not set}") && !is_literal("…") && !is_literal("DATABASE_URL"));
}
