//! `transform.join_text`: one text of a list, with a separator between.

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::bounds::Weight;
use crate::logic::list::Items;

pub(super) struct JoinText;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// What stands between two items.
    #[serde(default = "comma")]
    separator: String,
    /// True: null and empty items leave no gap.
    #[serde(default)]
    skip_empty: bool,
}

fn comma() -> String {
    ", ".to_owned()
}

impl Items for JoinText {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"items": ["Ada", null, "Bo", 7], "separator": " · ", "skip_empty": true}),
            ..ActionSpec::of::<Params>("join_text", "Join text", "Makes one text of the items of a list.")
        }
    }

    fn run(&self, items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        let mut weight = Weight::default();
        let mut joined = String::new();
        let mut first = true;
        for item in &items {
            // As a template puts values into text.
            let text = match item {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if params.skip_empty && text.is_empty() {
                continue;
            }
            weight.add_bytes(text.len() + params.separator.len())?;
            if !std::mem::take(&mut first) {
                joined.push_str(&params.separator);
            }
            joined.push_str(&text);
        }
        Ok(Value::String(joined))
    }
}
