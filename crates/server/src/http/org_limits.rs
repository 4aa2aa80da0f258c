//! An organization's limits: how many of its runs may be at work.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::store::{MOST_PLACES, places_in_force};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::organizations::record;
use super::problem::{Problem, Refusable};
use super::reply::Reply;

#[derive(Serialize, ToSchema)]
pub struct OrganizationLimitsAnswer {
    limits: OrganizationLimits,
}

/// How many of the organization's runs may be at work, over all nodes. Queued, waiting and paused runs do not count.
#[derive(Serialize, ToSchema)]
pub struct OrganizationLimits {
    /// Its own limit; `null` where it has none.
    #[schema(example = 8)]
    runs_at_work: Option<u32>,
    /// What the operator lets every organization have; `null`: as many as there are.
    #[schema(example = 20)]
    operator: Option<u32>,
    /// The lower of the two.
    #[schema(example = 8)]
    in_force: Option<u32>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationLimitsWrite {
    /// 1 to what the operator lets every organization have; `null` takes the organization's own limit away.
    #[schema(example = 8, minimum = 1, maximum = 100_000)]
    #[serde(deserialize_with = "Option::deserialize")]
    runs_at_work: Option<u32>,
}

/// How many runs of the organization may be at work
#[utoipa::path(get, path = "/api/organizations/{id}/limits", tag = "organizations", params(("id" = String, Path)),
    responses((status = 200, body = OrganizationLimitsAnswer)))]
pub async fn get_organization_limits(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    answer(&api, &caller).await
}

/// Limit how many runs of the organization may be at work
///
/// Runs that are one too many stay queued, in the order of priority and age. Whoever is at work stays so; other nodes know of a new limit
/// within 5 s.
#[utoipa::path(put, path = "/api/organizations/{id}/limits", tag = "organizations", params(("id" = String, Path)),
    request_body = OrganizationLimitsWrite, responses((status = 200, body = OrganizationLimitsAnswer)))]
pub async fn set_organization_limits(State(api): Shared, write: Write<OrganizationLimitsWrite>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let org = caller.owner.org;
    let most = api.store.places_of_each().unwrap_or(MOST_PLACES).min(MOST_PLACES);
    if let Some(places) = body.runs_at_work
        && !(1..=most).contains(&places)
    {
        let message = format!("a limit is a whole number from 1 to {most}, or null for none of its own");
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/runs_at_work", message)));
    }
    let known = record(&api, org).await?;
    if api.store.organization(org).await?.is_none() {
        // The local one may have no record yet.
        api.store.put_organization(&known).await?;
    }
    let before = api.store.set_own_places(org, body.runs_at_work).await?;
    let told = |places: Option<u32>| Some(json!({ "runs_at_work": places }));
    api.audit(&caller, "", Target::new("organization", org), told(before), told(body.runs_at_work));
    api.engine.places_changed(org).await?;
    answer(&api, &caller).await
}

async fn answer(api: &Api, caller: &Caller) -> Refusable<Reply> {
    let (own, operator) = (api.store.own_places(caller.owner.org).await?, api.store.places_of_each());
    let limits = OrganizationLimits { runs_at_work: own, operator, in_force: places_in_force(own, operator) };
    Ok(Reply::json(StatusCode::OK, &OrganizationLimitsAnswer { limits }))
}
