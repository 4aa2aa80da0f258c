//! `logic.if`: ends in `true` or `false`, so that edges can follow a condition.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, Port, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::condition::holds;

pub(super) struct If;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// True or false, as from "${inputs.amount > 1000}". Null, 0 and false do not hold; numbers, lists and objects do; text is refused.
    condition: Value,
}

impl TypedAction for If {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            computes: true,
            output: Some(json!({"type": "boolean"})),
            example: json!({"condition": true}),
            ..ActionSpec::of::<Params>("if", "If", "Goes one way when a condition holds and another when it does not.")
        }
    }

    fn ports(&self, _: &Value) -> Vec<Port> {
        vec![Port::main("success"), Port::main("true"), Port::side("false")]
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(holds("condition", &params.condition).map(|holds| {
            let port = if holds { "true" } else { "false" };
            Outcome::Done(Output::new(Value::Bool(holds)).port(port))
        }))
    }
}
