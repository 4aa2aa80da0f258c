//! Where a credential may go: a request that carries one leaves only for a host that the credential is bound to.

use mainspring_model::action::Context;
use mainspring_model::{Code, Fault};

use super::Request;

/// Judges the address that the request was made for. On a redirect to another origin nothing secret goes along anyway.
///
/// # Errors
/// `CREDENTIAL_HOST`, before anything is resolved or sent.
pub(super) fn check(request: &Request, cx: &Context) -> Result<(), Fault> {
    let Some(credential) = cx.credential.as_ref().filter(|_| request.has_secrets()) else { return Ok(()) };
    let host = request.url.host_str().unwrap_or_default();
    if credential.is_for(host, request.url.port_or_known_default().unwrap_or(0)) {
        return Ok(());
    }
    let text = format!(
        "the credential \"{}\" of {} is not sent to {host}: it is for {}; add the host to the credential's hosts if it is meant",
        credential.name,
        credential.provider,
        credential.hosts.join(", ")
    );
    Err(Fault::new(Code::CREDENTIAL_HOST, text))
}
