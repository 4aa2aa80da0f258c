//! Whether a webhook's caller knows the secret that a trigger asks for; compared in a time that tells nothing of it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainspring_model::credential::Credential;
use mainspring_model::plan::trigger::WebhookAuth;
use mainspring_vault::TokenHash;
use sha2::{Digest, Sha256};

use super::api::Api;
use super::problem::{Problem, Refusable};
use crate::webhooks::Hook;

/// The triggers that the caller may start.
pub struct Admitted {
    pub hooks: Vec<Arc<Hook>>,
    /// Headers, by lower-case name, that carried a secret: they must not be journalled.
    pub secret_headers: Vec<String>,
}

/// Where a trigger's credential is looked for: it has the fields of both.
const PROVIDERS: [&str; 2] = ["webhook", "http"];

/// Lets through the triggers whose secret the caller knows.
///
/// # Errors
/// 401 when there are some and it knows none of theirs.
pub async fn admitted(api: &Api, headers: &HeaderMap, hooks: Vec<Arc<Hook>>) -> Refusable<Admitted> {
    let mut admitted = Admitted { hooks: Vec::with_capacity(hooks.len()), secret_headers: Vec::new() };
    let mut wanted = None;
    for hook in hooks {
        let auth = hook.webhook().map_or(WebhookAuth::None, |webhook| webhook.auth);
        if auth == WebhookAuth::None {
            admitted.hooks.push(hook);
            continue;
        }
        wanted = wanted.or(Some(auth));
        let Some(credential) = credential(api, &hook).await? else {
            tracing::warn!(plan = %hook.plan.id, trigger = hook.trigger().id, "a webhook's credential is not there; its calls are refused");
            continue;
        };
        admitted.secret_headers.extend(credential.field("header_name").map(str::to_ascii_lowercase));
        if knows(auth, headers, &credential) {
            admitted.hooks.push(hook);
        }
    }
    match wanted {
        Some(auth) if admitted.hooks.is_empty() => Err(unauthorized(auth)),
        _ => Ok(admitted),
    }
}

/// The credential that the trigger names; `None` where there is none that can be opened now.
pub(super) async fn credential(api: &Api, hook: &Hook) -> Refusable<Option<Credential>> {
    let name = hook.trigger().credential.as_deref();
    for provider in PROVIDERS {
        let Some(record) = api.store.find_credential(&hook.owner, provider, name).await? else { continue };
        if record.expires_at.is_some_and(|at| at <= api.clock.now()) {
            continue;
        }
        let credentials = api.engine.credentials();
        let opened = credentials.open_record(&record).await.map_err(Problem::internal)?;
        return match credentials.resolved(&record, opened).await {
            Ok(credential) => Ok(Some(credential)),
            Err(fault) => {
                tracing::warn!(plan = %hook.plan.id, %fault, "a webhook's credential is kept elsewhere and was not got");
                Ok(None)
            }
        };
    }
    Ok(None)
}

pub(super) fn knows(auth: WebhookAuth, headers: &HeaderMap, credential: &Credential) -> bool {
    match auth {
        WebhookAuth::None => true,
        WebhookAuth::Basic => {
            let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
            let given = given
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
                .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok());
            // Without a user name there is nothing to know, and nobody knows it.
            let Some(username) = credential.field("username") else { return false };
            let expected = format!("{username}:{}", credential.field("password").unwrap_or_default());
            given.is_some_and(|given| same(&given, expected.as_bytes()))
        }
        WebhookAuth::Header => {
            let (Some(name), Some(expected)) = (credential.field("header_name"), credential.field("header_value")) else { return false };
            headers.get(name).is_some_and(|given| same(given.as_bytes(), expected.as_bytes()))
        }
    }
}

/// Over hashes, so that not even the length shows.
pub(super) fn same(given: &[u8], expected: &[u8]) -> bool {
    TokenHash(Sha256::digest(given).into()) == TokenHash(Sha256::digest(expected).into())
}

pub(super) fn unauthorized(auth: WebhookAuth) -> Box<Problem> {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "this webhook asks for a credential that the call does not have");
    match auth {
        WebhookAuth::Basic => {
            problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"webhook\", charset=\"UTF-8\""))
        }
        WebhookAuth::Header | WebhookAuth::None => problem,
    }
}
