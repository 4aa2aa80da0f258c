//! What an issuer publishes, and the exchange of a code: three requests through the egress guard.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use mainspring_model::action::Context;
use mainspring_model::clock::Clock;
use mainspring_model::id::Owner;
use mainspring_providers::egress::{Egress, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::OutsideError;
use super::issuer::Issuer;
use super::jwks::Jwks;

/// For one request to an issuer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer, in bytes.
const LARGEST: usize = 1 << 20;

/// An issuer's addresses.
pub struct Published {
    pub authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    /// The client's secret goes into the form and not into a header.
    secret_in_form: bool,
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Asks an issuer for its addresses.
pub async fn discover(egress: &Egress, clock: &Arc<dyn Clock>, issuer: &Issuer, plain_http: bool) -> Result<Published, OutsideError> {
    let address = format!("{}/.well-known/openid-configuration", issuer.issuer.trim_end_matches('/'));
    let found: Configuration = json(send(egress, clock, Request::new(Method::GET, endpoint(&address, plain_http)?)).await?)?;
    // Else one issuer could answer for another.
    if found.issuer != issuer.issuer {
        return Err(OutsideError::Rejected(format!("what {} publishes is another issuer's", issuer.name)));
    }
    let methods = found.token_endpoint_auth_methods_supported.unwrap_or_default();
    Ok(Published {
        authorization_endpoint: endpoint(&found.authorization_endpoint, plain_http)?,
        token_endpoint: endpoint(&found.token_endpoint, plain_http)?,
        jwks_uri: endpoint(&found.jwks_uri, plain_http)?,
        secret_in_form: !methods.is_empty() && !methods.iter().any(|method| method == "client_secret_basic"),
    })
}

/// Asks an issuer for its keys.
pub async fn keys(egress: &Egress, clock: &Arc<dyn Clock>, published: &Published) -> Result<Jwks, OutsideError> {
    let bytes = send(egress, clock, Request::new(Method::GET, published.jwks_uri.clone())).await?;
    Jwks::parse(&bytes).map_err(OutsideError::Rejected)
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// Exchanges a code for an ID token, which is not checked yet.
pub async fn exchange(
    egress: &Egress,
    clock: &Arc<dyn Clock>,
    issuer: &Issuer,
    published: &Published,
    code: &str,
    redirect_uri: &str,
    verifier: &str,
) -> Result<String, OutsideError> {
    let mut form = HashMap::from([
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
        ("client_id", issuer.client_id.as_str()),
    ]);
    let mut request = Request::new(Method::POST, published.token_endpoint.clone());
    if let Some(secret) = &issuer.client_secret {
        if published.secret_in_form {
            form.insert("client_secret", secret.expose());
        } else {
            let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&issuer.client_id), encoded(secret.expose()));
            let value = format!("Basic {}", STANDARD.encode(pair));
            request.secret_header("authorization", &value).map_err(|fault| OutsideError::Rejected(fault.to_string()))?;
        }
    }
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    request.body = Some(Bytes::from(body));
    let tokens: Tokens = json(send(egress, clock, request).await?)?;
    Ok(tokens.id_token)
}

fn endpoint(text: &str, plain_http: bool) -> Result<Url, OutsideError> {
    let url = Url::parse(text).map_err(|_| OutsideError::Rejected("the issuer publishes an address that is none".to_owned()))?;
    if url.scheme() != "https" && !(plain_http && url.scheme() == "http") {
        return Err(OutsideError::Rejected(format!("the issuer's {} is not https", url.path())));
    }
    Ok(url)
}

async fn send(egress: &Egress, clock: &Arc<dyn Clock>, mut request: Request) -> Result<Bytes, OutsideError> {
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.timeout = Some(PATIENCE);
    request.max_bytes = Some(LARGEST);
    // What the operator named is asked, and nobody whom that names in turn.
    request.follow_redirects = false;
    let cx = Context::apart(Owner::LOCAL, "login", clock.clone(), PATIENCE);
    let unreachable = |fault: mainspring_model::Fault| OutsideError::Unreachable(fault.to_string());
    let mut answer = egress.send(request, &cx).await.map_err(unreachable)?;
    if answer.status != StatusCode::OK {
        return Err(OutsideError::Rejected(format!("the issuer answered {}", answer.status)));
    }
    answer.bytes().await.map_err(unreachable)
}

fn json<T: DeserializeOwned>(bytes: Bytes) -> Result<T, OutsideError> {
    // What came may hold tokens: only where it is wrong is said.
    serde_json::from_slice(&bytes).map_err(|error| {
        OutsideError::Rejected(format!("the issuer's answer cannot be read (line {}, column {})", error.line(), error.column()))
    })
}
