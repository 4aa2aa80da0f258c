//! Names to addresses: asked once per connection, every answer judged, and only judged addresses are connected to.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::org_rules::Judge;
use crate::sabotage::{Switch, is_on};

/// Turns a host name into addresses. The system's resolver, or a test's.
pub trait Lookup: Send + Sync {
    /// Every address of the name, in the order of preference.
    ///
    /// # Errors
    /// The name does not exist, or the resolver does not answer.
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) }.boxed()
    }
}

type Answer = Result<Arc<[IpAddr]>, Unresolved>;
type Asking = BoxFuture<'static, Answer>;

/// A lookup that calls for the same name at the same moment share: a fan-out of 1,000 must not ask 1,000 times. Nothing
/// is kept once it has answered.
pub(super) struct Lookups {
    inner: Arc<dyn Lookup>,
    running: Mutex<HashMap<String, WeakShared<Asking>>>,
}

impl Lookups {
    pub(super) fn new(inner: Arc<dyn Lookup>) -> Lookups {
        Lookups { inner, running: Mutex::default() }
    }

    pub(super) fn ask(&self, host: &str) -> Shared<Asking> {
        let mut running = self.running.lock().expect("nothing panics while the lookups are held");
        if let Some(asking) = running.get(host).and_then(WeakShared::upgrade).filter(|asking| asking.peek().is_none()) {
            return asking;
        }
        let (lookup, name) = (self.inner.lookup(host), host.to_owned());
        let asking = async move {
            match lookup.await {
                Ok(addresses) if addresses.is_empty() => Err(Unresolved { host: name, reason: "it has no address".into() }),
                Ok(addresses) => Ok(addresses.into()),
                Err(error) => Err(Unresolved { host: name, reason: error.to_string().into() }),
            }
        }
        .boxed()
        .shared();
        running.retain(|_, asking| asking.upgrade().is_some());
        if let Some(weak) = asking.downgrade() {
            running.insert(host.to_owned(), weak);
        }
        asking
    }
}

/// The hook that reqwest connects through, for one ruled port.
pub(super) struct Guard {
    pub lookups: Arc<Lookups>,
    pub judge: Judge,
    pub port: Option<u16>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (asking, judge, port) = (self.lookups.ask(name.as_str()), self.judge.clone(), self.port);
        Box::pin(async move {
            let addresses = asking.await?;
            for address in addresses.iter().filter(|_| !is_on(Switch::CheckBeforeResolveOnly)) {
                judge.check(name.as_str(), *address, port)?;
            }
            // Port 0 means the URL's.
            let addresses: Vec<SocketAddr> = addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// A host name without addresses. Found by type in the client's error chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    pub host: String,
    pub reason: Arc<str>,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host name \"{}\" was not found ({})", self.host, self.reason)
    }
}

impl std::error::Error for Unresolved {}
