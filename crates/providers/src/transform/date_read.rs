//! Reads a moment from what services send: RFC 3339, a date alone, RFC 2822, Unix time, or a form that is given.

use jiff::civil::{Date, DateTime};
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use mainspring_model::Fault;
use serde_json::{Number, Value};

use crate::logic::bounds::kind;

use super::date_form::form;
use super::invalid_input;

/// From this many on, Unix time is in milliseconds: as seconds it would be the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// The moment. Text without an offset is a local time of `zone`, a date alone its midnight.
pub(super) fn read(date: &Value, form: Option<&str>, zone: &TimeZone) -> Result<Timestamp, Fault> {
    match date {
        Value::String(text) => match form {
            Some(form) => by_form(text, form, zone),
            None => plain(text.trim(), zone),
        },
        Value::Number(number) => unix(number),
        other => Err(Fault::invalid_params(format!("\"date\" must be text or a number; it is {}", kind(other)))),
    }
}

fn unix(number: &Number) -> Result<Timestamp, Fault> {
    let float = number.as_f64().unwrap_or(f64::NAN);
    let milliseconds = if float.abs() >= MILLISECONDS_FROM { float } else { float * 1_000.0 };
    // A float that does not fit saturates, and jiff refuses it.
    Timestamp::from_millisecond(milliseconds.round() as i64)
        .map_err(|_| invalid_input(format!("{number} is no Unix time that a calendar reaches")))
}

fn plain(text: &str, zone: &TimeZone) -> Result<Timestamp, Fault> {
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(zoned.timestamp());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return in_zone(local, zone, text);
    }
    if let Ok(mail) = rfc2822::parse(text) {
        return Ok(mail.timestamp());
    }
    Err(invalid_input(format!(
        "\"{}\" is not a date such as 2026-03-01 or 2026-03-01T09:00:00Z; give its form in \"input_format\"",
        short(text)
    )))
}

fn by_form(text: &str, written: &str, zone: &TimeZone) -> Result<Timestamp, Fault> {
    let refuse = |what: String| invalid_input(format!("\"{}\" does not fit the form \"{written}\": {what}", short(text)));
    let letters = form(written).map_err(|error| Fault::invalid_params(format!("\"input_format\" is \"{written}\": {error}")))?;
    let parts = strtime::parse(&*letters, text.trim()).map_err(|error| refuse(error.to_string()))?;
    if parts.offset().is_some() || parts.iana_time_zone().is_some() {
        return parts
            .to_zoned()
            .map(|zoned| zoned.timestamp())
            .or_else(|_| parts.to_timestamp())
            .map_err(|error| refuse(error.to_string()));
    }
    if let Some(seconds) = parts.timestamp() {
        return Ok(seconds);
    }
    let local = parts.to_datetime().or_else(|_| parts.to_date().map(|date: Date| date.at(0, 0, 0, 0)));
    in_zone(local.map_err(|error| refuse(error.to_string()))?, zone, text)
}

/// A local time that clocks pass over is taken after the gap, one that comes twice is the first.
fn in_zone(local: DateTime, zone: &TimeZone, text: &str) -> Result<Timestamp, Fault> {
    zone.to_timestamp(local).map_err(|_| invalid_input(format!("\"{}\" is outside the calendar", short(text))))
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
