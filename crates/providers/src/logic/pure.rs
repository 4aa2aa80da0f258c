//! A pure action: typed params in, one value out, nothing else touched; most built-ins are one.

use std::future::{Future, ready};
use std::sync::Arc;

use mainspring_model::Fault;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect, TypedAction, erase};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::bounds::done;

pub(crate) trait Pure: Send + Sync + 'static {
    type Params: DeserializeOwned + JsonSchema + Send;

    /// The description; `effect` and `computes` are set by [`pure`].
    fn spec(&self) -> ActionSpec;

    fn run(&self, params: Self::Params) -> Result<Value, Fault>;
}

struct Computed<P>(P);

/// A pure action behind the common trait; its output is checked against the bounds.
pub(crate) fn pure<P: Pure>(action: P) -> Arc<dyn Action> {
    erase(Computed(action))
}

impl<P: Pure> TypedAction for Computed<P> {
    type Params = P::Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec { effect: Effect::Read, computes: true, ..self.0.spec() }
    }

    fn call(&self, params: P::Params, _: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(self.0.run(params).and_then(done))
    }
}
