//! The circuit of one host, as a function of what became of its calls and the time: closed, open, half-open, or asked to wait.

use mainspring_model::Code;
use mainspring_model::clock::Millis;

/// Between two probes, and from the failure that opens a circuit to the first of them, in milliseconds.
const APART: Millis = 1_000;
/// The longest pause between probes: the wait doubles with each that fails. A host that came back is found within it.
const APART_MOST: Millis = 30_000;
/// The longest that a service is waited for because it asked: its limit is one key's, and this holds back every call to it.
const WAIT_MOST: Millis = 600_000;
/// Calls that are turned away come back one after another: each so much later than the one before it, at most so much in all.
const SPREAD: Millis = 2;
const SPREAD_MOST: Millis = 10_000;

/// What a host's circuit is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// Calls are turned away until the next probe.
    Open,
    /// One call is under way, or may be, to find out.
    HalfOpen,
    /// The service asked to be left alone (429 with `Retry-After`).
    Waiting,
}

impl State {
    pub const ALL: [State; 4] = [State::Closed, State::Open, State::HalfOpen, State::Waiting];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
            State::Waiting => "waiting",
        }
    }
}

/// What is remembered of a host. One that answers is not remembered at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Circuit {
    /// In a row, up to now.
    pub failures: u32,
    /// What the last of them was.
    pub last: Option<Code>,
    /// When the last thing happened to it: the stalest is forgotten first.
    pub touched: Millis,
    pub opened_at: Option<Millis>,
    /// From when on a call may probe.
    next_probe: Millis,
    pause: Millis,
    probing: bool,
    wait_until: Option<Millis>,
    /// Calls turned away since the last probe.
    turned_away: Millis,
}

/// Not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// When this call may come back.
    pub until: Millis,
    pub state: State,
}

impl Circuit {
    /// Whether a call may go out; `true` when it is a probe.
    pub fn pass(&mut self, now: Millis) -> Result<bool, Refusal> {
        match self.state(now) {
            State::Closed => Ok(false),
            State::HalfOpen if !self.probing => {
                self.probing = true;
                self.turned_away = 0;
                Ok(true)
            }
            state => {
                let next = if state == State::HalfOpen { now + APART } else { self.next_try(now).unwrap_or(now + APART) };
                let until = next + (self.turned_away * SPREAD).min(SPREAD_MOST);
                self.turned_away += 1;
                Err(Refusal { until, state })
            }
        }
    }

    /// A call did not reach the service, or the service said that it is broken. `wait` is what it asked for.
    pub fn failed(&mut self, code: Code, probe: bool, after: u32, wait: Option<Millis>, now: Millis) {
        self.failures = self.failures.saturating_add(1);
        self.last = Some(code);
        self.touched = now;
        if self.opened_at.is_none() && self.failures >= after {
            self.opened_at = Some(now);
            self.pause = APART;
            self.next_probe = now + APART;
        } else if probe {
            self.pause = (self.pause * 2).clamp(APART, APART_MOST);
            self.next_probe = now + self.pause;
        }
        if self.opened_at.is_some() {
            self.next_probe = self.next_probe.max(now + wait.unwrap_or(0).min(APART_MOST));
        }
        self.probing &= !probe;
    }

    /// The service asked to be left alone; that it answered closes the circuit.
    pub fn asked_to_wait(wait: Millis, now: Millis) -> Circuit {
        Circuit {
            wait_until: Some(now.saturating_add(wait.min(WAIT_MOST))),
            touched: now,
            last: Some(Code::RATE_LIMITED),
            ..Circuit::default()
        }
    }

    /// A probe ended without a word about the host.
    pub fn given_up(&mut self, now: Millis) {
        self.probing = false;
        self.next_probe = now + APART;
    }

    /// Whether it says anything by now.
    pub fn is_over(&self, now: Millis) -> bool {
        self.failures == 0 && self.state(now) == State::Closed
    }

