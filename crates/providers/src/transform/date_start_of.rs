//! `transform.date_start_of`: the start of the day, week, month (and so on) that a moment lies in, by a time zone's calendar.

use jiff::civil::{Date, Weekday};
use jiff::{RoundMode, Span, Unit, Zoned, ZonedRound};
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::date_zone::{moment, utc, written, zone};
use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct DateStartOf;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A date or moment, as transform.date_format reads it.
    #[schemars(extend("type" = ["string", "number"]))]
    date: Value,
    /// The form to read `date` by, when it is none of those.
    input_format: Option<String>,
    /// Of what.
    unit: Period,
    /// True: the start of the one after it, which is where this one ends.
    #[serde(default)]
    next: bool,
    /// The day that weeks begin with.
    #[serde(default)]
    week_starts: Start,
    /// The time zone whose calendar counts.
    #[serde(default = "utc")]
    timezone: String,
    /// The form to write, as in transform.date_format; RFC 3339 with the zone's offset unless written.
    format: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Period {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// The day that weeks begin with.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Start {
    #[default]
    Monday,
    Sunday,
    Saturday,
}

impl Pure for DateStartOf {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"date": "2026-03-31T22:30:00Z", "unit": "month", "timezone": "Europe/Oslo"}),
            ..ActionSpec::of::<Params>(
                "date_start_of",
                "Start of period",
                "Gives the start of the day, week, month or year that a moment lies in.",
            )
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let zone = zone(&params.timezone)?;
        let moment = moment(&params.date, params.input_format.as_deref(), &zone)?;
        let start = start(&moment, &params).map_err(|_| invalid_input("the start is outside the calendar"))?;
        written(&start, params.format.as_deref())
    }
}

fn start(moment: &Zoned, params: &Params) -> Result<Zoned, jiff::Error> {
    let next = i64::from(params.next);
    let clock = |unit, later: Span| {
        let start = moment.round(ZonedRound::new().smallest(unit).mode(RoundMode::Trunc))?;
        if params.next { start.checked_add(later) } else { Ok(start) }
    };
    let today = moment.date();
    let (first, later) = match params.unit {
        Period::Minute => return clock(Unit::Minute, Span::new().minutes(1)),
        Period::Hour => return clock(Unit::Hour, Span::new().hours(1)),
        Period::Day => (today, Span::new().days(next)),
        Period::Week => (week(today, params.week_starts)?, Span::new().weeks(next)),
        Period::Month => (today.first_of_month(), Span::new().months(next)),
        Period::Quarter => {
            let month = (today.month() - 1) / 3 * 3 + 1;
            (Date::new(today.year(), month, 1)?, Span::new().months(next * 3))
        }
        Period::Year => (today.first_of_year(), Span::new().years(next)),
    };
    // Where clocks pass over midnight, the day begins with the first moment that there is.
    first.checked_add(later)?.to_zoned(moment.time_zone().clone())?.start_of_day()
}

fn week(day: Date, starts: Start) -> Result<Date, jiff::Error> {
    let first = match starts {
        Start::Monday => Weekday::Monday,
        Start::Sunday => Weekday::Sunday,
        Start::Saturday => Weekday::Saturday,
    };
    day.checked_sub(Span::new().days(i64::from(first.until(day.weekday()))))
}
