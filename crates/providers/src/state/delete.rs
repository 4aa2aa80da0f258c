//! `state.delete`: forgets a value.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, TypedAction};
use mainspring_model::state::{StateScope, StateWhat};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::terms::{Commit, ask, name};

pub(super) struct Delete;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The key, at most 512 bytes.
    #[schemars(length(min = 1, max = 512))]
    key: String,
    /// plan: this plan's own state. organization: the state that all plans of the organization share.
    #[serde(default)]
    scope: StateScope,
    /// success: forgotten when the run succeeds. now: at once, whatever becomes of the run.
    #[serde(default)]
    commit: Commit,
}

impl TypedAction for Delete {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Idempotent,
            output: Some(json!({"type": "object", "properties": {"existed": {"type": "boolean"}}})),
            example: json!({"key": "cursor"}),
            ..ActionSpec::of::<Params>("delete", "Delete a value", "Forgets what is kept under a key.")
        }
    }

    fn call(&self, params: Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        let asked = name("key", params.key);
        ready(asked.and_then(|key| ask(params.scope, key, params.commit, None, StateWhat::Delete)))
    }
}
