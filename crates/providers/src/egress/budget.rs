//! What services say is left of their rate limits (`RateLimit`, `X-RateLimit-*`): shared by all calls of an organization with the same
//! credential to one host, so that they hold back instead of running into 429.
//!
//! Of this process alone. A secret is known by a hash under a key of the process, and never kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard};

use http::HeaderMap;
use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;

use super::breaker::{Held, name};
use super::circuit::State;
use super::rate_headers::{Left, left};
use super::request::Request;

/// Budgets that are remembered: plans choose hosts, so their number has an end.
const MOST: usize = 4_096;
/// The longest that calls are held back for a budget that a service says is used up.
const WAIT_MOST: Millis = 600_000;
/// Calls that are held back come back one after another: each so much later than the one before it, at most so much in all.
const SPREAD: Millis = 2;
const SPREAD_MOST: Millis = 10_000;

type Key = (OrgId, String, u64);

#[derive(Default)]
pub(super) struct Budgets {
    known: Mutex<HashMap<Key, Budget>>,
    hashes: RandomState,
}

#[derive(Debug, Default)]
struct Budget {
    /// Calls under way: what the service said before it saw them counts them not.
    under_way: u64,
    /// Calls that may still go out before the moment; `None` where the service says nothing of it.
    left: Option<(u64, Millis)>,
    held_back: Millis,
}

impl Budget {
    fn is_idle(&self, now: Millis) -> bool {
        self.under_way == 0 && self.left.is_none_or(|(_, until)| until <= now)
    }
}

/// Leave for one call.
pub(super) struct Spent {
    budgets: Arc<Budgets>,
    /// `None` where too many are known already.
    key: Option<Key>,
}

impl Budgets {
    /// Takes one call of the budget, or says when the call may come back.
    pub(super) fn spend(self: &Arc<Self>, org: OrgId, request: &Request, now: Millis) -> Result<Spent, Held> {
        let host = name(&request.url);
        let key = (org, host, self.secret_of(request));
        let mut known = self.lock();
        if !known.contains_key(&key) && known.len() >= MOST {
            known.retain(|_, budget| !budget.is_idle(now));
            if known.len() >= MOST {
                return Ok(Spent { budgets: self.clone(), key: None });
            }
        }
        let budget = known.entry(key.clone()).or_default();
        match &mut budget.left {
            Some((_, until)) if *until <= now => (budget.left, budget.held_back) = (None, 0),
            Some((0, until)) => {
                let until = *until + (budget.held_back * SPREAD).min(SPREAD_MOST);
                budget.held_back += 1;
                return Err(Held { host: key.1, failures: 0, last: None, state: State::Waiting, now, until });
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        budget.under_way += 1;
        Ok(Spent { budgets: self.clone(), key: Some(key) })
    }

    /// Forgets what an organization's calls to a host have left. `false` when nothing was known.
    pub(super) fn reset(&self, org: OrgId, host: &str) -> bool {
        let mut any = false;
        for (_, budget) in self.lock().iter_mut().filter(|((of, known, _), _)| *of == org && known == host) {
            any |= budget.left.take().is_some();
        }
        any
    }

    fn secret_of(&self, request: &Request) -> u64 {
        if !request.has_secrets() {
            return 0;
        }
        let mut hasher = self.hashes.build_hasher();
        for (name, value) in request.headers.iter().filter(|(_, value)| value.is_sensitive()) {
            (name.as_str(), value.as_bytes()).hash(&mut hasher);
        }
        for (name, value) in request.url.query_pairs().filter(|(name, _)| request.is_secret_query(name)) {
            (name, value).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Budget>> {
        self.known.lock().expect("nothing panics while the budgets are held")
    }
}

impl Spent {
    /// The service answered: what it says is left, less the calls that it has not seen yet.
    pub(super) fn learn(&self, headers: &HeaderMap, now: Millis) {
        let (Some(key), Some(Left { calls, until })) = (&self.key, left(headers, now)) else { return };
        if let Some(budget) = self.budgets.lock().get_mut(key) {
            let calls = calls.saturating_sub(budget.under_way.saturating_sub(1));
            budget.left = Some((calls, until.min(now.saturating_add(WAIT_MOST))));
        }
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        let Some(key) = &self.key else { return };
        let mut known = self.budgets.lock();
        if let Some(budget) = known.get_mut(key) {
            budget.under_way = budget.under_way.saturating_sub(1);
            if budget.under_way == 0 && budget.left.is_none() {
                known.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn request(host: &str, secret: &str) -> Request {
        let mut request = Request::new(Method::GET, format!("https://{host}/a").parse().unwrap());
        request.secret_header("authorization", secret).unwrap();
        request
    }

    fn said(remaining: &str, reset: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-remaining", remaining.parse().unwrap());
        headers.insert("x-ratelimit-reset", reset.parse().unwrap());
        headers
    }

    #[test]
    fn what_is_left_is_shared_by_calls_with_one_credential() {
        let budgets = Arc::<Budgets>::default();
        let spend = |secret: &str, now| budgets.spend(OrgId::LOCAL, &request("a.test", secret), now);
        let first = spend("one", 1_000).unwrap();
        first.learn(&said("2", "30"), 1_000);
        drop(first);
        let both = [spend("one", 1_001).unwrap(), spend("one", 1_002).unwrap()];
        let held = spend("one", 1_003).err().expect("it is held back");
        assert_eq!((held.until, held.state, held.host.as_str()), (31_000, State::Waiting, "a.test"));
        assert_eq!(spend("one", 1_004).err().map(|held| held.until), Some(31_002), "they come back one after another");
        assert!(spend("two", 1_004).is_ok(), "another credential has a budget of its own");
        assert!(budgets.spend(OrgId::LOCAL, &request("b.test", "one"), 1_004).is_ok());
        drop(both);
        assert!(spend("one", 31_000).is_ok(), "the service said so");
    }

    #[test]
    fn calls_under_way_are_counted_before_the_service_has_seen_them() {
        let budgets = Arc::<Budgets>::default();
        let spend = |now| budgets.spend(OrgId::LOCAL, &request("a.test", "one"), now);
        let (first, _second, _third) = (spend(0).unwrap(), spend(0).unwrap(), spend(0).unwrap());
        first.learn(&said("3", "30"), 0);
        drop(first);
        assert!(spend(1).is_ok());
        assert!(spend(2).is_err(), "two are on their way");
        assert!(budgets.reset(OrgId::LOCAL, "a.test") && !budgets.reset(OrgId::LOCAL, "a.test"));
        assert!(spend(3).is_ok());
    }

    #[test]
    fn nobody_is_held_back_for_longer_than_ten_minutes_and_nothing_is_kept_without_need() {
        let budgets = Arc::<Budgets>::default();
        let spend = |host: &str, now| budgets.spend(OrgId::LOCAL, &request(host, "one"), now);
        spend("a.test", 0).unwrap().learn(&said("0", "86400"), 0);
        assert!(spend("a.test", WAIT_MOST - 1).is_err() && spend("a.test", WAIT_MOST).is_ok());
        for n in 0..10 {
            drop(spend(&format!("{n}.test"), 0));
        }
        assert!(budgets.lock().len() <= 1, "calls that taught nothing leave nothing");
        for n in 0..MOST + 10 {
            spend(&format!("{n}.test"), 0).unwrap().learn(&said("1", "60"), 0);
        }
        assert!(budgets.lock().len() <= MOST);
    }
}
