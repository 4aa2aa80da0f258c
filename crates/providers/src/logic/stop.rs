//! `logic.stop`: ends the whole run in success, from any depth.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, TypedAction};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::bounds::Weight;

pub(super) struct Stop;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The run's result, null included. Without it the usual rule decides.
    #[serde(default, deserialize_with = "written")]
    #[schemars(with = "Value")]
    output: Option<Value>,
}

/// `Some(null)` for a written null, which is not the same as nothing written.
fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl TypedAction for Stop {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            computes: true,
            example: json!({"output": "nothing to do"}),
            ..ActionSpec::of::<Params>("stop", "Stop", "Ends the whole run in success at once; steps that run are let finish.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        let weighed = params.output.iter().try_for_each(|output| Weight::default().add(output));
        ready(weighed.map(|()| Outcome::Stop(params.output)))
    }
}
