//! Invitations: a link makes somebody a member, once, until it expires.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::duration;
use mainspring_model::id::InvitationId;
use mainspring_model::role::Role;
use mainspring_model::store::{InvitationRecord, InvitationState, email_key};
use mainspring_vault::Token;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{BareWrite, Write};
use super::caller::Caller;
use super::organizations;
use super::path::PathLast;
use super::permissions::denied;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};

/// Begins the token of an invitation.
const PREFIX: &str = "msi";
const DAY: Millis = 86_400_000;
const LEAST: Millis = 60_000;
const MOST: Millis = 90 * DAY;
/// Pending at a time in one organization.
const MOST_PENDING: usize = 200;

#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationBody {
    id: Id,
    #[schema(value_type = String, example = "member")]
    role: Role,
    /// Only whoever has this address may accept.
    email: Option<String>,
    invited_by: Id,
    created_at: Time,
    expires_at: Time,
    /// `pending`, `accepted`, `declined`, `revoked`, `expired`.
    #[schema(example = "pending")]
    state: &'static str,
    ended_at: Option<Time>,
    ended_by: Option<Id>,
}

fn body(record: InvitationRecord, now: Millis) -> InvitationBody {
    let expired = record.state == InvitationState::Pending && record.expires_at <= now;
    InvitationBody {
        id: Id::of(record.id.0),
        role: record.role,
        email: record.email,
        invited_by: record.invited_by.into(),
        created_at: Time(record.created_at),
        expires_at: Time(record.expires_at),
        state: if expired { "expired" } else { record.state.as_str() },
        ended_at: record.ended_at.map(Time),
        ended_by: record.ended_by.map(Id::from),
    }
}

#[derive(Serialize, ToSchema)]
pub struct InvitationList {
    invitations: Vec<InvitationBody>,
}

/// The invitations of an organization, newest first
#[utoipa::path(get, path = "/api/organizations/{id}/invitations", tag = "organizations", params(("id" = String, Path)),
    responses((status = 200, body = InvitationList)))]
pub async fn list_invitations(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let now = api.clock.now();
    let invitations = api.store.list_invitations(caller.owner.org).await?.into_iter().map(|record| body(record, now)).collect();
    Ok(Reply::ok(&InvitationList { invitations }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationCreate {
    /// `viewer`, `member`, `admin` or `owner`; at most the caller's own. `member` unless written.
    #[schema(value_type = Option<String>, example = "member")]
    role: Option<Role>,
    /// Then only whoever has this address may accept.
    email: Option<String>,
    /// How long the link works, such as `7d`, which it is unless written.
    #[schema(example = "7d")]
    expires_in: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct InvitationMade {
    invitation: InvitationBody,
    /// Shown once; whoever has it can accept.
    token: String,
    /// The path of the page that accepts it, behind this server's address.
    link: String,
}

/// Invite somebody
///
/// The answer has the link; it is shown once and kept only as a hash.
#[utoipa::path(post, path = "/api/organizations/{id}/invitations", tag = "organizations", params(("id" = String, Path)),
    request_body = InvitationCreate, responses((status = 201, body = InvitationMade)))]
pub async fn create_invitation(State(api): Shared, write: Write<InvitationCreate>) -> Refusable<Reply> {
    let (caller, wanted) = (write.caller, write.body);
    let role = wanted.role.unwrap_or(Role::Member);
    if role > caller.role {
        return Err(denied(format!("your role {} cannot invite as {role}", caller.role)));
    }
    let email = wanted.email.map(|email| email.trim().to_owned()).filter(|email| !email.is_empty());
    let mut findings = Vec::new();
    if email.as_deref().is_some_and(|email| email.len() > 254 || !email.contains('@') || email.chars().any(|c| c.is_control() || c == ' '))
    {
        findings.push(Finding::new("INVALID_VALUE", "/email", "this is no e-mail address"));
    }
    let span = wanted
        .expires_in
        .as_deref()
        .map_or(Ok(7 * DAY), |text| duration::parse_text(text).map(|span| Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)));
    let span = span.ok().filter(|span| (LEAST..=MOST).contains(span));
    if span.is_none() {
        findings.push(Finding::new("INVALID_VALUE", "/expires_in", "a duration from 1m to 90d, such as 7d"));
    }
    let Some(span) = span.filter(|_| findings.is_empty()) else { return Err(Problem::invalid_all(findings)) };
    let now = api.clock.now();
    let known = api.store.list_invitations(caller.owner.org).await?;
    let pending = known.iter().filter(|one| one.state == InvitationState::Pending && one.expires_at > now).count();
    if pending >= MOST_PENDING {
        return Err(Problem::conflict(format!("{MOST_PENDING} invitations are open, the most there may be; revoke some")));
    }
    let token = Token::generate(PREFIX, api.vault.entropy()).map_err(Problem::internal)?;
    let record = InvitationRecord {
        id: InvitationId(api.engine.new_id()),
        org: caller.owner.org,
        invited_by: caller.owner.user,
        role,
        hash: token.hash().0.to_vec(),
        email,
        created_at: now,
        expires_at: now + span,
        state: InvitationState::Pending,
        ended_at: None,
        ended_by: None,
    };
    api.store.put_invitation(&record).await?;
    let after = json!({ "role": role, "email": record.email, "expires_at": Time(record.expires_at).text() });
    api.audit(&caller, "create_invitation", Target::new("invitation", record.id), None, Some(after)).await?;
    let link = format!("/invitations#{}", token.expose());
    Ok(Reply::json(StatusCode::CREATED, &InvitationMade { invitation: body(record, now), token: token.expose().to_owned(), link }))
}

/// Revoke an invitation
#[utoipa::path(delete, path = "/api/organizations/{id}/invitations/{invitation}", tag = "organizations",
    params(("id" = String, Path), ("invitation" = String, Path, format = "uuid")), responses((status = 204)))]
