//! Provider `transform`: arithmetic with dates, where the calendar is not as even as it looks.

use serde_json::{Value, json};

use crate::logic_fake::*;

fn with(params: &Value, more: &Value) -> Value {
    let mut all = params.as_object().unwrap().clone();
    all.extend(more.as_object().unwrap().clone());
    Value::Object(all)
}

#[test]
fn dates_are_added_by_the_calendar_of_the_zone() {
    for (date, add, zone, sum) in [
        ("2026-01-31", json!({"months": 1}), "UTC", "2026-02-28T00:00:00+00:00"),
        ("2024-02-29", json!({"years": 1}), "UTC", "2025-02-28T00:00:00+00:00"),
        ("2026-03-28T12:00:00", json!({"days": 1}), "Europe/Oslo", "2026-03-29T12:00:00+02:00"),
        ("2026-03-28T12:00:00", json!({"hours": 24}), "Europe/Oslo", "2026-03-29T13:00:00+02:00"),
        ("2026-03-28T02:30:00", json!({"days": 1}), "Europe/Oslo", "2026-03-29T03:30:00+02:00"),
        ("2026-10-24T02:30:00", json!({"days": 1}), "Europe/Oslo", "2026-10-25T02:30:00+02:00"),
        ("2026-03-01T00:00:00Z", json!({"seconds": -1}), "UTC", "2026-02-28T23:59:59+00:00"),
        ("2026-03-01T00:00:00.250Z", json!({"minutes": 90}), "Asia/Kathmandu", "2026-03-01T07:15:00.25+05:45"),
        ("2026-03-01T12:00:00", json!({"months": 1, "days": -1, "hours": 1}), "UTC", "2026-03-31T13:00:00+00:00"),
        ("2011-12-29T12:00:00", json!({"days": 1}), "Pacific/Apia", "2011-12-31T12:00:00+14:00"),
    ] {
        let got = value("transform.date_add", json!({"date": date, "add": add, "timezone": zone}));
        assert_eq!(got, json!(sum), "{date} {add} {zone}");
    }
    for (more, message) in [
        (json!({"add": {"days": 99_999_999}}), "INVALID_PARAMS: \"add\" is more"),
        (json!({"add": {"years": 9_000}}), "INVALID_INPUT: the sum is outside the calendar"),
        (json!({"add": {"days": i64::MAX}}), "INVALID_PARAMS: \"add\" is more"),
        (json!({"add": {"days": 1.5}}), "INVALID_PARAMS: date_add: invalid type: floating point"),
        (json!({"add": {"fortnights": 1}}), "INVALID_PARAMS: date_add: unknown field `fortnights`"),
        (json!({"add": {}, "timezone": "Nowhere"}), "INVALID_PARAMS: \"timezone\" is \"Nowhere\""),
    ] {
        let got = error("transform.date_add", with(&json!({"date": "2026-01-01"}), &more));
        assert!(got.starts_with(message), "{more}: {got}");
    }
}

#[test]
fn time_between_dates_is_counted_in_whole_units() {
    for (from, to, unit, zone, count) in [
        ("2026-01-31", "2026-02-28", "months", "UTC", 1),
        ("2026-01-31", "2026-03-01", "months", "UTC", 1),
        ("2026-03-28T12:00:00", "2026-03-29T12:00:00", "days", "Europe/Oslo", 1),
        ("2026-03-28T12:00:00", "2026-03-29T12:00:00", "hours", "Europe/Oslo", 23),
        ("2026-03-29", "2026-03-28", "days", "UTC", -1),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:01:59.999Z", "minutes", "UTC", 1),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01.999Z", "seconds", "UTC", 1),
        ("1970-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "milliseconds", "UTC", 1_767_225_600_500_i64),
        ("2000-01-01", "2026-01-01", "weeks", "UTC", 1_356),
        ("2024-02-29", "2028-02-28", "years", "UTC", 3),
    ] {
        let got = value("transform.date_diff", json!({"from": from, "to": to, "unit": unit, "timezone": zone}));
        assert_eq!(got, json!(count), "{from} {to} {unit} {zone}");
    }
    assert!(
        error("transform.date_diff", json!({"from": "2026-01-01", "to": "then", "unit": "days"}))
            .starts_with("INVALID_INPUT: \"then\" is not a date")
    );
}

#[test]
fn periods_start_where_the_zone_says() {
    for (date, unit, more, start) in [
        ("2026-03-31T22:30:15Z", "day", json!({"timezone": "Europe/Oslo"}), "2026-04-01T00:00:00+02:00"),
        ("2026-03-01", "week", json!({}), "2026-02-23T00:00:00+00:00"),
        ("2026-03-01", "week", json!({"week_starts": "sunday"}), "2026-03-01T00:00:00+00:00"),
        ("2026-03-01", "week", json!({"week_starts": "saturday", "next": true}), "2026-03-07T00:00:00+00:00"),
        ("2026-12-31", "quarter", json!({}), "2026-10-01T00:00:00+00:00"),
        ("2026-12-31", "quarter", json!({"next": true}), "2027-01-01T00:00:00+00:00"),
        ("2026-05-05", "year", json!({"format": "yyyy"}), "2026"),
        ("2026-03-29T00:10:59.5Z", "minute", json!({"timezone": "Asia/Kathmandu"}), "2026-03-29T05:55:00+05:45"),
        ("2026-03-29T00:50:00Z", "hour", json!({"timezone": "Europe/Oslo", "next": true}), "2026-03-29T03:00:00+02:00"),
        // Midnight of this day does not exist there.
        ("2018-11-04T15:00:00", "day", json!({"timezone": "America/Sao_Paulo"}), "2018-11-04T01:00:00-02:00"),
    ] {
        let got = value("transform.date_start_of", with(&json!({"date": date, "unit": unit}), &more));
        assert_eq!(got, json!(start), "{date} {unit} {more}");
    }
    let got = error("transform.date_start_of", json!({"date": "9999-12-30", "unit": "year", "next": true}));
    assert_eq!(got, "INVALID_INPUT: the start is outside the calendar");
}

#[test]
fn dates_are_taken_apart_in_the_zone() {
    let parts = |params: Value| value("transform.date_parts", params);
    let got = parts(json!({"date": "2024-12-30T23:30:00Z", "timezone": "Asia/Tokyo"}));
    assert_eq!(
        (&got["iso"], &got["weekday"], &got["week"], &got["week_year"], &got["day_of_year"], &got["leap_year"]),
        (&json!("2024-12-31T08:30:00+09:00"), &json!(2), &json!(1), &json!(2025), &json!(366), &json!(true))
    );
    assert_eq!(
        parts(json!({"date": "31.12.2025 23:59", "input_format": "dd.MM.yyyy HH:mm", "timezone": "America/New_York"}))["unix_ms"],
        json!(1_767_243_540_000_i64)
    );
}
