//! `logic.wait_for_triggers`: waits until other triggers of the plan came too, delivered to this run.

use std::future::{Future, ready};

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Port, TypedAction};
use mainspring_model::wait::{TIMEOUT_PORT, Wait, WaitKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::patience::until;

pub(super) struct WaitForTriggers;

/// The most triggers of one wait.
const MOST: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The ids of the plan's triggers that have to come. The one that started the run counts.
    #[schemars(length(min = 1, max = 100))]
    all: Vec<String>,
    /// How long to wait, such as 3d; the step then ends in port timeout. As long as the run may when absent.
    #[serde(default)]
    #[schemars(extend("type" = ["string", "number"]))]
    timeout: Value,
}

impl TypedAction for WaitForTriggers {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        let description = "Waits until each of these triggers of the plan has come, also before this step began. For plans with \
            concurrency.policy deliver: a trigger whose key has a live run is told to that run.";
        ActionSpec {
            effect: Effect::Read,
            output: Some(json!({"type": "object", "additionalProperties": {"type": "object"}})),
            example: json!({"all": ["order", "payment"], "timeout": "2d"}),
            ..ActionSpec::of::<Params>("wait_for_triggers", "Wait for triggers", description)
        }
    }

    fn ports(&self, _: &Value) -> Vec<Port> {
        vec![Port::main("success"), Port::side(TIMEOUT_PORT)]
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(params, cx))
    }
}

fn outcome(params: Params, cx: &Context) -> ActionResult {
    if params.all.is_empty() || params.all.len() > MOST || params.all.iter().any(String::is_empty) {
        return Err(Fault::invalid_params(format!("\"all\" names 1 to {MOST} of the plan's triggers by their ids")));
    }
    let until = until(&params.timeout, cx)?;
    let detail = json!({"all": params.all});
    // The topic is the run's, which the engine knows.
    Ok(Outcome::Wait(Wait { kind: WaitKind::Triggers, topic: String::new(), since: None, until, detail }))
}
