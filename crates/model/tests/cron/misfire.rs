//! Missed slots: what each policy makes of them.

use mainspring_model::cron::{Cron, Due, GRACE, Misfire};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

fn hourly() -> Cron {
    Cron::parse("@hourly", None).unwrap()
}

fn due(slots: &[i64], settled: i64, more: bool) -> Due {
    Due { slots: slots.to_vec(), settled, more }
}

#[test]
fn a_slot_on_time_fires_whatever_the_policy() {
    for misfire in [Misfire::FireOnce, Misfire::Skip, Misfire::FireAll] {
        assert_eq!(hourly().due(0, HOUR - 1, misfire, 9), due(&[], 0, false));
        assert_eq!(hourly().due(0, HOUR, misfire, 9), due(&[HOUR], HOUR, false));
        assert_eq!(hourly().due(0, HOUR + GRACE - 1, misfire, 9), due(&[HOUR], HOUR, false));
        assert_eq!(hourly().due(HOUR, HOUR + 5, misfire, 9), due(&[], HOUR, false));
        assert_eq!(hourly().due(9 * HOUR, HOUR, misfire, 9), due(&[], 9 * HOUR, false), "a clock that went back");
    }
}

#[test]
fn missed_slots_go_by_the_policy() {
    let now = 5 * HOUR + 10 * MINUTE;
    assert_eq!(hourly().due(0, now, Misfire::FireOnce, 9), due(&[5 * HOUR], 5 * HOUR, false));
    assert_eq!(hourly().due(0, now, Misfire::Skip, 9), due(&[], 5 * HOUR, false));
    assert_eq!(hourly().due(0, now, Misfire::FireAll, 9), due(&[HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 5 * HOUR], 5 * HOUR, false));
    assert_eq!(hourly().due(0, now, Misfire::FireAll, 2), due(&[HOUR, 2 * HOUR], 2 * HOUR, true));
    assert_eq!(hourly().due(4 * HOUR, now, Misfire::FireAll, 0), due(&[5 * HOUR], 5 * HOUR, false), "a cap is at least one");
    // One that is on time stands for the missed ones.
    assert_eq!(hourly().due(0, 5 * HOUR + 1, Misfire::FireOnce, 9), due(&[5 * HOUR], 5 * HOUR, false));
    assert_eq!(hourly().due(0, 5 * HOUR + 1, Misfire::Skip, 9), due(&[5 * HOUR], 5 * HOUR, false));
}

#[test]
fn a_second_rule_that_lags_loses_nothing_within_the_grace() {
    let every_second = Cron::parse("* * * * * *", None).unwrap();
    let (mut settled, mut fired) = (0, Vec::new());
    for now in [3_500, 3_900, 20_000, 21_000] {
        let due = every_second.due(settled, now, Misfire::FireOnce, 100);
        settled = due.settled;
        fired.extend(due.slots);
    }
    assert_eq!(fired, (1..=21).map(|n| n * 1_000).collect::<Vec<_>>());
    // After a year asleep: only the grace's slots, found without walking the year.
    let year = 365 * 24 * HOUR;
    let due = every_second.due(0, year, Misfire::FireOnce, 1_000);
    assert_eq!((due.slots.len(), due.settled), (60, year));
    assert_eq!(every_second.last_between(0, year + 999), Some(year));
}

#[test]
fn the_newest_slot_is_found_by_bisection() {
    let rule = Cron::parse("0 0 29 2 *", None).unwrap();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    assert_eq!(rule.last_between(0, at("2027-01-01T00:00:00Z")), Some(at("2024-02-29T00:00:00Z")));
    assert_eq!(rule.last_between(at("2024-02-29T00:00:00Z"), at("2027-01-01T00:00:00Z")), None);
    for until in (0..2_000).map(|n| n * 1_234_567) {
        let walked = hourly().slots_between(0, until, usize::MAX).last().copied();
        assert_eq!(hourly().last_between(0, until), walked);
    }
}

#[test]
fn policies_are_written_as_in_plans() {
    let names = [Misfire::FireOnce, Misfire::Skip, Misfire::FireAll].map(|misfire| serde_json::to_string(&misfire).unwrap());
    assert_eq!(names, ["\"fire_once\"", "\"skip\"", "\"fire_all\""]);
}
