//! How full a subject's budgets are: the one rule of counting, as a function of what is remembered and the time.
//!
//! A leaky bucket for each budget, in whole numbers: a request weighs as much as the period has milliseconds, and every millisecond
//! as much runs out as the budget has requests. So nothing is rounded, one number is all that is kept, and a budget that was used
//! up comes back evenly instead of all at once when a window turns.

use mainspring_model::clock::Millis;

/// The lengths of the two budgets, in milliseconds.
pub const PERIODS: [u64; 2] = [60_000, 3_600_000];

/// The most requests of a budget: with the longer period its bucket is still a number that Redis' scripts hold exactly.
pub const MOST: u32 = 1_000_000_000;

/// Requests per minute and per hour; 0 is no budget of that length.
pub type Budgets = [u32; 2];

/// What is remembered of one subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// What is in the bucket of each budget, in requests times milliseconds.
    pub used: [u64; 2],
    /// When that was.
    pub at: Millis,
}

/// What a request comes to, by the budget that is closest to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub allowed: bool,
    /// Requests of that budget.
    pub limit: u32,
    /// `minute` or `hour`.
    pub per: &'static str,
    /// Requests that would be let in now.
    pub remaining: u32,
    /// Seconds until all of it is there again, if nobody asks meanwhile.
    pub reset: u32,
    /// Seconds until the next request is let in; 0 when it would be now.
    pub again: u32,
}

/// Counts one request when every budget has room for it, and none otherwise. A clock that went back empties nothing.
pub fn take(budgets: Budgets, usage: Usage, now: Millis) -> (Usage, Standing) {
    let mut after = drained(budgets, usage, now);
    let allowed = fits(budgets, after.used);
    if allowed {
        for (used, period) in weights(budgets, &mut after.used) {
            *used += period;
        }
    }
    (after, standing(budgets, after.used, allowed))
}

/// What a request would come to, without counting it.
pub fn look(budgets: Budgets, usage: Usage, now: Millis) -> Standing {
    let used = drained(budgets, usage, now).used;
    standing(budgets, used, fits(budgets, used))
}

/// Takes back one request that was counted and then refused elsewhere.
pub fn give_back(budgets: Budgets, mut usage: Usage) -> Usage {
    for (used, period) in weights(budgets, &mut usage.used) {
        *used = used.saturating_sub(period);
    }
    usage
}

/// What to tell the caller, from what is in the buckets after the request was judged.
pub fn standing(budgets: Budgets, used: [u64; 2], allowed: bool) -> Standing {
    let of = |(requests, (used, period)): (u32, (u64, u64))| {
        let (rate, full) = (u64::from(requests), u64::from(requests) * period);
        let seconds = |weight: u64| u32::try_from(weight.div_ceil(rate).div_ceil(1_000)).unwrap_or(u32::MAX);
        Standing {
            allowed,
            limit: requests,
            per: if period == PERIODS[0] { "minute" } else { "hour" },
            remaining: u32::try_from(full.saturating_sub(used) / period).unwrap_or(requests),
            reset: seconds(used),
            again: seconds((used + period).saturating_sub(full)),
        }
    };
    let each = budgets.into_iter().zip(used.into_iter().zip(PERIODS)).filter(|(requests, _)| *requests > 0).map(of);
    // Of two that refuse, the one that does so for longer is what the caller waits for.
    each.min_by_key(|one| (one.remaining, u32::MAX - one.again)).unwrap_or(Standing {
        allowed: true,
        limit: 0,
        per: "minute",
        remaining: 0,
        reset: 0,
        again: 0,
    })
}

fn drained(budgets: Budgets, usage: Usage, now: Millis) -> Usage {
    let elapsed = u64::try_from(now.saturating_sub(usage.at)).unwrap_or(0);
    let mut after = Usage { at: usage.at.max(now), ..usage };
    for (used, requests) in after.used.iter_mut().zip(budgets) {
        *used = used.saturating_sub(elapsed.saturating_mul(u64::from(requests)));
    }
    after
}

fn fits(budgets: Budgets, used: [u64; 2]) -> bool {
    let full = |((requests, used), period): ((u32, u64), u64)| requests == 0 || used + period <= u64::from(requests) * period;
    budgets.into_iter().zip(used).zip(PERIODS).all(full)
}

