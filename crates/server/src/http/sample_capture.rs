//! What is sent to a webhook's test address: checked as a delivery is, kept for the plan's author to look at, and nothing is started.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use mainspring_engine::TestAddress;
use mainspring_model::id::PlanId;
use mainspring_model::plan::trigger::{Webhook, WebhookAuth};
use serde_json::json;

use super::api::Api;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::webhook_form::WebhookForm;
use super::webhook_request::Called;
use super::{body, edge, resting, webhook_auth, webhook_challenge, webhook_signature};
use crate::webhooks::Hook;

/// Headers that are no secret, whatever a trigger asks for.
const PLAIN_HEADERS: [&str; 4] = ["content-length", "content-type", "host", "user-agent"];
/// The largest body that is kept, in bytes.
const MOST_BYTES: usize = 256 << 10;

pub async fn capture(api: &Arc<Api>, token: &str, parts: Parts, content: Body) -> Refusable<Response> {
    let unknown =
        || Problem::not_found("this test address: it is wrong, or its time is over; \"mainspring plan listen\" makes another one");
    let address = TestAddress::parse(token).ok_or_else(unknown)?;
    let plan = api.store.get_plan(address.org, address.plan).await?.ok_or_else(unknown)?;
    resting::refuse(api, plan.owner.org).await.map_err(|_| unknown())?;
    if address.until <= api.clock.now() || !api.engine.proves_test(&address).await.map_err(Problem::internal)? {
        return Err(unknown());
    }
    let version = plan.draft.unwrap_or(plan.version);
    let loaded = api.engine.plan(&plan.owner, plan.id, version).await?;
    let hook = Hook::of(plan.owner, loaded, &address.trigger).map(Arc::new).ok_or_else(unknown)?;
    if !api.engine.takes_samples(&address).await? {
        return Err(full(plan.id));
    }
    let content = body::read(api, content).await?;
    if content.len() > MOST_BYTES {
        let detail = format!("a test address keeps bodies of at most {MOST_BYTES} bytes; this one has {}", content.len());
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", detail));
    }
    let (verdict, secret_headers) = judged(api, &hook, &parts, &content).await?;
    let path = hook.webhook().map(|webhook| webhook.path.clone()).unwrap_or_default();
    let read = match WebhookForm::read(api, &parts.headers, &content).await {
        // Its files are not kept.
        Ok(Some(form)) => Ok(Called::with(&parts, path.clone(), &secret_headers, form.shown())),
        Ok(None) => Called::read(&parts, path.clone(), &content, &secret_headers),
        Err(broken) => Err(broken),
    };
    let (called, verdict) = match read {
        Ok(called) => (called, verdict),
        Err(unread) => (Called::unread(&parts, path, &content, &secret_headers), verdict.err().map_or(Err(unread), Err)),
    };
    if verdict.is_ok()
        && let Some(answer) = webhook_challenge::answer(std::slice::from_ref(&hook), called.body())
    {
        return Ok(answer);
    }
    let refused = verdict.as_ref().err().map(|problem| json!({"code": problem.code, "detail": problem.detail}));
    let sample = json!({"trigger": called.into_seen(&hook.trigger().id), "refused": refused});
    let Some(kept) = api.engine.keep_sample(&address, sample).await? else {
        return Err(full(plan.id));
    };
    verdict?;
    Ok(Reply::json(StatusCode::ACCEPTED, &json!({"sample_id": kept.id, "runs": []})).into_response())
}

fn full(plan: PlanId) -> Box<Problem> {
    let detail = format!("this test address has taken as many samples as it takes; make another one (POST /api/plans/{plan}/test-address)");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", detail)
}

/// What the webhook's own address would say to it before it starts anything, and the headers that are not to be kept.
async fn judged(api: &Arc<Api>, hook: &Arc<Hook>, parts: &Parts, content: &Bytes) -> Refusable<(Refusable<()>, Vec<String>)> {
    let Some(webhook) = hook.webhook() else { return Ok((Ok(()), Vec::new())) };
    let signature = webhook.signature.as_ref();
    let credential = match (webhook.auth, signature) {
        (WebhookAuth::None, None) => None,
        _ => webhook_auth::credential(api, hook).await?,
    };
    let mut secret_headers: Vec<String> = signature.and_then(webhook_signature::secret_header).into_iter().collect();
    secret_headers.extend(credential.as_ref().and_then(|credential| credential.field("header_name")).map(str::to_ascii_lowercase));
    if webhook.auth == WebhookAuth::Header && credential.as_ref().is_none_or(|credential| credential.field("header_name").is_none()) {
        // Which header is the secret one is not known, so none is kept but what says nothing of the sender.
        let named = parts.headers.keys().map(|name| name.as_str().to_owned());
        secret_headers.extend(named.filter(|name| !PLAIN_HEADERS.contains(&name.as_str())));
    }
    let knows = match (&credential, webhook.auth) {
        (_, WebhookAuth::None) => true,
        (Some(credential), auth) => webhook_auth::knows(auth, &parts.headers, credential),
        (None, _) => false,
    };
    let verdict = if !takes(webhook, parts) {
        Err(edge::method_not_allowed(&webhook.methods.join(",")))
    } else if !knows {
        Err(webhook_auth::unauthorized(webhook.auth))
    } else {
        match signature.map(|signature| webhook_signature::verdict(api, signature, credential.as_ref(), parts, content)) {
            Some(Err(unproven)) => Err(webhook_signature::rejected(&unproven)),
            _ => Ok(()),
        }
    };
    Ok((verdict, secret_headers))
}

fn takes(webhook: &Webhook, parts: &Parts) -> bool {
    webhook.methods.iter().any(|method| method == parts.method.as_str())
}
