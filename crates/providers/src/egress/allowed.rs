//! One entry of the operator's allow list: a host name, a name's subdomains, an address or a range, each with or without a port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::address::carried;

/// `crm.internal`, `*.internal`, `10.0.0.0/8`, `[fd00::1]:8080`, `crm.internal:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    what: What,
    /// Any port when absent.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Name(String),
    /// Any name that ends in this text, which starts with a dot.
    Below(String),
    Range(IpAddr, u8),
}

/// The text is no allow-list entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no allow-list entry; write a host name, *.domain, an address or a range like 10.0.0.0/8, with :port if only one is meant"
)]
pub struct BadEntry(pub String);

impl AllowedHost {
    /// An entry that no host fits.
    pub fn nothing() -> AllowedHost {
        AllowedHost { what: What::Name(String::new()), port: None }
    }

    /// The port that this entry speaks of.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the entry names this host. `port` is `None` for a port that no entry speaks of.
    pub(super) fn names(&self, host: &str, port: Option<u16>) -> bool {
        let fits = match &self.what {
            What::Name(name) => name == host,
            What::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
            What::Range(..) => false,
        };
        fits && self.fits_port(port)
    }

    /// Whether the entry contains this address.
    pub(super) fn contains(&self, address: IpAddr, port: Option<u16>) -> bool {
        let What::Range(network, bits) = &self.what else { return false };
        let fits = match (network, carried(address)) {
            (IpAddr::V4(network), IpAddr::V4(address)) => prefix_v4(*network, *bits) == prefix_v4(address, *bits),
            (IpAddr::V6(network), IpAddr::V6(address)) => prefix_v6(*network, *bits) == prefix_v6(address, *bits),
            _ => false,
        };
        fits && self.fits_port(port)
    }

    fn fits_port(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }
}

fn prefix_v4(address: Ipv4Addr, bits: u8) -> u32 {
    u32::from(address).checked_shr(32 - u32::from(bits)).unwrap_or(0)
}

fn prefix_v6(address: Ipv6Addr, bits: u8) -> u128 {
    u128::from(address).checked_shr(128 - u32::from(bits)).unwrap_or(0)
}

impl FromStr for AllowedHost {
    type Err = BadEntry;

    fn from_str(text: &str) -> Result<AllowedHost, BadEntry> {
        let bad = || BadEntry(text.to_owned());
        let trimmed = text.trim();
        if let Some(what) = range(trimmed) {
            return Ok(AllowedHost { what, port: None });
        }
        let (host, port) = match trimmed.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| bad())?)),
            None => (trimmed, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Some(what) = range(host) {
            return Ok(AllowedHost { what, port });
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let (below, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host.as_str()),
        };
        // A name that reads as a number is an address to every resolver; it must not enter as a name.
        let plain = !name.is_empty()
            && name.split('.').all(|label| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            && matches!(url::Host::parse(name), Ok(url::Host::Domain(_)));
        match (plain, below) {
            (false, _) => Err(bad()),
            (true, false) => Ok(AllowedHost { what: What::Name(name.to_owned()), port }),
            (true, true) => Ok(AllowedHost { what: What::Below(format!(".{name}")), port }),
        }
    }
}

fn range(text: &str) -> Option<What> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits.parse::<u8>().ok()?)),
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    // `::ffff:10.0.0.1` is compared as what it carries, so it must be kept as that; a range over such addresses makes no sense.
    let address = if bits.is_none() { carried(address) } else { address };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some(What::Range(address, bits))
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.what, self.port) {
            (What::Name(name), _) => f.write_str(name)?,
            (What::Below(suffix), _) => write!(f, "*{suffix}")?,
            (What::Range(address, bits), None) => write!(f, "{address}/{bits}")?,
            (What::Range(IpAddr::V6(address), _), Some(_)) => write!(f, "[{address}]")?,
            (What::Range(address, _), Some(_)) => write!(f, "{address}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_read_and_match() {
        let fits = |entry: &str, host: &str, port| entry.parse::<AllowedHost>().unwrap().names(host, port);
        assert!(fits("CRM.internal.", "crm.internal", None));
        assert!(fits("*.internal", "a.b.internal", Some(80)));
        assert!(!fits("*.internal", "internal", None));
        assert!(!fits("*.internal", "evilinternal", None));
        assert!(fits("crm.internal:8443", "crm.internal", Some(8443)));
        assert!(!fits("crm.internal:8443", "crm.internal", None));
        let holds = |entry: &str, address: &str, port| entry.parse::<AllowedHost>().unwrap().contains(address.parse().unwrap(), port);
        assert!(holds("10.0.0.0/8", "10.255.0.1", None));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1", None));
        assert!(!holds("10.0.0.0/8", "11.0.0.1", None));
        assert!(holds("0.0.0.0/0", "127.0.0.1", None));
        assert!(holds("127.0.0.1:9000", "127.0.0.1", Some(9000)));
        assert!(!holds("127.0.0.1:9000", "127.0.0.1", Some(9001)));
        assert!(holds("[fd00::1]:80", "fd00::1", Some(80)));
        assert!(holds("fd00::/8", "fdab::1", None));
        for bad in ["", "*", "a..b", "http://x", "10.0.0.0/33", "0x7f.1", "2130706433", "a b", "x:99999"] {
            assert!(bad.parse::<AllowedHost>().is_err(), "{bad}");
        }
    }
}
