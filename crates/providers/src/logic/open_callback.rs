//! `logic.open_callback`: makes an address that another system answers once.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

pub(super) struct OpenCallback;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {}

impl TypedAction for OpenCallback {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        let description = "Makes an address that another system can answer once; give it away, then wait for the callback.";
        ActionSpec {
            effect: Effect::Idempotent,
            output: Some(json!({"type": "object", "properties": {"id": {"type": "string"}, "url": {"type": "string"}}})),
            ..ActionSpec::of::<Params>("open_callback", "Open a callback", description)
        }
    }

    fn call(&self, _: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(Ok(Outcome::OpenCallback))
    }
}
