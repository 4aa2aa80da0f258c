//! What a credential adds to a request, by the fields it has.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::credential::{Credential, CredentialField};
use mainspring_model::{Class, Code, Fault};
use url::Url;

use crate::egress::Request;

/// The fields of an HTTP credential. All are optional: a token, or a name and password, or a header, or a query parameter.
pub(crate) fn fields() -> Vec<CredentialField> {
    let field = |name: &str, title: &str, secret: bool, help: &str| CredentialField {
        name: name.to_owned(),
        title: title.to_owned(),
        required: false,
        secret,
        help: Some(help.to_owned()),
    };
    vec![
        field("token", "Token", true, "Sent as Authorization: Bearer …"),
        field("username", "User name", false, "With the password: sent as Authorization: Basic …"),
        field("password", "Password", true, "May be empty."),
        field("header_name", "Header name", false, "Such as X-API-Key."),
        field("header_value", "Header value", true, "Sent in that header."),
        field("query_name", "Query parameter", false, "Such as api_key."),
        field("query_value", "Query value", true, "Sent in that parameter."),
        field("hosts", "Hosts", false, "The only hosts it may be sent to, separated by commas: api.example.com, *.example.org."),
    ]
}

/// Puts the credential into the request.
///
/// # Errors
/// `BLOCKED_ADDRESS` (class `auth`) for a host that the credential is not for; `INVALID_PARAMS` for half a pair.
pub(crate) fn apply(request: &mut Request, credential: Option<&Credential>) -> Result<(), Fault> {
    let Some(credential) = credential else { return Ok(()) };
    bound(&request.url, credential)?;
    if let Some(token) = credential.field("token") {
        request.secret_header("authorization", &format!("Bearer {token}"))?;
    } else if let Some(username) = credential.field("username") {
        let pair = format!("{username}:{}", credential.field("password").unwrap_or_default());
        request.secret_header("authorization", &format!("Basic {}", STANDARD.encode(pair)))?;
    }
    if let Some((name, value)) = pair(credential, "header_name", "header_value")? {
        request.secret_header(name, value)?;
    }
    if let Some((name, value)) = pair(credential, "query_name", "query_value")? {
        request.secret_query(name, value);
    }
    Ok(())
}

fn pair<'a>(credential: &'a Credential, name: &str, value: &str) -> Result<Option<(&'a str, &'a str)>, Fault> {
    match (credential.field(name), credential.field(value)) {
        (Some(name), Some(value)) => Ok(Some((name, value))),
        (None, None) => Ok(None),
        (found, _) => {
            let missing = if found.is_some() { value } else { name };
            Err(Fault::new(Code::MISSING_CREDENTIALS, format!("the credential \"{}\" has no {missing}", credential.name)))
        }
    }
}

/// Refuses to send a credential where it does not belong, whoever wrote the URL.
pub(crate) fn bound(url: &Url, credential: &Credential) -> Result<(), Fault> {
    let Some(hosts) = credential.field("hosts") else { return Ok(()) };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or(0));
    let fits = |entry: &str| {
        let entry = entry.to_ascii_lowercase();
        match entry.strip_prefix("*.") {
            Some(below) => host.strip_suffix(below).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => entry == host || entry == with_port,
        }
    };
    if hosts.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(fits) {
        return Ok(());
    }
    let text = format!(
        "the credential \"{}\" is not sent to {host}: it is for {hosts}; add the host to the credential's hosts if it is meant",
        credential.name
    );
    Err(Fault::new(Code::BLOCKED_ADDRESS, text).class(Class::Auth))
}
