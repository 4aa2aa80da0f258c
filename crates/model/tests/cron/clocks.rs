//! The written rule for both changes of the clocks, by example and over every zone.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use mainspring_model::cron::Cron;

/// The slots of a rule from one local midnight to another, as local times with offset.
fn slots(expression: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
    let tz = TimeZoneDatabase::bundled().get(zone).unwrap();
    let instant = |date: &str| date.parse::<Date>().unwrap().to_zoned(tz.clone()).unwrap().timestamp().as_millisecond();
    let cron = Cron::parse(expression, Some(zone)).unwrap();
    let show = |slot: i64| Timestamp::from_millisecond(slot).unwrap().to_zoned(tz.clone()).strftime("%dT%H:%M%:z").to_string();
    cron.slots_between(instant(from) - 1, instant(until) - 1, 1_000).into_iter().map(show).collect()
}

#[test]
fn a_time_that_does_not_exist_fires_at_the_first_valid_instant() {
    let berlin = |rule| slots(rule, "Europe/Berlin", "2026-03-29", "2026-03-30");
    assert_eq!(berlin("30 2 * * *"), ["29T03:00+02:00"]);
    assert_eq!(berlin("0 2 * * *"), ["29T03:00+02:00"]);
    assert_eq!(berlin("0 2,3 * * *"), ["29T03:00+02:00"], "two times, one instant, one slot");
    assert_eq!(berlin("30 1-4 * * *"), ["29T01:30+01:00", "29T03:00+02:00", "29T03:30+02:00", "29T04:30+02:00"]);
    assert_eq!(slots("0 0 * * *", "Africa/Cairo", "2026-04-24", "2026-04-25"), ["24T01:00+03:00"]);
    assert_eq!(slots("30 0 * * *", "Asia/Beirut", "2026-03-29", "2026-03-30"), ["29T01:00+03:00"]);
    assert_eq!(slots("0 0 * * *", "America/Havana", "2026-03-08", "2026-03-09"), ["08T01:00-04:00"]);
    assert_eq!(slots("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", "2026-10-05"), ["04T02:30+11:00"]);
    // A gap over midnight: the date exists, its time comes at the first instant after.
    assert_eq!(slots("45 23 * * *", "America/Toronto", "1919-03-30", "1919-04-01"), ["31T00:30-04:00", "31T23:45-04:00"]);
}

#[test]
fn a_time_that_exists_twice_fires_on_the_first() {
    assert_eq!(slots("30 2 * * *", "Europe/Berlin", "2026-10-25", "2026-10-26"), ["25T02:30+02:00"]);
    assert_eq!(slots("0 2 * * *", "Europe/Berlin", "2026-10-25", "2026-10-26"), ["25T02:00+02:00"]);
    assert_eq!(slots("0 3 * * *", "Europe/Berlin", "2026-10-25", "2026-10-26"), ["25T03:00+01:00"]);
    assert_eq!(slots("30 0 * * *", "America/Havana", "2026-11-01", "2026-11-02"), ["01T00:30-04:00"]);
    assert_eq!(slots("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", "2026-04-06"), ["05T01:45+11:00"]);
    // A fold over midnight: the new date begins, is taken back, and begins again.
    assert_eq!(slots("0 0 * * *", "America/St_Johns", "2006-10-28", "2006-10-30"), ["28T00:00-02:30", "29T00:00-02:30"]);
}

#[test]
fn fine_rules_follow_elapsed_time() {
    let hours = |rule, date, next| slots(rule, "Europe/Berlin", date, next).len();
    assert_eq!(hours("0 * * * *", "2026-03-29", "2026-03-30"), 23);
    assert_eq!(hours("0 * * * *", "2026-10-25", "2026-10-26"), 25);
    assert_eq!(hours("*/15 * * * *", "2026-03-29", "2026-03-30"), 92);
    assert_eq!(hours("*/15 * * * *", "2026-10-25", "2026-10-26"), 100);
    assert_eq!(hours("7-59/10 * * * *", "2026-03-29", "2026-03-30"), 23 * 6, "no extra slot at 03:00");
    assert_eq!(hours("*/10 2 * * *", "2026-10-25", "2026-10-26"), 12);
    assert_eq!(slots("*/10 2 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30"), ["29T03:00+02:00"], "the date is not lost");
    assert_eq!(
        slots("20,40 1-3 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30"),
        ["29T01:20+01:00", "29T01:40+01:00", "29T03:20+02:00", "29T03:40+02:00"]
    );
}

