//! `logic.call`: runs another plan as a child run, and waits for its result unless told not to.

use std::future::{Future, ready};

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bounds::Weight;

pub(super) struct Call;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The plan's id or name.
    #[schemars(length(min = 1))]
    plan: String,
    /// The inputs of the new run.
    #[serde(default)]
    inputs: Map<String, Value>,
    /// True: the step ends with the child run's result. False: it ends as soon as the child run is accepted.
    #[serde(default = "yes")]
    wait: bool,
}

fn yes() -> bool {
    true
}

impl TypedAction for Call {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            example: json!({"plan": "Send invoice", "inputs": {"customer": "c_42"}}),
            ..ActionSpec::of::<Params>("call", "Call a plan", "Runs another plan with these inputs and gives its result.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(params))
    }
}

fn outcome(params: Params) -> ActionResult {
    if params.plan.trim().is_empty() {
        return Err(Fault::invalid_params("\"plan\" is empty; it must be a plan's id or name"));
    }
    let inputs = Value::Object(params.inputs);
    Weight::default().add(&inputs)?;
    Ok(Outcome::Call { plan: params.plan, inputs, wait: params.wait })
}
