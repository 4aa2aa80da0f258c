//! A plan's own tests as their author writes them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// One run without the world: given these inputs and outputs, the plan ends like this.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TestDoc {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The run's inputs, literal.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(default)]
    pub inputs: Map<String, Value>,
    /// The root `trigger`; `{type: manual}` unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Value>,
    /// Step → its output. Steps that would call anything outside have to be here.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(default)]
    pub pinned: Map<String, Value>,
    /// How the run ends.
    pub expect: ExpectDoc,
}

/// What a test asks for; what is not written is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ExpectDoc {
    /// `success` unless `error` is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The run's output, compared by value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The code of the run's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Step of the top list → what it ended like.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(default, with = "std::collections::BTreeMap<String, ExpectStepDoc>")]
    pub steps: Map<String, Value>,
}

/// What a test asks of one step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ExpectStepDoc {
    /// `success`, `error`, `skipped`, `not_reached`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Its output, compared by value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The code of its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl ExpectStepDoc {
    /// From the checked value of a document.
    pub(crate) fn of(value: &Value) -> ExpectStepDoc {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        ExpectStepDoc { status: text("status"), output: value.get("output").cloned(), error: text("error") }
    }
}
