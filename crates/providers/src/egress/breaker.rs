//! The circuits of all hosts in this process: who is turned away, what each call teaches, and what there is to see and reset.
//!
//! Each organization has circuits of its own: what one of them asks of a shared service, and how often, must not keep another from it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::StatusCode;
use mainspring_model::Code;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::id::OrgId;
use url::Url;

use super::budget::{Budgets, Spent};
use super::circuit::{Circuit, State};
use super::request::Request;

/// Hosts that are remembered: plans choose them, so their number has an end.
const MOST: usize = 4_096;

/// One per [`super::Egress`].
pub struct Breaker {
    /// Failures in a row that open a circuit; 0 never does.
    after: u32,
    hosts: Mutex<Hosts>,
    turned_away: AtomicU64,
    budgets: Arc<Budgets>,
}

type Hosts = HashMap<OrgId, HashMap<String, Circuit>>;

/// What there is to see of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostState {
    pub org: OrgId,
    /// `api.example.com`, with the port when it is not the scheme's own.
    pub host: String,
    pub state: State,
    /// In a row.
    pub failures: u32,
    /// What the last of them was.
    pub last_error: Option<Code>,
    pub opened_at: Option<Millis>,
    /// When a call may go out again; `None` when one may now.
    pub next_try: Option<Millis>,
}

/// A call that is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub host: String,
    pub failures: u32,
    pub last: Option<Code>,
    pub state: State,
    pub now: Millis,
    pub until: Millis,
}

/// Leave for one call. Dropped without a word it says nothing of the host, unless the call had outlived its time.
pub(super) struct Pass {
    /// `None` when nothing is to be learnt.
    at: Option<At>,
}

struct At {
    breaker: Arc<Breaker>,
    clock: Arc<dyn Clock>,
    org: OrgId,
    host: String,
    probe: bool,
    deadline: Millis,
}

impl Breaker {
    pub(super) fn new(after: u32) -> Breaker {
        Breaker { after, hosts: Mutex::default(), turned_away: AtomicU64::new(0), budgets: Arc::default() }
    }

    /// Lets a call of an organization out, or says when it may come back. `deadline` is the end of the call's time.
    pub(super) fn pass(self: &Arc<Self>, org: OrgId, url: &Url, clock: &Arc<dyn Clock>, deadline: Millis) -> Result<Pass, Held> {
        if self.after == 0 {
            return Ok(Pass { at: None });
        }
        let (host, now) = (name(url), clock.now());
        let mut probe = false;
        if let Some(circuit) = self.lock().get_mut(&org).and_then(|hosts| hosts.get_mut(&host)) {
            probe = circuit.pass(now).map_err(|refusal| {
                self.turned_away.fetch_add(1, Ordering::Relaxed);
                let (failures, last) = (circuit.failures, circuit.last.clone());
                Held { host: host.clone(), failures, last, state: refusal.state, now, until: refusal.until }
            })?;
        }
        Ok(Pass { at: Some(At { breaker: self.clone(), clock: clock.clone(), org, host, probe, deadline }) })
    }

