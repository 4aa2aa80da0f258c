//! Which fields of run data an organization hides from whom.

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::hidden::HiddenField;
use mainspring_model::role::Role;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::Shared;
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::problem::{Problem, Refusable};
use super::reply::Reply;

/// The fields that are hidden, all of them.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HiddenFields {
    fields: Vec<HiddenFieldBody>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = HiddenField)]
#[serde(deny_unknown_fields)]
pub struct HiddenFieldBody {
    /// Its name in any case of letters; `*` at either end stands for anything.
    #[schema(example = "*email*")]
    field: String,
    /// The least role that sees it: member, admin or owner.
    #[schema(value_type = String, example = "admin")]
    least: Role,
}

const MOST: usize = 100;

/// Which fields of runs are hidden, and from which role on they are seen
#[utoipa::path(get, path = "/api/organization/hidden-fields", tag = "organizations", responses((status = 200, body = HiddenFields)))]
pub async fn get_hidden_fields(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let rules = api.store.hidden_fields(caller.owner.org).await?;
    let fields = rules.into_iter().map(|rule| HiddenFieldBody { field: rule.field, least: rule.least }).collect();
    Ok(Reply::ok(&HiddenFields { fields }))
}

/// Hide fields of runs
///
/// The list replaces the one before. It holds at once here and within 5 s on other nodes, for runs of the past as well; nothing is
/// removed from what is stored.
#[utoipa::path(put, path = "/api/organization/hidden-fields", tag = "organizations", request_body = HiddenFields, responses((status = 200, body = HiddenFields)))]
pub async fn set_hidden_fields(State(api): Shared, write: Write<HiddenFields>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let mut findings = Vec::new();
    let mut rules = Vec::new();
    for (index, field) in body.fields.iter().enumerate() {
        let rule = HiddenField { field: field.field.clone(), least: field.least };
        match rule.problem() {
            Some(problem) => findings.push(Finding::new("INVALID_VALUE", format!("/fields/{index}"), problem)),
            None => rules.push(rule),
        }
    }
    if rules.len() > MOST {
        findings.push(Finding::new("INVALID_VALUE", "/fields", format!("at most {MOST} fields")));
    }
    if !findings.is_empty() {
        return Err(Problem::invalid_all(findings));
    }
    let before = api.store.hidden_fields(caller.owner.org).await?;
    api.store.put_hidden_fields(caller.owner.org, &rules).await?;
    let told = |rules: &[HiddenField]| {
        let rules = rules.iter().map(|rule| json!({ "field": rule.field, "least": rule.least }));
        Some(json!({ "fields": rules.collect::<Vec<_>>() }))
    };
    api.audit(&caller, "", Target::new("hidden_fields", caller.owner.org), told(&before), told(&rules));
    api.hidden.forget(&caller.owner.org);
    Ok(Reply::ok(&body))
}
