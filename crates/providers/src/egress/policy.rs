//! Where plans may send requests: the operator's rules, and the one function that judges an address by them.

use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::address::{Kind, carried, kind};
use super::allowed::AllowedHost;

/// The rules of one [`super::Egress`]; fixed for its life, since pooled connections were judged by them.
#[derive(Clone, Debug)]
pub struct Policy {
    pub mode: Mode,
    /// Where this server itself listens: refused in every mode, or a plan could speak to our own API as the server.
    pub own: Vec<SocketAddr>,
    pub max_redirects: u8,
    /// An organization's rules may open private and shared addresses to its own plans.
    pub orgs_open_private: bool,
    pub limits: Limits,
    /// Certificate authorities (PEM) trusted beside the system's.
    pub extra_roots: Vec<Vec<u8>>,
}

/// Which addresses may be reached beside public ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// None.
    Strict,
    /// What the operator listed. A listed name may resolve to loopback, private and shared addresses; metadata and
    /// link-local ones must be listed as addresses.
    AllowList(Vec<AllowedHost>),
    /// Loopback.
    Dev,
}

/// Bounds of one call.
#[derive(Clone, Debug)]
pub struct Limits {
    /// No call may take in more decompressed bytes than this, whatever its own limit says.
    pub max_body: usize,
    /// For a call that names no limit.
    pub default_body: usize,
    /// For all addresses of a host together.
    pub connect_timeout: Duration,
    /// Calls per origin that may be waiting for a connection at once; the rest wait for those to be written.
    pub connecting: usize,
    /// Failures in a row after which a host is held back; 0 is never.
    pub breaker_after: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_body: 16 << 20, default_body: 10 << 20, connect_timeout: Duration::from_secs(20), connecting: 16, breaker_after: 10 }
    }
}

impl Mode {
    pub fn as_str(&self) -> &'static str {
        match self {
            Mode::Strict => "strict",
            Mode::AllowList(_) => "allow-list",
            Mode::Dev => "dev",
        }
    }
}

impl Policy {
    pub fn new(mode: Mode) -> Policy {
        Policy { mode, own: Vec::new(), max_redirects: 5, orgs_open_private: false, limits: Limits::default(), extra_roots: Vec::new() }
    }

    /// `port` when some rule speaks of it, else `None`: rules then need to know no more than that.
    pub(super) fn ruled_port(&self, port: u16) -> Option<u16> {
        let listed = match &self.mode {
            Mode::AllowList(hosts) => hosts.iter().any(|host| host.port() == Some(port)),
            Mode::Strict | Mode::Dev => false,
        };
        (listed || self.own.iter().any(|own| own.port() == port)).then_some(port)
    }

    /// Judges one address of a host. `port` as from [`Policy::ruled_port`].
    pub(super) fn check(&self, host: &str, address: IpAddr, port: Option<u16>) -> Result<(), Blocked> {
        let found = kind(address);
        let blocked = |by| Err(Blocked { host: host.to_owned(), address, kind: found, by });
        if port.is_some_and(|port| self.is_own(carried(address), port)) {
            return blocked(By::Own);
        }
        let host = host.trim_end_matches('.');
        let allowed = match (&self.mode, found) {
            (_, Kind::Public) | (Mode::Dev, Kind::Loopback) => true,
            (Mode::AllowList(hosts), found) => {
                let inner = matches!(found, Kind::Loopback | Kind::Private | Kind::Shared);
                hosts.iter().any(|entry| entry.contains(address, port) || (inner && entry.names(host, port)))
            }
            _ => false,
        };
        if allowed { Ok(()) } else { blocked(By::Operator) }
    }

    fn is_own(&self, address: IpAddr, port: u16) -> bool {
        self.own.iter().any(|own| own.port() == port && (own.ip() == address || address.is_loopback() || is_local(address)))
    }
}

/// Whether the address is one of this machine's: only then can a socket be bound to it. Asked for own ports only.
fn is_local(address: IpAddr) -> bool {
    address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

/// An address that the rules refuse. Travels through the HTTP client's error chain and is found there by type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub host: String,
    pub address: IpAddr,
    pub kind: Kind,
    pub by: By,
}

/// Whose rule it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Nobody's: the address is this server's own.
    Own,
    Operator,
    /// The operator allows it, and the organization's own list does not have it.
    Organization,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Blocked { host, address, kind, by } = self;
        let named = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        match by {
            By::Own => {
                return write!(f, "{host} is this Mainspring server itself, which plans do not call; use logic.call to start another plan");
            }
            By::Organization => {
                return write!(
                    f,
                    "{host} is not in this organization's list of hosts; if it is meant, an admin adds it (mainspring egress add {host})"
                );
            }
            By::Operator => {}
        }
        match named {
            true => write!(f, "{host} is {kind} address")?,
            false => write!(f, "{host} stands for {address}, {kind} address")?,
        }
        write!(f, ", which plans may not reach; if it is meant, the operator adds \"{host}\" to the egress allow list")?;
        match kind {
            Kind::Loopback => f.write_str(" (--egress allow-list), or starts the server with --egress dev"),
            Kind::Metadata | Kind::LinkLocal if !named => write!(f, " (--egress allow-list) as the address {address}"),
            _ => f.write_str(" (--egress allow-list)"),
        }
    }
}

impl std::error::Error for Blocked {}
