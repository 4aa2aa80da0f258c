//! What is done with any text, whoever made it: the fuzz targets and the tests beside them enter here, and nowhere else.

use std::net::IpAddr;
use std::sync::Arc;

use mainspring_model::id::{IntegrationId, OrgId};
use mainspring_providers::custom::{Definition, provider, validate};
use mainspring_providers::egress::{Egress, Mode, Policy, Request};
use url::Host;

/// Everything at its strictest.
pub fn strict() -> Arc<Egress> {
    Arc::new(Egress::new(Policy::new(Mode::Strict)))
}

/// A text as a URL: what the guard lets through is http or https, names nobody, and no address in it is one that the standard library
/// knows to be of this machine or its network. Gives whether it is let through.
pub fn url(text: &str, egress: &Egress) -> bool {
    let Ok(url) = Request::parse_url(text) else { return false };
    if egress.admits(OrgId::LOCAL, &url).is_err() {
        return false;
    }
    assert!(matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none(), "{text:?}");
    let address: Option<IpAddr> = match url.host().expect("it has a host") {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(IpAddr::from(address).to_canonical()),
        Host::Domain(name) => name.trim_end_matches('.').parse().ok(),
    };
    let inner = match address {
        Some(IpAddr::V4(a)) => {
            a.is_loopback()
                || a.is_private()
                || a.is_link_local()
                || a.is_unspecified()
                || a.is_multicast()
                || a.is_broadcast()
                || a.is_documentation()
        }
        Some(IpAddr::V6(a)) => {
            a.is_loopback() || a.is_unspecified() || a.is_multicast() || a.is_unique_local() || a.is_unicast_link_local()
        }
        None => false,
    };
    assert!(!inner, "{text:?} was let through to {address:?}");
    true
}

/// A text as the definition of a custom integration: it becomes a provider, or all its problems are told. Gives whether it did.
pub fn integration(text: &str, egress: &Arc<Egress>) -> bool {
    let Ok(definition) = serde_json::from_str(text).and_then(Definition::from_value) else { return false };
    let id: IntegrationId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("an id");
    let problems = validate(&definition);
    match provider(id, &definition, egress.clone()) {
        Ok(made) => {
            assert!(problems.is_empty(), "{text:?}: {problems:?}");
            assert!(made.actions.iter().all(|action| action.spec().params.is_object()), "{text:?}");
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.message.is_empty()), "{text:?}");
            false
        }
    }
}
