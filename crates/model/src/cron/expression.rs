//! A whole cron expression: nicknames, the count of fields, day rules, and the sets of bits that the search works on.

use super::calendar::{DAY, Date};
use super::field::{item, value};
use super::problem::{CronField, CronProblem};
use super::search;

/// The sets of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) months: u64,
    pub(super) days: Days,
    /// Follows elapsed time, see the module.
    pub(super) fine: bool,
}

/// Which dates of a month match.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Days {
    /// The day-of-month field is `*`.
    any_day: bool,
    /// The day-of-week field is `*`.
    any_weekday: bool,
    /// Both fields must match (`+`).
    both: bool,
    of_month: u64,
    /// `15W`: the weekday nearest to that day, within the month.
    nearest: u64,
    last: bool,
    last_working: bool,
    weekdays: u64,
    /// Per weekday, bit n-1 for its nth of the month, bit 5 for its last.
    nth: [u8; 7],
}

impl Days {
    /// Whether every date matches.
    pub(super) fn all(&self) -> bool {
        self.any_day && self.any_weekday
    }

    pub(super) fn contains(&self, date: Date) -> bool {
        match (self.any_day, self.any_weekday) {
            (true, true) => true,
            (true, false) => self.by_weekday(date),
            (false, true) => self.by_day(date),
            (false, false) if self.both => self.by_day(date) && self.by_weekday(date),
            (false, false) => self.by_day(date) || self.by_weekday(date),
        }
    }

    fn by_day(&self, date: Date) -> bool {
        if self.of_month & (1 << date.day) != 0 || (self.last && date.day == date.length) {
            return true;
        }
        if self.nearest == 0 && !self.last_working {
            return false;
        }
        if date.weekday == 0 || date.weekday == 6 {
            return false;
        }
        let wanted = |day: u32| self.nearest & (1 << day) != 0;
        let friday = date.weekday == 5;
        let monday = date.weekday == 1;
        wanted(date.day)
            || (friday && date.day < date.length && wanted(date.day + 1))
            || (monday && date.day > 1 && wanted(date.day - 1))
            // Saturday the 1st moves forward to Monday the 3rd; a Sunday that ends the month back to Friday.
            || (monday && date.day == 3 && wanted(1))
            || (friday && date.day + 2 == date.length && wanted(date.length))
            || (self.last_working && (date.day == date.length || (friday && date.day + 2 >= date.length)))
    }

    fn by_weekday(&self, date: Date) -> bool {
        let nth = self.nth[date.weekday as usize];
        self.weekdays & (1 << date.weekday) != 0
            || nth & (1 << ((date.day - 1) / 7)) != 0
            || (nth & (1 << 5) != 0 && date.day + 7 > date.length)
    }
}

/// A nickname written out; anything else as it is.
pub(super) fn expanded(text: &str) -> &str {
    match text.trim().to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => text.trim(),
    }
}