/// The buckets of the budgets that there are, with what a request weighs in each.
fn weights(budgets: Budgets, used: &mut [u64; 2]) -> impl Iterator<Item = (&mut u64, u64)> {
    used.iter_mut().zip(PERIODS).zip(budgets).filter(|(_, requests)| *requests > 0).map(|(one, _)| one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same told the other way round and slowly: tokens that come back, counted anew from everything that was ever let in.
    struct Oracle {
        budgets: Budgets,
        /// Moments of admitted requests.
        admitted: Vec<i64>,
    }

    impl Oracle {
        /// Whole tokens of one budget that are there now.
        fn left(&self, index: usize, now: i64) -> i128 {
            let (rate, period) = (i128::from(self.budgets[index]), i128::from(PERIODS[index]));
            let mut left = rate * period;
            let mut last = self.admitted.first().copied().unwrap_or(now);
            for at in self.admitted.iter().copied() {
                left = (left + i128::from(at - last) * rate).min(rate * period) - period;
                last = at;
            }
            (left + i128::from(now - last) * rate).min(rate * period) / period
        }

        fn ask(&mut self, now: i64) -> bool {
            let room = (0..2).all(|index| self.budgets[index] == 0 || self.left(index, now) >= 1);
            if room {
                self.admitted.push(now);
            }
            room
        }
    }

    proptest! {
        #[test]
        fn it_decides_as_the_oracle_does(
            budgets in (0u32..9, 0u32..40).prop_map(|(minute, hour)| [minute, hour]),
            gaps in prop::collection::vec(prop_oneof![Just(0i64), 1i64..2_000, 0i64..70_000, 0i64..4_000_000], 1..200),
        ) {
            let mut oracle = Oracle { budgets, admitted: vec![] };
            let (mut usage, mut now) = (Usage::default(), 1_800_000_000_000);
            for gap in gaps {
                now += gap;
                let looked = look(budgets, usage, now);
                let (after, said) = take(budgets, usage, now);
                prop_assert_eq!(said.allowed, oracle.ask(now), "{:?} at {}", budgets, now);
                prop_assert_eq!(looked.allowed, said.allowed);
                let left = (0..2).filter(|index| budgets[*index] > 0).map(|index| oracle.left(index, now)).min();
                prop_assert_eq!(left, (budgets != [0, 0]).then_some(i128::from(said.remaining)));
                usage = after;
                if said.allowed {
                    let before = take(budgets, give_back(budgets, after), now);
                    prop_assert_eq!((before.0, before.1), (after, said), "what was given back can be taken again");
                } else {
                    // What it says about waiting is true: not a second later than needed, and never too early.
                    let wait = i64::from(said.again) * 1_000;
                    prop_assert!(look(budgets, usage, now + wait).allowed);
                    prop_assert!(!look(budgets, usage, now + wait - 1_000).allowed);
                }
                let index = usize::from(budgets[0] != said.limit || budgets[0] == 0);
                let then = now + i64::from(said.reset) * 1_000;
                if budgets[0] != budgets[1] && said.limit > 0 {
                    prop_assert_eq!(oracle.left(index, then), i128::from(said.limit), "all of it is back when it says so");
                }
            }
        }

        /// However the requests come, in no stretch of time more are let in than a whole budget and what came back meanwhile.
        #[test]
        fn no_stretch_of_time_has_more_than_the_budget_and_what_came_back(
            requests in 1u32..20,
            gaps in prop::collection::vec(0i64..9_000, 1..150),
        ) {
            let (mut usage, mut now, mut admitted) = (Usage::default(), 5_000, Vec::new());
            for gap in gaps {
                now += gap;
                let (after, said) = take([requests, 0], usage, now);
                usage = after;
                admitted.extend(said.allowed.then_some(now));
            }
            for (first, begin) in admitted.iter().enumerate() {
                for (last, end) in admitted.iter().enumerate().skip(first) {
                    let most = i64::from(requests) + (end - begin) * i64::from(requests) / 60_000;
                    prop_assert!((last - first + 1) as i64 <= most);
                }
            }
        }
    }

    #[test]
    fn a_burst_is_let_in_whole_and_comes_back_evenly() {
        let mut usage = Usage::default();
        for n in 0..3 {
            let (after, said) = take([3, 0], usage, 1_000);
            assert_eq!((said.allowed, said.limit, said.remaining, said.reset), (true, 3, 2 - n, 20 * (n + 1)));
            usage = after;
        }
        let (after, said) = take([3, 0], usage, 1_000);
        assert_eq!((after, said), (usage, Standing { allowed: false, limit: 3, per: "minute", remaining: 0, reset: 60, again: 20 }));
        assert!(!look([3, 0], usage, 20_999).allowed);
        assert!(look([3, 0], usage, 21_000).allowed);
        // Time that went back neither fills nor empties.
        assert_eq!(look([3, 0], usage, 0), said);
    }

    #[test]
    fn the_tighter_budget_is_told_and_the_longest_fits() {
        let (usage, said) = take([10, 3], Usage::default(), 0);
        assert_eq!((said.limit, said.remaining), (3, 2));
        assert_eq!(usage.used, PERIODS);
        let (usage, said) = take([MOST, MOST], Usage::default(), 0);
        assert_eq!((said.allowed, said.remaining), (true, MOST - 1));
        assert!(look([MOST, MOST], usage, Millis::MAX).allowed);
    }
}
