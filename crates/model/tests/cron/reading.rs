//! Reading expressions: what is understood, and which field an error names.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mainspring_model::cron::Cron;
use proptest::prelude::*;

#[test]
fn errors_name_the_field_and_say_what_to_write() {
    for (expression, code, message, fix) in [
        ("61 * * * *", "CRON_FIELD", "minute: 61 is outside 0–59", None),
        ("60 0 0 * * *", "CRON_FIELD", "second: 60 is outside 0–59", None),
        ("* 24 * * *", "CRON_FIELD", "hour: 24 is outside 0–23", None),
        ("* * 0 * *", "CRON_FIELD", "day of month: 0 is outside 1–31", None),
        ("* * * 13 *", "CRON_FIELD", "month: 13 is outside 1–12", None),
        ("* * * * 8", "CRON_FIELD", "day of week: 8 is outside 0–7", None),
        ("99999999999999999999 * * * *", "CRON_FIELD", "minute: 99999999999999999999 is outside 0–59", None),
        ("x * * * *", "CRON_FIELD", "minute: \"x\" is not a number 0–59", None),
        ("H * * * *", "CRON_FIELD", "minute: \"H\" (a hashed value) is not supported; write a number 0–59", None),
        ("1,,2 * * * *", "CRON_FIELD", "minute: a value is missing (a stray comma, minus or slash?)", None),
        ("*/0 * * * *", "CRON_FIELD", "minute: */0: a step of 0 never moves", None),
        ("*/x * * * *", "CRON_FIELD", "minute: */x: \"x\" is not a step (a whole number from 1)", None),
        ("0/5 * * * *", "CRON_FIELD", "minute: 0/5 steps from a single value; write */5", Some("*/5")),
        ("7/5 * * * *", "CRON_FIELD", "minute: 7/5 steps from a single value; write 7-59/5", Some("7-59/5")),
        ("0 22-4 * * *", "CRON_FIELD", "hour: 22-4 runs backwards; write 22-23,0-4", Some("22-23,0-4")),
        ("0 0 * * FRI-MON", "CRON_FIELD", "day of week: FRI-MON runs backwards; write 5-6,0-1", Some("5-6,0-1")),
        ("0 0 * * SUNDAY", "CRON_FIELD", "day of week: \"SUNDAY\" is not known; write SUN", Some("SUN")),
        ("0 0 * JAM *", "CRON_FIELD", "month: \"JAM\" is not known; write JAN", Some("JAN")),
        ("0 0 * * L", "CRON_FIELD", "day of week: L needs a day before it; write 5L or FRIL for the last Friday", None),
        ("0 0 * * 1#6", "CRON_FIELD", "day of week: 1#6: the part after # is 1–5 or L", None),
        ("? * * * *", "CRON_FIELD", "minute: ? stands only in the two day fields; write *", None),
        ("", "CRON_SHAPE", "empty; write 5 fields: minute, hour, day of month, month, day of week", None),
        ("* * * *", "CRON_SHAPE", "4 fields; write 5 (minute, hour, day of month, month, day of week), or 6 with seconds first", None),
        ("0 0 0 1 1 * 2027", "CRON_SHAPE", "7 fields; a year field is not supported, drop it and use `if` on the trigger", None),
        ("@dayly", "CRON_SHAPE", "@dayly is not known; write @daily", Some("@daily")),
        ("@every 5m", "CRON_SHAPE", "@every 5m is not a cron rule; use a trigger of type `interval` with `every`", None),
        ("@reboot", "CRON_SHAPE", "@reboot has no time; there is no trigger at the start of the server", None),
        ("CRON_TZ=UTC 0 0 * * *", "CRON_SHAPE", "CRON_TZ=UTC does not belong here; put the zone into `timezone`", None),
        ("0 0 30 2 *", "CRON_NEVER", "0 0 30 2 * never fires: no date has day of month 30, month 2 and day of week *", None),
        (
            "0 0 31 4,6,9,11 *",
            "CRON_NEVER",
            "0 0 31 4,6,9,11 * never fires: no date has day of month 31, month 4,6,9,11 and day of week *",
            None,
        ),
        ("0 0 8 * +MON#1", "CRON_NEVER", "0 0 8 * +MON#1 never fires: no date has day of month 8, month * and day of week +MON#1", None),
    ] {
        let problem = Cron::parse(expression, None).expect_err(expression);
        assert_eq!((problem.code(), problem.to_string().as_str(), problem.fix.as_deref()), (code, message, fix), "{expression}");
        assert_eq!(problem.at("/triggers/0/cron").pointer, "/triggers/0/cron");
    }
    let long = Cron::parse("*/90 * * * *", None).unwrap_err().to_string();
    assert!(long.starts_with("minute: */90: a step of 90 is longer than the field") && long.contains("interval"), "{long}");
}

#[test]
fn unknown_zones_are_refused_with_the_nearest_name() {
    for (zone, meant) in [
        ("Europe/Berlim", Some("Europe/Berlin")),
        ("berlin", Some("Europe/Berlin")),
        ("New York", Some("America/New_York")),
        ("Mars/Base", None),
        ("", None),
    ] {
        let problem = Cron::parse("@daily", Some(zone)).expect_err(zone);
        assert_eq!((problem.code(), problem.fix.as_deref()), ("CRON_TIMEZONE", meant), "{problem}");
        assert!(problem.to_string().starts_with("timezone: "), "{problem}");
    }
    assert_eq!(Cron::parse("@daily", Some("europe/berlin")).unwrap().timezone(), "Europe/Berlin");
    assert_eq!(Cron::parse("@daily", None).unwrap().timezone(), "UTC");
}

