//! Expressions that fail when they run: the step, the path that was there, the bound that was met.

use serde_json::{Value, json};

use super::running::Running;
use super::texts::same;

fn set(id: &str, params: Value) -> Value {
    json!({"id": id, "action": "logic.set", "params": params})
}

const WORK: &str = "EXPRESSION_FAILED: the expression does too much work for one evaluation; split it over several steps";
const SIZE: &str = "EXPRESSION_FAILED: the expression makes a value of more than 1 MiB (1048576 bytes), the bound for expressions";
const DEPTH: &str = "EXPRESSION_FAILED: the expression makes a value nested deeper than 64, the bound for expressions";

#[tokio::test]
async fn a_run_says_which_step_could_not_be_made_out_and_why() {
    let mut server = Running::start().await;
    let read =
        |text: &str| vec![set("a", json!({"title": "T", "url": "u", "nothing": null, "rows": [1, 2]})), set("b", json!({"x": text}))];
    let skipped = vec![json!({"id": "a", "if": "false", "action": "logic.set"}), set("b", json!({"x": "${steps.a.output.title}"}))];
    let mut said = Vec::new();
    for (what, steps, expected) in [
        (
            "an unresolved path",
            read("${steps.a.output.titel}"),
            "b UNRESOLVED_REFERENCE: steps.a.output has no \"titel\"; it has \"title\", \"url\", \"nothing\", \"rows\" (did you mean \"title\"?)",
        ),
        (
            "a place beyond a list's end",
            read("${steps.a.output.rows[5]}"),
            "b UNRESOLVED_REFERENCE: steps.a.output.rows has no [5]; it is a list of 2, counted from 0",
        ),
        (
            "stepping into null",
            read("${steps.a.output.nothing.name}"),
            "b UNRESOLVED_REFERENCE: steps.a.output.nothing is null, so it has no \"name\"; `?.`, `??` or default() allow for that",
        ),
        (
            "stepping into the output of a step that was skipped",
            skipped,
            "b UNRESOLVED_REFERENCE: steps.a.output is null, so it has no \"title\"; `?.`, `??` or default() allow for that",
        ),
        ("a loop", read("${range(0, 3000).map(a => range(0, 3000).some(b => false))}"), &format!("b {WORK}")),
        ("loops in loops", read("${range(0, 99999).map(a => range(0, 99999).filter(b => a == b))}"), &format!("b {WORK}")),
        ("90 MB", read("${'x'.repeat(94371840)}"), &format!("b {SIZE}")),
        ("90 MB by doubling", read("${range(0, 27).reduce((a, x) => a + a, 'x')}"), &format!("b {SIZE}")),
        ("a value 100 deep", read("${range(0, 100).reduce((a, x) => [a], 1)}"), &format!("b {DEPTH}")),
    ] {
        said.push((what.to_owned(), server.failure(steps).await, expected.to_owned()));
    }
    same(&said);
    server.whole().await;
}

#[tokio::test]
async fn expressions_beyond_the_bounds_are_not_saved() {
    let mut server = Running::start().await;
    let mut said = Vec::new();
    for (text, expected) in [
        (
            format!("{}1{}", "(".repeat(65), ")".repeat(65)),
            "EXPRESSION_LIMIT: the expression nests deeper than 64; split it over several steps or `vars`",
        ),
        (vec!["1"; 9_001].join("+"), "EXPRESSION_LIMIT: the expression is 18001 bytes long; at most 16384 are read"),
        ("while (true) {}".to_owned(), "EXPRESSION_UNSUPPORTED: `while` cannot stand in an expression; use `? :` or methods"),
    ] {
        let reply = server.post("/api/plans", &json!({"name": "Bad", "steps": [set("a", json!({"x": format!("${{{text}}}")}))]})).await;
        assert_eq!((reply.status, &reply.body["errors"][0]["pointer"]), (422, &json!("/steps/0/params/x")), "{}", reply.body);
        let first = &reply.body["errors"][0];
        let line = format!("{}: {}", first["code"].as_str().unwrap(), first["message"].as_str().unwrap());
        said.push((text[..14].to_owned(), line, expected.to_owned()));
    }
    same(&said);
    server.whole().await;
}
