//! An action over the items of one list: takes the list out of the params by moving it and keeps the bounds.
//!
//! Going through serde for the list itself would build every item of a large list a second time.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mainspring_model::Fault;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect, ParamKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::bounds::{MAX_ITEMS, done, list};

pub(crate) trait Items: Send + Sync + 'static {
    /// The params beside the list and beside those that are evaluated per item.
    type Params: DeserializeOwned + JsonSchema + Send;
    /// The param that holds the list.
    const LIST: &'static str = "items";

    /// The description; the list param, `effect` and `computes` are added by [`over_items`].
    fn spec(&self) -> ActionSpec;

    fn run(&self, items: Vec<Value>, params: Self::Params, cx: &Context) -> Result<Value, Fault>;
}

/// The params of an action that has none beside its list and its per-item params.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

struct OverItems<A> {
    spec: ActionSpec,
    action: A,
}

pub(crate) fn over_items<A: Items>(action: A) -> Arc<dyn Action> {
    let mut spec = ActionSpec { effect: Effect::Read, computes: true, ..action.spec() };
    let schema = json!({"type": "array", "maxItems": MAX_ITEMS, "description": "The list to work on, at most 100,000 items."});
    add_param(&mut spec.params, A::LIST, schema, true);
    Arc::new(OverItems { spec, action })
}

impl<A: Items> Action for OverItems<A> {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn call<'a>(&'a self, params: Value, cx: &'a Context) -> BoxFuture<'a, ActionResult> {
        let result = take(&self.spec.name, A::LIST, params).and_then(|(items, params)| self.action.run(items, params, cx)).and_then(done);
        Box::pin(std::future::ready(result))
    }
}

fn take<P: DeserializeOwned>(action: &str, name: &str, params: Value) -> Result<(Vec<Value>, P), Fault> {
    let Value::Object(mut fields) = params else {
        return Err(Fault::invalid_params(format!("{action}: the params must be an object")));
    };
    let items = list(name, fields.shift_remove(name))?;
    let rest = serde_json::from_value(Value::Object(fields)).map_err(|error| Fault::invalid_params(format!("{action}: {error}")))?;
    Ok((items, rest))
}

/// Puts a param into a schema as its first property.
pub(crate) fn add_param(schema: &mut Value, name: &str, param: Value, required: bool) {
    let Some(fields) = schema.as_object_mut() else { return };
    if let Some(properties) = fields.entry("properties").or_insert_with(|| Map::new().into()).as_object_mut() {
        properties.shift_insert(0, name.to_owned(), param);
    }
    if required && let Some(names) = fields.entry("required").or_insert_with(|| json!([])).as_array_mut() {
        names.insert(0, name.into());
    }
}

/// Declares a condition on `event` that need not be given.
pub(crate) fn per_event(mut spec: ActionSpec, name: &str, schema: Value) -> ActionSpec {
    add_param(&mut spec.params, name, schema, false);
    spec.param_kinds.insert(name.to_owned(), ParamKind::PerEvent);
    spec
}

/// Declares a param that is evaluated per item: in the schema and among the kinds. Every such param must be given.
pub(crate) fn per_item(mut spec: ActionSpec, name: &str, kind: ParamKind, schema: Value) -> ActionSpec {
    add_param(&mut spec.params, name, schema, true);
    spec.param_kinds.insert(name.to_owned(), kind);
    spec
}
