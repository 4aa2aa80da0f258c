//! Limits on calls in some time: what a step asks for before it calls, and when its turn is, as one pure rule.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::Millis;
use crate::id::{OrgId, RunId};

/// The most calls that a limit may let begin in its time.
pub const MOST_CALLS: u32 = 10_000;
pub const LEAST_PER: Duration = Duration::from_millis(100);
pub const LONGEST_PER: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Who is this much behind its turn is passed over by those after it, in milliseconds: its run may be paused or given up.
pub const LATE: Millis = 10_000;

/// A call that is to begin under a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnAsk {
    pub org: OrgId,
    /// As [`key_of`] writes it.
    pub key: String,
    pub limit: u32,
    /// As [`window`] makes it of the plan's time, in milliseconds.
    pub window: Millis,
    /// Who keeps its place in the line while it waits; `None`: nobody waits, it is now or not at all.
    pub waits: Option<Waiter>,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    pub run: RunId,
    /// Of the step's path in the run.
    pub place: [u8; 32],
}

impl Waiter {
    pub fn of(run: RunId, path: &str) -> Waiter {
        let mut hash = Sha256::new();
        hash.update(run.0.as_bytes());
        hash.update(path.as_bytes());
        Waiter { run, place: hash.finalize().into() }
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The call counts and may begin, within [`slack`] of when it was asked for.
    Now,
    /// Not before then. Ask again.
    At(Millis),
}

/// How long a call may take from being asked for to beginning: what it took makes no window fuller than it may be.
pub fn slack(per: Duration) -> Duration {
    (per / 10).clamp(Duration::from_millis(250), Duration::from_secs(5))
}

/// The time in which a store lets `limit` calls begin. Two of them may be closer together on the way by the slack.
pub fn window(per: Duration) -> Millis {
    Millis::try_from((per + slack(per)).as_millis()).unwrap_or(Millis::MAX / 4).saturating_add(1)
}

/// When a call has its turn. `full`: the moment of the `limit`-th newest among the calls that began and those that stand before it (of one
/// that could begin now: now), `None` where there are fewer. `before`: the moment of the one just before it in the line.
pub fn turn(now: Millis, full: Option<Millis>, before: Option<Millis>, window: Millis) -> Turn {
    let at = full.map_or(now, |full| full.saturating_add(window)).max(before.unwrap_or(now)).max(now);
    if at <= now { Turn::Now } else { Turn::At(at) }
}

/// When a step that waits looks again: on a long way at half of it, since those before it may have given up.
pub fn look_again(now: Millis, at: Millis) -> Millis {
    const LONG: Millis = 120_000;
    let left = at.saturating_sub(now);
    if left > LONG { now.saturating_add(left / 2) } else { at }
}

/// What calls are counted together: a hash, so that it has a bound and shows nobody what is in it.
pub fn key_of(parts: &Value) -> String {
    let hash = Sha256::digest(parts.to_string().as_bytes());
    hash.iter().take(20).fold(String::with_capacity(40), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a store keeps: calls that began, and those that wait with their number.
    #[derive(Default)]
    struct Line {
        began: Vec<Millis>,
        waits: Vec<(u64, Millis)>,
    }

    impl Line {
        fn ask(&mut self, who: u64, limit: usize, window: Millis, now: Millis) -> Turn {
            let ahead: Vec<Millis> = self.waits.iter().filter(|(no, at)| *no < who && *at > now - LATE).map(|(_, at)| *at).collect();
            let mut all: Vec<Millis> = self.began.iter().copied().chain(ahead.iter().map(|at| (*at).max(now))).collect();
            all.sort_unstable_by(|a, b| b.cmp(a));
            let turn = turn(now, all.get(limit - 1).copied(), ahead.last().copied(), window);
            self.waits.retain(|(no, _)| *no != who);
            match turn {
                Turn::Now => self.began.push(now),
                Turn::At(at) => {
                    self.waits.push((who, at));
                    self.waits.sort_unstable();
                }
            }
            turn
        }
    }

    #[test]
    fn calls_get_moments_in_the_order_in_which_they_asked() {
        let mut line = Line::default();
        let answers: Vec<Turn> = (0..5).map(|who| line.ask(who, 2, 100, 0)).collect();
        assert_eq!(answers, [Turn::Now, Turn::Now, Turn::At(100), Turn::At(100), Turn::At(200)]);
        // Who comes first of those that are due takes nobody's place.
        assert_eq!(line.ask(4, 2, 100, 100), Turn::At(200));
        assert_eq!([line.ask(3, 2, 100, 101), line.ask(2, 2, 100, 102)], [Turn::Now, Turn::Now]);
        assert_eq!(line.ask(4, 2, 100, 200), Turn::At(201), "a hundred after the late one");
    }

    #[test]
    fn who_does_not_come_is_passed_over_and_comes_first_when_it_does() {
        let mut line = Line::default();
        for who in 0..3 {
            line.ask(who, 1, 100, 0);
        }
        let now = 100 + LATE;
        assert_eq!(line.ask(2, 1, 100, now), Turn::Now);
        assert_eq!(line.ask(1, 1, 100, now + 1), Turn::At(now + 100));
        assert_eq!(line.ask(3, 1, 100, now + 2), Turn::At(now + 200));
    }

    /// Whoever asks, however late and in whatever order: no window has more than it may have, and everybody has a turn.
    #[test]
    fn no_course_of_events_begins_too_many_calls() {
        let mut dice = 11_u64;
        let mut roll = |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        for _ in 0..200 {
            let (limit, window) = (1 + usize::try_from(roll(4)).unwrap(), 100);
            let (mut line, mut now, mut next) = (Line::default(), 0, 0);
            let mut due: Vec<(Millis, u64)> = Vec::new();
            for _ in 0..400 {
                now += Millis::try_from(roll(40)).unwrap();
                if roll(3) == 0 && next < 40 {
                    due.push((now, next));
                    next += 1;
                }
                let ready: Vec<usize> = (0..due.len()).filter(|at| due[*at].0 <= now).collect();
                if ready.is_empty() {
                    continue;
                }
                let (_, who) = due.remove(ready[usize::try_from(roll(ready.len() as u64)).unwrap()]);
                if let Turn::At(at) = line.ask(who, limit, window, now) {
                    assert!(at > now);
                    due.push((at + Millis::try_from(roll(30)).unwrap(), who));
                }
                for (place, at) in line.began.iter().enumerate().skip(limit) {
                    assert!(at - line.began[place - limit] >= window, "{:?}", line.began);
                }
            }
            while let Some(place) = (0..due.len()).min_by_key(|at| due[*at]) {
                let (at, who) = due.remove(place);
                now = now.max(at);
                if let Turn::At(at) = line.ask(who, limit, window, now) {
                    due.push((at, who));
                }
            }
            assert!(line.waits.is_empty());
        }
    }

    #[test]
    fn the_slack_is_a_tenth_of_the_time_and_what_a_busy_store_takes_at_the_least() {
        assert_eq!(window(Duration::from_millis(100)), 351);
        assert_eq!(window(Duration::from_secs(10)), 11_001);
        assert_eq!(window(Duration::from_secs(3_600)), 3_605_001);
    }

    #[test]
    fn a_long_wait_is_looked_at_half_way() {
        assert_eq!(look_again(0, 120_000), 120_000);
        assert_eq!(look_again(1_000, 201_000), 101_000);
    }
}
