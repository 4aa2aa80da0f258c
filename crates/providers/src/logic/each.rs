//! Evaluates a per-item param once per item: names the item in errors and gives up at the step's deadline.
//!
//! Each evaluation has its own fuel, so that only the clock bounds a long list of costly ones.

use mainspring_model::action::Context;
use mainspring_model::{Code, Fault};
use serde_json::Value;

use super::bounds::at_item;

/// How many items pass between two looks at the clock.
const CLOCK_EVERY: usize = 256;

/// `param` for item `index`, with `item` and `index` in scope.
pub(crate) fn eval_item(cx: &Context, param: &str, item: &Value, index: usize) -> Result<Value, Fault> {
    if index.is_multiple_of(CLOCK_EVERY) && cx.clock.now() >= cx.deadline {
        return Err(Fault::new(Code::TIMEOUT, format!("the step's time was up at item {index}; give it a longer timeout or fewer items")));
    }
    let number = Value::from(index);
    cx.per_item.eval(param, &[("item", item), ("index", &number)]).map_err(|fault| at_item(index, fault))
}
