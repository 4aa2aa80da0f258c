//! `state.set`: leaves a value for later runs.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use mainspring_model::state::{StateScope, StateWhat};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::terms::{Commit, ask, name, ttl};

pub(super) struct Set;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The key, at most 512 bytes.
    #[schemars(length(min = 1, max = 512))]
    key: String,
    /// Any value, at most 256 KiB as JSON.
    value: Value,
    /// How long it is kept, such as 30d; for ever unless written.
    #[serde(default)]
    ttl: Value,
    /// plan: this plan's own state. organization: the state that all plans of the organization share.
    #[serde(default)]
    scope: StateScope,
    /// success: written when the run succeeds. now: written at once, whatever becomes of the run.
    #[serde(default)]
    commit: Commit,
}

impl TypedAction for Set {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Idempotent,
            example: json!({"key": "cursor", "value": "2026-02-01T00:00:00Z"}),
            ..ActionSpec::of::<Params>("set", "Set a value", "Leaves a value under a key for later runs.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(outcome(params))
    }
}

fn outcome(params: Params) -> ActionResult {
    let ttl = ttl(&params.ttl)?;
    ask(params.scope, name("key", params.key)?, params.commit, ttl, StateWhat::Set { value: params.value })
}
