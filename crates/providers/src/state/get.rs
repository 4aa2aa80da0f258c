//! `state.get`: what an earlier step or run left under a key.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use mainspring_model::state::{StateScope, StateWhat};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::terms::{Commit, ask, name};

pub(super) struct Get;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The key, at most 512 bytes.
    #[schemars(length(min = 1, max = 512))]
    key: String,
    /// What to give when nothing is there; null unless written.
    #[serde(default)]
    default: Value,
    /// plan: this plan's own state. organization: the state that all plans of the organization share.
    #[serde(default)]
    scope: StateScope,
}

impl TypedAction for Get {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            example: json!({"key": "cursor", "default": "2026-01-01T00:00:00Z"}),
            ..ActionSpec::of::<Params>("get", "Get a value", "Reads what an earlier run, or an earlier step of this one, left under a key.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        let what = StateWhat::Get { default: params.default };
        ready(name("key", params.key).and_then(|key| ask(params.scope, key, Commit::Success, None, what)))
    }
}
