//! Whether a failed attempt is repeated, and when: by the action's effect, with jitter added after the floor.

use std::time::Duration;

use mainspring_model::action::Effect;
use mainspring_model::clock::Millis;
use mainspring_model::fault::{Class, Code, Effected, Fault};
use mainspring_model::plan::{Backoff, RetryPolicy};

/// Attempts of one unit that may be held back before they count like any other: with the longest pause between probes about an
/// hour and a half, and no more rows in the journal than a step with the most attempts has twice.
const HELD_BACK_MOST: u32 = 200;

/// Whether nothing was tried, because the host is known to be down or asked to be left alone.
fn is_held_back(fault: &Fault) -> bool {
    fault.code == Code::CIRCUIT_OPEN && fault.effect == Effected::Unsent
}

/// How many attempts of a unit were held back, after one more that is repeated.
pub fn held_back_after(before: u32, fault: Option<&Fault>) -> u32 {
    if fault.is_some_and(is_held_back) { (before + 1).min(HELD_BACK_MOST) } else { before }
}

/// Whether the attempt is repeated although the policy's number is used up: one that was held back tried nothing. A policy
/// without any repetition means it.
pub fn is_spared(fault: &Fault, held_back: u32, policy: &RetryPolicy) -> bool {
    policy.max_attempts > 1 && held_back < HELD_BACK_MOST && is_held_back(fault)
}

/// Whether the fault may be repeated under the policy, attempts left or not.
pub fn repeats(fault: &Fault, effect: Effect, once: bool, policy: &RetryPolicy) -> bool {
    // The plan's author ended it; our own defects do not heal by repetition.
    if matches!(fault.class, Class::User | Class::Internal) {
        return false;
    }
    if once && fault.effect != Effected::Unsent {
        return false;
    }
    // An action that knows better says so: a used-up quota is RATE_LIMITED and does not come back by waiting.
    (fault.retryable && by_default(fault, effect)) || widened(fault, policy)
}

fn by_default(fault: &Fault, effect: Effect) -> bool {
    let code = fault.code.as_str();
    let passing = matches!(code, "TIMEOUT" | "RATE_LIMITED" | "CONNECTION_FAILED" | "CIRCUIT_OPEN")
        || fault.code.http_status().is_some_and(|status| matches!(status, 408 | 425 | 500..=599));
    match effect {
        Effect::Read | Effect::Idempotent | Effect::Keyed => passing,
        Effect::Write => {
            code == "RATE_LIMITED"
                || (passing && fault.effect == Effected::Unsent)
                || (code == "HTTP_503" && fault.retry_after_ms.is_some())
        }
    }
}

fn widened(fault: &Fault, policy: &RetryPolicy) -> bool {
    let class = match fault.class {
        Class::Transient => "transient",
        Class::Auth => "auth",
        Class::Input => "input",
        Class::Limit => "limit",
        Class::User | Class::Internal => return false,
    };
    policy.codes.iter().any(|code| code == fault.code.as_str() || code == class)
}

/// The moment of the attempt after `attempt`: the growing delay or `Retry-After`, whichever is later, and the jitter after
/// it, so that no jitter undercuts what the service asked for. `jitter` is in 0..1.
pub fn next_attempt_at(backoff: &Backoff, attempt: u32, fault: &Fault, now: Millis, jitter: f64) -> Millis {
    let base = delay(backoff, attempt);
    let floor = base.max(Duration::from_millis(fault.retry_after_ms.unwrap_or(0)));
    let spread = if backoff.jitter { base.mul_f64(0.5 * jitter.clamp(0.0, 1.0)) } else { Duration::ZERO };
    now.saturating_add(super::millis(floor.saturating_add(spread)))
}

/// The delay after `attempt` (from 1), without jitter.
pub fn delay(backoff: &Backoff, attempt: u32) -> Duration {
    let factor = backoff.factor.powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX));
    let seconds = backoff.delay.as_secs_f64() * factor;
    let cap = backoff.max_delay.as_secs_f64();
    Duration::try_from_secs_f64(if seconds.is_finite() { seconds.min(cap) } else { cap }).unwrap_or(backoff.max_delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(codes: &[&str]) -> RetryPolicy {
        RetryPolicy { max_attempts: 3, backoff: backoff(), codes: codes.iter().map(|code| (*code).to_owned()).collect() }
    }

    fn backoff() -> Backoff {
        Backoff { delay: Duration::from_secs(1), factor: 2.0, max_delay: Duration::from_secs(60), jitter: true }
    }

    #[test]
    fn a_write_is_repeated_only_when_it_is_proven_harmless() {
        let refused = Fault::new(Code::CONNECTION_FAILED, "refused");
        let reset = refused.clone().effect(Effected::Unknown);
        let unavailable = Fault::new(Code::http(503), "busy").effect(Effected::Sent);
        let asked = unavailable.clone().retry_after(Duration::from_secs(7));
        let limited = Fault::new(Code::RATE_LIMITED, "slow down").effect(Effected::Sent);
        let table = [(&refused, true), (&reset, false), (&unavailable, false), (&asked, true), (&limited, true)];
        for (fault, expected) in table {
            assert_eq!(repeats(fault, Effect::Write, false, &policy(&[])), expected, "{fault}");
        }
        for fault in [&refused, &reset, &unavailable, &asked, &limited] {
            assert!(repeats(fault, Effect::Read, false, &policy(&[])), "{fault}");
        }
    }

    #[test]
    fn codes_and_classes_widen_but_never_override_the_author() {
        let input = Fault::new(Code::http(404), "no");
        assert!(!repeats(&input, Effect::Read, false, &policy(&[])));
        assert!(repeats(&input, Effect::Write, false, &policy(&["HTTP_404"])));
        assert!(repeats(&input, Effect::Write, false, &policy(&["input"])));
        let user = Fault::new(Code::other("USER_STOP"), "no");
        assert!(!repeats(&user, Effect::Read, false, &policy(&["USER_STOP", "transient"])));
    }

    #[test]
    fn what_its_action_calls_hopeless_is_repeated_only_by_name() {
        let quota = Fault { retryable: false, ..Fault::new(Code::RATE_LIMITED, "used up") };
        for effect in [Effect::Read, Effect::Idempotent, Effect::Keyed, Effect::Write] {
            assert!(!repeats(&quota, effect, false, &policy(&[])), "{effect:?}");
        }
        assert!(repeats(&quota, Effect::Read, false, &policy(&["RATE_LIMITED"])));
    }

    #[test]
    fn once_is_repeated_only_when_nothing_was_sent() {
        let unsent = Fault::new(Code::CONNECTION_FAILED, "refused");
        assert!(repeats(&unsent, Effect::Read, true, &policy(&[])));
        assert!(!repeats(&unsent.clone().effect(Effected::Unknown), Effect::Read, true, &policy(&["transient"])));
    }

    #[test]
    fn jitter_comes_after_the_floor() {
        let fault = Fault::new(Code::RATE_LIMITED, "wait").retry_after(Duration::from_secs(30));
        assert_eq!(next_attempt_at(&backoff(), 1, &fault, 0, 0.0), 30_000);
        assert_eq!(next_attempt_at(&backoff(), 1, &fault, 0, 1.0), 30_500);
        let plain = Fault::new(Code::TIMEOUT, "slow");
        assert_eq!(next_attempt_at(&backoff(), 3, &plain, 0, 0.0), 4_000);
        assert_eq!(next_attempt_at(&backoff(), 30, &plain, 0, 0.0), 60_000);
    }
}
