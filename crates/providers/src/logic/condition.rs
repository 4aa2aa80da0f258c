//! What counts as true: truthiness as in JavaScript, except that a condition refuses text.

use mainspring_model::Fault;
use mainspring_model::expr::truthy;
use mainspring_model::value::preview;
use serde_json::Value;

/// Whether a condition holds. Text is refused: `"false"` is truthy, and a condition that was meant as an expression but
/// written without `${}` arrives as text.
pub(crate) fn holds(name: &str, value: &Value) -> Result<bool, Fault> {
    match value {
        Value::String(_) => Err(Fault::invalid_params(format!(
            "\"{name}\" is text (\"{}\"); it must be a condition, such as item.total > 100 or inputs.name != ''",
            preview(value, 60)
        ))),
        other => Ok(truthy(other)),
    }
}
