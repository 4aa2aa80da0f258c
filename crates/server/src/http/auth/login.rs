//! Logging in: by password, and by a code where there is a second factor. Whatever is wrong, the answer and its time are the same.

use axum::extract::State;
use mainspring_model::lockout::Rule;
use mainspring_model::store::UserRecord;
use mainspring_vault::{Secret, Verdict};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{FactorNeeded, LoggedIn, account_disabled, code_rejected, logged_in, token_rejected, wrong_credentials};
use super::factor::accept;
use super::public::{PublicWrite, Sender, account_key, attempt};
use crate::http::api::{Api, Shared};
use crate::http::permissions::unfounded;
use crate::http::problem::Refusable;
use crate::http::reply::Reply;
use crate::identity::links::Purpose;
use crate::identity::policy;
use crate::identity::terms::CHALLENGE;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[schema(example = "ada@example.org")]
    email: String,
    #[schema(value_type = String, format = "password")]
    password: String,
    /// The code of the moment, or a recovery code, when the account has a second factor and one has it at hand.
    totp_code: Option<String>,
}

/// Log in
///
/// With a second factor and no `totp_code` the answer is `{totp_required: true, challenge}`, for `POST /api/auth/login/totp`. Failed
/// attempts make the next one wait, for the account and for the address that they come from (`TOO_MANY_ATTEMPTS`). A page of this
/// server gets a session cookie beside the tokens.
#[utoipa::path(post, path = "/api/auth/login", tag = "accounts", security(()), request_body = Credentials, responses((status = 200, body = LoggedIn)))]
pub async fn log_in(State(api): Shared, write: PublicWrite<Credentials>) -> Refusable<Reply> {
    let PublicWrite { body, sender } = write;
    if !api.mode.dev && !api.identity.is_founded(&*api.store).await? {
        return Err(unfounded());
    }
    let Credentials { email, password, totp_code } = body;
    let (address, account) = (sender.key("login"), account_key("login", &email));
    attempt(&api, &address, &Rule::ADDRESS).await?;
    attempt(&api, &account, &Rule::ACCOUNT).await?;
    // Nobody's password is this long; hashing it would only be work.
    let password = Secret::new(if password.len() > policy::LONGEST { String::new() } else { password });
    let user = api.store.user_by_email(&email).await?;
    let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let verdict = api.identity.hasher.verify(&password, hash).await?;
    let (Some(user), Verdict::Right { outdated }) = (user, verdict) else { return Err(wrong_credentials()) };
    // The address had a good one; what it failed before still counts. The account's count waits for the second factor.
    api.store.give_back(&address).await?;
    if user.disabled_at.is_some() {
        return Err(account_disabled());
    }
    if outdated {
        make_anew(&api, &user, &password).await;
    }
    if api.store.second_factor(user.id).await?.is_none_or(|factor| factor.confirmed_at.is_none()) {
        api.store.forgive(&account).await?;
        return finish(&api, &user, "password", &sender).await;
    }
    api.store.forgive(&account).await?;
    match totp_code {
        Some(code) => {
            attempt(&api, &account_key("code", &user.email), &Rule::CODE).await?;
            if !accept(&api, user.id, &code).await? {
                return Err(code_rejected());
            }
            api.store.forgive(&account_key("code", &user.email)).await?;
            finish(&api, &user, "password+totp", &sender).await
        }
        None => challenge(&api, &user, "password").await,
    }
}

/// The first factor was good and there is a second one.
pub async fn challenge(api: &Api, user: &UserRecord, method: &str) -> Refusable<Reply> {
    let token = api.one_time(Some(user.id), Purpose::SecondFactor, CHALLENGE, json!({ "method": method })).await?;
    let needed = FactorNeeded { totp_required: true, challenge: token.expose().to_owned(), expires_in: CHALLENGE.as_secs() };
    Ok(Reply::ok(&needed))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondStep {
    /// As the login gave it.
    challenge: String,
    /// The code of the moment, or a recovery code.
    #[schema(example = "123456")]
    code: String,
}

/// Log in with the code of the second factor
#[utoipa::path(post, path = "/api/auth/login/totp", tag = "accounts", security(()), request_body = SecondStep, responses((status = 200, body = LoggedIn)))]
pub async fn pass_second_factor(State(api): Shared, write: PublicWrite<SecondStep>) -> Refusable<Reply> {
    let PublicWrite { body, sender } = write;
    let challenge = api.look_one_time(&body.challenge, Purpose::SecondFactor).await?.ok_or_else(token_rejected)?;
    let user = match challenge.user {
        Some(id) => api.store.user(id).await?.filter(|user| user.disabled_at.is_none()),
        None => None,
    };
    let user = user.ok_or_else(token_rejected)?;
    // By the account, so that a new challenge is no new chance.
    let key = account_key("code", &user.email);
    attempt(&api, &key, &Rule::CODE).await?;
    if !accept(&api, user.id, &body.code).await? {
        return Err(code_rejected());
    }
    api.take_one_time(&body.challenge, Purpose::SecondFactor).await?.ok_or_else(token_rejected)?;
    api.store.forgive(&key).await?;
    let method = format!("{}+totp", challenge.data["method"].as_str().unwrap_or("password"));
    finish(&api, &user, &method, &sender).await
}

async fn finish(api: &Api, user: &UserRecord, method: &str, sender: &Sender) -> Refusable<Reply> {
    api.ensure_home(user).await?;
    let login = api.begin_session(user.id, method, &sender.client).await?;
    tracing::info!(user = %user.id, session = %login.session.id, method, "logged in");
    Ok(logged_in(api, &login, user))
}

/// The hash at the present cost. That it fails is no reason to keep anybody out.
async fn make_anew(api: &Api, user: &UserRecord, password: &Secret) {
    match api.identity.hasher.hash(password).await {
        Ok(hash) => {
            if let Err(error) = api.store.replace_password(user.id, user.password_hash.as_deref(), &hash).await {
                tracing::warn!(%error, "a password's hash was not made anew");
            }
        }
        Err(error) => tracing::warn!(%error, "a password's hash was not made anew"),
    }
}
