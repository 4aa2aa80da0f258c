//! `transform.date_diff`: how much time lies between two moments, in whole units.

use jiff::{RoundMode, Unit, ZonedDifference};
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::date_zone::{moment, utc, zone};
use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct DateDiff;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The first moment, as transform.date_format reads it.
    #[schemars(extend("type" = ["string", "number"]))]
    from: Value,
    /// The second; when it is before the first, the result is negative.
    #[schemars(extend("type" = ["string", "number"]))]
    to: Value,
    /// The form to read both by, when they are none of those.
    input_format: Option<String>,
    /// What to count. What is left over is dropped: 47 hours are 1 day.
    unit: Counted,
    /// The time zone whose calendar counts days and what is longer.
    #[serde(default = "utc")]
    timezone: String,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Counted {
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
    Weeks,
    Months,
    Years,
}

impl Pure for DateDiff {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "integer"})),
            example: json!({"from": "2026-03-28", "to": "2026-04-02T12:00:00", "unit": "days", "timezone": "Europe/Oslo"}),
            ..ActionSpec::of::<Params>("date_diff", "Between dates", "Counts the time between two moments in whole units.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let zone = zone(&params.timezone)?;
        let from = moment(&params.from, params.input_format.as_deref(), &zone)?;
        let to = moment(&params.to, params.input_format.as_deref(), &zone)?;
        let unit = match params.unit {
            Counted::Milliseconds => return Ok(Value::from(to.timestamp().as_millisecond() - from.timestamp().as_millisecond())),
            Counted::Seconds => return Ok(Value::from(to.timestamp().duration_since(from.timestamp()).as_secs())),
            Counted::Minutes => Unit::Minute,
            Counted::Hours => Unit::Hour,
            Counted::Days => Unit::Day,
            Counted::Weeks => Unit::Week,
            Counted::Months => Unit::Month,
            Counted::Years => Unit::Year,
        };
        let span = from
            .until(ZonedDifference::new(&to).largest(unit).smallest(unit).mode(RoundMode::Trunc))
            .map_err(|error| invalid_input(format!("the difference cannot be told: {error}")))?;
        let count = match params.unit {
            Counted::Minutes => span.get_minutes(),
            Counted::Hours => i64::from(span.get_hours()),
            Counted::Days => i64::from(span.get_days()),
            Counted::Weeks => i64::from(span.get_weeks()),
            Counted::Months => i64::from(span.get_months()),
            _ => i64::from(span.get_years()),
        };
        Ok(Value::from(count))
    }
}
