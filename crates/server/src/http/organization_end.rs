//! The end of an organization: asked for, waited for, and taken back in time.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::api::Shared;
use super::audit::Target;
use super::body::BareWrite;
use super::caller::Caller;
use super::organizations::{OrganizationAnswer, answer, record};
use super::problem::{Problem, Refusable};
use super::query::Query;
use super::reply::Reply;
use super::shape::Time;
use crate::erasure;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteOrganizationQuery {
    /// Its slug, so that nobody deletes the wrong one.
    confirm: Option<String>,
}

/// Delete an organization with everything in it
///
/// Its runs are cancelled and its schedules and webhooks rest at once. After the grace that the operator set, every row of it is
/// removed, its keys first; until then an owner can restore it.
#[utoipa::path(delete, path = "/api/organizations/{id}", tag = "organizations", params(("id" = String, Path), DeleteOrganizationQuery),
    responses((status = 202, body = OrganizationAnswer)))]
pub async fn delete_organization(State(api): Shared, caller: Caller, Query(query): Query<DeleteOrganizationQuery>) -> Refusable<Reply> {
    let org = caller.owner.org;
    let known = record(&api, org).await?;
    if org == OrgId::LOCAL {
        return Err(Problem::conflict("the local organization belongs to the program itself; delete its plans and credentials instead"));
    }
    if query.confirm.as_deref() != Some(known.slug.as_str()) {
        let message = format!("write the organization's slug to confirm: ?confirm={}", known.slug);
        return Err(Problem::invalid(Finding::new("CONFIRMATION_MISSING", "confirm", message)));
    }
    let grace = Millis::try_from(api.mode.grace.as_millis()).unwrap_or(Millis::MAX);
    let erase_at = api.clock.now().saturating_add(grace);
    api.store.set_erasure(org, Some(erase_at)).await?;
    api.resting.forget(&org);
    api.standing_changed();
    let target = || Target::new("organization", org);
    let after = Some(json!({ "erase_at": Time(erase_at).text(), "slug": known.slug }));
    if grace > 0 {
        api.audit(&caller, "delete_organization", target(), None, after.clone());
    }
    // The organization's own log goes with it.
    let nowhere = Caller { owner: mainspring_model::id::Owner { org: OrgId::INSTALLATION, ..caller.owner }, ..caller };
    api.audit(&nowhere, "delete_organization", target(), None, after);
    let answer = answer(&api, &caller, StatusCode::ACCEPTED).await;
    erasure::stop_runs(&api.app, org, &caller.owner.user.to_string()).await?;
    if grace == 0 {
        let app: Arc<crate::app::App> = api.app.clone();
        tokio::spawn(async move { erasure::erase(&app, org).await });
    }
    answer
}

/// Keep an organization that was to be removed
#[utoipa::path(post, path = "/api/organizations/{id}/restore", tag = "organizations", params(("id" = String, Path)),
    responses((status = 200, body = OrganizationAnswer)))]
pub async fn restore_organization(State(api): Shared, write: BareWrite) -> Refusable<Reply> {
    let caller = write.caller;
    let org = caller.owner.org;
    match api.store.erasure_of(org).await? {
        None => return Err(Problem::conflict("the organization is not to be removed")),
        Some(at) if at <= api.clock.now() => return Err(Problem::conflict("its removal has begun and cannot be undone")),
        Some(_) => {}
    }
    api.store.set_erasure(org, None).await?;
    api.resting.forget(&org);
    api.audit(&caller, "restore_organization", Target::new("organization", org), None, None);
    answer(&api, &caller, StatusCode::OK).await
}
