//! A second, naive implementation: walks every second of real time, looks at the clock on the wall, and applies the written rule.

use std::collections::{BTreeSet, HashSet};

use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use mainspring_model::cron::Cron;

const RULES: &[&str] = &[
    "0 0 0 * * *",
    "0 30 0 * * *",
    "0 0 1 * * *",
    "0 30 1 * * *",
    "0 0 2 * * *",
    "0 15 2 * * *",
    "0 30 2 * * *",
    "0 45 2 * * *",
    "59 59 2 * * *",
    "0 0 3 * * *",
    "0 30 23 * * *",
    "59 59 23 * * *",
    "0 0 0,12 * * *",
    "0 15 1-4 * * *",
    "0 0 */2 * * *",
    "0 0 * * * *",
    "0 17 * * * *",
    "0 */5 * * * *",
    "0 7-59/10 * * * *",
    "30 * * * * *",
    "*/7 * 1-3 * * *",
    "0 0,30 * * * *",
    "0 0,30 2 * * *",
    "0 */10 2 * * *",
    "0 */10 0 * * *",
    "0 */20 1,3 * * *",
    "0 5,10 2-3 * * *",
    "0 0 2 * * SUN",
    "0 30 2 * * MON-FRI",
    "0 0 2 29,30 * *",
    "0 15 2 1-15 * SAT",
    "0 0 0 L * *",
    "*/10 30 0 * * SUN",
    "0 45 23 * * 0,5",
];

/// Zone and the first moment to look for a change of its clocks in each direction from.
const ZONES: &[(&str, &str)] = &[
    ("Europe/Berlin", "2026-01-01T00:00:00Z"),
    ("America/New_York", "2026-01-01T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-01-01T00:00:00Z"),
    ("Pacific/Chatham", "2026-01-01T00:00:00Z"),
    ("Africa/Cairo", "2026-01-01T00:00:00Z"),
    ("Asia/Beirut", "2026-01-01T00:00:00Z"),
    ("America/Havana", "2026-01-01T00:00:00Z"),
    ("Africa/Casablanca", "2026-01-01T00:00:00Z"),
    ("Europe/Dublin", "2026-01-01T00:00:00Z"),
    ("Antarctica/Troll", "2026-01-01T00:00:00Z"),
    ("America/St_Johns", "2006-01-01T00:00:00Z"),
    ("America/Toronto", "1919-01-01T00:00:00Z"),
    ("Asia/Kathmandu", "1985-06-01T00:00:00Z"),
    ("Pacific/Apia", "2011-10-01T00:00:00Z"),
    ("Pacific/Kwajalein", "1993-01-01T00:00:00Z"),
];

/// A field, expanded without any cleverness.
fn values(text: &str, low: u32, high: u32) -> BTreeSet<u32> {
    let names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let number = |text: &str| names.iter().position(|name| *name == text).map_or_else(|| text.parse().unwrap(), |at| at as u32);
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, 1), |(range, step)| (range, step.parse().unwrap()));
        let (from, to) = match range {
            "*" => (low, high),
            _ => range.split_once('-').map_or_else(|| (number(range), number(range)), |(from, to)| (number(from), number(to))),
        };
        all.extend((from..=to).step_by(step));
    }
    all
}

struct Naive {
    /// Per second of the day.
    times: Vec<bool>,
    day: String,
    weekday: String,
    fine: bool,
}

impl Naive {
    fn read(text: &str) -> Naive {
        let fields: Vec<&str> = text.split(' ').collect();
        let (seconds, minutes, hours) = (values(fields[0], 0, 59), values(fields[1], 0, 59), values(fields[2], 0, 23));
        let times = (0..86_400)
            .map(|at| seconds.contains(&(at % 60)) && minutes.contains(&(at / 60 % 60)) && hours.contains(&(at / 3_600)))
            .collect();
        let fine = seconds.len() * minutes.len() > 1 || hours.len() == 24;
        Naive { times, day: fields[3].into(), weekday: fields[5].into(), fine }
    }

    fn date(&self, date: Date) -> bool {
        let day = || match self.day.as_str() {
            "L" => date == date.last_of_month(),
            text => values(text, 1, 31).contains(&(date.day() as u32)),
        };
        let weekday = || values(&self.weekday, 0, 6).contains(&(date.weekday().to_sunday_zero_offset() as u32));
        match (self.day == "*", self.weekday == "*") {
            (true, _) => weekday(),
            (false, true) => day(),
            (false, false) => day() || weekday(),
        }
    }
}

