//! `logic.approval`: waits until a person says yes or no.

use std::future::{Future, ready};

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Port, TypedAction};
use mainspring_model::plan::InputSpec;
use mainspring_model::wait::{TIMEOUT_PORT, Wait, WaitKind, approval_topic};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::patience::until;

pub(super) struct Approval;

/// The longest question with its form, in bytes of JSON: people are to read it.
const LONGEST: usize = 64 << 10;
/// Mails of one question.
const MOST_ASKED: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// What is to be decided.
    #[schemars(length(min = 1))]
    message: String,
    /// Who is asked by mail: addresses, or names of members. Each gets a link of their own, by which they decide without an account. Every member
    /// who may control runs can decide too, also when this is empty.
    #[serde(default)]
    #[schemars(length(max = 20))]
    to: Vec<String>,
    /// What the person fills in: a JSON Schema for each field.
    #[serde(default)]
    form: Map<String, Value>,
    /// How long to wait, such as 3d; the step then ends in port timeout. As long as the run may when absent.
    #[serde(default)]
    #[schemars(extend("type" = ["string", "number"]))]
    timeout: Value,
}

impl TypedAction for Approval {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        let description = "Asks people for a decision and waits for it; who decided, and when, stands in the log.";
        ActionSpec {
            effect: Effect::Idempotent,
            output: Some(json!({"type": "object", "properties": {"approved": {"type": "boolean"}, "by": {"type": "string"},
                "comment": {"type": "string"}, "form": {"type": "object"}, "decided_at": {"type": "string"}}})),
            example: json!({"message": "Refund 120 € to Ada?", "timeout": "2d"}),
            ..ActionSpec::of::<Params>("approval", "Ask for approval", description)
        }
    }

    fn ports(&self, _: &Value) -> Vec<Port> {
        vec![Port::main("success"), Port::main("approved"), Port::side("rejected"), Port::side(TIMEOUT_PORT)]
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(params, cx))
    }
}

fn outcome(params: Params, cx: &Context) -> ActionResult {
    let until = until(&params.timeout, cx)?;
    if params.message.trim().is_empty() {
        return Err(Fault::invalid_params("\"message\" is empty; say what is to be decided"));
    }
    if params.to.len() > MOST_ASKED {
        let message = format!("\"to\" has {} entries; at most {MOST_ASKED} people are asked at once", params.to.len());
        return Err(Fault::invalid_params(message));
    }
    if let Err(problems) = InputSpec::of(&params.form) {
        let said: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
        return Err(Fault::invalid_params(format!("\"form\": {}", said.join("; "))));
    }
    let detail = json!({"message": params.message, "to": params.to, "form": params.form});
    if detail.to_string().len() > LONGEST {
        return Err(Fault::invalid_params(format!("the question with its form has more than {LONGEST} bytes; shorten the message")));
    }
    // The same on every attempt, and nobody can guess it.
    let topic = approval_topic(&cx.idempotency_key.to_lowercase());
    Ok(Outcome::Wait(Wait { kind: WaitKind::Approval, topic, since: None, until, detail }))
}
