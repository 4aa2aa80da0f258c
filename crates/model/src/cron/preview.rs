//! When a rule fires next, for people: in its zone and in UTC, with a word where the clocks change.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use super::{Cron, CronProblem};
use crate::clock::Millis;
use crate::duration;

/// The most moments that are shown in one go.
pub const MOST_SHOWN: u16 = 1_000;

/// A rule of a schedule.
#[derive(Clone, Debug)]
pub enum Timing {
    Cron(Box<Cron>),
    Every(Duration),
}

/// A moment at which a rule fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    pub at: Millis,
    /// In the rule's zone: `Sun 2026-03-29 03:00:00 CEST`.
    pub local: String,
    /// What the change of the clocks does to it.
    pub note: Option<String>,
}

/// Why a text is no rule.
#[derive(Debug)]
pub enum Unreadable {
    Cron(CronProblem),
    Every(String),
}

impl Timing {
    /// Reads a cron expression, or `every <duration>`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(rule: &str, timezone: Option<&str>) -> Result<Timing, Unreadable> {
        let rule = rule.trim();
        let Some(every) = rule.strip_prefix("every ") else {
            return Cron::parse(rule, timezone).map(|cron| Timing::Cron(Box::new(cron))).map_err(Unreadable::Cron);
        };
        let every = duration::parse_text(every).map_err(Unreadable::Every)?;
        if every.as_millis() == 0 {
            return Err(Unreadable::Every("\"every 0s\" has no next time; the shortest pause is 1ms".to_owned()));
        }
        Ok(Timing::Every(every))
    }

    /// The rule in words.
    pub fn describe(&self) -> String {
        match self {
            Timing::Cron(cron) => cron.describe(),
            Timing::Every(every) => format!("Every {}, counted from when the plan is saved.", duration::format(*every)),
        }
    }

    /// The next moments after `from`, at most `count`. `first`: the one that is known already, of a plan that is saved.
    pub fn next(&self, from: Millis, first: Option<Millis>, count: u16) -> Vec<Firing> {
        let zone = match self {
            Timing::Cron(cron) => TimeZoneDatabase::bundled().get(cron.timezone()).unwrap_or(TimeZone::UTC),
            Timing::Every(_) => TimeZone::UTC,
        };
        let (mut found, mut at) = (Vec::new(), from);
        while found.len() < usize::from(count.min(MOST_SHOWN)) {
            let next = match (self, first) {
                (_, Some(first)) if found.is_empty() => Some(first),
                (Timing::Cron(cron), _) => cron.next_after(at),
                (Timing::Every(every), _) => Millis::try_from(every.as_millis()).ok().and_then(|every| at.checked_add(every)),
            };
            let Some(firing) = next.and_then(|next| firing(&zone, next)) else { break };
            at = firing.at;
            found.push(firing);
        }
        found
    }
}

/// `None` beyond the calendar.
fn firing(zone: &TimeZone, at: Millis) -> Option<Firing> {
    let moment = Timestamp::from_millisecond(at).ok()?;
    let local = moment.to_zoned(zone.clone());
    Some(Firing { at, local: local.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string(), note: note(zone, moment) })
}

fn note(zone: &TimeZone, at: Timestamp) -> Option<String> {
    let just_before = Timestamp::from_millisecond(at.as_millisecond() - 1).ok()?;
    let (before, now) = (zone.to_offset(just_before), zone.to_offset(at));
    if before < now {
        let gap = |offset: jiff::tz::Offset| offset.to_datetime(at).strftime("%H:%M").to_string();
        return Some(format!("the clocks have just gone forward: {} to {} does not exist that day", gap(before), gap(now)));
    }
    match zone.to_ambiguous_timestamp(now.to_datetime(at)).offset() {
        AmbiguousOffset::Fold { before, .. } if before == now => {
            Some("the clocks go back: this time comes twice that day, and this is the first".to_owned())
        }
        AmbiguousOffset::Fold { .. } => {
            Some("the clocks have gone back: this time comes twice that day, and this is the second".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rule: &str, from: &str, count: u16) -> Vec<(String, Option<String>)> {
        let from = from.parse::<Timestamp>().unwrap().as_millisecond();
        let timing = Timing::parse(rule, Some("Europe/Berlin")).unwrap();
        timing.next(from, None, count).into_iter().map(|firing| (firing.local, firing.note)).collect()
    }

    #[test]
    fn changes_of_the_clocks_are_told_of() {
        let spring = shown("30 2 * * *", "2026-03-28T00:00:00Z", 3);
        assert_eq!(spring[0], ("Sat 2026-03-28 02:30:00 CET".to_owned(), None));
        let gap = "the clocks have just gone forward: 02:00 to 03:00 does not exist that day".to_owned();
        assert_eq!(spring[1], ("Sun 2026-03-29 03:00:00 CEST".to_owned(), Some(gap)));
        assert_eq!(spring[2].1, None);
        let autumn = shown("30 2 * * *", "2026-10-24T12:00:00Z", 2);
        assert!(autumn[0].1.as_ref().unwrap().ends_with("this is the first"), "{autumn:?}");
        assert_eq!(autumn[1], ("Mon 2026-10-26 02:30:00 CET".to_owned(), None));
        let both = shown("*/30 * * * *", "2026-10-25T00:00:00Z", 4);
        let notes: Vec<bool> = both.iter().map(|(_, note)| note.as_ref().is_some_and(|note| note.ends_with("the second"))).collect();
        assert_eq!(notes, [false, true, true, false], "{both:?}");
    }

    #[test]
    fn what_is_known_to_come_first_is_where_the_rest_is_counted_from() {
        let every = Timing::parse("every 90m", None).unwrap();
        let at = |first| every.next(0, first, 3).into_iter().map(|firing| firing.at).collect::<Vec<_>>();
        assert_eq!(at(None), [5_400_000, 10_800_000, 16_200_000]);
        assert_eq!(at(Some(60_000)), [60_000, 5_460_000, 10_860_000]);
        assert!(matches!(Timing::parse("every 0s", None), Err(Unreadable::Every(_))));
        assert!(matches!(Timing::parse("61 * * * *", None), Err(Unreadable::Cron(_))));
        assert_eq!(Timing::parse("every 9000d", None).unwrap().next(Millis::MAX - 1, None, 5), []);
    }
}
