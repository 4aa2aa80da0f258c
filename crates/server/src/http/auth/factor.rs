//! The second factor: enrolled with the password, confirmed with a first code, asked for at each login, removed with both.

use axum::extract::State;
use http::StatusCode;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::lockout::Rule;
use mainspring_model::store::{SealedTable, SecondFactor};
use mainspring_vault::{TotpSecret, plain_recovery_code, recovery_code};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::answer::{code_rejected, user_of};
use super::passwords::right_password;
use super::public::{account_key, attempt};
use crate::http::api::{Api, Shared};
use crate::http::body::Write;
use crate::http::caller::Caller;
use crate::http::problem::{Problem, Refusable};
use crate::http::reply::Reply;

/// How many recovery codes there are.
const CODES: usize = 10;
/// What authenticator apps call us.
const NAME: &str = "Mainspring";

#[derive(Serialize, ToSchema)]
pub struct FactorState {
    enabled: bool,
    recovery_codes_left: u32,
}

/// Whether one has a second factor
#[utoipa::path(get, path = "/api/auth/totp", tag = "accounts", responses((status = 200, body = FactorState)))]
pub async fn get_second_factor(State(api): Shared, caller: Caller) -> Refusable<Reply> {
    caller.session()?;
    let factor = api.store.second_factor(caller.owner.user).await?;
    let recovery_codes_left = api.store.recovery_codes_left(caller.owner.user).await?;
    Ok(Reply::ok(&FactorState { enabled: factor.is_some_and(|factor| factor.confirmed_at.is_some()), recovery_codes_left }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    #[schema(value_type = String, format = "password")]
    password: String,
}

#[derive(Serialize, ToSchema)]
pub struct Enrolled {
    /// To type into an authenticator app.
    secret: String,
    /// The same for a picture that the app reads.
    otpauth_uri: String,
}

/// Begin with a second factor; it counts once a code of it was confirmed
#[utoipa::path(post, path = "/api/auth/totp", tag = "accounts", request_body = Enrolment, responses((status = 201, body = Enrolled)))]
pub async fn enrol_second_factor(State(api): Shared, write: Write<Enrolment>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let user = user_of(&api, &caller).await?;
    right_password(&api, &user, body.password).await?;
    let secret = TotpSecret::generate(api.vault.entropy())?;
    let credentials = api.engine.credentials();
    let sealed = credentials.seal_value(SealedTable::SecondFactors, OrgId::INSTALLATION, Some(user.id), user.id.0, secret.bytes()).await?;
    let factor = SecondFactor { sealed: sealed.bytes(), confirmed_at: None, last_step: None, created_at: api.clock.now() };
    api.store.put_second_factor(user.id, &factor).await?;
    credentials.written(&sealed).await?;
    let enrolled = Enrolled { secret: secret.text(), otpauth_uri: secret.uri(NAME, &user.email) };
    Ok(Reply::json(StatusCode::CREATED, &enrolled))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    #[schema(example = "123456")]
    code: String,
}

#[derive(Serialize, ToSchema)]
pub struct Confirmed {
    /// Each is good once, when the app is lost. Shown this once.
    recovery_codes: Vec<String>,
}

/// Confirm the second factor with a first code; all other sessions end
#[utoipa::path(post, path = "/api/auth/totp/confirm", tag = "accounts", request_body = Confirmation, responses((status = 200, body = Confirmed)))]
pub async fn confirm_second_factor(State(api): Shared, write: Write<Confirmation>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let session = caller.session()?;
    let user = user_of(&api, &caller).await?;
    attempt(&api, &account_key("code", &user.email), &Rule::CODE).await?;
    let factor = api.store.second_factor(user.id).await?.filter(|factor| factor.confirmed_at.is_none());
    let factor = factor.ok_or_else(|| Problem::conflict("there is no second factor to be confirmed; begin with POST /api/auth/totp"))?;
    let step = open(&api, user.id, &factor).await?.accept(&body.code, api.clock.now().div_euclid(1_000), None).ok_or_else(code_rejected)?;
    let mut codes = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        codes.push(recovery_code(api.vault.entropy())?);
    }
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| hash(code)).collect();
    if !api.store.confirm_second_factor(user.id, step, &hashes).await? {
        return Err(Problem::conflict("the second factor was confirmed by another request at the same time"));
    }
    api.store.forgive(&account_key("code", &user.email)).await?;
    // They began with the password alone.
    api.end_sessions(user.id, Some(session)).await?;
    Ok(Reply::ok(&Confirmed { recovery_codes: codes }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    #[schema(value_type = String, format = "password")]
    password: String,
    /// The code of the moment, or a recovery code.
    code: String,
}

/// Remove the second factor
#[utoipa::path(post, path = "/api/auth/totp/remove", tag = "accounts", request_body = Removal, responses((status = 204, description = "It is removed.")))]
pub async fn remove_second_factor(State(api): Shared, write: Write<Removal>) -> Refusable<Reply> {
    let Write { caller, body, .. } = write;
    let user = user_of(&api, &caller).await?;
    right_password(&api, &user, body.password).await?;
    attempt(&api, &account_key("code", &user.email), &Rule::CODE).await?;
    if !accept(&api, user.id, &body.code).await? {
        return Err(code_rejected());
    }
    api.store.forgive(&account_key("code", &user.email)).await?;
    api.store.delete_second_factor(user.id).await?;
    Ok(Reply::no_content())
}

/// Whether a code of the moment, or a recovery code, is right; it is used up then.
///
/// # Errors
/// The store's; the secret does not open.
pub async fn accept(api: &Api, user: UserId, code: &str) -> Refusable<bool> {
    let Some(factor) = api.store.second_factor(user).await?.filter(|factor| factor.confirmed_at.is_some()) else { return Ok(false) };
    let secret = open(api, user, &factor).await?;
    match secret.accept(code, api.clock.now().div_euclid(1_000), factor.last_step) {
        // Of two requests with the same code one comes first.
        Some(step) => Ok(api.store.use_step(user, step).await?),
        None => Ok(api.store.use_recovery_code(user, &hash(code)).await?),
    }
}

async fn open(api: &Api, user: UserId, factor: &SecondFactor) -> Refusable<TotpSecret> {
    let credentials = api.engine.credentials();
    let opened = credentials.open_value(SealedTable::SecondFactors, OrgId::INSTALLATION, Some(user), user.0, &factor.sealed).await?;
    Ok(TotpSecret::from_bytes(opened))
}

fn hash(code: &str) -> Vec<u8> {
    Sha256::digest(plain_recovery_code(code)).to_vec()
}
