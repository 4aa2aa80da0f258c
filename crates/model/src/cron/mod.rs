//! Cron rules: when a schedule is due, to the second, in a time zone, with a written rule for both changes of the clocks.
//!
//! **Dialect.** Five fields (minute, hour, day of month, month, day of week) or six with seconds first; lists, ranges, steps, month
//! and day names, `?`, `L`, `LW`, `15W`, `5L`, `MON#2`; `@hourly @daily @midnight @weekly @monthly @yearly @annually`. When both day
//! fields are written (neither is `*`), a date matches either; with a `+` before the day of week it must match both. Sunday is 0 or 7.
//!
//! **When the clocks change.** Two kinds of rules:
//!
//! * *Civil rules* name times of a date: all rules that fire at most once in an hour and not in every hour. Each of their times
//!   fires exactly once per civil date: at the first instant at which the clock on the wall has reached it. So a time that does
//!   not exist fires at the first valid instant after the gap (several such times give one slot there), and one that exists twice
//!   fires on the first. A date that does not exist at all (Apia, 2011-12-30) has no slots.
//! * *Fine rules* fire more than once in an hour (more than one minute or second is let through), or in each of the 24 hours. They
//!   follow elapsed time: a slot is every instant whose civil time matches, in both passes of a repeated hour, and times inside a
//!   gap just do not come. So that a rule like `*/10 2 * * *` does not lose its date, one slot at the end of a gap makes up for
//!   the times that it swallowed, unless the rule fires by itself within the hour after the gap.
//!
//! **Why not croner's own search.** croner 4.0 takes 16 µs and 5 KiB for each rule (measured, dev profile) and resolves gaps
//! and skipped days in its own way; 10⁶ rules must be parsed and fired in 20 s. Its dialect is kept, it words [`Cron::describe`], and
//! the tests compare our sets of dates and times with it. Time zones come from jiff's bundled database, so that all nodes
//! of one version compute the same slots whatever their operating system holds.

mod calendar;
mod expression;
mod field;
mod misfire;
mod preview;
mod problem;
mod search;
mod zone;

use std::fmt;
use std::sync::Arc;

pub use misfire::{Due, GRACE, Misfire};
pub use preview::{Firing, MOST_SHOWN, Timing, Unreadable};
pub use problem::{CronField, CronProblem};

use crate::clock::Millis;
use expression::Rule;
use zone::Zone;

/// The years 1 and 9999, beyond which no calendar of ours goes: the search never leaves the numbers that it can add.
const EARLIEST: Millis = -62_135_596_800_000;
const LATEST: Millis = 253_402_300_799_999;

/// A parsed cron rule in its time zone. About 100 bytes; [`Cron::next_after`] takes some 0.3 µs for a daily rule.
#[derive(Clone)]
pub struct Cron {
    text: Box<str>,
    rule: Rule,
    zone: Arc<Zone>,
}

impl Cron {
    /// Reads a rule; without `timezone` it counts in UTC. Errors: what is wrong, in which field, and what to write. A rule that
    /// never fires (`0 0 30 2 *`) is refused.
    pub fn parse(expression: &str, timezone: Option<&str>) -> Result<Cron, CronProblem> {
        let rule = expression::parse(expression)?;
        let zone = zone::find(timezone.unwrap_or("UTC"))?;
        Ok(Cron { text: expression.trim().into(), rule, zone })
    }

    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// The IANA name of the time zone.
    pub fn timezone(&self) -> &str {
        &self.zone.name
    }

    /// The first slot strictly after `t`, or `None` when the rule has none in the 100 years from there (or `t` is past the year 9999).
    pub fn next_after(&self, t: Millis) -> Option<Millis> {
        let after = t.clamp(EARLIEST, LATEST).div_euclid(1_000);
        let slot = if self.rule.fine {
            search::next_fine(&self.rule, &self.zone, after)
        } else {
            search::next_civil(&self.rule, &self.zone, after)
        };
        slot.map(|seconds| seconds * 1_000).filter(|slot| *slot > t)
    }

    /// The slots in `(after, until]`, oldest first, at most `limit`.
    pub fn slots_between(&self, after: Millis, until: Millis, limit: usize) -> Vec<Millis> {
        let mut slots = Vec::new();
        let mut at = after;
        while slots.len() < limit {
            match self.next_after(at) {
                Some(slot) if slot <= until => slots.push(slot),
                _ => break,
            }
            at = slots[slots.len() - 1];
        }
        slots
    }

    /// The newest slot in `(after, until]`. Bisects, so that a second rule that slept for a year costs some forty steps.
    pub fn last_between(&self, after: Millis, until: Millis) -> Option<Millis> {
        let mut last = self.next_after(after).filter(|slot| *slot <= until)?;
        // Always: `last` is a slot, and no slot lies in (`high`, `until`].
        let mut high = until;
        while last < high {
            let middle = last + (high - last) / 2;
            match self.next_after(middle) {
                Some(slot) if slot <= until => last = slot,
                _ => high = middle,
            }
        }
        Some(last)
    }

    /// The rule in words, in English: "At 09:00, on Monday, in Europe/Berlin."
    pub fn describe(&self) -> String {
        let words = expression::expanded(&self.text);
        match words.parse::<croner::Cron>() {
            Ok(known) => format!("{}, in {}.", known.describe().trim_end_matches('.'), self.zone.name),
            Err(_) => format!("{} in {}", self.text, self.zone.name),
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.zone.name)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({self})")
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Cron) -> bool {
        self.rule == other.rule && self.zone.name == other.zone.name
    }
}

impl Eq for Cron {}
