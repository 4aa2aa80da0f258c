//! Connections that are no HTTP: the same rules, the same names and the same trust as for requests.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mainspring_model::credential::Credential;
use mainspring_model::id::OrgId;
use mainspring_model::{Class, Code, Fault};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::org_rules::Judge;
use super::resolve::Lookups;
use super::{Egress, fault};
use crate::sabotage::{Switch, is_on};

/// Addresses of one name that are tried, and how long each.
const MOST_ADDRESSES: usize = 8;
const EACH: Duration = Duration::from_secs(5);

/// A connection that may be used, and with whom.
pub struct Dialled {
    pub stream: TcpStream,
    /// Nothing of it leaves this machine.
    pub local: bool,
}

/// What https and this trust alike; made by the first that needs it.
#[derive(Default)]
pub(super) struct Trust(OnceLock<Arc<rustls::ClientConfig>>);

impl Egress {
    /// Connects to a host, once it, each of its addresses and the credential's binding let it.
    ///
    /// # Errors
    /// `INVALID_PARAMS` for what is no host, `BLOCKED_ADDRESS`, `CREDENTIAL_HOST`, `CONNECTION_FAILED`, `TIMEOUT`.
    pub async fn dial(&self, org: OrgId, host: &str, port: u16, credential: &Credential) -> Result<Dialled, Fault> {
        let place = format!("{host}:{port}");
        let judge = Judge { policy: self.policy.clone(), org: self.rules.of(org) };
        let ruled = judge.ruled_port(port);
        let whole = self.policy.limits.connect_timeout;
        let late = || Fault::new(Code::TIMEOUT, format!("{place}: no connection within the time for connecting; check host and firewall"));
        let addresses = match address_or_name(host)? {
            Ok(address) => vec![address],
            Err(name) => timeout(whole, self.lookups.addresses(&name)).await.map_err(|_| late())?.map_err(|unresolved| {
                Fault::new(Code::CONNECTION_FAILED, format!("{unresolved}; check its spelling, or this machine's DNS"))
            })?,
        };
        for address in addresses.iter().filter(|_| !is_on(Switch::CheckBeforeResolveOnly)) {
            judge.check(host, *address, ruled).map_err(|blocked| Fault::new(Code::BLOCKED_ADDRESS, format!("{place}: {blocked}")))?;
        }
        if !credential.is_for(host, port) {
            let text = format!(
                "the credential \"{}\" of {} is not sent to {host}: it is for {}; add the host to the credential's hosts if it is meant",
                credential.name,
                credential.provider,
                credential.hosts.join(", ")
            );
            return Err(Fault::new(Code::CREDENTIAL_HOST, text));
        }
        let connecting = async {
            let mut last = None;
            for address in addresses.iter().take(MOST_ADDRESSES) {
                match timeout(EACH.min(whole), TcpStream::connect(SocketAddr::new(*address, port))).await {
                    Ok(Ok(stream)) => return Ok((stream, *address)),
                    Ok(Err(error)) => last = Some(error),
                    Err(_) => {}
                }
            }
            Err(last)
        };
        match timeout(whole, connecting).await {
            Ok(Ok((stream, address))) => {
                drop(stream.set_nodelay(true));
                Ok(Dialled { stream, local: is_here(address) })
            }
            Ok(Err(Some(error))) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                let text = format!("{place}: the connection was refused; check host and port, and that the service is running");
                Err(Fault::new(Code::CONNECTION_FAILED, text))
            }
            Ok(Err(Some(error))) => {
                Err(Fault::new(Code::CONNECTION_FAILED, format!("{place}: no connection could be made ({error}); check host and port")))
            }
            Ok(Err(None)) | Err(_) => Err(late()),
        }
    }

    /// Speaks TLS from here on, with a server that proves to be `host`.
    ///
    /// # Errors
    /// `TLS_FAILED`, `TIMEOUT`.
    pub async fn secure<S: AsyncRead + AsyncWrite + Unpin>(&self, host: &str, port: u16, stream: S) -> Result<TlsStream<S>, Fault> {
        let failed = |text: String| Fault::new(Code::TLS_FAILED, format!("{host}:{port}: {text}"));
        let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_owned())
            .map_err(|_| failed("it is no name that a certificate could have".to_owned()))?;
        let config = self.trust.config(&self.policy.extra_roots).map_err(|error| {
            failed(format!("no TLS client could be made ({error}); install the system's ca-certificates")).class(Class::Internal)
        })?;
        match timeout(self.policy.limits.connect_timeout, TlsConnector::from(config).connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(failed(match fault::find::<rustls::Error>(&error) {
                Some(rustls::Error::InvalidMessage(_)) => "the service does not speak TLS on this port; use its TLS port".to_owned(),
                Some(error) => fault::tls_text(error),
                None => format!("the service ended the TLS handshake ({error}); check that it speaks TLS on this port"),
            })),
            Err(_) => {
                let text = format!("{host}:{port}: no TLS connection within the time for connecting; check host and port");
                Err(Fault::new(Code::TIMEOUT, text))
            }
        }
    }
}

impl Lookups {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, super::Unresolved> {
        self.ask(name).await.map(|addresses| addresses.to_vec())
    }
}

impl Trust {
    fn config(&self, extra: &[Vec<u8>]) -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
        if let Some(config) = self.0.get() {
            return Ok(config.clone());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = Vec::new();
        for pem in extra {
            for root in CertificateDer::pem_slice_iter(pem) {
                roots.push(root.map_err(|error| rustls::Error::General(error.to_string()))?);
            }
        }
        let verifier = Arc::new(Verifier::new_with_extra_roots(roots, provider.clone())?);
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(self.0.get_or_init(|| Arc::new(config)).clone())
    }
}

/// Nothing less than a loopback address: what merely carries one (NAT64, 6to4, ISATAP) is sent to whoever translates it.
fn is_here(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// An address in any of its spellings, or else a name.
fn address_or_name(host: &str) -> Result<Result<IpAddr, String>, Fault> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(Ok(address));
    }
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => Ok(Ok(address.into())),
        Ok(Host::Ipv6(address)) => Ok(Ok(address.into())),
        Ok(Host::Domain(name)) => Ok(name.trim_end_matches('.').parse().map_err(|_| name)),
        Err(error) => {
            let shown: String = host.chars().filter(|c| !c.is_control()).take(200).collect();
            Err(Fault::invalid_params(format!("\"{shown}\" is no host ({error}); write a name such as imap.example.com")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_address_is_here() {
        for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_here(here.parse().unwrap()), "{here}");
        }
        for elsewhere in ["64:ff9b::7f00:1", "2002:7f00:1::", "2606:4700::5efe:7f00:1", "::127.0.0.1", "10.0.0.1", "0.0.0.0", "::"] {
            assert!(!is_here(elsewhere.parse().unwrap()), "{elsewhere}");
        }
    }
}
