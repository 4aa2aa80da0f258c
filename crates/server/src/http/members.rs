//! Members: who is what in an organization, and which organization a request acts in.

use axum::extract::State;
use http::Uri;
use mainspring_model::id::{OrgId, Owner, UserId};
use mainspring_model::role::Role;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{BareWrite, Write};
use super::caller::{By, Caller};
use super::path::PathLast;
use super::permissions::denied;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};

/// Routes of one organization, which the request then acts in.
const OF_ONE: &str = "/api/organizations/{id}";

/// The caller as one of the organization that the path names, if it names one.
///
/// # Errors
/// 404 for an organization that the caller is no member of.
pub async fn within(api: &Api, caller: Caller, route: &str, uri: &Uri) -> Refusable<Caller> {
    if !route.starts_with(OF_ONE) {
        return Ok(caller);
    }
    pick(api, caller, uri.path().split('/').nth(3).unwrap_or_default()).await
}

/// The caller as one of another organization of theirs: by its id, its slug, or `current`.
///
/// # Errors
/// 404 for an organization that the caller is no member of.
pub async fn pick(api: &Api, caller: Caller, wanted: &str) -> Refusable<Caller> {
    let missing = || Problem::not_found(format_args!("the organization \"{}\"", wanted.chars().take(60).collect::<String>()));
    if wanted == "current" {
        return Ok(caller);
    }
    let org = match wanted.parse::<OrgId>() {
        Ok(org) => org,
        Err(_) if wanted == "local" && caller.owner.org == OrgId::LOCAL => OrgId::LOCAL,
        Err(_) => api.store.organization_by_slug(wanted).await?.ok_or_else(missing)?.id,
    };
    if org == caller.owner.org {
        return Ok(caller);
    }
    // A key acts in its own organization alone, whatever else its user is a member of.
    if matches!(caller.by, By::Key(_)) {
        return Err(missing());
    }
    let role = api.store.role_of(caller.owner.user, org).await?.ok_or_else(missing)?;
    Ok(Caller { owner: Owner { org, ..caller.owner }, role, ..caller })
}

#[derive(Serialize, ToSchema)]
pub struct MemberList {
    members: Vec<MemberBody>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberBody {
    user_id: Id,
    name: Option<String>,
    email: Option<String>,
    #[schema(value_type = String, example = "member")]
    role: Role,
    since: Time,
}

/// The members of an organization, the oldest first
#[utoipa::path(get, path = "/api/organizations/{id}/members", tag = "organizations", params(("id" = String, Path)),
    responses((status = 200, body = MemberList)))]
pub async fn list_members(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let mut members = Vec::new();
    for member in api.store.list_members(caller.owner.org).await? {
        let (name, email) = api.store.user(member.user).await?.map(|user| (user.name, user.email)).unzip();
        members.push(MemberBody { user_id: member.user.into(), name, email, role: member.role, since: Time(member.created_at) });
    }
    Ok(Reply::ok(&MemberList { members }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberUpdate {
    /// `viewer`, `member`, `admin` or `owner`.
    #[schema(value_type = String, example = "member")]
    role: Role,
}

#[derive(Serialize, ToSchema)]
pub struct MemberAnswer {
    user_id: Id,
    #[schema(value_type = String, example = "member")]
    role: Role,
}

/// Nobody gives or takes a role above their own, and only owners touch owners.
fn demand_rank(caller: &Caller, roles: &[Role]) -> Refusable<()> {
    match roles.iter().find(|role| **role > caller.role) {
        Some(role) => Err(denied(format!("your role {} cannot give or take the role {role}; ask an owner", caller.role))),
        None => Ok(()),
    }
}

async fn role_of(api: &Api, caller: &Caller, user: UserId) -> Refusable<Role> {
    let role = api.store.role_of(user, caller.owner.org).await?;
    role.ok_or_else(|| Problem::not_found(format_args!("the member {user}")))
}

/// Give a member another role
///
/// The last owner stays one. What a member may do changes within seconds on every node.
#[utoipa::path(put, path = "/api/organizations/{id}/members/{user}", tag = "organizations", request_body = MemberUpdate,
    params(("id" = String, Path), ("user" = String, Path, format = "uuid")), responses((status = 200, body = MemberAnswer)))]
pub async fn update_member(State(api): Shared, PathLast(user): PathLast<UserId>, write: Write<MemberUpdate>) -> Refusable<Reply> {
    let (caller, role) = (write.caller, write.body.role);
    demand_rank(&caller, &[role, role_of(&api, &caller, user).await?])?;
    let before = api.store.change_role(caller.owner.org, user, role).await?;
    api.standing_changed();
    let (before, after) = (Some(json!({ "role": before })), Some(json!({ "role": role })));
    api.audit(&caller, "update_member", Target::new("member", user), before, after);
    Ok(Reply::ok(&MemberAnswer { user_id: user.into(), role }))
}

/// What went, and what is somebody else's now.
#[derive(Serialize, ToSchema)]
pub struct DepartedBody {
    /// API keys of theirs that are gone.
    api_keys: u64,
    /// Personal credentials of theirs that are gone.
    credentials: u64,
    /// Plans, with their schedules, that are the heir's now.
    plans: u64,
    integrations: u64,
    heir: Id,
}

/// Remove a member
///
/// Their API keys and personal credentials of this organization go with them. Their plans, schedules and integrations become the
/// caller's and go on, with the caller's credentials.
#[utoipa::path(delete, path = "/api/organizations/{id}/members/{user}", tag = "organizations",
    params(("id" = String, Path), ("user" = String, Path, format = "uuid")), responses((status = 200, body = DepartedBody)))]
