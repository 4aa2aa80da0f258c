//! Provider `transform`: dates and numbers, read and written for people.

use serde_json::{Value, json};

use crate::logic_fake::*;

#[test]
fn dates_are_read_in_many_forms() {
    let utc = |date: Value| value("transform.date_format", json!({"date": date, "format": "%Y-%m-%dT%H:%M:%S"}));
    for date in [
        json!("2026-03-01T12:00:00Z"),
        json!("2026-03-01T13:00:00+01:00"),
        json!("2026-03-01T12:00:00"),
        json!("2026-03-01 12:00"),
        json!("2026-03-01T13:00:00+01:00[Europe/Oslo]"),
        json!("Sun, 1 Mar 2026 12:00:00 +0000"),
        json!(1_772_366_400),
        json!(1_772_366_400_000_i64),
        json!(1_772_366_400.0),
    ] {
        assert_eq!(utc(date.clone()), json!("2026-03-01T12:00:00"), "{date}");
    }
    assert_eq!(utc(json!("2026-03-01")), json!("2026-03-01T00:00:00"));
    assert_eq!(utc(json!(-1)), json!("1969-12-31T23:59:59"));
    assert_eq!(value("transform.date_format", json!({"date": "2026-03-01"})), json!("2026-03-01"));
}

#[test]
fn dates_have_a_zone_and_a_form() {
    for (params, text) in [
        (json!({"date": "2026-03-29T02:30:00", "timezone": "Europe/Oslo", "format": "%H:%M %z"}), "03:30 +0200"),
        (json!({"date": "31.12.2025", "input_format": "dd.MM.yyyy", "format": "%j", "timezone": "Asia/Tokyo"}), "365"),
        (
            json!({"date": "12/31/2025 11:30 PM", "input_format": "%m/%d/%Y %I:%M %p", "timezone": "America/New_York", "format": "%Y-%m-%d %H:%M %Z"}),
            "2025-12-31 23:30 EST",
        ),
        (json!({"date": "2026-03-01 10:00 +0500", "input_format": "%Y-%m-%d %H:%M %z", "format": "%H:%M"}), "05:00"),
        (json!({"date": "1772366400", "input_format": "%s", "format": "%F %T"}), "2026-03-01 12:00:00"),
    ] {
        assert_eq!(value("transform.date_format", params.clone()), json!(text), "{params}");
    }
}

#[test]
fn dates_name_what_is_wrong() {
    for (params, message) in [
        (
            json!({"date": "soon"}),
            "INVALID_INPUT: \"soon\" is not a date such as 2026-03-01 or 2026-03-01T09:00:00Z; give its form in \"input_format\"",
        ),
        (json!({"date": null}), "INVALID_PARAMS: \"date\" must be text or a number; it is null"),
        (json!({"date": 1e300}), "INVALID_INPUT: 1e+300 is no Unix time that a calendar reaches"),
        (json!({"date": 0, "timezone": "Mars/Base"}), "INVALID_PARAMS: \"timezone\" is \"Mars/Base\", not a time zone such as Europe/Oslo"),
    ] {
        assert_eq!(error("transform.date_format", params), message);
    }
    for (form, what) in [
        ("yyyy-QQ", "\"QQ\" is no part of a form; words stand in single quotes, parts are yyyy MM dd HH mm ss"),
        ("yyyy 'of", "a quote in the form is never closed"),
    ] {
        let message = error("transform.date_format", json!({"date": 0, "format": form}));
        assert_eq!(message, format!("INVALID_PARAMS: \"format\" is \"{form}\": {what}"));
        let message = error("transform.date_format", json!({"date": "x", "input_format": form}));
        assert_eq!(message, format!("INVALID_PARAMS: \"input_format\" is \"{form}\": {what}"));
    }
    let written = value("transform.date_format", json!({"date": 0, "format": "yyyy-MM-dd'T'HH:mm:ss.SSSZZ h a ''EEE'' d MMM yy 'at'"}));
    assert_eq!(written, json!("1970-01-01T00:00:00.000+00:00 12 AM 'Thu' 1 Jan 70 at"));
    let message = error("transform.date_format", json!({"date": 0, "format": "%!"}));
    assert!(message.starts_with("INVALID_PARAMS: \"format\" is \"%!\": "), "{message}");
    let message = error("transform.date_format", json!({"date": "2025", "input_format": "%d.%m"}));
    assert!(message.starts_with("INVALID_INPUT: \"2025\" does not fit the form \"%d.%m\": "), "{message}");
}

#[test]
fn numbers_are_rounded_as_written() {
    for (number, decimals, text) in [
        (json!(1.005), 2, "1.01"),
        (json!(-1.005), 2, "-1.01"),
        (json!(0.125), 2, "0.13"),
        (json!(999.995), 2, "1,000.00"),
        (json!(0), 2, "0.00"),
        (json!(-0.001), 2, "0.00"),
        (json!(1234567), 0, "1,234,567"),
        (json!(0.5), 0, "1"),
        (json!(u64::MAX), 1, "18,446,744,073,709,551,615.0"),
        (json!(1e21), 0, "1,000,000,000,000,000,000,000"),
        (json!(" 0012.5 "), 1, "12.5"),
        (json!("+7"), 0, "7"),
        (json!(1e-7), 3, "0.000"),
        (json!("9.99"), 1, "10.0"),
    ] {
        assert_eq!(value("transform.number_format", json!({"number": number, "decimals": decimals})), json!(text), "{number}");
    }
    assert_eq!(value("transform.number_format", json!({"number": 1234.5, "thousands": ".", "point": ","})), json!("1.234,50"));
    for (number, message) in [
        (json!("1,5"), "\"number\" is \"1,5\", not a number such as 1234.5"),
        (json!(""), "\"number\" is \"\", not a number such as 1234.5"),
        (json!("--5"), "\"number\" is \"--5\", not a number such as 1234.5"),
        (json!([1]), "\"number\" must be a number; it is a list"),
    ] {
        assert_eq!(error("transform.number_format", json!({"number": number})), format!("INVALID_PARAMS: {message}"));
    }
    assert_eq!(
        error("transform.number_format", json!({"number": 1, "decimals": 31})),
        "INVALID_PARAMS: \"decimals\" must be from 0 to 30; it is 31"
    );
}
