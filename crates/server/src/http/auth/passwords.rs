//! Passwords: changed by who knows the old one, reset by who gets the account's mail.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use mainspring_model::lockout::{Admission, Rule};
use mainspring_model::store::UserRecord;
use mainspring_vault::{Secret, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{strong, token_rejected, user_of, wrong_credentials};
use super::public::{PublicWrite, account_key, attempt};
use crate::http::api::{Api, Shared};
use crate::http::body::Write;
use crate::http::problem::{Problem, Refusable};
use crate::http::reply::Reply;
use crate::identity::links::Purpose;
use crate::identity::terms::RESET_PASSWORD;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(value_type = String, format = "password")]
    current_password: String,
    #[schema(value_type = String, format = "password")]
    new_password: String,
}

/// Change one's password; all other sessions end
#[utoipa::path(post, path = "/api/auth/change-password", tag = "accounts", request_body = PasswordChange, responses((status = 204, description = "It is changed.")))]
pub async fn change_password(State(api): Shared, write: Write<PasswordChange>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let session = caller.session()?;
    let user = user_of(&api, &caller).await?;
    right_password(&api, &user, body.current_password).await?;
    strong(&body.new_password, &user.email, "/new_password")?;
    let hash = api.identity.hasher.hash(&Secret::new(body.new_password)).await?;
    if !api.store.replace_password(user.id, user.password_hash.as_deref(), &hash).await? {
        return Err(Problem::conflict("the password was changed by another request at the same time"));
    }
    // Whoever may have the old password has no way in, nor a link to make another.
    api.store.drop_one_time(Some(user.id), Purpose::ResetPassword.as_str()).await?;
    api.end_sessions(user.id, Some(session)).await?;
    Ok(Reply::no_content())
}

/// Proves that the caller knows the account's password, and not only has its session.
///
/// # Errors
/// 401 `WRONG_CREDENTIALS`; 429 `TOO_MANY_ATTEMPTS`.
pub async fn right_password(api: &Api, user: &UserRecord, password: String) -> Refusable<()> {
    let key = account_key("login", &user.email);
    attempt(api, &key, &Rule::ACCOUNT).await?;
    match api.identity.hasher.verify(&Secret::new(password), user.password_hash.as_deref()).await? {
        Verdict::Wrong => Err(wrong_credentials()),
        Verdict::Right { .. } => Ok(api.store.forgive(&key).await?),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    email: String,
}

#[derive(Serialize, ToSchema)]
pub struct Said {
    message: &'static str,
}

/// Ask for a link to set a new password
///
/// The answer is the same whether or not the address has an account. The link is good for an hour, once.
#[utoipa::path(post, path = "/api/auth/forgot-password", tag = "accounts", security(()), request_body = Forgotten, responses((status = 202, body = Said)))]
pub async fn forgot_password(State(api): Shared, write: PublicWrite<Forgotten>) -> Refusable<Reply> {
    let PublicWrite { body, sender } = write;
    attempt(&api, &sender.key("forgot"), &Rule::ADDRESS).await?;
    // Apart from the request: how long the answer takes says nothing of the account.
    tokio::spawn(send_reset(api, body.email));
    let message = "if there is an account with this address, a link is on its way to it";
    Ok(Reply::json(StatusCode::ACCEPTED, &Said { message }))
}

async fn send_reset(api: Arc<Api>, email: String) {
    let sent = async {
        // Nobody's mailbox is filled by strangers.
        if api.store.attempt(&account_key("mail", &email), &Rule::MAIL).await? != Admission::Admitted {
            return Ok(());
        }
        let Some(user) = api.store.user_by_email(&email).await?.filter(|user| user.disabled_at.is_none()) else { return Ok(()) };
        let token = api.one_time(Some(user.id), Purpose::ResetPassword, RESET_PASSWORD, json!({ "email": user.email })).await?;
        let link = format!("{}/reset-password#token={}", api.public_url(), token.expose());
        let why = "This link sets a new password for your account. It is good for an hour, once.";
        api.send_link(&user.email, "Set a new password", why, &link).await.map_err(Problem::internal)
    };
    let sent: Refusable<()> = sent.await;
    if let Err(problem) = sent {
        tracing::error!(code = %problem.code, cause = problem.cause, "a link to set a new password was not sent");
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// Of the link.
    token: String,
    #[schema(value_type = String, format = "password")]
    new_password: String,
}

/// Set a new password by the link; all sessions end
///
/// A second factor stays: this is no way around it.
#[utoipa::path(post, path = "/api/auth/reset-password", tag = "accounts", security(()), request_body = PasswordReset, responses((status = 204, description = "It is set; log in with it.")))]
pub async fn reset_password(State(api): Shared, write: PublicWrite<PasswordReset>) -> Refusable<Reply> {
    let PublicWrite { body, .. } = write;
    let looked = api.look_one_time(&body.token, Purpose::ResetPassword).await?.ok_or_else(token_rejected)?;
    let user = match looked.user {
        Some(id) => api.store.user(id).await?.filter(|user| user.disabled_at.is_none()),
        None => None,
    };
    let user = user.filter(|user| looked.data["email"] == user.email.as_str()).ok_or_else(token_rejected)?;
    // Before the token is used up: a weak password is mended and sent again.
    strong(&body.new_password, &user.email, "/new_password")?;
    let hash = api.identity.hasher.hash(&Secret::new(body.new_password)).await?;
    api.take_one_time(&body.token, Purpose::ResetPassword).await?.ok_or_else(token_rejected)?;
    if !api.store.replace_password(user.id, user.password_hash.as_deref(), &hash).await? {
        return Err(Problem::conflict("the password was changed by another request at the same time"));
    }
    api.end_sessions(user.id, None).await?;
    api.store.forgive(&account_key("login", &user.email)).await?;
    Ok(Reply::no_content())
}
