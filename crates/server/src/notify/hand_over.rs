//! Handing a notification over: by mail, as a signed webhook through the egress guard, or into a person's list.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use mainspring_model::action::Context;
use mainspring_model::id::Owner;
use mainspring_model::store::{Message, NotificationRecord, NotificationRuleRecord};
use mainspring_providers::egress::Request;
use serde_json::json;

use super::rule::Channel;
use super::{Event, Rule, open_secrets, rule, sign};
use crate::app::App;
use crate::http::shape::Time;
use crate::mail::Mail;
use crate::outbox::{Failure, post, read};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Hands a message of a rule over, as the rule says now.
pub(crate) async fn hand_over(app: &App, message: &Message) -> Result<(), Failure> {
    let event: Event = read(app, message).await?;
    let rules = rule::of(app, message.org).await.map_err(|error| Failure::passing(error.to_string()))?;
    let Some((record, rule)) = rules.into_iter().find(|(record, _)| Some(record.id) == message.rule) else {
        return Err(Failure::for_good("its rule is gone"));
    };
    if !belongs(app, &record.owner).await? {
        return Err(Failure::for_good("who made its rule is no member of the organization any more"));
    }
    match rule.channel {
        Channel::Mail => {
            let mail = Mail { to: rule.to, subject: event.title.clone(), text: text(&event, message.others) };
            post(app, &message.id.to_string(), &mail).await
        }
        Channel::App => list(app, message, &record, event).await,
        Channel::Webhook => webhook(app, message, &record, &rule, &event).await,
    }
}

/// Whoever left an organization hears no more of it. The local owner is a member of the local one without a row.
async fn belongs(app: &App, owner: &Owner) -> Result<bool, Failure> {
    let role = app.store.role_of(owner.user, owner.org).await.map_err(|error| Failure::passing(error.to_string()))?;
    Ok(role.is_some() || *owner == Owner::LOCAL)
}

/// What people read.
fn text(event: &Event, others: u32) -> String {
    let more = match others {
        0 => String::new(),
        1 => "\nOne more like this happened meanwhile.\n".to_owned(),
        others => format!("\n{others} more like this happened meanwhile.\n"),
    };
    format!("{}\n{more}\n{} at {}\n", event.text, event.kind.as_str(), Time(event.at).text())
}

async fn list(app: &App, message: &Message, record: &NotificationRuleRecord, event: Event) -> Result<(), Failure> {
    let mut data = event.data;
    data["others"] = json!(message.others);
    let notification = NotificationRecord {
        id: message.id,
        owner: record.owner,
        event: event.kind.as_str().to_owned(),
        title: event.title,
        text: event.text,
        data,
        created_at: event.at,
        read_at: None,
    };
    app.store.put_notification(&notification).await.map_err(|error| Failure::passing(error.to_string()))?;
    app.live.plans_changed(record.owner.org);
    Ok(())
}

async fn webhook(app: &App, message: &Message, record: &NotificationRuleRecord, rule: &Rule, event: &Event) -> Result<(), Failure> {
    let (id, now) = (message.id.to_string(), app.clock.now());
    let mut data = event.data.clone();
    (data["title"], data["text"], data["others"]) = (json!(event.title), json!(event.text), json!(message.others));
    let body = json!({ "type": event.kind.as_str(), "timestamp": Time(event.at), "data": data }).to_string();
    let url = Request::parse_url(&rule.to).map_err(|fault| Failure::for_good(fault.message))?;
    let mut request = Request::new(Method::POST, url);
    request.follow_redirects = false;
    request.timeout = Some(PATIENCE);
    request.max_bytes = Some(64 << 10);
    let header = |request: Request, name: &'static str, value: &str| match HeaderValue::from_str(value) {
        Ok(value) => request.header(HeaderName::from_static(name), value),
        Err(_) => request,
    };
    request = header(request, "content-type", "application/json");
    request = header(request, "webhook-id", &id);
    request = header(request, "webhook-timestamp", &(now / 1_000).to_string());
    if let Some(sealed) = &record.secrets {
        let secrets = open_secrets(app.engine.credentials(), record.owner.org, record.id, sealed)
            .await
            .map_err(|error| Failure::passing(format!("the signing secret cannot be opened: {error}")))?;
        request = header(request, "webhook-signature", &sign(&secrets, &id, now / 1_000, body.as_bytes(), now));
    }
    request.body = Some(Bytes::from(body));
    let cx = Context {
        attempt: message.attempts,
        idempotency_key: id,
        ..Context::apart(record.owner, "notification", app.clock.clone(), PATIENCE)
    };
    let answer = app.egress.send(request, &cx).await.map_err(|fault| Failure::passing(format!("{}: {}", fault.code, fault.message)))?;
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Failure::for_good("the receiver answered 410 Gone")),
        status => Err(Failure::passing(format!("the receiver answered {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::Kind;
    use super::*;

    #[test]
    fn a_mail_says_how_many_others_there_were() {
        let event = Event {
            kind: Kind::RunFailed,
            at: 1_750_000_000_000,
            subject: uuid::Uuid::nil(),
            title: String::new(),
            text: "The run failed.".to_owned(),
            data: Value::Null,
        };
        assert_eq!(text(&event, 0), "The run failed.\n\nrun.failed at 2025-06-15T15:06:40Z\n");
        assert!(text(&event, 1).contains("One more like this") && text(&event, 7).contains("7 more like this"));
    }
}
