//! What an organization's own rules let its plans reach: never more than the operator does, unless the operator says it may.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use mainspring_model::id::OrgId;

use super::address::Kind;
use super::allowed::AllowedHost;
use super::policy::{Blocked, By, Policy};

/// The rules of one organization. An organization without any has no entry, and the operator's hold alone.
pub(super) struct OrgRules {
    pub org: OrgId,
    /// Changes with every change of the rules: connections that were judged by older ones are not used again.
    pub version: u64,
    hosts: Vec<AllowedHost>,
}

/// The rules of all organizations of this process.
#[derive(Default)]
pub(super) struct AllRules {
    by_org: RwLock<HashMap<OrgId, Arc<OrgRules>>>,
    versions: AtomicU64,
}

impl AllRules {
    pub fn of(&self, org: OrgId) -> Option<Arc<OrgRules>> {
        self.by_org.read().expect("nothing panics while the rules are held").get(&org).cloned()
    }

    /// Replaces what every organization says. Rules that stay as they were keep their version.
    pub fn set(&self, all: Vec<(OrgId, Vec<AllowedHost>)>) {
        let mut by_org = self.by_org.write().expect("nothing panics while the rules are held");
        let mut next = HashMap::new();
        for (org, hosts) in all.into_iter().filter(|(_, hosts)| !hosts.is_empty()) {
            let rules = match by_org.get(&org).filter(|rules| rules.hosts == hosts) {
                Some(same) => same.clone(),
                None => Arc::new(OrgRules { org, version: self.versions.fetch_add(1, Ordering::Relaxed), hosts }),
            };
            next.insert(org, rules);
        }
        *by_org = next;
    }
}

/// The operator's rules with those of the organization that asks: what every address of a call is judged by.
#[derive(Clone)]
pub(super) struct Judge {
    pub policy: Arc<Policy>,
    pub org: Option<Arc<OrgRules>>,
}

impl Judge {
    /// `port` when some rule speaks of it, else `None`.
    pub fn ruled_port(&self, port: u16) -> Option<u16> {
        let own = self.org.as_ref().is_some_and(|rules| rules.hosts.iter().any(|host| host.port() == Some(port)));
        if own { Some(port) } else { self.policy.ruled_port(port) }
    }

    /// Judges one address of a host. `port` as from [`Judge::ruled_port`].
    pub fn check(&self, host: &str, address: IpAddr, port: Option<u16>) -> Result<(), Blocked> {
        let operator = self.policy.check(host, address, port);
        let Some(rules) = &self.org else { return operator };
        let name = host.trim_end_matches('.');
        let listed = rules.hosts.iter().any(|entry| entry.contains(address, port) || entry.names(name, port));
        match operator {
            Ok(()) if listed => Ok(()),
            Ok(()) => Err(Blocked { host: host.to_owned(), address, kind: super::address::kind(address), by: By::Organization }),
            // Another machine of the operator's network, and never this one or what clouds keep for themselves.
            Err(Blocked { by: By::Operator, kind: Kind::Private | Kind::Shared, .. }) if listed && self.policy.orgs_open_private => Ok(()),
            Err(blocked) => Err(blocked),
        }
    }
}

impl fmt::Debug for OrgRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrgRules").field("org", &self.org).field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Mode;
    use super::*;

    fn judge(open: bool, hosts: &[&str]) -> Judge {
        let policy = Policy { orgs_open_private: open, own: vec!["10.0.0.7:5000".parse().unwrap()], ..Policy::new(Mode::Strict) };
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let all = AllRules::default();
        all.set(vec![(OrgId::LOCAL, hosts)]);
        Judge { policy: Arc::new(policy), org: all.of(OrgId::LOCAL) }
    }

    fn may(judge: &Judge, host: &str, address: &str, port: u16) -> bool {
        judge.check(host, address.parse().unwrap(), judge.ruled_port(port)).is_ok()
    }

    #[test]
    fn a_list_narrows_and_an_empty_one_does_not() {
        let listed = judge(false, &["api.test", "*.good.test", "8.8.0.0/16", "other.test:8443"]);
        for (host, address, port, expected) in [
            ("api.test", "1.1.1.1", 443, true),
            ("API.test.", "1.1.1.1", 443, false),
            ("api.test.", "1.1.1.1", 443, true),
            ("a.good.test", "1.1.1.1", 80, true),
            ("good.test", "1.1.1.1", 80, false),
            ("any.test", "8.8.4.4", 443, true),
            ("any.test", "8.9.4.4", 443, false),
            ("other.test", "1.1.1.1", 8_443, true),
            ("other.test", "1.1.1.1", 443, false),
            // What the operator refuses stays refused, listed or not.
            ("api.test", "10.0.0.1", 443, false),
            ("api.test", "127.0.0.1", 443, false),
            ("api.test", "169.254.169.254", 80, false),
        ] {
            assert_eq!(may(&listed, host, address, port), expected, "{host} {address} {port}");
        }
        let none = judge(true, &[]);
        assert!(none.org.is_none() && may(&none, "any.test", "1.1.1.1", 443) && !may(&none, "any.test", "10.0.0.1", 443));
    }

    #[test]
    fn private_places_open_only_where_the_operator_lets_organizations_open_them() {
        let (listed, places) = (["crm.test", "10.0.0.0/8", "169.254.169.254", "127.0.0.1", "192.168.0.9"], |judge: &Judge| {
            ["10.0.0.1", "192.168.0.9", "127.0.0.1", "169.254.169.254", "224.0.0.1"].map(|address| may(judge, "crm.test", address, 443))
        });
        assert_eq!(places(&judge(false, &listed)), [false; 5]);
        assert_eq!(places(&judge(true, &listed)), [true, true, false, false, false]);
        assert!(!may(&judge(true, &listed), "crm.test", "10.0.0.7", 5_000), "the server itself is refused");
    }

    #[test]
    fn only_rules_that_changed_have_a_new_version() {
        let all = AllRules::default();
        let (one, two) = (OrgId::LOCAL, "00000000-0000-7000-8000-000000000007".parse().unwrap());
        let host = |text: &str| text.parse::<AllowedHost>().unwrap();
        let versions = |all: &AllRules| [one, two].map(|org| all.of(org).map(|rules| rules.version));
        all.set(vec![(one, vec![host("a.test")]), (two, vec![host("b.test")])]);
        assert_eq!(versions(&all), [Some(0), Some(1)]);
        all.set(vec![(two, vec![host("c.test")]), (one, vec![host("a.test")])]);
        assert_eq!(versions(&all), [Some(0), Some(2)]);
        all.set(vec![(one, vec![])]);
        assert_eq!(versions(&all), [None, None]);
    }
}
