//! What whoever has an invitation's link does with it: look, accept, decline.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::clock::Millis;
use mainspring_model::store::{InvitationRecord, InvitationState, email_key};
use mainspring_vault::Token;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{Api, Shared};
use super::audit::Target;
use super::body::Write;
use super::caller::Caller;
use super::invitations::{InvitationBody, PREFIX, body};
use super::organizations;
use super::permissions::denied;
use super::problem::{Problem, Refusable};
use super::reply::Reply;
use super::shape::Id;

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
    let record = known(api, token).await?;
    if let Some(email) = &record.email {
        let user = api.store.user(caller.owner.user).await?;
        if user.is_none_or(|user| email_key(&user.email) != email_key(email)) {
            return Err(denied("this invitation is for another e-mail address; sign in with that one".to_owned()));
        }
    }
    Ok(record)
}

async fn known(api: &Api, token: &str) -> Refusable<InvitationRecord> {
    let unknown = || Problem::not_found("an invitation with this token");
    let token = Token::parse(PREFIX, token.trim()).map_err(|_| unknown())?;
    let record = api.store.invitation_by_hash(&token.hash().0).await?.ok_or_else(unknown)?;
    if api.store.erasure_of(record.org).await?.is_some() {
        return Err(unknown());
    }
    Ok(record)
}

/// Whether an open invitation is for this very address. One for anybody who has the link makes nobody an account: it could make any number.
///
/// # Errors
/// 404 when there is none, 403 when it is for another address, 409 `INVITATION_ENDED`.
pub async fn names(api: &Api, token: &str, address: &str) -> Refusable<bool> {
    let record = known(api, token).await?;
    let Some(email) = &record.email else { return Ok(false) };
    if email_key(address.trim()) != email_key(email) {
        return Err(denied("this invitation is for another e-mail address; register with that one".to_owned()));
    }
    open(&record, api.clock.now())?;
    Ok(true)
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
    api.audit(&there, action, Target::new("invitation", record.id), None, Some(after));
    seen(api, record).await
}
