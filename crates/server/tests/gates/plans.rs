//! The plans of the load: steps that compute, steps that call the ledger, a loop over calls, a wait, and a `once` step.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::client::Client;

/// One plan and how clients start it.
pub struct Kind {
    pub name: &'static str,
    /// By `/api/webhook/<name>` with the output as the answer; else by `/api/execute` without waiting.
    pub webhook: bool,
    pub document: Value,
}

/// Pure steps of the plan that only computes.
pub const PURE_STEPS: u64 = 12;
/// Calls of the loop.
pub const FAN: u64 = 8;

pub fn all(ledger: &str) -> Vec<Kind> {
    vec![
        Kind { name: "pure", webhook: true, document: pure() },
        Kind { name: "calls", webhook: true, document: calls(ledger) },
        Kind { name: "fan", webhook: false, document: fan(ledger) },
        Kind { name: "nap", webhook: false, document: nap(ledger) },
        Kind { name: "once", webhook: false, document: once(ledger) },
    ]
}

/// Makes all of them, and says what is started by `/api/execute`: each plan's id, and the bounds of its `n`.
pub async fn keep(server: SocketAddr, ledger: &str) -> Vec<(String, u64, u64)> {
    let mut client = Client::new(server);
    let mut watched = Vec::new();
    for kind in all(ledger) {
        let (status, answer) = client.post("/api/plans", &kind.document).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        if !kind.webhook {
            let plan = answer["plan"]["id"].as_str().unwrap();
            watched.push((plan.to_owned(), 1, 200));
            if kind.name == "nap" {
                // Waits of more than a second are rows, shorter ones are held in memory.
                watched.push((plan.to_owned(), 1_100, 1_500));
            }
        }
    }
    watched
}

fn plan(name: &str, webhook: bool, steps: Vec<Value>, output: &Value) -> Value {
    let inputs = json!({"token": {"type": "string", "required": true}, "n": {"type": "integer", "required": true}});
    let triggers = if webhook { json!([{"id": "hook", "type": "webhook", "path": name, "respond": "last_step"}]) } else { json!([]) };
    json!({"name": name, "inputs": inputs, "triggers": triggers, "steps": steps, "output": output})
}

/// The output of a webhook's plan: the run and what each step gave.
fn everything<'a>(steps: impl IntoIterator<Item = &'a str>) -> Value {
    let steps = steps.into_iter().map(|step| (step.to_owned(), json!(format!("${{steps.{step}.output}}")))).collect();
    json!({"run": "${run.id}", "steps": Value::Object(steps)})
}

fn set(id: &str, params: Value) -> Value {
    json!({"id": id, "action": "logic.set", "params": params})
}

/// A call to the ledger under the step's idempotency key.
pub fn call(id: &str, path: &str, ledger: &str) -> Value {
    let body = json!({"run": "${run.id}", "token": "${inputs.token}", "path": path});
    let params = json!({"method": "POST", "url": ledger, "idempotency_header": "Idempotency-Key", "body": body});
    json!({"id": id, "action": "http.request", "params": params})
}

fn pure() -> Value {
    let ids: Vec<String> = (1..=PURE_STEPS).map(|n| format!("s{n}")).collect();
    let before = |n: usize| if n == 0 { "inputs.n".to_owned() } else { format!("steps.{}.output.n", ids[n - 1]) };
    let steps = ids.iter().enumerate().map(|(n, id)| set(id, json!({"n": format!("${{{} + 1}}", before(n))}))).collect();
    plan("pure", true, steps, &everything(ids.iter().map(String::as_str)))
}

fn calls(ledger: &str) -> Value {
    let mut charge = call("charge", "charge", ledger);
    // Recorded randomness: a repeated call must be the same call.
    charge["params"]["body"]["id"] = json!("${uuid()}");
    let steps = vec![
        set("before", json!({"n": "${inputs.n}"})),
        charge,
        set("between", json!({"receipt": "${steps.charge.output.receipt}", "keys": {"charge": "${steps.charge.idempotency_key}"}})),
        call("note", "note", ledger),
        set("after", json!({"keys": {"note": "${steps.note.idempotency_key}"}})),
    ];
    plan("calls", true, steps, &everything(["before", "charge", "between", "note", "after"]))
}

fn fan(ledger: &str) -> Value {
    let items: Vec<u64> = (0..FAN).collect();
    let mut fan = call("fan", "fan[${index}]", ledger);
    fan["for_each"] = json!("steps.list.output.items");
    fan["max_parallel"] = json!(4);
    fan["params"]["body"]["item"] = json!("${item}");
    let steps = vec![set("list", json!({"items": items})), fan, set("after", json!({"first": "${steps.fan.output[0].receipt}"}))];
    plan("fan", false, steps, &json!("${steps.after.output}"))
}

fn nap(ledger: &str) -> Value {
    let sleep = json!({"id": "nap", "action": "logic.sleep", "params": {"for": "${inputs.n / 1000}"}});
    let steps = vec![sleep, call("charge", "charge", ledger), set("after", json!({"receipt": "${steps.charge.output.receipt}"}))];
    plan("nap", false, steps, &json!("${steps.after.output}"))
}

fn once(ledger: &str) -> Value {
    let mut charge = call("charge", "charge", ledger);
    charge["once"] = json!(true);
    charge["params"]["body"]["once"] = json!(true);
    let steps =
        vec![set("before", json!({"n": "${inputs.n}"})), charge, set("after", json!({"receipt": "${steps.charge.output.receipt}"}))];
    plan("once", false, steps, &json!("${steps.after.output}"))
}