pub async fn remove_member(State(api): Shared, PathLast(user): PathLast<UserId>, write: BareWrite) -> Refusable<Reply> {
    let caller = write.caller;
    if user == caller.owner.user {
        return Err(Problem::conflict("that is you; leave the organization instead: POST …/leave"));
    }
    demand_rank(&caller, &[role_of(&api, &caller, user).await?])?;
    depart(&api, &caller, "remove_member", user, caller.owner.user).await
}

/// Leave an organization
///
/// Plans, schedules and integrations become the longest-standing owner's. The last owner cannot leave: transfer it first.
#[utoipa::path(post, path = "/api/organizations/{id}/leave", tag = "organizations", params(("id" = String, Path)),
    responses((status = 200, body = DepartedBody)))]
pub async fn leave_organization(State(api): Shared, write: BareWrite) -> Refusable<Reply> {
    let caller = write.caller;
    let members = api.store.list_members(caller.owner.org).await?;
    let heir = members.iter().find(|member| member.role == Role::Owner && member.user != caller.owner.user);
    let heir = heir.ok_or_else(|| Problem::conflict("you are the organization's last owner; transfer or delete it"))?.user;
    depart(&api, &caller, "leave_organization", caller.owner.user, heir).await
}

async fn depart(api: &Api, caller: &Caller, action: &str, user: UserId, heir: UserId) -> Refusable<Reply> {
    let org = caller.owner.org;
    let gone = api.store.remove_member(org, user, heir).await?;
    api.standing_changed();
    api.live.plans_changed(org);
    let after = json!({ "heir": heir, "api_keys": gone.api_keys, "credentials": gone.credentials, "plans": gone.plans });
    api.audit(caller, action, Target::new("member", user), None, Some(after));
    let (api_keys, credentials) = (gone.api_keys, gone.credentials);
    let (plans, integrations) = (gone.plans, gone.integrations);
    Ok(Reply::ok(&DepartedBody { api_keys, credentials, plans, integrations, heir: heir.into() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The member who becomes an owner.
    #[schema(value_type = String, format = "uuid", example = "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    to: UserId,
}

/// Hand an organization over: that member becomes an owner, and the caller an admin
#[utoipa::path(post, path = "/api/organizations/{id}/transfer", tag = "organizations", params(("id" = String, Path)), request_body = Transfer,
    responses((status = 200, body = MemberAnswer)))]
pub async fn transfer_organization(State(api): Shared, write: Write<Transfer>) -> Refusable<Reply> {
    let (caller, to) = (write.caller, write.body.to);
    let org = caller.owner.org;
    let before = role_of(&api, &caller, to).await?;
    if to == caller.owner.user {
        return Err(Problem::conflict("you are its owner already"));
    }
    // One after the other: between them there are two owners, and never none.
    api.store.change_role(org, to, Role::Owner).await?;
    api.store.change_role(org, caller.owner.user, Role::Admin).await?;
    api.standing_changed();
    let (before, after) = (Some(json!({ "role": before })), Some(json!({ "role": Role::Owner, "was": caller.owner.user })));
    api.audit(&caller, "transfer_organization", Target::new("member", to), before, after);
    Ok(Reply::ok(&MemberAnswer { user_id: to.into(), role: Role::Owner }))
}
