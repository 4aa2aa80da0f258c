//! What the actions over dates share: the zone and the moment in it, and how a moment is written.

use jiff::Zoned;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use mainspring_model::Fault;
use serde_json::Value;

use super::date_form::form;
use super::date_read::read;

pub(super) fn utc() -> String {
    "UTC".to_owned()
}

/// The zone of a name such as `Europe/Oslo`.
pub(super) fn zone(name: &str) -> Result<TimeZone, Fault> {
    TimeZone::get(name).map_err(|_| Fault::invalid_params(format!("\"timezone\" is \"{name}\", not a time zone such as Europe/Oslo")))
}

/// The moment that a param tells, in the zone.
pub(super) fn moment(date: &Value, input_format: Option<&str>, zone: &TimeZone) -> Result<Zoned, Fault> {
    read(date, input_format, zone).map(|moment| moment.to_zoned(zone.clone()))
}

/// In the form that is asked for; else RFC 3339 with the zone's offset, to the second unless there is a fraction.
pub(super) fn written(moment: &Zoned, format: Option<&str>) -> Result<Value, Fault> {
    let refuse = |written: &str, error: String| Fault::invalid_params(format!("\"format\" is \"{written}\": {error}"));
    match format {
        None => Ok(Value::String(moment.timestamp().display_with_offset(moment.offset()).to_string())),
        Some(written) => {
            let letters = form(written).map_err(|error| refuse(written, error))?;
            strtime::format(&*letters, moment).map(Value::String).map_err(|error| refuse(written, error.to_string()))
        }
    }
}
