//! Documents that are no plans: refused with every problem's place, and nothing of them is kept.

use std::process::Stdio;

use serde_json::{Value, json};

use super::running::Running;
use super::texts::same;

const STEP_FIELDS: &str = "id, name, notes, action, provider, params, credential, needs, join, if, for_each, as, max_parallel, batch, on_item_error, repeat, steps, retry, timeout, on_error, undo, once, cache, rate, pinned, tag, position";
const PLAN_FIELDS: &str = "name, description, original_prompt, inputs, vars, triggers, steps, output, on_error, finally, timeout, deadline, concurrency, budget, priority, tag, tests";
const PROVIDERS: &str = "code, crypto, custom_api, file, groq, http, imap, logic, openai, state, transform, webhook";

fn row(what: &str, document: &str, status: u16, findings: &[&str]) -> (String, String, u16, Vec<String>) {
    (what.to_owned(), document.to_owned(), status, findings.iter().map(|line| (*line).to_owned()).collect())
}

fn steps(list: &str) -> String {
    format!("{{\"name\": \"Bad\", \"steps\": [\n{list}\n]}}")
}

/// A step in so many others.
fn nested(groups: usize) -> Value {
    (0..groups).fold(
        json!([{"id": "leaf", "action": "logic.set", "params": {"deep": true}}]),
        |steps, at| json!([{"id": format!("group_{at}"), "steps": steps}]),
    )
}

#[tokio::test]
async fn json_documents_are_refused_with_their_places() {
    let mut server = Running::start().await;
    let deep = json!({"name": "Bad", "steps": nested(64)}).to_string();
    // The innermost list: what stands before its step.
    let column = deep.find("{\"id\":\"leaf\"").unwrap();
    let rows = [
        row("malformed JSON", "{\n  \"name\": \"Bad\",,\n}", 400, &["2:17  SYNTAX: key must be a string"]),
        row("JSON that ends too early", "{\"name\": \"Bad\", \"steps\": [", 400, &["1:26  SYNTAX: EOF while parsing a list"]),
        row("no JSON at all", "name: Bad", 400, &["1:2  SYNTAX: expected ident"]),
        row(
            "an unknown field of a step",
            &steps("{\"id\": \"a\", \"action\": \"logic.set\", \"parms\": {}}"),
            422,
            &[&format!(
                "2:36 /steps/0/parms UNKNOWN_FIELD: a step has no field \"parms\"; did you mean \"params\"? | expected {STEP_FIELDS} | write params"
            )],
        ),
        row(
            "an unknown field of the plan",
            "{\"name\": \"Bad\", \"trigers\": [], \"steps\": [{\"action\": \"logic.set\"}]}",
            422,
            &[&format!(
                "1:17 /trigers UNKNOWN_FIELD: a plan has no field \"trigers\"; did you mean \"triggers\"? | expected {PLAN_FIELDS} | write triggers"
            )],
        ),
        row(
            "a cycle",
            &steps(
                "{\"id\": \"a\", \"action\": \"logic.set\", \"needs\": [\"c\"]},\n{\"id\": \"b\", \"action\": \"logic.set\"},\n{\"id\": \"c\", \"action\": \"logic.set\"}",
            ),
            422,
            &["2:45 /steps/0/needs CYCLE: these steps wait for each other in a ring: a → b → c → a; take one of these edges away"],
        ),
        row(
            "a reference to a later step",
            &steps(
                "{\"id\": \"a\", \"action\": \"logic.set\", \"params\": {\"x\": \"${steps.b.output.x}\"}},\n{\"id\": \"b\", \"action\": \"logic.set\"}",
            ),
            422,
            &[
                "2:55 /steps/0/params/x NOT_AN_ANCESTOR: \"b\" comes later than \"a\" and has not ended when it is read; move \"a\" behind it",
            ],
        ),
        row(
            "a reference to no step",
            &steps("{\"id\": \"a\", \"action\": \"logic.set\", \"params\": {\"x\": \"${steps.zebra.output.x}\"}}"),
            422,
            &["2:55 /steps/0/params/x UNKNOWN_STEP: there is no step \"zebra\""],
        ),
        row(
            "a missing provider",
            &steps("{\"id\": \"a\", \"action\": \"htp.get\", \"params\": {\"url\": \"http://x.example\"}}"),
            422,
            &[&format!(
                "2:23 /steps/0/action UNKNOWN_PROVIDER: there is no provider \"htp\"; did you mean \"http\"? | expected {PROVIDERS} | write http.get"
            )],
        ),
        row(
            "a step that says nothing to do",
            &steps("{\"id\": \"a\", \"params\": {}}"),
            422,
            &["2:1 /steps/0 MISSING_FIELD: a step needs an \"action\", or \"steps\" as its body | expected action, or steps"],
        ),
        row(
            "params of a wrong type",
            &steps("{\"id\": \"a\", \"action\": \"http.get\", \"params\": {\"url\": 7}}"),
            422,
            &["2:53 /steps/0/params/url INVALID_PARAMS: http.get: the param \"url\" must be text, found the number 7 | expected text"],
        ),
        row(
            "1,001 steps",
            &steps(&vec!["{\"action\": \"logic.set\"}"; 1_001].join(",\n")),
            422,
            &["1:26 /steps TOO_MANY_STEPS: the document has 1,001 steps; at most 1,000 are allowed | expected at most 1,000 steps"],
        ),
        row(
            "steps 65 deep",
            &deep,
            422,
            &[&format!(
                "1:{column} /steps{} TOO_DEEP: steps stand more than 64 deep in each other | expected at most 64 levels",
                "/0/steps".repeat(64)
            )],
        ),
        row(
            "a value 66 deep",
            &steps(&format!("{{\"id\": \"a\", \"action\": \"logic.set\", \"params\": {{\"x\": {}{}}}}}", "[".repeat(65), "]".repeat(65))),
            422,
            &[&format!("2:116 /steps/0/params/x{} EXPRESSION_LIMIT: the value nests deeper than 64", "/0".repeat(64))],
        ),
        row(
            "brackets without end",
            &format!("{{\"name\": \"Bad\", \"steps\": {}", "[".repeat(100_000)),
            400,
            &["1:152  SYNTAX: lists and objects stand too deep in each other"],
        ),
    ];
    let mut said = Vec::new();
    for (what, document, status, findings) in rows {
        let reply = server.ask("POST", "/api/plans", document).await;
        let first = reply.findings().first().cloned().unwrap_or_default();
        // The answer in short says the same as its first finding.
        let (code, message) = first.split_once(": ").unwrap_or_default();
        let code = code.rsplit(' ').next().unwrap_or_default();
        let message = message.split(" | ").next().unwrap_or_default();
        let detail = reply.body["detail"].as_str().unwrap_or_default();
        assert!(reply.body["code"] == code && detail.contains(message), "{what}: {} beside {first}", reply.refusal());
        said.push((what, format!("{} {}", reply.status, reply.findings().join("\n")), format!("{status} {}", findings.join("\n"))));
    }
    same(&said);
    let plans = server.get("/api/plans").await.body;
    assert_eq!(plans["plans"].as_array().unwrap().len(), 1, "only the plan of before: {plans}");
    server.whole().await;
}

