//! An organization's own list of hosts: with entries in it, its plans reach nothing else.

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::store::EgressRuleRecord;
use mainspring_providers::egress::AllowedHost;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::Shared;
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::path::PathName;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};
use crate::egress_rules;

/// Characters of a note.
const NOTE: usize = 500;

#[derive(Serialize, ToSchema)]
pub struct EgressRuleList {
    /// By host. Without any the operator's rules hold alone.
    rules: Vec<EgressRuleEntry>,
    total: usize,
    /// What the operator allows: `strict`, `allow-list` or `dev`.
    #[schema(example = "strict")]
    mode: &'static str,
    /// Whether an entry may open a private address to the organization's plans.
    opens_private: bool,
}

#[derive(Serialize, ToSchema)]
pub struct EgressRuleEntry {
    #[schema(example = "api.example.com")]
    host: String,
    note: String,
    /// Who added it.
    user_id: Id,
    created_at: Time,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EgressRuleWrite {
    /// A name, `*.domain`, an address or a range, with `:port` if only one is meant.
    #[schema(example = "api.example.com")]
    host: String,
    #[serde(default)]
    note: String,
}

impl From<EgressRuleRecord> for EgressRuleEntry {
    fn from(record: EgressRuleRecord) -> EgressRuleEntry {
        let EgressRuleRecord { host, note, user, created_at, .. } = record;
        EgressRuleEntry { host, note, user_id: user.into(), created_at: Time(created_at) }
    }
}

/// The hosts that the organization's plans may reach
#[utoipa::path(get, path = "/api/organization/egress", tag = "egress", responses((status = 200, body = EgressRuleList)))]
pub async fn list_egress_rules(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let rules = api.store.list_egress_rules(caller.owner.org).await?;
    let policy = api.egress.policy();
    let rules: Vec<EgressRuleEntry> = rules.into_iter().map(EgressRuleEntry::from).collect();
    Ok(Reply::ok(&EgressRuleList { total: rules.len(), rules, mode: policy.mode.as_str(), opens_private: policy.orgs_open_private }))
}

/// Add a host to the organization's list
///
/// The first entry closes everything else to the organization's plans.
#[utoipa::path(post, path = "/api/organization/egress", tag = "egress", request_body = EgressRuleWrite, responses((status = 201, body = EgressRuleEntry)))]
pub async fn add_egress_rule(State(api): Shared, write: Write<EgressRuleWrite>) -> Refusable<Reply> {
    let Write { caller, body: EgressRuleWrite { host, note }, .. } = write;
    let host = parsed(&host)?;
    if note.chars().count() > NOTE {
        let message = format!("a note has at most {NOTE} characters");
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/note", message)));
    }
    let known = api.store.list_egress_rules(caller.owner.org).await?;
    if known.len() >= egress_rules::MOST && !known.iter().any(|rule| rule.host == host) {
        return Err(Problem::conflict(format!(
            "the list has {} entries, the most that there can be; remove some, or write ranges",
            known.len()
        )));
    }
    let record = EgressRuleRecord { org: caller.owner.org, host, note, user: caller.owner.user, created_at: api.clock.now() };
    api.store.put_egress_rule(&record).await?;
    let after = json!({ "host": record.host, "note": record.note });
    api.audit(&caller, "", Target::new("egress_rule", &record.host), None, Some(after));
    egress_rules::reload(&api.egress, &*api.store).await?;
    Ok(Reply::json(http::StatusCode::CREATED, &EgressRuleEntry::from(record)))
}

/// Remove a host from the organization's list
///
/// Without any entry the operator's rules hold alone again.
#[utoipa::path(delete, path = "/api/organization/egress/{host}", tag = "egress", params(("host" = String, Path)), responses((status = 204)))]
pub async fn remove_egress_rule(State(api): Shared, caller: Caller, PathName(host): PathName) -> Refusable<Reply> {
    let host = host.parse::<AllowedHost>().map_or(host, |host| host.to_string());
    if !api.store.delete_egress_rule(caller.owner.org, &host).await? {
        return Err(Problem::not_found(format_args!("the entry \"{}\"", host.chars().take(60).collect::<String>())));
    }
    api.audit(&caller, "", Target::new("egress_rule", &host), Some(json!({ "host": host })), None);
    egress_rules::reload(&api.egress, &*api.store).await?;
    Ok(Reply::no_content())
}

/// The one spelling of an entry.
fn parsed(text: &str) -> Refusable<String> {
    let wrong = |message: String| Problem::invalid(Finding::new("INVALID_VALUE", "/host", message).expected("api.example.com"));
    // No name is longer, and no address.
    if text.len() > 270 {
        return Err(wrong("no host name is as long as that".to_owned()));
    }
    text.parse::<AllowedHost>().map(|host| host.to_string()).map_err(|error| wrong(error.to_string()))
}
