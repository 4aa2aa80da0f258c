//! The page of figures has every figure there is, and the alerts name only those, each with a part of the page that says what to do.

use std::collections::BTreeSet;

use mainspring_model::credential::Secret;
use mainspring_model::store::Delivery;
use mainspring_server::settings::Settings;
use serde_json::{Value, json};

use crate::http::world::World;

const PAGE: &str = include_str!("../../../../docs/observability.md");
const RULES: &str = include_str!("../../../../deploy/alerts/mainspring.rules.yml");

/// Of every figure, as Prometheus names it.
async fn figures() -> BTreeSet<String> {
    let token = Secret::new("a-token-for-the-monitor".to_owned());
    let world = World::with(Settings { dev: true, metrics_token: Some(token), ..World::settings() }).await;
    let plan = world.plan(json!({ "name": "Good", "steps": [{ "id": "a", "action": "logic.set", "params": { "x": 1 } }] })).await;
    world.post("/api/execute", json!({ "plan_id": plan })).await;
    world.app.metrics.delivered("mail", &Delivery::Sent);
    let text = world.app.metrics.text(&world.app);
    let kind = |line: &str| line.strip_prefix("# TYPE ").map(|rest| rest.split_once(' ').map(|(n, k)| (n.to_owned(), k.to_owned())));
    let named = text.lines().filter_map(kind).flatten();
    named.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name }).collect()
}

/// The figures that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("mainspring_")).map(str::to_owned).collect()
}

/// What is wrong with the rules, in words.
fn faults(rules: &str, figures: &BTreeSet<String>) -> Vec<String> {
    let rules: Value = match serde_saphyr::from_str(rules) {
        Ok(rules) => rules,
        Err(error) => return vec![format!("no YAML: {error}")],
    };
    let headings: BTreeSet<String> =
        PAGE.lines().filter_map(|line| line.strip_prefix("### ")).map(|line| line.to_lowercase().replace(' ', "-")).collect();
    let mut faults = Vec::new();
    for rule in rules["groups"][0]["rules"].as_array().into_iter().flatten() {
        let name = rule["alert"].as_str().unwrap_or("a rule without a name");
        let expr = rule["expr"].as_str().unwrap_or_default();
        let known = named(expr);
        faults.extend(known.difference(figures).map(|figure| format!("{name}: there is no {figure}")));
        if known.is_empty() && !expr.starts_with("up{") {
            faults.push(format!("{name}: names no figure"));
        }
        let part = rule["annotations"]["runbook"].as_str().and_then(|link| link.strip_prefix("docs/observability.md#"));
        if !part.is_some_and(|part| headings.contains(part)) {
            faults.push(format!("{name}: its runbook is no part of the page"));
        }
        if !matches!(rule["labels"]["severity"].as_str(), Some("warning" | "critical")) || rule["annotations"]["summary"].is_null() {
            faults.push(format!("{name}: has no severity or no summary"));
        }
    }
    faults
}

#[tokio::test]
async fn the_page_has_every_figure_and_no_other() {
    let figures = figures().await;
    let table: String = PAGE.lines().filter(|line| line.starts_with("| `mainspring_")).collect::<Vec<_>>().join("\n");
    assert_eq!(named(&table), figures);
    assert!(figures.len() > 20, "{figures:?}");
}

#[tokio::test]
async fn alerts_name_figures_that_there_are() {
    let figures = figures().await;
    assert_eq!(faults(RULES, &figures), [""; 0]);
    assert!(RULES.matches("- alert: ").count() >= 8);
    for (broken, fault) in [
        (RULES.replace("mainspring_queue_oldest_seconds", "mainspring_queue_age_seconds"), "there is no mainspring_queue_age_seconds"),
        (RULES.replace("mainspring_stale_writes_total", "mainspring_stale_writes"), "there is no mainspring_stale_writes"),
        (RULES.replace("#runs-fail", "#runs-failed"), "its runbook is no part"),
        (RULES.replace("severity: critical", "severity: page"), "has no severity"),
        (RULES.replace("groups:", "groups: {"), "no YAML"),
    ] {
        let found = faults(&broken, &figures);
        assert!(found.iter().any(|text| text.contains(fault)), "{fault}: {found:?}");
    }
}
