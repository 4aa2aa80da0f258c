//! `logic.filter`: keeps the items for which a condition holds.

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context, ParamKind};
use serde_json::{Value, json};

use super::bounds::at_item;
use super::condition::holds;
use super::each::eval_item;
use super::list::{Items, NoParams, per_item};

pub(super) struct Filter;

impl Items for Filter {
    type Params = NoParams;

    fn spec(&self) -> ActionSpec {
        let condition = json!({
            "type": ["string", "boolean"],
            "description": "A condition on item and index, such as item.total > 100. Text is refused as a result.",
        });
        let spec = ActionSpec {
            output: Some(json!({"type": "array"})),
            example: json!({"items": [{"name": "Ada", "total": 120}, {"name": "Bo", "total": 80}], "where": "item.total > 100"}),
            ..ActionSpec::of::<NoParams>("filter", "Filter", "Keeps the items of a list for which a condition holds.")
        };
        per_item(spec, "where", ParamKind::PerItem, condition)
    }

    fn run(&self, items: Vec<Value>, _: NoParams, cx: &Context) -> Result<Value, Fault> {
        if !cx.per_item.has("where") {
            return Err(Fault::invalid_params("\"where\" is missing; it must be a condition on item"));
        }
        let mut kept = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let answer = eval_item(cx, "where", &item, index)?;
            if holds("where", &answer).map_err(|fault| at_item(index, fault))? {
                kept.push(item);
            }
        }
        Ok(Value::Array(kept))
    }
}
