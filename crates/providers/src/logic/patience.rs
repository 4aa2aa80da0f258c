//! What the waiting actions have in common: how long they wait, and what an event may be called.

use mainspring_model::Fault;
use mainspring_model::action::Context;
use mainspring_model::clock::Millis;
use mainspring_model::duration;
use mainspring_model::wait::check_event_type;
use serde_json::Value;

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
    check_event_type(name).map(|()| name).map_err(|said| Fault::invalid_params(format!("\"type\": {said}")))
}
