//! `logic.wait_for_callback`: waits until somebody answers an address that was opened before.

use std::future::{Future, ready};

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Port, TypedAction};
use mainspring_model::wait::{TIMEOUT_PORT, Wait, WaitKind, callback_topic};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::patience::until;

pub(super) struct WaitForCallback;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The id that open_callback gave.
    #[schemars(length(min = 1, max = 200))]
    id: String,
    /// How long to wait, such as 3d; the step then ends in port timeout. As long as the run may when absent.
    #[serde(default)]
    #[schemars(extend("type" = ["string", "number"]))]
    timeout: Value,
}

impl TypedAction for WaitForCallback {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        let description = "Waits until the address of open_callback is answered, also when that was before this step began.";
        ActionSpec {
            effect: Effect::Read,
            output: Some(json!({"type": "object", "properties": {"method": {"type": "string"}, "headers": {"type": "object"},
                "query": {"type": "object"}, "body": {}}})),
            example: json!({"id": "${steps.open.output.id}", "timeout": "1d"}),
            ..ActionSpec::of::<Params>("wait_for_callback", "Wait for a callback", description)
        }
    }

    fn ports(&self, _: &Value) -> Vec<Port> {
        vec![Port::main("success"), Port::side(TIMEOUT_PORT)]
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(&params, cx))
    }
}

fn outcome(params: &Params, cx: &Context) -> ActionResult {
    if params.id.is_empty() || params.id.len() > 200 {
        return Err(Fault::invalid_params("\"id\" must be what open_callback gave, ${steps.<its id>.output.id}"));
    }
    let until = until(&params.timeout, cx)?;
    Ok(Outcome::Wait(Wait { kind: WaitKind::Callback, topic: callback_topic(&params.id), since: None, until, detail: Value::Null }))
}
