//! The search for the next slot, over sets of bits and a table of the zone's offsets; all numbers are seconds.
//!
//! "Local" seconds are civil time counted as if it were UTC, so that dates and times of day are plain divisions.

use super::calendar::{DAY, Date};
use super::expression::Rule;
use super::zone::Zone;

/// Nothing is looked for farther away: 100 years. The sparsest rules (29 February on one weekday) pause for 40.
const FARTHEST: i64 = 36_525 * DAY;

/// The first local second from `from` on (inclusive) that the sets let through; blind to the zone.
pub(super) fn next_match(rule: &Rule, from: i64) -> Option<i64> {
    let first = from.div_euclid(DAY);
    let mut time = from.rem_euclid(DAY) as u32;
    let mut day = first;
    while day - first <= FARTHEST / DAY {
        if !rule.days.all() || rule.months != 0x1FFE {
            let date = Date::of(day);
            if rule.months & (1 << date.month) == 0 {
                day += i64::from(date.length - date.day) + 1;
                time = 0;
                continue;
            }
            if !rule.days.contains(date) {
                day += 1;
                time = 0;
                continue;
            }
        }
        if let Some(time) = time_from(rule, time) {
            return Some(day * DAY + i64::from(time));
        }
        day += 1;
        time = 0;
    }
    None
}

/// The first matching second of a day from `time` on.
fn time_from(rule: &Rule, time: u32) -> Option<u32> {
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    if rule.hours & (1 << hour) != 0 {
        if rule.minutes & (1 << minute) != 0
            && let Some(second) = bit_from(rule.seconds, second)
        {
            return Some(time / 60 * 60 + second);
        }
        if let Some(minute) = bit_from(rule.minutes, minute + 1) {
            return Some(hour * 3_600 + minute * 60 + rule.seconds.trailing_zeros());
        }
    }
    bit_from(rule.hours, hour + 1).map(|hour| hour * 3_600 + rule.minutes.trailing_zeros() * 60 + rule.seconds.trailing_zeros())
}

fn bit_from(bits: u64, from: u32) -> Option<u32> {
    let rest = bits >> from << from;
    (rest != 0).then(|| rest.trailing_zeros())
}

/// The next slot of a civil rule. A civil time is due at the first instant whose local time has reached it. With `seen` the
/// greatest local time up to `after`, exactly the times up to `seen` are behind us; that covers gaps, folds and their edges alike.
pub(super) fn next_civil(rule: &Rule, zone: &Zone, after: i64) -> Option<i64> {
    let mut span = zone.span_at(after);
    let mut from = zone.latest_local(span, after) + 1;
    loop {
        let local = next_match(rule, from)?;
        while zone.local_end(span).is_some_and(|end| end <= local) {
            span += 1;
        }
        let due = local - zone.offset(span);
        if due >= zone.start(span) {
            return Some(due);
        }
        if date_exists(zone, span, local) {
            return Some(zone.start(span));
        }
        from = (local.div_euclid(DAY) + 1) * DAY;
    }
}

/// The next slot of a fine rule: the sets matched against the local time of one span after the other.
pub(super) fn next_fine(rule: &Rule, zone: &Zone, after: i64) -> Option<i64> {
    let mut span = zone.span_at(after);
    let mut from = after + zone.offset(span) + 1;
    loop {
        let local = next_match(rule, from)?;
        let end = match zone.local_end(span) {
            Some(end) if end <= local => end,
            _ => return Some(local - zone.offset(span)),
        };
        span += 1;
        from = zone.start(span) + zone.offset(span);
        if from > end && swallowed(rule, zone, span, local, from) && next_match(rule, from).is_none_or(|next| next - from >= 3_600) {
            return Some(zone.start(span));
        }
    }
}

/// Whether a date that exists loses a matching time between `local` and `to` to the gap before `span`.
fn swallowed(rule: &Rule, zone: &Zone, span: usize, mut local: i64, to: i64) -> bool {
    while local < to {
        if date_exists(zone, span, local) {
            return true;
        }
        match next_match(rule, (local.div_euclid(DAY) + 1) * DAY) {
            Some(next) => local = next,
            None => return false,
        }
    }
    false
}

/// Whether the date of `local`, a time in the gap before `span`, has any instant: whether the gap leaves some of it.
fn date_exists(zone: &Zone, span: usize, local: i64) -> bool {
    let midnight = local.div_euclid(DAY) * DAY;
    let (gap_from, gap_to) = (zone.start(span) + zone.offset(span - 1), zone.start(span) + zone.offset(span));
    midnight < gap_from || midnight + DAY > gap_to
}