pub async fn revoke_invitation(State(api): Shared, PathLast(id): PathLast<InvitationId>, write: BareWrite) -> Refusable<Reply> {
    let caller = write.caller;
    let known = api.store.list_invitations(caller.owner.org).await?.into_iter().find(|one| one.id == id);
    let known = known.ok_or_else(|| Problem::not_found(format_args!("the invitation {id}")))?;
    if !api.store.end_invitation(caller.owner.org, id, InvitationState::Revoked, caller.owner.user).await? {
        return Err(Problem::conflict(format!("the invitation was {} already", known.state.as_str())));
    }
    api.audit(&caller, "revoke_invitation", Target::new("invitation", id), None, None).await?;
    Ok(Reply::no_content())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationToken {
    /// From the link.
    #[schema(example = "msi_…")]
    token: String,
}

#[derive(Serialize, ToSchema)]
pub struct InvitationSeen {
    /// Of the organization.
    organization_id: Id,
    name: String,
    slug: String,
    invitation: InvitationBody,
}

/// A token names an invitation, and none that this caller cannot use is told apart from one that does not exist.
async fn find(api: &Api, caller: &Caller, token: &str) -> Refusable<InvitationRecord> {
    let unknown = || Problem::not_found("an invitation with this token");
    let token = Token::parse(PREFIX, token.trim()).map_err(|_| unknown())?;
    let record = api.store.invitation_by_hash(&token.hash().0).await?.ok_or_else(unknown)?;
    if let Some(email) = &record.email {
        let user = api.store.user(caller.owner.user).await?;
        if user.is_none_or(|user| email_key(&user.email) != email_key(email)) {
            return Err(denied("this invitation is for another e-mail address; sign in with that one".to_owned()));
        }
    }
    if api.store.erasure_of(record.org).await?.is_some() {
        return Err(unknown());
    }
    Ok(record)
}

fn open(record: &InvitationRecord, now: Millis) -> Refusable<()> {
    let ended = match record.state {
        InvitationState::Pending if record.expires_at > now => return Ok(()),
        InvitationState::Pending => "has expired",
        InvitationState::Accepted => "was accepted already",
        InvitationState::Declined => "was declined",
        InvitationState::Revoked => "was revoked",
    };
    Err(Problem::new(StatusCode::CONFLICT, "INVITATION_ENDED", format!("the invitation {ended}; ask for a new one")))
}

async fn seen(api: &Api, record: InvitationRecord) -> Refusable<Reply> {
    let organization = organizations::record(api, record.org).await?;
    let (name, slug) = (organization.name, organization.slug);
    Ok(Reply::ok(&InvitationSeen { organization_id: Id::of(record.org.0), name, slug, invitation: body(record, api.clock.now()) }))
}

/// See what an invitation is to, without using it
#[utoipa::path(post, path = "/api/invitations/look", tag = "organizations", request_body = InvitationToken,
    responses((status = 200, body = InvitationSeen)))]
pub async fn look_at_invitation(State(api): Shared, write: Write<InvitationToken>) -> Refusable<Reply> {
    super::audit::nothing_done();
    let record = find(&api, &write.caller, &write.body.token).await?;
    seen(&api, record).await
}

/// Accept an invitation: the caller becomes a member
#[utoipa::path(post, path = "/api/invitations/accept", tag = "organizations", request_body = InvitationToken,
    responses((status = 200, body = InvitationSeen)))]
pub async fn accept_invitation(State(api): Shared, write: Write<InvitationToken>) -> Refusable<Reply> {
    end(&api, &write, InvitationState::Accepted, "accept_invitation").await
}

/// Decline an invitation: nobody can use it any more
#[utoipa::path(post, path = "/api/invitations/decline", tag = "organizations", request_body = InvitationToken,
    responses((status = 200, body = InvitationSeen)))]
pub async fn decline_invitation(State(api): Shared, write: Write<InvitationToken>) -> Refusable<Reply> {
    end(&api, &write, InvitationState::Declined, "decline_invitation").await
}

async fn end(api: &Api, write: &Write<InvitationToken>, state: InvitationState, action: &str) -> Refusable<Reply> {
    let user = write.caller.owner.user;
    let mut record = find(api, &write.caller, &write.body.token).await?;
    open(&record, api.clock.now())?;
    if !api.store.end_invitation(record.org, record.id, state, user).await? {
        // Somebody was faster.
        let now = find(api, &write.caller, &write.body.token).await?;
        open(&now, api.clock.now())?;
        return Err(Problem::conflict("the invitation is not there any more"));
    }
    api.standing_changed();
    (record.state, record.ended_at, record.ended_by) = (state, Some(api.clock.now()), Some(user));
    let there = Caller { owner: mainspring_model::id::Owner { org: record.org, user }, ..write.caller };
    let after = json!({ "role": record.role, "user": user });
    api.audit(&there, action, Target::new("invitation", record.id), None, Some(after)).await?;
    seen(api, record).await
}
