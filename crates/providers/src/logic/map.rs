//! `logic.map`: makes one value of each item.

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context, ParamKind};
use serde_json::{Value, json};

use super::bounds::Weight;
use super::each::eval_item;
use super::list::{Items, NoParams, per_item};

pub(super) struct MapItems;

impl Items for MapItems {
    type Params = NoParams;

    fn spec(&self) -> ActionSpec {
        let value = json!({"description": "What each item becomes: any value with ${item…} and ${index} inside."});
        let spec = ActionSpec {
            output: Some(json!({"type": "array"})),
            example: json!({"items": [{"name": "Ada"}, {"name": "Bo"}], "value": {"number": "${index}", "text": "Hello ${item.name}"}}),
            ..ActionSpec::of::<NoParams>("map", "Map", "Makes a new list with one value for each item.")
        };
        per_item(spec, "value", ParamKind::PerItemTemplate, value)
    }

    fn run(&self, items: Vec<Value>, _: NoParams, cx: &Context) -> Result<Value, Fault> {
        if !cx.per_item.has("value") {
            return Err(Fault::invalid_params("\"value\" is missing; it must say what each item becomes"));
        }
        let mut weight = Weight::default();
        let mut made = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let value = eval_item(cx, "value", item, index)?;
            weight.add(&value)?;
            made.push(value);
        }
        Ok(Value::Array(made))
    }
}
