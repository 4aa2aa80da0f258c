//! Ways out for the program itself, beside those of plans: to one host that the operator named.

use std::net::SocketAddr;
use std::sync::Arc;

use mainspring_providers::egress::{AllowedHost, Egress, Mode, Policy};
use mainspring_vault::{Entropy, OsEntropy};
use uuid::Uuid;

/// A way to this host, wherever it stands, and to no other in a private network. `own`: where the server itself listens.
///
/// # Errors
/// Why that is no host.
pub fn way_to(host: &str, own: SocketAddr) -> Result<Arc<Egress>, String> {
    let host = host.trim_matches(['[', ']']);
    let allowed = host.parse::<AllowedHost>().map_err(|error| format!("\"{host}\": {error}"))?;
    let mut policy = Policy::new(Mode::AllowList(vec![allowed]));
    policy.own.push(own);
    Ok(Arc::new(Egress::new(policy)))
}

/// For what has to be told apart and guessed by nobody who gains by it.
pub fn random_id() -> Uuid {
    let mut bytes = [0; 16];
    if let Err(error) = OsEntropy.fill(&mut bytes) {
        tracing::debug!(%error, "an id is not random");
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
