//! How long one has to wait after failed attempts: a few are free, then the wait doubles, up to a bound.

use crate::clock::Millis;

/// How attempts of one kind are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Attempts before the first wait.
    pub free: u32,
    /// The first wait, in milliseconds.
    pub first: Millis,
    /// The longest.
    pub longest: Millis,
    /// After so long without an attempt the count begins anew.
    pub forgotten_after: Millis,
}

/// Attempts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    pub count: u32,
    pub last_at: Millis,
}

/// Whether an attempt may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    /// Not before this moment.
    Refused {
        until: Millis,
    },
}

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;

impl Rule {
    /// Passwords of one account, wherever the attempts come from: nobody is locked out for good, and whoever guesses gets about a
    /// hundred tries a day.
    pub const ACCOUNT: Rule = Rule { free: 5, first: SECOND, longest: 15 * MINUTE, forgotten_after: 6 * HOUR };
    /// Passwords of any account from one address, behind which there may be an office.
    pub const ADDRESS: Rule = Rule { free: 20, first: SECOND, longest: 15 * MINUTE, forgotten_after: HOUR };
    /// Codes of a second factor: a million codes, three of which are right at a time.
    pub const CODE: Rule = Rule { free: 5, first: 5 * SECOND, longest: 15 * MINUTE, forgotten_after: 24 * HOUR };
    /// Mails to one address.
    pub const MAIL: Rule = Rule { free: 3, first: MINUTE, longest: HOUR, forgotten_after: 6 * HOUR };
    /// Mails with invitations of one organization.
    pub const INVITATIONS: Rule = Rule { free: 50, first: MINUTE, longest: HOUR, forgotten_after: 24 * HOUR };
    /// New accounts from one address.
    pub const REGISTER: Rule = Rule { free: 10, first: MINUTE, longest: HOUR, forgotten_after: HOUR };

    /// What a further attempt at `now` comes to, and the attempts to remember then; `None` when nothing changes.
    pub fn judge(&self, so_far: Attempts, now: Millis) -> (Admission, Option<Attempts>) {
        // A clock that went back makes nobody wait longer than the wait itself.
        let last_at = so_far.last_at.min(now);
        let count = if now - last_at >= self.forgotten_after { 0 } else { so_far.count };
        let until = last_at.saturating_add(self.wait(count));
        if count > 0 && now < until {
            return (Admission::Refused { until }, None);
        }
        (Admission::Admitted, Some(Attempts { count: count.saturating_add(1), last_at: now }))
    }

    /// After so many attempts, in milliseconds.
    fn wait(&self, count: u32) -> Millis {
        match count.checked_sub(self.free) {
            None => 0,
            Some(over) => self.first.saturating_mul(1 << over.min(40)).min(self.longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { free: 3, first: SECOND, longest: 10 * SECOND, forgotten_after: MINUTE };

    fn admitted(moments: &[Millis]) -> Vec<bool> {
        let mut so_far = Attempts::default();
        let judge = |now: &Millis| {
            let (admission, next) = RULE.judge(so_far, *now);
            so_far = next.unwrap_or(so_far);
            admission == Admission::Admitted
        };
        moments.iter().map(judge).collect()
    }

    #[test]
    fn a_few_are_free_and_then_the_wait_doubles() {
        let t = 1_000_000;
        assert_eq!(admitted(&[t, t, t, t, t + 999, t + 1_000]), [true, true, true, false, false, true]);
        // One, two, four, eight, ten and ten seconds.
        let waits = [0, 0, 0, 1, 3, 7, 15, 25, 35];
        let moments: Vec<Millis> = waits.iter().map(|wait| t + wait * SECOND).collect();
        assert_eq!(admitted(&moments), [true; 9]);
        for (at, wait) in waits.iter().enumerate().skip(3) {
            let mut early = moments.clone();
            early[at] = t + wait * SECOND - 1;
            assert!(!admitted(&early)[at], "{wait} s");
        }
    }

    #[test]
    fn a_refused_attempt_makes_nobody_wait_longer() {
        let t = 1_000_000;
        assert_eq!(admitted(&[t, t, t, t + 500, t + 900, t + 1_000]), [true, true, true, false, false, true]);
    }

    #[test]
    fn old_attempts_are_forgotten_and_a_clock_that_goes_back_locks_nobody_out() {
        let t = 10_000_000;
        assert_eq!(admitted(&[t, t, t, t + MINUTE, t + MINUTE]), [true; 5]);
        let (admission, _) = RULE.judge(Attempts { count: 50, last_at: t + 100 * MINUTE }, t);
        assert_eq!(admission, Admission::Refused { until: t + 10 * SECOND });
    }
}
