//! The plans that are measured.

use serde_json::{Value, json};

/// Ten steps, each reading the one before: a small object is carried on and changed.
pub fn ten_steps() -> Value {
    let mut steps =
        vec![json!({"id": "s0", "action": "logic.set", "params": {"n": "${inputs.n}", "name": "Ada Lovelace", "city": "London"}})];
    for step in 1..10 {
        let before = format!("s{}", step - 1);
        let n = format!("${{steps.{before}.output.n + 1}}");
        let name = format!("${{steps.{before}.output.name}}");
        steps.push(json!({"id": format!("s{step}"), "action": "logic.set", "params": {"n": n, "name": name, "city": "London"}}));
    }
    json!({"name": "Ten steps", "inputs": {"n": {"type": "number", "required": true}}, "steps": steps})
}

/// A webhook, three steps, an answer.
pub fn webhook(path: &str) -> Value {
    json!({
        "name": format!("Webhook {path}"),
        "triggers": [{"id": "hook", "type": "webhook", "path": path, "respond": "last_step"}],
        "steps": [
            {"id": "read", "action": "logic.set", "params": {"amount": "${trigger.body.amount}", "email": "${trigger.body.email}"}},
            {"id": "large", "action": "logic.if", "params": {"condition": "${steps.read.output.amount > 100}"}},
            {"id": "answer", "needs": ["large:true", "large:false"], "action": "logic.set",
             "params": {"text": "${steps.read.output.email} paid ${steps.read.output.amount}"}},
        ],
        "output": "${steps.answer.output}",
    })
}

/// As many GETs as the inputs' list has items.
pub fn fan_out(parallel: usize) -> Value {
    json!({
        "name": "Fan-out",
        "inputs": {"base": {"type": "string", "required": true}, "items": {"type": "array", "required": true}},
        "steps": [{
            "id": "each", "for_each": "inputs.items", "max_parallel": parallel,
            "action": "http.request", "params": {"url": "${inputs.base}/item/${item}"},
        }],
        "output": "${steps.each.output.length}",
    })
}

/// Two steps: a call to a local server and one that reads its answer.
pub fn two_steps() -> Value {
    json!({
        "name": "Two steps",
        "inputs": {"base": {"type": "string", "required": true}},
        "steps": [
            {"id": "get", "action": "http.request", "params": {"url": "${inputs.base}/item/1"}},
            {"id": "read", "action": "logic.set", "params": {"ok": "${steps.get.output.ok}"}},
        ],
    })
}
