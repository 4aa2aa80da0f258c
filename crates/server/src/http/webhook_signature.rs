//! Which triggers a delivery is signed for, by the secrets of their credentials, over the bytes as they came.

use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;
use mainspring_model::credential::Credential;
use mainspring_model::plan::signature::{Service, Signature};
use mainspring_vault::webhook::{self, Delivery, Unproven};
use serde_json::Value;
use url::Url;

use super::api::Api;
use super::problem::{Problem, Refusable};
use super::webhook_auth::{self, Admitted};
use crate::webhooks::Hook;

/// The credential's field that deliveries are checked by.
const FIELD: &str = "signing_secret";

/// Lets through the triggers that ask for no signature, and those that the delivery is signed for.
///
/// # Errors
/// 401 `SIGNATURE_REJECTED` when none is left.
pub async fn proven(api: &Api, parts: &Parts, content: &[u8], admitted: Admitted) -> Refusable<Admitted> {
    if admitted.hooks.iter().all(|hook| signature(hook).is_none()) {
        return Ok(admitted);
    }
    let Admitted { hooks, mut secret_headers } = admitted;
    let mut left: Vec<Arc<Hook>> = Vec::with_capacity(hooks.len());
    let mut refused = None;
    for hook in hooks {
        let Some(signature) = signature(&hook) else {
            left.push(hook);
            continue;
        };
        secret_headers.extend(secret_header(signature));
        let credential = webhook_auth::credential(api, &hook).await?;
        match verdict(api, signature, credential.as_ref(), parts, content) {
            Ok(()) => left.push(hook),
            Err(unproven) => {
                if unproven == Unproven::NoSecret {
                    tracing::warn!(plan = %hook.plan.id, trigger = hook.trigger().id, "a webhook's credential has no {FIELD}; its calls are refused");
                }
                refused = refused.or(Some(unproven));
            }
        }
    }
    match refused {
        Some(unproven) if left.is_empty() => Err(rejected(&unproven)),
        _ => Ok(Admitted { hooks: left, secret_headers }),
    }
}

/// Whether the secrets of a trigger's credential signed the delivery.
pub fn verdict(api: &Api, signature: &Signature, credential: Option<&Credential>, parts: &Parts, content: &[u8]) -> Result<(), Unproven> {
    let headers = headers(parts);
    let urls = addresses(api.engine.public_url(), parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    let delivery = Delivery { headers: &headers, urls: &urls, body: content, now: api.clock.now() };
    let secrets = credential.and_then(|credential| credential.field(FIELD)).map(webhook::secrets).unwrap_or_default();
    webhook::verify(signature, &secrets, &delivery)
}

/// The header that is a secret itself, of the one service that sends one.
pub fn secret_header(signature: &Signature) -> Option<String> {
    (*signature == Signature::Service(Service::Gitlab)).then(|| "x-gitlab-token".to_owned())
}

/// What the sender calls the message, where its service does.
pub fn message_id(hook: &Hook, parts: &Parts, body: &Value) -> Option<String> {
    let signature = signature(hook)?;
    webhook::message_id(signature, &Delivery { headers: &headers(parts), urls: &[], body: &[], now: 0 }, body)
}

pub fn signature(hook: &Hook) -> Option<&Signature> {
    hook.webhook().and_then(|webhook| webhook.signature.as_ref())
}

fn headers(parts: &Parts) -> Vec<(&str, &[u8])> {
    parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

pub fn rejected(unproven: &Unproven) -> Box<Problem> {
    let detail = match unproven {
        // What is set up here is nothing that a stranger should read.
        Unproven::NoSecret => "this delivery cannot be checked: its trigger has no secret to check it by".to_owned(),
        other => format!("this delivery is not taken: {other}"),
    };
    Problem::new(StatusCode::UNAUTHORIZED, "SIGNATURE_REJECTED", detail)
}

/// What the sender may have called, as our public address has it: services write the usual port or leave it out.
fn addresses(public: &str, path: &str) -> Vec<String> {
    let mut addresses = vec![format!("{public}{path}")];
    if let Ok(url) = Url::parse(public)
        && let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default())
    {
        let prefix = url.path().trim_end_matches('/');
        addresses.push(format!("{}://{host}:{port}{prefix}{path}", url.scheme()));
        addresses.push(format!("{}://{host}{prefix}{path}", url.scheme()));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn an_address_with_and_without_its_port() {
        assert_eq!(
            addresses("https://ms.example", "/api/webhook/a?b=1"),
            ["https://ms.example/api/webhook/a?b=1", "https://ms.example:443/api/webhook/a?b=1", "https://ms.example/api/webhook/a?b=1"]
        );
        assert_eq!(
            addresses("http://ms.example:8080/sub", "/x"),
            ["http://ms.example:8080/sub/x", "http://ms.example:8080/sub/x", "http://ms.example/sub/x"]
        );
    }
}
