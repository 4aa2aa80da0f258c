//! `logic.emit`: tells the plans of the organization that something happened.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bounds::Weight;
use super::patience::event_type;

pub(super) struct Emit;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The type of the event, such as invoice.paid.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 200))]
    event_type: String,
    /// What there is to say of it.
    #[serde(default)]
    data: Value,
}

impl TypedAction for Emit {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Idempotent,
            output: Some(json!({"type": "object", "properties": {"id": {"type": "string"}, "type": {"type": "string"}}})),
            example: json!({"type": "invoice.paid", "data": {"number": "R-7"}}),
            ..ActionSpec::of::<Params>("emit", "Emit an event", "Tells runs that wait for this type of event that it happened.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(params))
    }
}

fn outcome(params: Params) -> ActionResult {
    event_type(&params.event_type)?;
    Weight::default().add(&params.data)?;
    Ok(Outcome::Emit { event_type: params.event_type, data: params.data })
}