/// What the clock on the wall shows at every second of a window.
struct Wall {
    start: i64,
    /// Civil seconds since the first date of `dates`.
    shown: Vec<i64>,
    /// Whether it shows it for the first time.
    first: Vec<bool>,
    /// Those of the dates that it shows.
    exists: HashSet<i64>,
    dates: Vec<Date>,
}

impl Wall {
    fn around(tz: &TimeZone, change: Timestamp) -> Wall {
        let start = change.as_second() - 10 * 3_600;
        let first = tz.to_datetime(Timestamp::from_second(start).unwrap()).date();
        let midnight = first.to_datetime(jiff::civil::Time::midnight());
        let civil = |time: DateTime| midnight.duration_until(time).as_secs();
        let shown: Vec<i64> = (0..27 * 3_600).map(|at| civil(tz.to_datetime(Timestamp::from_second(start + at).unwrap()))).collect();
        let mut seen = HashSet::new();
        let dates = (0..8).map(|days| first + days.days()).collect();
        let (first, exists) = (shown.iter().map(|shown| seen.insert(*shown)).collect(), shown.iter().map(|shown| shown / 86_400).collect());
        Wall { start, shown, first, exists, dates }
    }

    /// The slots by the written rule.
    fn slots(&self, rule: &Naive) -> Vec<i64> {
        let date: Vec<bool> = self.dates.iter().map(|date| rule.date(*date)).collect();
        let matches = |shown: i64| date[(shown / 86_400) as usize] && rule.times[(shown % 86_400) as usize];
        let mut slots = Vec::new();
        for (at, &shown) in self.shown.iter().enumerate() {
            let skipped = if at > 0 && shown > self.shown[at - 1] + 1 { self.shown[at - 1] + 1..shown } else { 0..0 };
            let lost =
                !skipped.is_empty() && skipped.into_iter().any(|skipped| matches(skipped) && self.exists.contains(&(skipped / 86_400)));
            let fires = if rule.fine {
                let soon = || self.shown[at..(at + 3_600).min(self.shown.len())].iter().any(|&shown| matches(shown));
                matches(shown) || (lost && !soon())
            } else {
                (matches(shown) && self.first[at]) || lost
            };
            if fires {
                slots.push((self.start + at as i64) * 1_000);
            }
        }
        slots
    }
}

#[test]
fn cron_agrees_with_a_walk_over_every_second() {
    let database = TimeZoneDatabase::bundled();
    let rules: Vec<Naive> = RULES.iter().map(|text| Naive::read(text)).collect();
    let (mut gaps, mut folds, mut compared) = (0, 0, 0);
    for (name, from) in ZONES {
        let tz = database.get(name).unwrap();
        let mut wanted = [true, true];
        for change in tz.following(from.parse().unwrap()).take(6) {
            let before = tz.to_offset(change.timestamp() - 1.second()).seconds();
            let gap = match change.offset().seconds() - before {
                0 => continue,
                difference => difference > 0,
            };
            if !std::mem::take(&mut wanted[usize::from(gap)]) {
                continue;
            }
            (gaps, folds) = (gaps + i32::from(gap), folds + i32::from(!gap));
            let wall = Wall::around(&tz, change.timestamp());
            let end = wall.start + wall.shown.len() as i64;
            for (text, rule) in RULES.iter().zip(&rules) {
                let cron = Cron::parse(text, Some(name)).unwrap();
                // The window ends an hour early, because the naive rule looks an hour ahead.
                let until = (end - 3_600) * 1_000;
                let expected: Vec<i64> = wall.slots(rule).into_iter().filter(|slot| *slot < until).collect();
                let got = cron.slots_between(wall.start * 1_000 - 1, until - 1, usize::MAX);
                assert_eq!(got, expected, "{text} in {name} around {}", change.timestamp());
                // Also from moments that are no slots, such as inside the second pass of a repeated hour.
                for after in (wall.start * 1_000..until - 1).step_by(601_001) {
                    let next = expected.get(expected.partition_point(|slot| *slot <= after)).copied();
                    assert_eq!(cron.next_after(after).filter(|slot| *slot < until), next, "{text} in {name} after {after}");
                }
                compared += got.len();
            }
        }
    }
    println!("{gaps} gaps, {folds} folds, {} rules, {compared} slots", RULES.len());
    assert!(gaps >= 12 && folds >= 11 && compared > 20_000, "{gaps} gaps, {folds} folds, {compared} slots");
}