pub(super) fn parse(text: &str) -> Result<Rule, CronProblem> {
    if text.len() > 1_000 {
        return Err(CronProblem::shape("longer than 1,000 characters"));
    }
    let text = if text.trim_start().starts_with('@') { expanded(text) } else { text };
    if text.starts_with('@') {
        return Err(unknown_nickname(text));
    }
    let mut fields = [""; 7];
    let mut count = 0;
    for part in text.split_ascii_whitespace() {
        if count < 7 {
            fields[count] = part;
        }
        count += 1;
    }
    if fields[0].contains('=') {
        return Err(CronProblem::shape(format!("{} does not belong here; put the zone into `timezone`", fields[0])));
    }
    let [second, minute, hour, day, month, weekday] = match count {
        5 => ["0", fields[0], fields[1], fields[2], fields[3], fields[4]],
        6 => [fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]],
        7 => return Err(CronProblem::shape("7 fields; a year field is not supported, drop it and use `if` on the trigger")),
        0 => return Err(CronProblem::shape("empty; write 5 fields: minute, hour, day of month, month, day of week")),
        count => {
            return Err(CronProblem::shape(format!(
                "{count} field{}; write 5 (minute, hour, day of month, month, day of week), or 6 with seconds first",
                if count == 1 { "" } else { "s" }
            )));
        }
    };
    let seconds = set(CronField::Second, second)?;
    let minutes = set(CronField::Minute, minute)?;
    let hours = set(CronField::Hour, hour)?;
    let mut days = Days::default();
    days_of_month(&mut days, day)?;
    let months = set(CronField::Month, month)?;
    days_of_week(&mut days, weekday)?;
    let fine = minutes.count_ones() > 1 || seconds.count_ones() > 1 || hours.count_ones() == 24;
    let rule = Rule { seconds, minutes, hours, months, days, fine };
    // From 2000-01-01 on; what does not come within the search's 100 years never comes.
    if !rule.days.all() && search::next_match(&rule, 10_957 * DAY).is_none() {
        return Err(CronProblem::never(format!(
            "{} never fires: no date has day of month {day}, month {month} and day of week {weekday}",
            text.trim()
        )));
    }
    Ok(rule)
}

fn set(field: CronField, text: &str) -> Result<u64, CronProblem> {
    let mut bits = 0;
    for part in text.split(',') {
        bits |= item(field, part)?;
    }
    Ok(bits)
}

fn days_of_month(days: &mut Days, text: &str) -> Result<(), CronProblem> {
    days.any_day = matches!(text, "*" | "?");
    for part in text.split(',') {
        if part.eq_ignore_ascii_case("L") {
            days.last = true;
        } else if part.eq_ignore_ascii_case("LW") || part.eq_ignore_ascii_case("WL") {
            days.last_working = true;
        } else if let Some(day) = part.strip_suffix(['W', 'w']) {
            days.nearest |= 1 << value(CronField::DayOfMonth, day)?;
        } else {
            days.of_month |= item(CronField::DayOfMonth, if part == "?" { "*" } else { part })?;
        }
    }
    Ok(())
}

fn days_of_week(days: &mut Days, text: &str) -> Result<(), CronProblem> {
    let field = CronField::DayOfWeek;
    let text = match text.strip_prefix('+') {
        Some(rest) => {
            days.both = true;
            rest
        }
        None => text,
    };
    days.any_weekday = matches!(text, "*" | "?");
    for part in text.split(',') {
        if let Some((day, nth)) = part.split_once('#') {
            let bit = match nth {
                "L" | "l" => 5,
                _ => match nth.parse::<u32>() {
                    Ok(nth @ 1..=5) => nth - 1,
                    _ => return Err(CronProblem::field(field, format!("{part}: the part after # is 1–5 or L"))),
                },
            };
            days.nth[value(field, day)? as usize % 7] |= 1 << bit;
        } else if part.eq_ignore_ascii_case("L") {
            return Err(CronProblem::field(field, "L needs a day before it; write 5L or FRIL for the last Friday"));
        } else if let Some(day) = part.strip_suffix(['L', 'l']) {
            days.nth[value(field, day)? as usize % 7] |= 1 << 5;
        } else {
            days.weekdays |= item(field, if part == "?" { "*" } else { part })?;
        }
    }
    Ok(())
}

fn unknown_nickname(text: &str) -> CronProblem {
    const KNOWN: [&str; 7] = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("@every") {
        return CronProblem::shape(format!("{text} is not a cron rule; use a trigger of type `interval` with `every`"));
    }
    if lower == "@reboot" {
        return CronProblem::shape("@reboot has no time; there is no trigger at the start of the server");
    }
    match crate::problem::nearest(text, KNOWN) {
        Some(meant) => CronProblem::shape(format!("{text} is not known; write {meant}")).fix(meant),
        None => CronProblem::shape(format!("{text} is not known; there are {}", KNOWN.join(" "))),
    }
}
