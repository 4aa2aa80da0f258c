//! `logic.limit`: keeps some items from the start or the end of a list.

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::list::Items;

pub(super) struct Limit;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// How many items to keep.
    count: u32,
    /// Which end to keep them from. The order stays as it was.
    #[serde(default)]
    from: From,
    /// How many to pass over first, counted from that end.
    #[serde(default)]
    offset: u32,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum From {
    #[default]
    Start,
    End,
}

impl Items for Limit {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array"})),
            example: json!({"items": [1, 2, 3, 4, 5], "count": 2, "from": "end", "offset": 1}),
            ..ActionSpec::of::<Params>("limit", "Limit", "Keeps a number of items from the start or the end of a list.")
        }
    }

    fn run(&self, mut items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        let (count, offset) = (params.count as usize, params.offset as usize);
        match params.from {
            From::Start => {
                items.drain(..offset.min(items.len()));
                items.truncate(count);
            }
            From::End => {
                items.truncate(items.len().saturating_sub(offset));
                items.drain(..items.len().saturating_sub(count));
            }
        }
        Ok(Value::Array(items))
    }
}
