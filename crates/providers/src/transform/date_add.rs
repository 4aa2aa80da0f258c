//! `transform.date_add`: a moment so much later or earlier, by the calendar of a time zone.

use jiff::Span;
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::date_zone::{moment, utc, written, zone};
use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct DateAdd;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A date or moment, as transform.date_format reads it.
    #[schemars(extend("type" = ["string", "number"]))]
    date: Value,
    /// The form to read `date` by, when it is none of those.
    input_format: Option<String>,
    /// How much: whole numbers, negative ones for earlier. Years and months first: a month after 31 January is the last of February.
    add: Amounts,
    /// The time zone whose calendar counts: a day is one there, also when clocks change.
    #[serde(default = "utc")]
    timezone: String,
    /// The form to write, as in transform.date_format; RFC 3339 with the zone's offset unless written.
    format: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
struct Amounts {
    years: i64,
    months: i64,
    weeks: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
}

impl Amounts {
    /// Months, then days, then time: one after the other, because each of them may have its own sign.
    fn spans(&self) -> Option<[Span; 3]> {
        let months = self.years.checked_mul(12)?.checked_add(self.months)?;
        let days = self.weeks.checked_mul(7)?.checked_add(self.days)?;
        let minutes = self.hours.checked_mul(60)?.checked_add(self.minutes)?;
        let seconds = minutes.checked_mul(60)?.checked_add(self.seconds)?;
        let (months, days) = (Span::new().try_months(months), Span::new().try_days(days));
        Some([months.ok()?, days.ok()?, Span::new().try_seconds(seconds).ok()?])
    }
}

impl Pure for DateAdd {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"date": "2026-01-31T09:00:00", "add": {"months": 1, "hours": -2}, "timezone": "Europe/Oslo"}),
            ..ActionSpec::of::<Params>("date_add", "Add to date", "Gives a moment that is so much later or earlier.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let zone = zone(&params.timezone)?;
        let start = moment(&params.date, params.input_format.as_deref(), &zone)?;
        let spans = params.add.spans().ok_or_else(|| Fault::invalid_params("\"add\" is more than the calendar has"))?;
        let end = spans.into_iter().try_fold(start, |moment, span| moment.checked_add(span));
        let end = end.map_err(|_| invalid_input("the sum is outside the calendar, which ends with the year 9999"))?;
        written(&end, params.format.as_deref())
    }
}
