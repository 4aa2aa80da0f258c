//! Invitations: a link makes somebody a member, once, until it expires.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::Problem as Finding;
use mainspring_model::clock::Millis;
use mainspring_model::duration;
use mainspring_model::id::InvitationId;
use mainspring_model::role::Role;
use mainspring_model::store::{InvitationRecord, InvitationState};
use mainspring_vault::Token;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::{BareWrite, Write};
use super::caller::Caller;
use super::invitation_mail;
use super::path::PathLast;
use super::permissions::denied;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::{Id, Time};

/// Begins the token of an invitation.
pub(super) const PREFIX: &str = "msi";
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

pub(super) fn body(record: InvitationRecord, now: Millis) -> InvitationBody {
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
    /// A mail with the link is on its way to the address.
    mailed: bool,
    /// Why it is not, and the link has to be handed over: `no_address` was given, or `no_mail_server` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "no_mail_server")]
    not_mailed: Option<&'static str>,
}

/// Invite somebody
///
/// The answer has the link; it is shown once and kept only as a hash. With an address, and where the installation has a mail server, the
/// link is also sent there.
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
    let span = span_of(wanted.expires_in.as_deref());
    if span.is_none() {
        findings.push(Finding::new("INVALID_VALUE", "/expires_in", SPAN));
    }
    let Some(span) = span.filter(|_| findings.is_empty()) else { return Err(Problem::invalid_all(findings)) };
    let now = api.clock.now();
    let known = api.store.list_invitations(caller.owner.org).await?;
    let pending = known.iter().filter(|one| one.state == InvitationState::Pending && one.expires_at > now).count();
    if pending >= MOST_PENDING {
        return Err(Problem::conflict(format!("{MOST_PENDING} invitations are open, the most there may be; revoke some")));
    }
    invitation_mail::admit(&api, caller.owner.org, email.as_deref()).await?;
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
    api.audit(&caller, "create_invitation", Target::new("invitation", record.id), None, Some(told(&record)));
    made(&api, StatusCode::CREATED, record, &token).await
}

/// For the audit log, which keeps no address of anybody.
fn told(record: &InvitationRecord) -> Value {
    json!({ "role": record.role, "for_one_address": record.email.is_some(), "expires_at": Time(record.expires_at).text() })
}

/// Mails the link where that is possible, and shows it.
async fn made(api: &Api, status: StatusCode, record: InvitationRecord, token: &Token) -> Refusable<Reply> {
    let link = format!("/invitations#{}", token.expose());
    let not_mailed = invitation_mail::send(api, &record, &link).await?.err();
    let (invitation, token) = (body(record, api.clock.now()), token.expose().to_owned());
    Ok(Reply::json(status, &InvitationMade { invitation, token, link, mailed: not_mailed.is_none(), not_mailed }))
}

const SPAN: &str = "a duration from 1m to 90d, such as 7d";

/// How long a link works; `None` when what was written is no such span.
fn span_of(written: Option<&str>) -> Option<Millis> {
    let span = written
        .map_or(Ok(7 * DAY), |text| duration::parse_text(text).map(|span| Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)));
    span.ok().filter(|span| (LEAST..=MOST).contains(span))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationResend {
    /// How long the new link works, such as `7d`, which it is unless written.
    #[schema(example = "7d")]
    expires_in: Option<String>,
}

/// Send an invitation again, with a new link
///
/// The link before works no longer. An invitation that has expired works again.
#[utoipa::path(post, path = "/api/organizations/{id}/invitations/{invitation}/resend", tag = "organizations",
    params(("id" = String, Path), ("invitation" = String, Path, format = "uuid")), request_body = InvitationResend,
    responses((status = 200, body = InvitationMade)))]
pub async fn resend_invitation(
    State(api): Shared,
    PathLast(id): PathLast<InvitationId>,
    write: Write<InvitationResend>,
) -> Refusable<Reply> {
    let (caller, org) = (write.caller, write.caller.owner.org);
    let known = api.store.list_invitations(org).await?.into_iter().find(|one| one.id == id);
    let known = known.ok_or_else(|| Problem::not_found(format_args!("the invitation {id}")))?;
    // Whoever has the link gets the role.
    if known.role > caller.role {
        return Err(denied(format!("your role {} cannot invite as {}", caller.role, known.role)));
    }
    let span = span_of(write.body.expires_in.as_deref());
    let span = span.ok_or_else(|| Problem::invalid_all(vec![Finding::new("INVALID_VALUE", "/expires_in", SPAN)]))?;
    invitation_mail::admit(&api, org, known.email.as_deref()).await?;
    let token = Token::generate(PREFIX, api.vault.entropy()).map_err(Problem::internal)?;
    let expires_at = api.clock.now() + span;
    if !api.store.renew_invitation(org, id, &token.hash().0, expires_at).await? {
        return Err(Problem::conflict("the invitation is not open any more; make a new one"));
    }
    let before = told(&known);
    let record = InvitationRecord { hash: token.hash().0.to_vec(), expires_at, ..known };
    api.audit(&caller, "resend_invitation", Target::new("invitation", id), Some(before), Some(told(&record)));
    made(&api, StatusCode::OK, record, &token).await
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
    api.audit(&caller, "revoke_invitation", Target::new("invitation", id), None, None);
    Ok(Reply::no_content())
}
