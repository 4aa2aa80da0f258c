//! Rules of notifications: who is told of what, by mail, webhook or in the program itself.

use axum::extract::State;
use http::StatusCode;
use mainspring_engine::SealError;
use mainspring_model::Problem as Finding;
use mainspring_model::id::NotificationRuleId;
use mainspring_model::role::Permission;
use mainspring_model::store::{NotificationRuleRecord, SealedRow, SealedTable};
use mainspring_providers::egress::Request as Outgoing;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{BareWrite, Write};
use super::caller::Caller;
use super::idempotency::once;
use super::path::PathId;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};
use crate::mail;
use crate::notify::{self, Channel, MOST_FAILURES, MOST_THROTTLE, Rule};

/// More rules than this nobody oversees.
const MOST: usize = 100;

#[derive(Serialize, ToSchema)]
pub struct NotificationRules {
    notification_rules: Vec<NotificationRule>,
}

#[derive(Serialize, ToSchema)]
pub struct NotificationRule {
    id: Id,
    name: String,
    #[serde(flatten)]
    definition: Rule,
    created_at: Time,
    updated_at: Time,
}

#[derive(Deserialize, ToSchema)]
pub struct NotificationRuleWrite {
    name: String,
    #[serde(flatten)]
    definition: Rule,
}

/// A rule with the secret that its webhooks are signed with, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct NotificationRuleSaved {
    notification_rule: NotificationRule,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

fn shown(record: &NotificationRuleRecord) -> Option<NotificationRule> {
    let definition = serde_json::from_value(record.definition.clone()).ok()?;
    let (created_at, updated_at) = (Time(record.created_at), Time(record.updated_at));
    Some(NotificationRule { id: record.id.into(), name: record.name.clone(), definition, created_at, updated_at })
}

/// Rules for the whole organization are an admin's.
const WHOLE: Permission = Permission::OrganizationUpdate;

/// The caller's own, and those for the whole organization when the caller manages it.
async fn of(api: &Api, caller: &Caller) -> Refusable<Vec<NotificationRuleRecord>> {
    let all = api.store.notification_rules(caller.owner.org).await?;
    let theirs = |record: &NotificationRuleRecord| {
        record.owner.user == caller.owner.user || (record.definition["whole_organization"] == true && caller.may(WHOLE))
    };
    Ok(all.into_iter().filter(theirs).collect())
}

async fn find(api: &Api, caller: &Caller, id: NotificationRuleId) -> Refusable<NotificationRuleRecord> {
    let found = of(api, caller).await?.into_iter().find(|record| record.id == id);
    found.ok_or_else(|| Problem::not_found("a notification rule with that id"))
}

fn check(caller: &Caller, name: &str, rule: &Rule) -> Refusable<()> {
    let mut findings = Vec::new();
    let mut wrong = |pointer: &str, message: String| findings.push(Finding::new("INVALID_VALUE", pointer, message));
    if name.trim().is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        wrong("/name", "a name is plain text of 1 to 100 characters".to_owned());
    }
    if rule.events.is_empty() {
        wrong("/events", "say what it tells of, such as [\"run.failed\"]".to_owned());
    }
    if rule.throttle_minutes > MOST_THROTTLE {
        wrong("/throttle_minutes", format!("minutes between two messages are 0 to {MOST_THROTTLE}"));
    }
    if rule.failures == 0 || rule.failures > MOST_FAILURES {
        wrong("/failures", format!("failures in a row are 1 to {MOST_FAILURES}"));
    }
    if rule.plans.len() > MOST {
        wrong("/plans", format!("a rule names at most {MOST} plans; leave the list empty for all"));
    }
    match rule.channel {
        Channel::Mail if !mail::is_address(&rule.to) => wrong("/to", "write an address of mail, such as ada@example.com".to_owned()),
        Channel::Webhook => match Outgoing::parse_url(&rule.to) {
            Err(fault) => wrong("/to", fault.message),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => wrong("/to", "write an http or https URL".to_owned()),
            Ok(_) => {}
        },
        Channel::App if !rule.to.is_empty() => wrong("/to", "the channel app tells whoever made the rule; leave \"to\" out".to_owned()),
        _ => {}
    }
    if !findings.is_empty() {
        return Err(Problem::invalid_all(findings));
    }
    if rule.whole_organization { caller.demand(WHOLE) } else { Ok(()) }
}

/// The caller's notification rules
#[utoipa::path(get, path = "/api/notification-rules", tag = "notifications", responses((status = 200, body = NotificationRules)))]
pub async fn list_notification_rules(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let notification_rules = of(&api, &caller).await?.iter().filter_map(shown).collect();
    Ok(Reply::ok(&NotificationRules { notification_rules }))
}

/// Make a notification rule; a webhook's signing secret is shown this once
#[utoipa::path(post, path = "/api/notification-rules", tag = "notifications", params(("Idempotency-Key" = Option<String>, Header)),
    request_body = NotificationRuleWrite, responses((status = 201, body = NotificationRuleSaved)))]
