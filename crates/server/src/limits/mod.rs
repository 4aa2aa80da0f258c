//! Limits on requests: how many each caller and each address may make, counted by all nodes together when there is a Redis for it.
//!
//! The node counts in any case. What it would refuse by itself is refused without asking anybody; what it would let in is asked of
//! Redis, and when Redis does not answer in time, the node's own count was the answer. So losing Redis costs the sharing, not the limit.

mod bucket;
mod counts;
mod door;
mod forwarded;
mod network;
mod shared;
mod subject;
mod terms;

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use mainspring_model::clock::{Clock, Millis};

pub use bucket::{Budgets, Standing};
pub use door::{Door, read as read_doors, text as doors_text};
pub use network::Network;
pub use shared::Shared;
pub use subject::Subject;
pub use terms::{Terms, networks, requests};

pub use forwarded::client;

use counts::Counts;

/// Subjects that a node remembers of each kind: about 15 MiB when all are full.
const MOST: usize = 65_536;

/// The limits of one node.
pub struct Limits {
    terms: Terms,
    clock: Arc<dyn Clock>,
    /// Apart from the addresses: nobody makes keys as easily as addresses, so rotating those pushes no caller out.
    callers: Counts,
    addresses: Counts,
    shared: Option<Shared>,
}

impl Limits {
    /// `None` when no limit is set: nothing is counted then.
    pub fn new(terms: Terms, clock: Arc<dyn Clock>, shared: Option<Shared>) -> Option<Limits> {
        let any = terms.doors.iter().chain([&terms.budgets]).flatten().any(|requests| *requests > 0);
        any.then(|| {
            let [callers, addresses] = [(); 2].map(|()| Counts::new(MOST));
            Limits { terms, clock, callers, addresses, shared }
        })
    }

    /// Whether requests to this path are counted at all.
    pub fn concerns(&self, path: &str) -> bool {
        self.is_general() || Door::at(path).is_some()
    }

    /// Whether there is a limit everywhere, and not at the doors alone.
    pub fn is_general(&self) -> bool {
        self.terms.budgets != [0, 0]
    }

    /// Where a request comes from, behind the proxies that are trusted.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        client(peer, headers, &self.terms.proxies)
    }

    /// What a request would come to, by this node's count alone, without counting it.
    pub fn look(&self, subject: &Subject) -> Standing {
        bucket::look(self.budgets(subject), self.counts(subject).get(subject), self.now())
    }

    /// Counts one request.
    pub async fn take(&self, subject: Subject) -> Standing {
        let (budgets, now, counts) = (self.budgets(&subject), self.now(), self.counts(&subject));
        let own = counts.change(subject, |usage| bucket::take(budgets, usage, now));
        let Some(shared) = self.shared.as_ref().filter(|_| own.allowed) else { return own };
        let Some(all) = shared.take(&subject, budgets).await else { return own };
        if !all.allowed {
            counts.change(subject, |usage| (bucket::give_back(budgets, usage), ()));
        }
        all
    }

    fn counts(&self, subject: &Subject) -> &Counts {
        match subject {
            Subject::Key(_) | Subject::User(_) => &self.callers,
            Subject::Address(_) | Subject::Hook(..) | Subject::Door(..) => &self.addresses,
        }
    }

    fn budgets(&self, subject: &Subject) -> Budgets {
        match subject {
            Subject::Door(door, _) => self.terms.doors[*door as usize],
            Subject::Key(_) | Subject::User(_) | Subject::Address(_) | Subject::Hook(..) => self.terms.budgets,
        }
    }

    /// By the clock that nobody sets: a corrected time gives no budget back and takes none.
    fn now(&self) -> Millis {
        Millis::try_from(self.clock.monotonic_us() / 1_000).unwrap_or(Millis::MAX)
    }
}
