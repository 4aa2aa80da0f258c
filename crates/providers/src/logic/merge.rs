//! `logic.merge`: makes one list of two: one after the other, side by side, or joined by a key.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bounds::{Weight, kind, list, within_items};
use super::merge_join::{JoinKey, join};
use super::pure::Pure;

pub(super) struct Merge;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The first list.
    #[schemars(with = "Vec<Value>")]
    a: Value,
    /// The second list. Where both have a field, this one's is taken.
    #[schemars(with = "Vec<Value>")]
    b: Value,
    /// How the two become one.
    #[serde(default)]
    mode: Mode,
    /// For a join: a path that both lists have, or {a: path, b: path}. A null or missing key matches nothing.
    key: Option<JoinKey>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Mode {
    /// The items of a, then those of b.
    #[default]
    Append,
    /// First with first, second with second; the rest of the longer list as it is.
    Combine,
    /// Each pair with the same key, as one object.
    Inner,
    /// As inner, and the items of a that have no match.
    Left,
    /// As left, and at the end the items of b that have no match.
    Outer,
}

impl Pure for Merge {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array"})),
            example: json!({"a": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bo"}], "b": [{"user": 1, "city": "Oslo"}],
                "mode": "left", "key": {"a": "id", "b": "user"}}),
            ..ActionSpec::of::<Params>("merge", "Merge", "Makes one list of two: appended, side by side, or joined by a key.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let (mut a, b) = (list("a", Some(params.a))?, list("b", Some(params.b))?);
        match (params.mode, params.key) {
            (Mode::Append, _) => {
                within_items("the merged list", a.len() + b.len())?;
                a.extend(b);
                Ok(Value::Array(a))
            }
            (Mode::Combine, _) => combine(a, b),
            (mode, Some(key)) => join(mode, &a, &b, &key),
            (_, None) => Err(Fault::invalid_params("\"key\" is missing; a join needs a path such as id, or {a: path, b: path}")),
        }
    }
}

fn combine(a: Vec<Value>, b: Vec<Value>) -> Result<Value, Fault> {
    let mut a = a.into_iter().enumerate();
    let mut b = b.into_iter();
    let mut merged = Vec::with_capacity(a.len().max(b.len()));
    loop {
        match (a.next(), b.next()) {
            (Some((index, left)), Some(right)) => merged.push(both(&left, &right, index, index)?),
            (Some((_, one)), None) | (None, Some(one)) => merged.push(one),
            (None, None) => return Ok(Value::Array(merged)),
        }
    }
}

/// The fields of two objects in one.
pub(super) fn both(left: &Value, right: &Value, left_index: usize, right_index: usize) -> Result<Value, Fault> {
    let fields = |name: &str, index: usize, value: &Value| match value {
        Value::Object(fields) => Ok(fields.clone()),
        other => Err(Fault::invalid_params(format!("item {index} of \"{name}\" must be an object; it is {}", kind(other)))),
    };
    let mut merged: Map<String, Value> = fields("a", left_index, left)?;
    merged.extend(fields("b", right_index, right)?);
    Ok(Value::Object(merged))
}

/// A list that grows only within the bounds.
#[derive(Default)]
pub(super) struct Merged {
    items: Vec<Value>,
    weight: Weight,
}

impl Merged {
    pub(super) fn push(&mut self, item: Value) -> Result<(), Fault> {
        within_items("the merged list", self.items.len() + 1)?;
        self.weight.add(&item)?;
        self.items.push(item);
        Ok(())
    }

    pub(super) fn into_value(self) -> Value {
        Value::Array(self.items)
    }
}
