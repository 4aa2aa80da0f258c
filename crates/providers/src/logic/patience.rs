//! What the waiting actions have in common: how long they wait, and what an event may be called.

use mainspring_model::Fault;
use mainspring_model::action::Context;
use mainspring_model::clock::Millis;
use mainspring_model::duration;
use serde_json::Value;

/// The longest name of a type of event, in bytes.
const LONGEST: usize = 200;

/// When a wait with this `timeout` is over; `None` when there is none.
pub(super) fn until(timeout: &Value, cx: &Context) -> Result<Option<Millis>, Fault> {
    if timeout.is_null() {
        return Ok(None);
    }
    let length = duration::parse(timeout).map_err(|error| Fault::invalid_params(format!("\"timeout\": {error}")))?;
    // A duration is at most 100 years, so that nothing can overflow.
    Ok(Some(cx.clock.now().saturating_add(Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX))))
}

/// The name of a type of event, checked.
pub(super) fn event_type(name: &str) -> Result<&str, Fault> {
    if name.trim().is_empty() || name.len() > LONGEST || name.chars().any(char::is_control) {
        let message = format!("\"type\" must be the name of a type of event, such as invoice.paid, of at most {LONGEST} bytes");
        return Err(Fault::invalid_params(message));
    }
    Ok(name)
}
