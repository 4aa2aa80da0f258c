//! Accounts: making one, proving its address, and looking at one's own.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{StatusCode, header};
use mainspring_model::lockout::Rule;
use mainspring_model::store::UserRecord;
use mainspring_vault::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{UserBrief, strong, token_rejected, user_of};
use super::public::{PublicWrite, account_key, attempt};
use crate::http::api::{Api, Shared};
use crate::http::body::BareWrite;
use crate::http::caller::{By, Caller};
use crate::http::invited;
use crate::http::path::PathName;
use crate::http::permissions::unfounded;
use crate::http::problem::{Problem, Refusable};
use crate::http::reply::Reply;
use crate::http::shape::{Id, Time};
use crate::identity::accounts::NewAccount;
use crate::identity::links::Purpose;

use crate::identity::terms::VERIFY_EMAIL;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    #[schema(example = "ada@example.org")]
    email: String,
    /// At least 10 characters; not among those that are tried first, and not the address.
    #[schema(value_type = String, format = "password")]
    password: String,
    name: Option<String>,
    /// Token of an invitation to this very address: lets its person in where registering is closed.
    #[schema(example = "msi_…")]
    invitation: Option<String>,
    /// The earlier callers' words for `name`.
    full_name: Option<String>,
    username: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Registered {
    #[serde(flatten)]
    user: UserBrief,
    full_name: String,
    is_active: bool,
    created_at: Time,
}

/// Make an account
///
/// Where the operator lets anybody (`MAINSPRING_ENABLE_REGISTRATION`), or by an invitation that names this address;
/// `REGISTRATION_CLOSED` otherwise. The account begins with an organization of its own, and accepts the invitation once it is logged in.
/// A link to prove the address is sent to it.
#[utoipa::path(post, path = "/api/auth/register", tag = "accounts", security(()), request_body = Registration, responses((status = 201, body = Registered)))]
pub async fn register_account(State(api): Shared, write: PublicWrite<Registration>) -> Refusable<Reply> {
    let PublicWrite { body, sender } = write;
    if !api.mode.dev && !api.identity.is_founded(&*api.store).await? {
        return Err(unfounded());
    }
    let invited = async || match &body.invitation {
        Some(token) => invited::names(&api, token, &body.email).await,
        None => Ok(false),
    };
    if !api.registration_is_open() && !invited().await? {
        let detail = "nobody may make an account here by themselves; ask whoever administers this installation for one, or to be invited \
                      with your address";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "REGISTRATION_CLOSED", detail));
    }
    attempt(&api, &sender.key("register"), &Rule::REGISTER).await?;
    strong(&body.password, &body.email, "/password")?;
    let password_hash = Some(api.identity.hasher.hash(&Secret::new(body.password)).await?);
    let name = body.name.or(body.full_name).or(body.username).unwrap_or_default();
    let new = NewAccount { email: body.email, name, password_hash, operator: false, verified: false };
    let user = api.make_account(new).await?;
    send_verification(&api, &user).await?;
    let registered =
        Registered { user: UserBrief::of(&user), full_name: user.name.clone(), is_active: true, created_at: Time(user.created_at) };
    Ok(Reply::json(StatusCode::CREATED, &registered))
}

async fn send_verification(api: &Api, user: &UserRecord) -> Refusable<()> {
    let token = api.one_time(Some(user.id), Purpose::VerifyEmail, VERIFY_EMAIL, json!({ "email": user.email })).await?;
    let link = format!("{}/api/auth/verify-email/{}", api.public_url(), token.expose());
    let why = "This link confirms your e-mail address. It is good for a day, once.";
    api.send_link(&user.email, "Confirm your e-mail address", why, &link).await.map_err(Problem::internal)
}

