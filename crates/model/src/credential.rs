//! A credential as an action sees it, and how a provider describes the fields it needs.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::id::CredentialId;
use crate::{oauth, secret_reference};

/// A secret text: zeroed when dropped, neither serialised nor printed.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(SecretString::from(text.into()))
    }

    /// The clear text. Hand it to the wire or to the redactor and to nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An opened credential: its name and fields, for the length of one attempt.
#[derive(Clone, Debug)]
pub struct Credential {
    /// `None` of what is no stored credential.
    pub id: Option<CredentialId>,
    pub provider: String,
    pub name: String,
    pub fields: BTreeMap<String, Secret>,
    /// The only hosts that it may be sent to: `api.example.com`, `localhost:8080`, `*.example.org`, `*` for all; empty: not bound.
    pub hosts: Vec<String>,
}

impl Credential {
    /// Whether it may be sent to this host, in lower case as URLs have it, and this port.
    pub fn is_for(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.');
        let with_port = format!("{host}:{port}");
        let fits = |entry: &String| {
            let entry = entry.to_ascii_lowercase();
            match entry.strip_prefix("*.") {
                Some(below) => host.strip_suffix(below).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
                None => entry == "*" || entry == host || entry == with_port,
            }
        };
        self.hosts.is_empty() || self.hosts.iter().any(fits)
    }

    /// The clear text of a field, `None` when it was not given or is empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(Secret::expose).filter(|text| !text.is_empty())
    }
}

/// A note of the program among the fields of a stored credential, and no field of its owner.
pub fn is_note(field: &str) -> bool {
    oauth::is_note(field) || secret_reference::is_note(field)
}

/// The host of a URL, with its port when one is written, as [`Credential::hosts`] has it.
pub fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.trim().split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?.to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// What a binding may name: a host, one with a port, `*.` and a host, or `*`.
pub fn is_host_entry(entry: &str) -> bool {
    let name = entry.strip_prefix("*.").unwrap_or(entry);
    let name = name.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(name, |(host, _)| host);
    let is_name = |text: &str| {
        !text.is_empty() && text.len() <= 253 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    entry == "*" || is_name(name) || (name.starts_with('[') && name.ends_with(']'))
}

/// One field of a provider's credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialField {
    pub name: String,
    pub title: String,
    pub required: bool,
    /// Hidden in forms. Every stored value is sealed, secret or not.
    pub secret: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_sent_where_it_is_bound_to() {
        let bound = |hosts: &[&str]| Credential {
            id: None,
            provider: String::new(),
            name: String::new(),
            fields: BTreeMap::new(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        for (hosts, host, port, may) in [
            (&[][..], "anything.example", 443, true),
            (&["*"], "anything.example", 443, true),
            (&["api.example.com"], "api.example.com", 443, true),
            (&["API.example.com"], "api.example.com", 443, true),
            (&["api.example.com"], "api.example.com.", 443, true),
            (&["api.example.com"], "api.example.com.evil.net", 443, false),
            (&["api.example.com"], "evil-api.example.com", 443, false),
            (&["api.example.com"], "example.com", 443, false),
            (&["*.example.com"], "a.b.example.com", 443, true),
            (&["*.example.com"], "example.com", 443, false),
            (&["*.example.com"], ".example.com", 443, false),
            (&["*.example.com"], "evilexample.com", 443, false),
            (&["localhost:8080"], "localhost", 8080, true),
            (&["localhost:8080"], "localhost", 8081, false),
            (&["a.example", "b.example"], "b.example", 80, true),
        ] {
            assert_eq!(bound(hosts).is_for(host, port), may, "{hosts:?} {host}:{port}");
        }
    }

    #[test]
    fn hosts_of_addresses() {
        for (url, host) in [
            ("https://api.openai.com/v1", Some("api.openai.com")),
            (" http://127.0.0.1:8000/v1", Some("127.0.0.1:8000")),
            ("https://user:pass@Host.example?x", Some("host.example")),
            ("https://good.example\\@evil.example/", Some("good.example")),
            ("nonsense", None),
            ("https:///x", None),
        ] {
            assert_eq!(host_of(url).as_deref(), host, "{url}");
        }
        assert!(["a", "a.b:80", "*.a.b", "*", "[::1]", "[::1]:80"].iter().all(|entry| is_host_entry(entry)));
        assert!(["", "*.", "https://a", "a/b", "a b", "*a", "a,b"].iter().all(|entry| !is_host_entry(entry)));
    }
}
