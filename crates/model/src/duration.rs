//! Durations as people write them: `500ms`, `30s`, `5m`, `2h`, `7d`, or a number of seconds; kept to the millisecond.
//!
//! Usable on a field as `#[serde(with = "crate::duration")]`, and `crate::duration::option` for an `Option`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value;

/// The longest duration, 100 years: sums with a date then never leave the range of the clock.
pub const MAX: Duration = Duration::from_secs(36_500 * 86_400);

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const FORMS: &str = "write 500ms, 30s, 5m, 2h, 7d or a number of seconds";

/// Reads a duration from a document's value. Errors: a sentence that says what to write.
pub fn parse(value: &Value) -> Result<Duration, String> {
    match value {
        Value::String(text) => parse_text(text),
        Value::Number(number) => parse_text(&number.to_string()),
        other => Err(format!("{other} is not a duration; {FORMS}")),
    }
}

/// As [`parse`], for text. A number without a unit counts seconds; fractions are rounded to the millisecond, but never to zero.
pub fn parse_text(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.len() > 64 {
        return Err(format!("a text of {} characters is not a duration; {FORMS}", text.len()));
    }
    let (number, unit) = split(text);
    if number.is_empty() {
        return Err(format!("{text:?} is not a duration; {FORMS}"));
    }
    if number.starts_with('-') {
        return Err(format!("{text:?} is negative; a duration is zero or more"));
    }
    let scale = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, scale)) => *scale,
        None if unit.is_empty() => 1_000,
        None => return Err(unknown_unit(text, number, unit)),
    };
    let amount: f64 = number.parse().map_err(|_| format!("{text:?} is not a duration; {FORMS}"))?;
    if !amount.is_finite() {
        return Err(format!("{text:?} is not a finite number; {FORMS}"));
    }
    let millis = amount * scale as f64;
    if millis > MAX.as_millis() as f64 {
        return Err(format!("{text:?} is longer than 36500d (100 years)"));
    }
    // The bound above keeps the product far below 2⁵³, so the rounding is exact.
    Ok(Duration::from_millis(if millis > 0.0 { (millis.round() as u64).max(1) } else { 0 }))
}

/// The shortest text that [`parse_text`] reads back to the same milliseconds: `90s`, `2h`, `1500ms`.
pub fn format(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let (unit, scale) = UNITS.iter().find(|(_, scale)| millis.is_multiple_of(*scale)).expect("every number is a multiple of one");
    format!("{}{unit}", millis / scale)
}

/// Writes the text form.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// Reads text or a number.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The same for a field that may be absent or null.
pub mod option {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Value;

    /// Writes the text form, or null.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads text, a number or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(None),
            value => super::parse(&value).map(Some).map_err(D::Error::custom),
        }
    }
}

/// The number, as far as it looks like one, and what stands behind it.
fn split(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut end = 0;
    while end < bytes.len() {
        let exponent = matches!(bytes[end], b'e' | b'E')
            && bytes.get(end + 1).is_some_and(|next| {
                next.is_ascii_digit() || (matches!(next, b'+' | b'-') && bytes.get(end + 2).is_some_and(u8::is_ascii_digit))
            });
        if exponent {
            end += 2;
        } else if bytes[end].is_ascii_digit() || bytes[end] == b'.' || (end == 0 && bytes[end] == b'-') {
            end += 1;
        } else {
            break;
        }
    }
    (&text[..end], text[end..].trim_start())
}

fn unknown_unit(text: &str, number: &str, unit: &str) -> String {
    let meant = match unit.to_ascii_lowercase().as_str() {
        "millis" | "msec" | "msecs" | "millisecond" | "milliseconds" | "ms" => "ms",
        "sec" | "secs" | "second" | "seconds" | "s" => "s",
        "min" | "mins" | "minute" | "minutes" | "m" => "m",
        "hr" | "hrs" | "hour" | "hours" | "h" => "h",
        "day" | "days" | "d" => "d",
        "w" | "week" | "weeks" => return format!("{text:?} has the unknown unit {unit:?}; write weeks in days, such as 7d"),
        _ => return format!("{text:?} has the unknown unit {unit:?}; {FORMS}"),
    };
    format!("{text:?} has the unknown unit {unit:?}; write {number}{meant}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_forms_of_the_plan_format_are_read() {
        for (value, millis) in [
            (json!("500ms"), 500),
            (json!("30s"), 30_000),
            (json!("5m"), 300_000),
            (json!("2h"), 7_200_000),
            (json!("7d"), 604_800_000),
            (json!(30), 30_000),
            (json!(0), 0),
            (json!(0.25), 250),
            (json!("1.5h"), 5_400_000),
            (json!(" 90 "), 90_000),
            (json!("5 m"), 300_000),
            (json!("0.1s"), 100),
            (json!(1e-9), 1),
            (json!("36500d"), 3_153_600_000_000u64),
        ] {
            assert_eq!(parse(&value), Ok(Duration::from_millis(millis)), "{value}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_to_write() {
        for (value, part) in [
            (json!("-5s"), "negative"),
            (json!(-1), "negative"),
            (json!("5 minutes"), "write 5m"),
            (json!("10sec"), "write 10s"),
            (json!("2w"), "7d"),
            (json!("5M"), "write 5m"),
            (json!("3 fortnights"), "write 500ms, 30s"),
            (json!("1h30m"), "write 500ms, 30s"),
            (json!("NaN"), "is not a duration"),
            (json!("inf"), "is not a duration"),
            (json!("1e999"), "is not a finite number"),
            (json!("1.2.3s"), "is not a duration"),
            (json!(""), "is not a duration"),
            (json!("s"), "is not a duration"),
            (json!("-"), "is negative"),
            (json!(1e300), "100 years"),
            (json!(u64::MAX), "100 years"),
            (json!("36501d"), "100 years"),
            (json!(null), "null is not a duration"),
            (json!(true), "true is not a duration"),
            (json!(["5s"]), "is not a duration"),
            (json!("9".repeat(70)), "70 characters"),
        ] {
            let error = parse(&value).expect_err(&value.to_string());
            assert!(error.contains(part), "{value}: {error}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (millis, text) in
            [(0, "0s"), (1, "1ms"), (1_500, "1500ms"), (90_000, "90s"), (3_600_000, "1h"), (86_400_000, "1d"), (7_260_000, "121m")]
        {
            assert_eq!(format(Duration::from_millis(millis)), text);
            assert_eq!(parse_text(text), Ok(Duration::from_millis(millis)));
        }
    }

    #[test]
    fn it_serves_as_a_field() {
        #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
        struct Step {
            #[serde(with = "crate::duration")]
            timeout: Duration,
            #[serde(default, with = "crate::duration::option")]
            deadline: Option<Duration>,
        }
        let step: Step = serde_json::from_value(json!({ "timeout": "90s", "deadline": 60 })).unwrap();
        assert_eq!(serde_json::to_value(&step).unwrap(), json!({ "timeout": "90s", "deadline": "1m" }));
        assert_eq!(serde_json::from_value::<Step>(json!({ "timeout": 1 })).unwrap().deadline, None);
        assert!(serde_json::from_value::<Step>(json!({ "timeout": "1 minute" })).unwrap_err().to_string().contains("write 1m"));
    }
}
