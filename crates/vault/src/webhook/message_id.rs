//! What a service calls one message, however often it delivers it.

use mainspring_model::plan::signature::{Service, Signature};
use serde_json::Value;

use super::Delivery;

/// The id of the message, where its sender writes one. Those in the body, and Standard Webhooks' own, are signed; the others are as
/// good as the path that they came by.
pub fn message_id(signature: &Signature, delivery: &Delivery<'_>, body: &Value) -> Option<String> {
    let Signature::Service(service) = signature else { return None };
    let header = |name: &str| delivery.text(name).ok().filter(|text| !text.is_empty()).map(str::to_owned);
    let field = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    match service {
        Service::Github => header("x-github-delivery"),
        // The earlier `X-Gitlab-Event-UUID` is shared by events that one webhook causes through another: it is none.
        Service::Gitlab => header("webhook-id").or_else(|| header("idempotency-key")),
        Service::Stripe => field("id"),
        Service::Slack => field("event_id"),
        // One change in a shop is told under several topics.
        Service::Shopify => {
            let event = header("x-shopify-event-id").or_else(|| header("x-shopify-webhook-id"))?;
            Some(format!("{}/{event}", header("x-shopify-topic").unwrap_or_default()))
        }
        Service::Twilio => header("i-twilio-idempotency-token"),
        Service::Linear => header("linear-delivery"),
        Service::Discord => field("id"),
        Service::Zendesk => header("x-zendesk-webhook-invocation-id"),
        Service::Typeform => field("event_id"),
        Service::StandardWebhooks => header("webhook-id").or_else(|| header("svix-id")),
    }
}
