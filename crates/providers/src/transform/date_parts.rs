//! `transform.date_parts`: a moment taken apart by the calendar of a time zone.

use jiff::Unit;
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::date_zone::{moment, utc, written, zone};
use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct DateParts;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A date or moment, as transform.date_format reads it.
    #[schemars(extend("type" = ["string", "number"]))]
    date: Value,
    /// The form to read `date` by, when it is none of those: dd.MM.yyyy HH:mm. A form without an offset is read in `timezone`.
    input_format: Option<String>,
    /// The time zone of the parts, and of a date that is written without an offset.
    #[serde(default = "utc")]
    timezone: String,
}

impl Pure for DateParts {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        let number = json!({"type": "integer"});
        ActionSpec {
            output: Some(json!({
                "type": "object",
                "properties": {
                    "iso": {"type": "string", "description": "RFC 3339 with the zone's offset."},
                    "unix_ms": number, "year": number, "month": number, "day": number, "hour": number, "minute": number, "second": number,
                    "weekday": {"type": "integer", "description": "1 is Monday, 7 is Sunday."},
                    "day_of_year": number, "week": {"type": "integer", "description": "Of the ISO calendar."}, "week_year": number,
                    "days_in_month": number, "leap_year": {"type": "boolean"}, "timezone": {"type": "string"}, "offset": {"type": "string"},
                },
            })),
            example: json!({"date": "01.03.2026 09:30", "input_format": "dd.MM.yyyy HH:mm", "timezone": "Europe/Oslo"}),
            ..ActionSpec::of::<Params>(
                "date_parts",
                "Read date",
                "Reads a date and gives its parts: year, month, weekday, week and the rest.",
            )
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let zone = zone(&params.timezone)?;
        let moment = moment(&params.date, params.input_format.as_deref(), &zone)?;
        let second = moment.round(Unit::Second).map_err(|_| invalid_input("the date is outside the calendar"))?;
        let week = moment.date().iso_week_date();
        Ok(json!({
            "iso": written(&moment, None)?, "unix_ms": moment.timestamp().as_millisecond(),
            "year": moment.year(), "month": moment.month(), "day": moment.day(),
            "hour": moment.hour(), "minute": moment.minute(), "second": moment.second(),
            "weekday": moment.weekday().to_monday_one_offset(), "day_of_year": moment.day_of_year(),
            "week": week.week(), "week_year": week.year(), "days_in_month": moment.days_in_month(), "leap_year": moment.in_leap_year(),
            "timezone": params.timezone, "offset": written(&second, Some("ZZ"))?,
        }))
    }
}