    pub fn state(&self, now: Millis) -> State {
        if self.wait_until.is_some_and(|until| is_ahead(until, now, WAIT_MOST)) {
            return State::Waiting;
        }
        match self.opened_at {
            None => State::Closed,
            Some(_) if self.probing || !is_ahead(self.next_probe, now, APART_MOST) => State::HalfOpen,
            Some(_) => State::Open,
        }
    }

    /// When the next call may go out, if none may now.
    pub fn next_try(&self, now: Millis) -> Option<Millis> {
        match self.state(now) {
            State::Closed => None,
            State::HalfOpen => Some(now),
            State::Open => Some(self.next_probe),
            State::Waiting => self.wait_until,
        }
    }
}

/// A moment further away than it can have been set to comes from a clock that was put back: it is not waited for.
fn is_ahead(moment: Millis, now: Millis, most: Millis) -> bool {
    moment > now && moment - now <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Millis) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..3 {
            assert_eq!(circuit.pass(now), Ok(false));
            circuit.failed(Code::CONNECTION_FAILED, false, 3, None, now);
        }
        circuit
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_probe_through_at_a_time() {
        let mut circuit = opened(0);
        assert_eq!((circuit.state(0), circuit.opened_at, circuit.next_try(0)), (State::Open, Some(0), Some(1_000)));
        assert_eq!(circuit.pass(999), Err(Refusal { until: 1_000, state: State::Open }));
        assert_eq!(circuit.pass(999), Err(Refusal { until: 1_002, state: State::Open }), "they come back one after another");
        assert_eq!(circuit.pass(1_000), Ok(true));
        assert_eq!(circuit.pass(5_000), Err(Refusal { until: 6_000, state: State::HalfOpen }), "one probe is under way");
        circuit.failed(Code::TIMEOUT, true, 3, None, 5_500);
        assert_eq!((circuit.state(5_500), circuit.next_try(5_500), circuit.failures), (State::Open, Some(7_500), 4));
    }

    #[test]
    fn probes_are_a_second_apart_at_least_and_half_a_minute_at_most() {
        let (mut circuit, mut now, mut probes) = (opened(0), 0, Vec::new());
        while now < 200_000 {
            if let Ok(probe) = circuit.pass(now) {
                assert!(probe);
                probes.push(now);
                circuit.failed(Code::CONNECTION_FAILED, true, 3, None, now);
            }
            now += 10;
        }
        let gaps: Vec<Millis> = probes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps[..6], [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        // One that nobody waited for any more says nothing, and is followed by the next no sooner.
        let mut circuit = opened(0);
        assert_eq!(circuit.pass(1_000), Ok(true));
        circuit.given_up(1_200);
        assert_eq!(circuit.next_try(1_200), Some(2_200));
    }

    #[test]
    fn calls_that_were_under_way_when_it_opened_count_and_change_no_pause() {
        let mut circuit = opened(0);
        circuit.failed(Code::TIMEOUT, false, 3, None, 900);
        assert_eq!((circuit.failures, circuit.next_try(900)), (4, Some(1_000)));
    }

    #[test]
    fn a_service_that_asks_is_left_alone_for_so_long_and_not_for_ever() {
        let mut circuit = Circuit::asked_to_wait(2_000, 0);
        assert_eq!(circuit.pass(1_999), Err(Refusal { until: 2_000, state: State::Waiting }));
        assert_eq!((circuit.pass(2_000), circuit.is_over(2_000)), (Ok(false), true));
        assert_eq!(Circuit::asked_to_wait(86_400_000, 0).next_try(0), Some(600_000));
        let mut busy = opened(0);
        busy.failed(Code::http(503), false, 3, Some(20_000), 0);
        assert_eq!(busy.next_try(0), Some(20_000));
    }

    #[test]
    fn a_clock_that_was_put_back_holds_nothing_back() {
        let mut circuit = opened(10_000_000);
        assert_eq!(circuit.pass(0), Ok(true));
        assert_eq!(Circuit::asked_to_wait(2_000, 10_000_000).pass(0), Ok(false));
    }
}