#[tokio::test]
async fn what_is_just_within_the_bounds_runs() {
    let mut server = Running::start().await;
    let id = server.save(&json!({"name": "Deep", "steps": nested(63)})).await;
    let executed = server.execute(&id, json!({})).await;
    assert_eq!((executed.status, &executed.body["execution"]["step_outputs"]), (200, &json!([{"deep": true}])), "{}", executed.body);
    let id = server.save(&json!({"name": "Long", "steps": vec![json!({"action": "logic.set", "params": {"n": 1}}); 1_000]})).await;
    let executed = server.execute(&id, json!({})).await;
    assert_eq!((executed.status, &executed.body["execution"]["completed_steps"]), (200, &json!(1_000)));
    server.whole().await;
}

#[tokio::test]
async fn yaml_documents_are_refused_like_a_compiler_does() {
    let mut server = Running::start().await;
    let rows = [
        (
            "a bracket that is never closed",
            "name: Bad\nsteps:\n  - {id: a, action: logic.set, params: {",
            "<stdin>:3:40: SYNTAX: this \"{\" is never closed\n3 |   - {id: a, action: logic.set, params: {\n  |                                        ^\nerror[SYNTAX]: <stdin>: 1 problem\n",
        ),
        (
            "a line that stands too far left",
            "name: Bad\nsteps:\n - id: a\n   action: logic.set\n  params: {}\n",
            "<stdin>:5:3: SYNTAX: this is no YAML: while parsing a block collection, did not find expected '-' indicator\n5 |   params: {}\n  |   ^^^^^^\nerror[SYNTAX]: <stdin>: 1 problem\n",
        ),
        (
            "a quote that is never closed",
            "name: \"Bad\nsteps: []\n",
            "<stdin>:2:1: SYNTAX: a text in quotes goes on here; is its closing quote missing?\n2 | steps: []\n  | ^^^^^\nerror[SYNTAX]: <stdin>: 1 problem\n",
        ),
        (
            "an unknown field",
            "name: Bad\nsteps:\n  - {id: a, action: logic.set, nedds: []}\n",
            &format!(
                "<stdin>:3:32: UNKNOWN_FIELD: a step has no field \"nedds\"; did you mean \"needs\"?\n3 |   - {{id: a, action: logic.set, nedds: []}}\n  |                                ^^^^^\n  = expected: {STEP_FIELDS}\n  = write: needs\nerror[UNKNOWN_FIELD]: <stdin>: 1 problem\n"
            ),
        ),
    ];
    let mut said = Vec::new();
    for (what, document, expected) in rows {
        for command in ["save", "validate"] {
            let args = if command == "save" { &["plan", "save", "-"][..] } else { &["validate", "-"] };
            let done = server.place.feed(args, document);
            // What is wrong with a file is an error of `save` and the result of `validate`.
            let validated = expected.split("error[").next().unwrap().to_owned() + "✗ <stdin>: 1 problem\n";
            let expected = if command == "save" { expected } else { &validated };
            let out = if command == "save" { done.err } else { done.out };
            said.push((format!("{what}, {command}"), format!("{} {out}", done.code), format!("3 {expected}")));
        }
    }
    same(&said);
    // Nothing comes on standard input here, and that is said too.
    let done = crate::cli::program::Done::of(server.place.command(&["plan", "save", "-"]).stdin(Stdio::null()).output().unwrap());
    assert_eq!((done.code, done.err.as_str()), (3, "<stdin>:1:1: SYNTAX: the document is empty\nerror[SYNTAX]: <stdin>: 1 problem\n"));
    server.whole().await;
}