#[test]
fn a_skipped_date_has_no_slots_and_does_not_end_the_rule() {
    assert_eq!(slots("30 2 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01"), ["29T02:30-10:00", "31T02:30+14:00"]);
    assert_eq!(slots("0 0 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01"), ["29T00:00-10:00", "31T00:00+14:00"]);
    assert_eq!(slots("0 0 30 * *", "Pacific/Apia", "2011-12-01", "2012-02-01"), ["30T00:00+14:00"], "only January has a 30th");
    assert_eq!(slots("0,30 5 30 * *", "Pacific/Apia", "2011-12-29", "2012-01-01"), [""; 0]);
}

/// Every zone, every change of its clocks from 1990 to 2037: each daily rule fires once for each civil date that exists, where an
/// independent calculation says.
#[test]
fn every_daily_rule_fires_once_per_civil_date_in_every_zone() {
    let database = TimeZoneDatabase::bundled();
    let (first, last) = (Timestamp::from_second(631_152_000).unwrap(), Timestamp::from_second(2_145_916_800).unwrap());
    let (mut zones, mut compared) = (0, 0);
    for name in database.available() {
        let tz = database.get(&name.to_string()).unwrap();
        zones += 1;
        for (index, transition) in tz.following(first).take_while(|transition| transition.timestamp() < last).enumerate() {
            // A rule that hits the change, and one at the edge of the date; over the years each rule meets each zone.
            let local = tz.to_datetime(transition.timestamp() - 1.second()) + [1, 900, 1_800, 3_600][index % 4].seconds();
            for (hour, minute, second) in [
                (local.hour(), local.minute(), local.second()),
                [(0, 0, 0), (2, 30, 0), (23, 59, 59)].map(|time: (i8, i8, i8)| time)[index % 3],
            ] {
                let cron = Cron::parse(&format!("{second} {minute} {hour} * * *"), Some(&name.to_string())).unwrap();
                let date = local.date();
                let dates = (-2..=2).map(|days| date + days.days());
                let expected: Vec<i64> =
                    dates.filter_map(|date| due(&tz, date.at(hour, minute, second, 0))).map(|at| at.as_millisecond()).collect();
                let got = cron.slots_between(expected[0] - 1, expected[expected.len() - 1], 10);
                assert_eq!(got, expected, "{name} {hour}:{minute}:{second} around {}", transition.timestamp());
                compared += got.len();
            }
        }
    }
    assert!(zones > 500 && compared > 100_000, "{zones} zones, {compared} slots");
}

/// The instant of a civil time by the written rule; `None` on a date that does not exist.
fn due(tz: &TimeZone, time: DateTime) -> Option<Timestamp> {
    let midnight = first_reached(tz, time.date().at(0, 0, 0, 0));
    (tz.to_datetime(midnight).date() == time.date()).then(|| first_reached(tz, time))
}

/// The first instant at which the clock on the wall has reached `time`, by trying every offset of the days around it. Only
/// instant → civil is asked of jiff: its civil → instant (0.2.43) takes America/Godthab 2023-10-28T23:59:59 for ambiguous.
fn first_reached(tz: &TimeZone, time: DateTime) -> Timestamp {
    let utc = Offset::UTC.to_timestamp(time).unwrap();
    let offsets: BTreeSet<Offset> = (-10..=10).map(|hours| tz.to_offset(utc + (hours * 3).hours())).collect();
    let exact = offsets.iter().map(|offset| offset.to_timestamp(time).unwrap()).filter(|at| tz.to_datetime(*at) == time).min();
    exact.unwrap_or_else(|| {
        // In a gap: bisect for the second at which the clock jumps over it.
        let (mut low, mut high) = (utc.as_second() - 30 * 3_600, utc.as_second() + 30 * 3_600);
        while low < high {
            let middle = low.midpoint(high);
            if tz.to_datetime(Timestamp::from_second(middle).unwrap()) < time { low = middle + 1 } else { high = middle }
        }
        Timestamp::from_second(low).unwrap()
    })
}
