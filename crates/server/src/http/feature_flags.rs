//! Feature flags: everybody sees what holds for them and why; an operator says what holds for whom.

use axum::extract::State;
use mainspring_model::Problem as Finding;
use mainspring_model::flag::{Flag, Judged};
use mainspring_model::id::{OrgId, Owner, UserId};
use mainspring_model::store::FlagRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::path::PathName;
use super::problem::{Problem, Refusable};
use super::query::{self, Query};
use super::reply::Reply;
use super::shape::{Id, Time};
use crate::flags::DECLARED;

#[derive(Serialize, ToSchema)]
pub struct FeatureFlags {
    feature_flags: Vec<FeatureFlag>,
    judged_for: JudgedFor,
}

/// Whom the flags were judged for.
#[derive(Serialize, ToSchema)]
pub struct JudgedFor {
    user_id: Id,
    organization_id: Id,
    /// The program's own defaults are those of dev mode, as for every command on a data folder.
    dev_mode: bool,
}

/// A flag as it holds for one caller.
#[derive(Serialize, ToSchema)]
pub struct FeatureFlag {
    name: String,
    description: String,
    on: bool,
    /// What decided: `kill_switch`, `user`, `organization`, `target_user`, `target_organization`, `rollout`, `global`, or
    /// `default` when no operator said anything of the flag.
    #[schema(value_type = String)]
    decided_by: mainspring_model::flag::DecidedBy,
    /// What the operator said; only operators see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    definition: Option<Flag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Time>,
}

fn shown(api: &Api, caller: &Caller, whose: &Owner, name: &str, record: Option<FlagRecord>) -> FeatureFlag {
    let Judged { on, by } = api.flags.judge(name, Some(whose));
    let declared = DECLARED.iter().find(|declared| declared.name == name).map(|declared| declared.description);
    let said = record.as_ref().map(|record| record.flag.description.clone()).filter(|text| !text.is_empty());
    let updated_at = record.as_ref().filter(|_| caller.operator).map(|record| Time(record.updated_at));
    FeatureFlag {
        name: name.to_owned(),
        description: said.or_else(|| declared.map(str::to_owned)).unwrap_or_default(),
        on,
        decided_by: by,
        definition: record.filter(|_| caller.operator).map(|record| record.flag),
        updated_at,
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhoseQuery {
    /// For whom; the caller unless written. Operators alone may ask for others.
    for_user: Option<String>,
    /// In which organization; the caller's unless written.
    for_organization: Option<String>,
}

/// # Errors
/// 403 for who asks for somebody else and is no operator.
fn whose(caller: &Caller, asked: &WhoseQuery) -> Refusable<Owner> {
    let user = query::id::<UserId>("for_user", asked.for_user.as_deref())?.unwrap_or(caller.owner.user);
    let org = query::id::<OrgId>("for_organization", asked.for_organization.as_deref())?.unwrap_or(caller.owner.org);
    let whose = Owner { org, user };
    if whose != caller.owner && !caller.operator {
        return Err(Problem::forbidden("only an operator may ask how a flag is for somebody else"));
    }
    Ok(whose)
}

/// Every feature flag, as it holds for the caller, or for whom an operator asks
#[utoipa::path(get, path = "/api/feature-flags", tag = "server", params(WhoseQuery), responses((status = 200, body = FeatureFlags)))]
pub async fn list_feature_flags(State(api): Shared, caller: Caller, Query(asked): Query<WhoseQuery>) -> Refusable<Reply> {
    let whose = whose(&caller, &asked)?;
    let all = api.flags.all().into_iter();
    let feature_flags = all.map(|(name, record)| shown(&api, &caller, &whose, &name, record)).collect();
    let judged_for = JudgedFor { user_id: whose.user.into(), organization_id: Id::of(whose.org.0), dev_mode: api.mode.dev };
    Ok(Reply::ok(&FeatureFlags { feature_flags, judged_for }))
}

/// One feature flag, and which rule decided; one that nobody knows is off
#[utoipa::path(get, path = "/api/feature-flags/{name}", tag = "server", params(("name" = String, Path), WhoseQuery),
    responses((status = 200, body = FeatureFlag)))]
pub async fn get_feature_flag(
    State(api): Shared,
    caller: Caller,
    PathName(name): PathName,
    Query(asked): Query<WhoseQuery>,
) -> Refusable<Reply> {
    let whose = whose(&caller, &asked)?;
    let record = api.flags.all().remove(&name).flatten();
    Ok(Reply::ok(&shown(&api, &caller, &whose, &name, record)))
}

#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = FeatureFlagWrite, value_type = Object)]
pub struct FlagWrite(Value);

/// Say what holds for a feature flag; what was said before is replaced
///
/// `{description, killed, enabled, rollout_percentage, users: {id: on}, organizations: {id: on}, target_users: [id],
/// target_organizations: [id]}`, all of it optional. The first that applies decides, in the order: kill switch, user,
/// organization, targets, percentage, `enabled`.
#[utoipa::path(put, path = "/api/feature-flags/{name}", tag = "server", params(("name" = String, Path)),
    request_body = FlagWrite, responses((status = 200, body = FeatureFlag)))]
pub async fn put_feature_flag(State(api): Shared, PathName(name): PathName, write: Write<FlagWrite>) -> Refusable<Reply> {
    let Write { caller, body: FlagWrite(body), .. } = write;
    let mut letters = name.chars();
    let fits = name.len() <= 100
        && letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !fits {
        return Err(Problem::not_found("a flag of that name: names are lower-case letters, digits and _, and begin with a letter"));
    }
    let flag: Flag = serde_json::from_value(body)
        .map_err(|error| Problem::invalid(Finding::new("INVALID_VALUE", "", format!("this is no flag: {error}"))))?;
    if flag.rollout_percentage.is_some_and(|percentage| percentage > 100) {
        return Err(Problem::invalid(Finding::new("INVALID_VALUE", "/rollout_percentage", "a percentage is a number from 0 to 100")));
    }
    let record = FlagRecord { name: name.clone(), flag, updated_at: api.clock.now(), updated_by: caller.owner.user };
    let before = api.flags.all().remove(&name).flatten().and_then(|before| serde_json::to_value(&before.flag).ok());
    api.store.put_flag(&record).await?;
    api.audit(&caller, "", Target::new("feature_flag", &name), before, serde_json::to_value(&record.flag).ok());
    api.flags.reload(&*api.store).await?;
    Ok(Reply::ok(&shown(&api, &caller, &caller.owner, &name, Some(record))))
}

/// Forget what was said of a feature flag; the program's own default holds again
#[utoipa::path(delete, path = "/api/feature-flags/{name}", tag = "server", params(("name" = String, Path)), responses((status = 204)))]
pub async fn delete_feature_flag(State(api): Shared, PathName(name): PathName, caller: Caller) -> Refusable<Reply> {
    let before = api.flags.all().remove(&name).flatten().and_then(|before| serde_json::to_value(&before.flag).ok());
    if !api.store.delete_flag(&name).await? {
        return Err(Problem::not_found("a feature flag of that name"));
    }
    api.audit(&caller, "", Target::new("feature_flag", &name), before, None);
    api.flags.reload(&*api.store).await?;
    Ok(Reply::no_content())
}
