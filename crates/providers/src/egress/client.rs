//! The reqwest clients behind the egress, each built when first needed so that start-up loads no certificates.

use std::sync::{Arc, Mutex};

use mainspring_model::id::OrgId;

use super::org_rules::Judge;
use super::policy::Policy;
use super::resolve::{Guard, Lookups};

/// One client per transport and ruled port: a resolver hook is not told the port, so a port with rules of its own gets
/// a client whose hook knows it. There are as many as the operator wrote ports, usually none.
pub(super) struct Clients {
    policy: Arc<Policy>,
    lookups: Arc<Lookups>,
    built: Mutex<Vec<(Key, reqwest::Client)>>,
}

/// Clients of organizations with rules of their own that are kept; those used longest ago go first.
const OF_ORGS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub tls: bool,
    pub port: Option<u16>,
    /// An organization with rules of its own, and their version: it shares no connection with anybody.
    pub org: Option<(OrgId, u64)>,
}

/// How long an idle connection is kept. Below the 5 s after which the most impatient common server (Node.js) closes:
/// a request that meets such a close has an unknown effect, and a write is then not repeated.
const IDLE: std::time::Duration = std::time::Duration::from_secs(4);

/// Idle connections kept per host: enough for the widest fan-out that a step can ask for.
const IDLE_PER_HOST: usize = 1_000;

impl Clients {
    pub(super) fn new(policy: Arc<Policy>, lookups: Arc<Lookups>) -> Clients {
        Clients { policy, lookups, built: Mutex::default() }
    }

    pub(super) fn get(&self, key: Key, judge: &Judge) -> Result<reqwest::Client, reqwest::Error> {
        let mut built = self.built.lock().expect("nothing panics while the clients are held");
        if let Some(at) = built.iter().position(|(other, _)| *other == key) {
            let client = built[at].1.clone();
            if key.org.is_some() {
                let used = built.remove(at);
                built.push(used);
            }
            return Ok(client);
        }
        let client = self.build(key, judge)?;
        if let Some((org, version)) = key.org {
            built.retain(|(other, _)| other.org.is_none_or(|(other, older)| other != org || older == version));
            if built.iter().filter(|(other, _)| other.org.is_some()).count() >= OF_ORGS {
                let stalest = built.iter().position(|(other, _)| other.org.is_some());
                stalest.map(|at| built.remove(at));
            }
        }
        built.push((key, client.clone()));
        Ok(client)
    }

    fn build(&self, key: Key, judge: &Judge) -> Result<reqwest::Client, reqwest::Error> {
        // Fails only when a provider is installed already, which then is the one to use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = Guard { lookups: self.lookups.clone(), judge: judge.clone(), port: key.port };
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // No feature of ours turns these on; another crate's might.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .dns_resolver(guard)
            .tcp_nodelay(true)
            .connect_timeout(self.policy.limits.connect_timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST);
        if key.tls {
            let mut roots = Vec::new();
            for pem in &self.policy.extra_roots {
                roots.extend(reqwest::Certificate::from_pem_bundle(pem)?);
            }
            builder = builder.tls_certs_merge(roots);
        } else {
            let no_roots = rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
            builder = builder.tls_backend_preconfigured(no_roots);
        }
        builder.build()
    }
}
