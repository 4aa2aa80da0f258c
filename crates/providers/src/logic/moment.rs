//! A moment as params write it.

use jiff::Timestamp;
use mainspring_model::Fault;
use mainspring_model::clock::Millis;
use serde_json::Value;

use super::bounds::kind;

/// The moment in param `name`, in whole milliseconds and never early.
pub(super) fn moment(name: &str, value: &Value) -> Result<Millis, Fault> {
    let Value::String(text) = value else {
        return Err(Fault::invalid_params(format!("\"{name}\" must be text such as 2026-03-01T09:00:00Z; it is {}", kind(value))));
    };
    let moment: Timestamp = text.parse().map_err(|_| {
        Fault::invalid_params(format!(
            "\"{name}\" is \"{text}\", not a moment with its offset such as 2026-03-01T09:00:00Z or …T09:00:00+01:00"
        ))
    })?;
    // A part of a millisecond counts as a whole one.
    let whole = moment.as_millisecond();
    Ok(if moment.subsec_nanosecond() % 1_000_000 > 0 { whole + 1 } else { whole })
}
