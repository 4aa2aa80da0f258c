//! `logic.wait_for_event`: waits until an event of a type comes that fits.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Port, TypedAction};
use mainspring_model::wait::{TIMEOUT_PORT, Wait, WaitKind, event_topic};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::list::per_event;
use super::moment::moment;
use super::patience::{event_type, until};

pub(super) struct WaitForEvent;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The type of the event, such as invoice.paid.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 200))]
    event_type: String,
    /// Events from this moment on count; from the start of the run when absent.
    #[serde(default)]
    #[schemars(extend("type" = "string"))]
    since: Value,
    /// How long to wait, such as 3d; the step then ends in port timeout. As long as the run may when absent.
    #[serde(default)]
    #[schemars(extend("type" = ["string", "number"]))]
    timeout: Value,
}

impl TypedAction for WaitForEvent {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        let condition = json!({
            "type": ["string", "boolean"],
            "description": "A condition on event.data, such as event.data.order == inputs.order. An event that lacks what it reads does not fit.",
        });
        let description = "Waits until an event of this type comes; also one that came since the run began.";
        let spec = ActionSpec {
            effect: Effect::Read,
            output: Some(json!({"type": "object", "properties": {"id": {"type": "string"}, "type": {"type": "string"}, "data": {},
                "received_at": {"type": "string"}}})),
            example: json!({"type": "invoice.paid", "where": "event.data.number == 'R-7'", "timeout": "14d"}),
            ..ActionSpec::of::<Params>("wait_for_event", "Wait for an event", description)
        };
        per_event(spec, "where", condition)
    }

    fn ports(&self, _: &Value) -> Vec<Port> {
        vec![Port::main("success"), Port::side(TIMEOUT_PORT)]
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(&params, cx))
    }
}

fn outcome(params: &Params, cx: &Context) -> ActionResult {
    let since = match &params.since {
        Value::Null => None,
        since => Some(moment("since", since)?),
    };
    let topic = event_topic(event_type(&params.event_type)?);
    Ok(Outcome::Wait(Wait { kind: WaitKind::Event, topic, since, until: until(&params.timeout, cx)?, detail: Value::Null }))
}
