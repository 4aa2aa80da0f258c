//! `transform.date_format`: writes a moment in a form and time zone of choice.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::date_zone::{moment, utc, written, zone};
use crate::logic::pure::Pure;

pub(super) struct DateFormat;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A date or moment: RFC 3339, a date alone, an e-mail date, Unix seconds or (from 100,000,000,000) milliseconds.
    #[schemars(extend("type" = ["string", "number"]))]
    date: Value,
    /// The form to read `date` by, when it is none of those: dd.MM.yyyy. A form without an offset is read in `timezone`.
    input_format: Option<String>,
    /// The form to write, in the letters of formatDate: yyyy MM dd HH mm ss, MMMM month name, EEEE day name, ZZ offset, 'words' in
    /// quotes. With a % in it, those of strftime: %Y-%m-%d.
    #[serde(default = "iso_date")]
    format: String,
    /// The time zone to write in: Europe/Oslo.
    #[serde(default = "utc")]
    timezone: String,
}

fn iso_date() -> String {
    "yyyy-MM-dd".to_owned()
}

impl Pure for DateFormat {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"date": "2026-03-01T23:30:00Z", "format": "EEEE, dd MMMM yyyy, HH:mm", "timezone": "Europe/Oslo"}),
            ..ActionSpec::of::<Params>("date_format", "Format date", "Writes a date in another form or time zone.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let zone = zone(&params.timezone)?;
        let moment = moment(&params.date, params.input_format.as_deref(), &zone)?;
        written(&moment, Some(&params.format))
    }
}
