//! Sessions: refreshed, listed, ended.

use axum::extract::State;
use http::{HeaderValue, StatusCode, header};
use mainspring_model::id::SessionId;
use mainspring_vault::Token;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::{LoggedIn, logged_in};
use super::public::PublicWrite;
use crate::http::api::Shared;
use crate::http::body::BareWrite;
use crate::http::caller::Caller;
use crate::http::cookie;
use crate::http::path::PathId;
use crate::http::problem::{Problem, Refusable};
use crate::http::reply::Reply;
use crate::http::shape::Time;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// Get a new access token
///
/// A refresh token is good once; the answer has the next. Within 30 seconds the same one gives the same answer again, for whoever
/// lost it. Later it is taken for stolen: the session ends, with all its tokens (`REFRESH_REJECTED`).
#[utoipa::path(post, path = "/api/auth/refresh", tag = "accounts", security(()), request_body = Refresh, responses((status = 200, body = LoggedIn)))]
pub async fn refresh_session(State(api): Shared, write: PublicWrite<Refresh>) -> Refusable<Reply> {
    let token = Token::parse(Token::REFRESH, &write.body.refresh_token).map_err(|_| refresh_rejected())?;
    let login = api.refresh_session(&token).await?.ok_or_else(refresh_rejected)?;
    let user = api.store.user(login.session.user).await?.filter(|user| user.disabled_at.is_none());
    let user = user.ok_or_else(refresh_rejected)?;
    Ok(logged_in(&api, &login, &user))
}

fn refresh_rejected() -> Box<Problem> {
    let detail = "this refresh token is not valid: it was used, has expired, or its session was ended; log in again";
    Problem::new(StatusCode::UNAUTHORIZED, "REFRESH_REJECTED", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mainspring\""))
}

/// End one's session
///
/// Its tokens and its cookie are no good any more: on this node at once, on others within five seconds.
#[utoipa::path(post, path = "/api/auth/logout", tag = "accounts", responses((status = 204, description = "The session is over.")))]
pub async fn log_out(State(api): Shared, write: BareWrite) -> Refusable<Reply> {
    let session = write.caller.session()?;
    api.end_session(write.caller.owner.user, session).await?;
    Ok(Reply::no_content().header(header::SET_COOKIE, &cookie::end(&api)))
}

#[derive(Serialize, ToSchema)]
pub struct SessionList {
    sessions: Vec<SessionBody>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionBody {
    #[schema(value_type = String, format = "uuid")]
    id: String,
    /// What the client said it is.
    device_info: String,
    /// Where the login came from.
    ip_address: String,
    /// `password`, `password+totp`, `oidc:<name>`.
    method: String,
    created_at: Time,
    last_used_at: Time,
    expires_at: Time,
    /// The one that asks.
    current: bool,
}

/// One's sessions, newest first
#[utoipa::path(get, path = "/api/auth/sessions", tag = "accounts", responses((status = 200, body = SessionList)))]
pub async fn list_sessions(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let current = caller.session()?;
    let sessions = api.store.list_sessions(caller.owner.user).await?;
    let sessions = sessions.into_iter().map(|session| SessionBody {
        id: session.id.to_string(),
        device_info: session.device,
        ip_address: session.address,
        method: session.method,
        created_at: Time(session.created_at),
        last_used_at: Time(session.last_used_at),
        expires_at: Time(session.expires_at),
        current: session.id == current,
    });
    Ok(Reply::ok(&SessionList { sessions: sessions.collect() }))
}

#[derive(Serialize, ToSchema)]
pub struct SessionsEnded {
    ended: u64,
}

/// End all of one's sessions but this one
#[utoipa::path(delete, path = "/api/auth/sessions", tag = "accounts", responses((status = 200, body = SessionsEnded)))]
pub async fn end_other_sessions(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let current = caller.session()?;
    let ended = api.end_sessions(caller.owner.user, Some(current)).await?;
    Ok(Reply::ok(&SessionsEnded { ended }))
}

/// End one of one's sessions
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "accounts", params(("id" = String, Path, format = "uuid")), responses((status = 204, description = "The session is over.")))]
pub async fn end_session(State(api): Shared, PathId(id): PathId<SessionId>, caller: Caller) -> Refusable<Reply> {
    caller.session()?;
    if !api.end_session(caller.owner.user, id).await? {
        return Err(Problem::not_found(format_args!("the session {id}")));
    }
    Ok(Reply::no_content())
}
