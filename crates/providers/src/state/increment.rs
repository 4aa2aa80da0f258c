//! `state.increment`: counts. Runs side by side lose nothing, because what is written is the difference.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use mainspring_model::state::{StateScope, StateWhat};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::terms::{Commit, ask, name, ttl};

pub(super) struct Increment;

fn one() -> Number {
    1.into()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The key, at most 512 bytes. What is not there counts as 0.
    #[schemars(length(min = 1, max = 512))]
    key: String,
    /// How much is added; less than 0 takes away.
    #[serde(default = "one")]
    #[schemars(with = "f64")]
    by: Number,
    /// How long it is kept, counted from the last increment, such as 30d; as long as before unless written.
    #[serde(default)]
    ttl: Value,
    /// plan: this plan's own state. organization: the state that all plans of the organization share.
    #[serde(default)]
    scope: StateScope,
    /// success: written when the run succeeds. now: written at once, and the output is this step's own number, which no other step gets.
    #[serde(default)]
    commit: Commit,
}

impl TypedAction for Increment {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Idempotent,
            output: Some(json!({"type": "number"})),
            example: json!({"key": "invoices", "by": 1}),
            ..ActionSpec::of::<Params>("increment", "Count", "Adds to a number; the output is the sum.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(params))
    }
}

fn outcome(params: Params) -> ActionResult {
    let ttl = ttl(&params.ttl)?;
    ask(params.scope, name("key", params.key)?, params.commit, ttl, StateWhat::Increment { by: params.by })
}