    /// Takes one call of what the service says is left of its rate limit, or says when the call may come back.
    pub(super) fn spend(&self, org: OrgId, request: &Request, now: Millis) -> Result<Spent, Held> {
        self.budgets.spend(org, request, now).inspect_err(|_| {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// The hosts of an organization that are not simply answering, or of all of them, by name.
    pub fn hosts(&self, org: Option<OrgId>, now: Millis) -> Vec<HostState> {
        let hosts = self.lock();
        let of = |(org, hosts): (&OrgId, &HashMap<String, Circuit>)| -> Vec<HostState> {
            let seen = hosts.iter().filter(|(_, circuit)| !circuit.is_over(now));
            seen.map(|(host, circuit)| HostState {
                org: *org,
                host: host.clone(),
                state: circuit.state(now),
                failures: circuit.failures,
                last_error: circuit.last.clone(),
                opened_at: circuit.opened_at,
                next_try: circuit.next_try(now),
            })
            .collect()
        };
        let mut seen: Vec<HostState> = hosts.iter().filter(|(other, _)| org.is_none_or(|org| org == **other)).flat_map(of).collect();
        seen.sort_unstable_by(|a, b| (&a.host, a.org).cmp(&(&b.host, b.org)));
        seen
    }

    /// Forgets what is known of a host, so that the next call goes out. `false` when nothing was known.
    pub fn reset(&self, org: OrgId, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let held = self.budgets.reset(org, &host);
        let mut hosts = self.lock();
        let Some(of_org) = hosts.get_mut(&org) else { return held };
        let known = of_org.remove(&host).is_some() || held;
        if of_org.is_empty() {
            hosts.remove(&org);
        }
        known
    }

    /// Hosts in each state, over all organizations; those that simply answer are not counted.
    pub fn states(&self, now: Millis) -> [(State, usize); 4] {
        let seen = self.hosts(None, now);
        State::ALL.map(|state| (state, seen.iter().filter(|host| host.state == state).count()))
    }

    /// Calls that were turned away since the start.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    fn learn(&self, org: OrgId, host: &str, now: Millis, change: impl FnOnce(&mut Circuit)) {
        let mut hosts = self.lock();
        if !hosts.get(&org).is_some_and(|hosts| hosts.contains_key(host)) {
            make_room(&mut hosts, now);
        }
        change(hosts.entry(org).or_default().entry(host.to_owned()).or_default());
    }

    /// An answer came: nothing is left to remember but a wait that was asked for.
    fn learn_good(&self, org: OrgId, host: &str, now: Millis) {
        let mut hosts = self.lock();
        let Some(of_org) = hosts.get_mut(&org) else { return };
        match of_org.get_mut(host) {
            Some(circuit) if circuit.state(now) == State::Waiting => circuit.failures = 0,
            _ => drop(of_org.remove(host)),
        }
        if of_org.is_empty() {
            hosts.remove(&org);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().expect("nothing panics while the circuits are held")
    }
}

fn make_room(hosts: &mut Hosts, now: Millis) {
    if hosts.values().map(HashMap::len).sum::<usize>() < MOST {
        return;
    }
    hosts.values_mut().for_each(|hosts| hosts.retain(|_, circuit| !circuit.is_over(now)));
    if hosts.values().map(HashMap::len).sum::<usize>() >= MOST {
        let stalest = hosts.iter().flat_map(|(org, hosts)| hosts.iter().map(|(host, circuit)| (circuit.touched, *org, host.clone()))).min();
        if let Some((_, org, host)) = stalest {
            hosts.get_mut(&org).and_then(|hosts| hosts.remove(&host));
        }
    }
    hosts.retain(|_, hosts| !hosts.is_empty());
}

impl Pass {
    /// An answer came. 5xx is a service that is broken; everything else is one that is up.
    pub(super) fn answered(mut self, status: StatusCode, wait: Option<Duration>) {
        let Some(At { breaker, clock, org, host, probe, .. }) = self.at.take() else { return };
        let (now, wait) = (clock.now(), wait.map(|wait| Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX)));
        if status.is_server_error() {
            breaker.learn(org, &host, now, |circuit| circuit.failed(Code::http(status.as_u16()), probe, breaker.after, wait, now));
            return;
        }
        match wait.filter(|wait| status == StatusCode::TOO_MANY_REQUESTS && *wait > 0) {
            Some(wait) => breaker.learn(org, &host, now, |circuit| *circuit = Circuit::asked_to_wait(wait, now)),
            None => breaker.learn_good(org, &host, now),
        }
    }

    /// No answer came. What is about this server or the URL alone says nothing of the host.
    pub(super) fn failed(mut self, code: &Code) {
        if [Code::CONNECTION_FAILED, Code::TLS_FAILED, Code::TIMEOUT].contains(code) {
            self.note_failure(code.clone());
        }
    }

    fn note_failure(&mut self, code: Code) {
        let Some(At { breaker, clock, org, host, probe, .. }) = self.at.take() else { return };
        let now = clock.now();
        breaker.learn(org, &host, now, |circuit| circuit.failed(code, probe, breaker.after, None, now));
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(at) = &self.at else { return };
        if at.clock.now() >= at.deadline {
            // Whoever waited gave it up at the very moment at which it ran out of time here.
            self.note_failure(Code::TIMEOUT);
        } else if at.probe
            && let Some(circuit) = at.breaker.lock().get_mut(&at.org).and_then(|hosts| hosts.get_mut(&at.host))
        {
            circuit.given_up(at.clock.now());
        }
    }
}

/// By what a host is known: its name or address, and the port unless it is the scheme's own.
pub(super) fn name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use mainspring_model::clock::FakeClock;

    use super::*;

    fn fail(breaker: &Arc<Breaker>, org: OrgId, url: &str, clock: &Arc<dyn Clock>) {
        breaker.pass(org, &url.parse().unwrap(), clock, i64::MAX).unwrap().failed(&Code::CONNECTION_FAILED);
    }

    #[test]
    fn hosts_are_bounded_and_the_stalest_are_forgotten() {
        let (breaker, time) = (Arc::new(Breaker::new(1)), FakeClock::at(0));
        let clock: Arc<dyn Clock> = Arc::new(time.clone());
        for n in 0..MOST + 10 {
            time.advance_to(n as Millis);
            fail(&breaker, OrgId::LOCAL, &format!("http://host-{n}.test/"), &clock);
        }
        let seen = breaker.hosts(None, clock.now());
        assert_eq!(seen.len(), MOST);
        assert!(!seen.iter().any(|host| host.host == "host-9.test") && seen.iter().any(|host| host.host == "host-10.test"));
    }

    #[test]
    fn a_call_that_was_dropped_at_its_deadline_ran_out_of_time_and_any_other_says_nothing() {
        let (breaker, time) = (Arc::new(Breaker::new(1)), FakeClock::at(0));
        let clock: Arc<dyn Clock> = Arc::new(time.clone());
        let url: Url = "http://a.test:8080/".parse().unwrap();
        drop(breaker.pass(OrgId::LOCAL, &url, &clock, 5_000).unwrap());
        assert_eq!(breaker.hosts(None, 0), []);
        let pass = breaker.pass(OrgId::LOCAL, &url, &clock, 5_000).unwrap();
        time.advance_to(5_000);
        drop(pass);
        let seen = breaker.hosts(Some(OrgId::LOCAL), 5_000);
        assert_eq!((seen[0].host.as_str(), seen[0].state, &seen[0].last_error), ("a.test:8080", State::Open, &Some(Code::TIMEOUT)));
        assert!(breaker.reset(OrgId::LOCAL, "A.test:8080") && !breaker.reset(OrgId::LOCAL, "a.test:8080"));
    }
}