pub async fn create_notification_rule(State(api): Shared, write: Write<NotificationRuleWrite>) -> Refusable<Reply> {
    let Write { caller, body, once: key, .. } = write;
    let saving = api.clone();
    once(api, caller, key, async move {
        let NotificationRuleWrite { name, definition } = body;
        check(&caller, &name, &definition)?;
        if saving.store.notification_rules(caller.owner.org).await?.len() >= MOST {
            return Err(Problem::conflict(format!("an organization has at most {MOST} notification rules; remove one first")));
        }
        let (id, now) = (NotificationRuleId(saving.engine.new_id()), saving.clock.now());
        let record = NotificationRuleRecord {
            id,
            owner: caller.owner,
            name,
            definition: json(&definition),
            secrets: None,
            created_at: now,
            updated_at: now,
        };
        let told = told(&record);
        let reply = save(&saving, record, definition.channel == Channel::Webhook, StatusCode::CREATED).await?;
        saving.audit(&caller, "", Target::new("notification_rule", id), None, Some(told));
        Ok(reply)
    })
    .await
}

/// Change a notification rule
#[utoipa::path(put, path = "/api/notification-rules/{id}", tag = "notifications", params(("id" = String, Path)),
    request_body = NotificationRuleWrite, responses((status = 200, body = NotificationRuleSaved)))]
pub async fn update_notification_rule(
    State(api): Shared,
    PathId(id): PathId<NotificationRuleId>,
    write: Write<NotificationRuleWrite>,
) -> Refusable<Reply> {
    let Write { caller, body: NotificationRuleWrite { name, definition }, .. } = write;
    check(&caller, &name, &definition)?;
    let before = find(&api, &caller, id).await?;
    let was = told(&before);
    let fresh = definition.channel == Channel::Webhook && before.secrets.is_none();
    let record = NotificationRuleRecord { name, definition: json(&definition), updated_at: api.clock.now(), ..before };
    let told = told(&record);
    let reply = save(&api, record, fresh, StatusCode::OK).await?;
    api.audit(&caller, "", Target::new("notification_rule", id), Some(was), Some(told));
    Ok(reply)
}

/// Make a new signing secret; for a day webhooks are signed with the one before as well
#[utoipa::path(post, path = "/api/notification-rules/{id}/rotate-secret", tag = "notifications", params(("id" = String, Path)),
    responses((status = 200, body = NotificationRuleSaved)))]
pub async fn rotate_notification_secret(State(api): Shared, PathId(id): PathId<NotificationRuleId>, write: BareWrite) -> Refusable<Reply> {
    let before = find(&api, &write.caller, id).await?;
    if before.definition["channel"] != "webhook" {
        return Err(Problem::conflict("only webhooks are signed"));
    }
    let record = NotificationRuleRecord { updated_at: api.clock.now(), ..before };
    let told = told(&record);
    let reply = save(&api, record, true, StatusCode::OK).await?;
    api.audit(&write.caller, "", Target::new("notification_rule", id), None, Some(told));
    Ok(reply)
}

/// Remove a notification rule; what it has still to tell is dropped
#[utoipa::path(delete, path = "/api/notification-rules/{id}", tag = "notifications", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete_notification_rule(State(api): Shared, caller: Caller, PathId(id): PathId<NotificationRuleId>) -> Refusable<Reply> {
    let record = find(&api, &caller, id).await?;
    api.store.delete_notification_rule(record.owner.org, id).await?;
    api.audit(&caller, "", Target::new("notification_rule", id), Some(told(&record)), None);
    Ok(Reply::no_content())
}

/// What the audit log says of a rule: not to whom, since that is somebody's address or may have a secret in it.
fn told(record: &NotificationRuleRecord) -> serde_json::Value {
    let part = |name: &str| record.definition.get(name).cloned().unwrap_or_default();
    serde_json::json!({
        "name": record.name, "events": part("events"), "channel": part("channel"), "plans": part("plans"),
        "whole_organization": part("whole_organization"), "enabled": part("enabled"),
    })
}

async fn save(api: &Api, mut record: NotificationRuleRecord, new_secret: bool, status: StatusCode) -> Refusable<Reply> {
    let org = record.owner.org;
    let mut secret = None;
    if new_secret {
        let seal = async {
            let before = match &record.secrets {
                Some(sealed) => notify::open_secrets(api.engine.credentials(), org, record.id, sealed).await?,
                None => Vec::new(),
            };
            let new = notify::new_secret(&api.vault)?;
            let live = notify::rotated(&before, new.clone(), api.clock.now());
            Ok::<_, SealError>((new, notify::seal_secrets(api.engine.credentials(), org, record.id, &live).await?.bytes()))
        };
        let (new, sealed) = seal.await?;
        api.redactor.add(new.expose());
        (secret, record.secrets) = (Some(new.expose().to_owned()), Some(sealed));
    }
    api.store.put_notification_rule(&record).await?;
    if let Some(sealed) = &record.secrets {
        let row = SealedRow::one(SealedTable::NotificationRules, org, None, record.id.0, sealed.clone());
        api.engine.credentials().written(&row).await?;
    }
    let notification_rule = shown(&record).ok_or_else(|| Problem::internal("a rule that was just checked does not read"))?;
    Ok(Reply::json(status, &NotificationRuleSaved { notification_rule, secret }))
}

fn json(rule: &Rule) -> serde_json::Value {
    serde_json::to_value(rule).unwrap_or_default()
}