#[test]
fn equal_spellings_are_equal_rules() {
    for (left, right) in [
        ("@hourly", "0 * * * *"),
        ("@daily", "@midnight"),
        ("@Weekly", "0 0 * * SUN"),
        ("@yearly", "0 0 0 1 JAN ?"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", " 0  0 1 * * "),
        ("*/20 * * * *", "0,20,40 * * * *"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * fri-sun", "0 0 * * 5,6,0"),
        ("0 0 * * 5L", "0 0 * * FRI#L"),
        ("0 0 LW * *", "0 0 WL * *"),
        ("0 9 * jan-mar,12 *", "0 9 * 1,2,3,DEC *"),
    ] {
        assert_eq!(Cron::parse(left, None).unwrap(), Cron::parse(right, None).unwrap(), "{left} / {right}");
    }
}

#[test]
fn rules_are_told_in_words() {
    let words = |expression, zone| Cron::parse(expression, Some(zone)).unwrap().describe();
    assert_eq!(words("0 9 * * MON", "Europe/Berlin"), "At 09:00, on Monday, in Europe/Berlin.");
    assert_eq!(words("@midnight", "UTC"), "At 00:00, in UTC.");
}

/// croner as a second implementation of dates and times, in UTC, where no clock changes.
fn agrees_with_croner(expression: &str, from: i64) {
    let ours = Cron::parse(expression, None);
    let Ok(theirs) = expression.parse::<croner::Cron>() else { return };
    let start = Timestamp::from_second(from).unwrap().to_zoned(TimeZone::UTC);
    let expected: Vec<i64> = theirs.iter_after(start).take(6).map(|at| at.timestamp().as_millisecond()).collect();
    match ours {
        Ok(ours) => {
            let (mut at, mut slots) = (from * 1_000, Vec::new());
            while let Some(next) = ours.next_after(at).filter(|_| slots.len() < 6) {
                slots.push(next);
                at = next;
            }
            assert_eq!(slots, expected, "{expression} from {from}");
        }
        Err(problem) => assert!(problem.code() == "CRON_NEVER" && expected.is_empty(), "{expression}: {problem}"),
    }
}

fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    let one = prop_oneof![
        (low..=high).prop_map(|n| n.to_string()),
        (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (low..=high, low..=high, 1..5u32).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ];
    prop_oneof![
        Just("*".to_owned()),
        (1..=(high - low)).prop_map(|step| format!("*/{step}")),
        prop::collection::vec(one, 1..3).prop_map(|list| list.join(","))
    ]
}

fn day_field() -> impl Strategy<Value = String> {
    prop_oneof![4 => field(1, 31), 1 => Just("L".to_owned()), 1 => Just("LW".to_owned()), 2 => (1..=31u32).prop_map(|day| format!("{day}W"))]
}

fn weekday_field() -> impl Strategy<Value = String> {
    let named = prop_oneof![
        Just("MON-FRI".to_owned()),
        Just("SAT,SUN".to_owned()),
        (0..=6u32).prop_map(|day| format!("{day}L")),
        (0..=6u32, 1..=5u32).prop_map(|(day, nth)| format!("{day}#{nth}"))
    ];
    (prop_oneof![3 => field(0, 6), 2 => named], any::<bool>())
        .prop_map(|(text, both)| if both && text != "*" { format!("+{text}") } else { text })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn dates_and_times_agree_with_croner(
        (second, minute, hour) in (field(0, 59), field(0, 59), field(0, 23)),
        (day, month, weekday) in (day_field(), field(1, 12), weekday_field()),
        from in 900_000_000i64..2_500_000_000,
    ) {
        agrees_with_croner(&format!("{second} {minute} {hour} {day} {month} {weekday}"), from);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-*/,0-9LW#?+@A-Za-z ]{0,40}", any in ".{0,60}") {
        let _ = Cron::parse(&text, Some("Europe/Berlin")).map(|cron| cron.next_after(0));
        let _ = Cron::parse(&any, Some(&any));
    }
}

#[test]
fn rare_and_far_slots_are_found_and_the_search_ends() {
    let next = |expression: &str, from: &str| {
        let from: Timestamp = from.parse().unwrap();
        let slot = Cron::parse(expression, None).unwrap().next_after(from.as_millisecond());
        slot.map(|slot| Timestamp::from_millisecond(slot).unwrap().to_string())
    };
    assert_eq!(next("0 0 29 2 *", "2096-03-01T00:00:00Z").as_deref(), Some("2104-02-29T00:00:00Z"));
    assert_eq!(next("0 0 29 2 +MON", "2072-03-01T00:00:00Z").as_deref(), Some("2112-02-29T00:00:00Z"));
    assert_eq!(next("0 0 1 1 *", "2026-01-01T00:00:00Z").as_deref(), Some("2027-01-01T00:00:00Z"));
    assert_eq!(next("59 59 23 31 12 *", "1969-12-31T23:59:58.999Z").as_deref(), Some("1969-12-31T23:59:59Z"));
    for rule in ["@daily", "* * * * * *", "0 0 29 2 *"] {
        let cron = Cron::parse(rule, Some("Europe/Berlin")).unwrap();
        for far in [i64::MIN, i64::MIN / 1_000, -62_135_596_800_000, -1, i64::MAX / 1_000, 253_402_300_799_999] {
            assert!(cron.next_after(far).is_none_or(|slot| slot > far), "{rule} after {far}");
        }
        assert_eq!(cron.next_after(i64::MAX), None);
    }
}
