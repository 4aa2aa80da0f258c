//! The bounds that every list and output of the built-in actions keeps to, so that no step fills the memory of a node.

use mainspring_model::action::{ActionResult, Outcome, Output};
use mainspring_model::value::approximate_size;
use mainspring_model::{Code, Fault};
use serde_json::Value;

/// The longest list that an action takes or makes.
pub(crate) const MAX_ITEMS: usize = 100_000;
/// The largest output, in bytes of compact JSON.
pub(crate) const MAX_OUTPUT: usize = 16 << 20;

/// A value's type with its article, as it reads after "it is".
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The param `name` as a list within the bounds.
pub(crate) fn list(name: &str, value: Option<Value>) -> Result<Vec<Value>, Fault> {
    match value {
        Some(Value::Array(items)) => within_items(name, items.len()).map(|()| items),
        Some(other) => Err(Fault::invalid_params(format!("\"{name}\" must be a list; it is {}", kind(&other)))),
        None => Err(Fault::invalid_params(format!("\"{name}\" is missing; it must be a list"))),
    }
}

pub(crate) fn within_items(name: &str, count: usize) -> Result<(), Fault> {
    if count <= MAX_ITEMS {
        return Ok(());
    }
    let message = format!("\"{name}\" has {count} items; an action takes and makes at most {MAX_ITEMS}");
    Err(Fault::new(Code::LIMIT_EXCEEDED, message))
}

/// Counts what an output grows to, so that a loop stops at the bound instead of behind it.
#[derive(Default)]
pub(crate) struct Weight(usize);

impl Weight {
    pub(crate) fn add(&mut self, value: &Value) -> Result<(), Fault> {
        self.add_bytes(approximate_size(value) + 1)
    }

    pub(crate) fn add_bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.0 += bytes;
        if self.0 <= MAX_OUTPUT {
            return Ok(());
        }
        let message = "the output is larger than 16 MiB; keep fewer items or fewer fields";
        Err(Fault::new(Code::LIMIT_EXCEEDED, message))
    }
}

/// Ends in success with this output, when it is within the bounds.
pub(crate) fn done(value: Value) -> ActionResult {
    Weight::default().add(&value)?;
    Ok(Outcome::Done(Output::new(value)))
}

/// A fault of one item, with the item named.
pub(crate) fn at_item(index: usize, mut fault: Fault) -> Fault {
    fault.message = format!("item {index}: {}", fault.message);
    fault
}
