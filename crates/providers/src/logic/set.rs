//! `logic.set`: returns its params, so that values are named once and read by later steps.

use futures_util::future::BoxFuture;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect};
use serde_json::{Map, Value, json};

use super::bounds::done;

pub(super) struct Set(ActionSpec);

impl Set {
    pub(super) fn new() -> Set {
        Set(ActionSpec {
            effect: Effect::Read,
            computes: true,
            params: json!({"type": "object", "description": "Any fields; each may hold a template."}),
            output: Some(json!({"type": "object"})),
            example: json!({"total": 42, "customer": {"name": "Ada"}}),
            ..ActionSpec::of::<Map<String, Value>>("set", "Set", "Names values for later steps; the output is the params.")
        })
    }
}

// Not a `TypedAction`: any object is allowed, and a typed one would be built a second time.
impl Action for Set {
    fn spec(&self) -> &ActionSpec {
        &self.0
    }

    fn call<'a>(&'a self, params: Value, _: &'a Context) -> BoxFuture<'a, ActionResult> {
        Box::pin(std::future::ready(done(params)))
    }
}
