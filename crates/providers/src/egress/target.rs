//! A URL that may be asked: http or https, no user info, and no address in it that the rules refuse.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::org_rules::Judge;
use super::policy::Blocked;

/// Why a URL is not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Scheme(String),
    UserInfo,
    NoHost,
    Blocked(Blocked),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Scheme(scheme) => write!(f, "\"{scheme}:\" is not asked; only http and https are"),
            Refused::UserInfo => f.write_str("a name or password stands in the URL; put it in a credential"),
            Refused::NoHost => f.write_str("the URL names no host"),
            Refused::Blocked(blocked) => blocked.fmt(f),
        }
    }
}

/// Judges what the URL says by itself. Names are judged when they are resolved; addresses are here, because a
/// connector does not ask the resolver about them.
pub(super) fn check(url: &Url, judge: &Judge) -> Result<(), Refused> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::UserInfo);
    }
    let address = match url.host() {
        None => return Err(Refused::NoHost),
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(name)) => match name.trim_end_matches('.').parse() {
            Ok(address) => address,
            Err(_) => return Ok(()),
        },
    };
    let port = judge.ruled_port(url.port_or_known_default().unwrap_or(0));
    judge.check(url.host_str().unwrap_or_default(), address, port).map_err(Refused::Blocked)
}

/// Where a request goes, for messages and logs: never the query, which may hold a key.
#[derive(Clone, Debug)]
pub struct Place {
    text: String,
}

impl Place {
    pub(super) fn new(method: &http::Method, url: &Url) -> Place {
        let host = url.host_str().unwrap_or_default();
        let path: String = url.path().chars().take(200).collect();
        let text = match url.port() {
            Some(port) => format!("{method} {host}:{port}{path}"),
            None => format!("{method} {host}{path}"),
        };
        Place { text }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Scheme, host and port: what credentials are sent to.
pub(super) fn origin(url: &Url) -> String {
    format!("{}://{}:{}", url.scheme(), url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0))
}