/// Prove an e-mail address by the link that was sent to it
#[utoipa::path(get, path = "/api/auth/verify-email/{token}", tag = "accounts", security(()), params(("token" = String, Path)), responses((status = 200, description = "The address is proved.", content_type = "text/html", body = String)))]
pub async fn verify_email(State(api): Shared, PathName(token): PathName) -> Refusable<Response> {
    let token = api.take_one_time(&token, Purpose::VerifyEmail).await?.ok_or_else(token_rejected)?;
    let user = match token.user {
        Some(id) => api.store.user(id).await?,
        None => None,
    };
    // Another address by now: the link was for the one before.
    let user = user.filter(|user| token.data["email"] == user.email.as_str()).ok_or_else(token_rejected)?;
    if user.verified_at.is_none() {
        let now = api.clock.now();
        api.store.put_user(&UserRecord { verified_at: Some(now), updated_at: now, ..user }).await?;
    }
    let page = "<!doctype html><title>Mainspring</title><p>Your e-mail address is confirmed. You can close this page.</p>";
    Ok(([(header::REFERRER_POLICY, "no-referrer")], Html(page)).into_response())
}

/// Send the link that proves one's e-mail address again
#[utoipa::path(post, path = "/api/auth/resend-verification", tag = "accounts", responses((status = 202, description = "It is sent, unless the address is proved already.")))]
pub async fn resend_verification(State(api): Shared, write: BareWrite) -> Refusable<Reply> {
    let user = user_of(&api, &write.caller).await?;
    attempt(&api, &account_key("mail", &user.email), &Rule::MAIL).await?;
    if user.verified_at.is_none() {
        send_verification(&api, &user).await?;
    }
    Ok(Reply::json(StatusCode::ACCEPTED, &json!({ "message": "a link is on its way, unless the address is proved already" })))
}

/// Who one is.
#[derive(Serialize, ToSchema)]
pub struct Me {
    id: Id,
    /// Null for the local owner of dev mode.
    email: Option<String>,
    name: String,
    email_verified: bool,
    /// Administers this installation.
    operator: bool,
    /// A code is asked for at the login.
    second_factor: bool,
    /// How the request was made: `session`, `api_key` or `dev`.
    by: &'static str,
    organization: OrganizationBrief,
    organizations: Vec<OrganizationBrief>,
}

#[derive(Serialize, ToSchema)]
pub struct OrganizationBrief {
    #[schema(value_type = String, format = "uuid")]
    id: String,
    slug: Option<String>,
    name: Option<String>,
    role: &'static str,
}

/// Who one is, and in which organizations
#[utoipa::path(get, path = "/api/auth/me", tag = "accounts", responses((status = 200, body = Me)))]
pub async fn get_me(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    let user = api.store.user(caller.owner.user).await?;
    let memberships = api.store.memberships(caller.owner.user).await?;
    let factor = api.store.second_factor(caller.owner.user).await?;
    let organizations: Vec<OrganizationBrief> = memberships
        .iter()
        .map(|(org, role)| OrganizationBrief {
            id: org.id.to_string(),
            slug: Some(org.slug.clone()),
            name: Some(org.name.clone()),
            role: role.as_str(),
        })
        .collect();
    let here = memberships.iter().find(|(org, _)| org.id == caller.owner.org).map(|(org, _)| org);
    let organization = OrganizationBrief {
        id: caller.owner.org.to_string(),
        slug: here.map(|org| org.slug.clone()),
        name: here.map(|org| org.name.clone()),
        role: caller.role.as_str(),
    };
    Ok(Reply::ok(&Me {
        id: caller.owner.user.into(),
        email: user.as_ref().map(|user| user.email.clone()),
        name: user.as_ref().map(|user| user.name.clone()).unwrap_or_default(),
        email_verified: user.as_ref().is_some_and(|user| user.verified_at.is_some()),
        operator: caller.operator,
        second_factor: factor.is_some_and(|factor| factor.confirmed_at.is_some()),
        by: match caller.by {
            By::Session(_) => "session",
            By::Key(_) => "api_key",
            By::Dev => "dev",
        },
        organization,
        organizations,
    }))
}
