//! What logins answer, and how refusals of this area are said.

use http::{HeaderValue, StatusCode, header};
use mainspring_model::Problem as Finding;
use mainspring_model::id::SessionId;
use mainspring_model::store::UserRecord;
use mainspring_vault::VaultError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::api::Api;
use crate::http::caller::{By, Caller};
use crate::http::cookie;
use crate::http::problem::{Problem, Refusable};
use crate::http::reply::Reply;
use crate::http::shape::Id;
use crate::identity::accounts::AccountError;
use crate::identity::sessions::{Login, SessionError};
use crate::identity::terms::ACCESS;
use crate::identity::{HashError, policy};

/// Somebody is logged in.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// For `POST /api/auth/refresh`, once.
    refresh_token: String,
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    expires_in: u64,
    user: UserBrief,
}

/// The password was right, and there is a second factor.
#[derive(Serialize, ToSchema)]
pub struct FactorNeeded {
    pub totp_required: bool,
    /// For `POST /api/auth/login/totp`, with a code.
    pub challenge: String,
    /// Seconds until the challenge expires.
    pub expires_in: u64,
}

#[derive(Serialize, ToSchema)]
pub struct UserBrief {
    id: Id,
    email: String,
    name: String,
}

impl UserBrief {
    pub fn of(user: &UserRecord) -> UserBrief {
        UserBrief { id: user.id.into(), email: user.email.clone(), name: user.name.clone() }
    }
}

/// The answer of a login that succeeded; a browser gets its cookie.
pub fn logged_in(api: &Api, login: &Login, user: &UserRecord) -> Reply {
    let reply = Reply::ok(&LoggedIn {
        access_token: login.access.clone(),
        refresh_token: login.refresh.expose().to_owned(),
        token_type: "bearer",
        expires_in: ACCESS.as_secs(),
        user: UserBrief::of(user),
    });
    match &login.cookie {
        Some(token) => reply.header(header::SET_COOKIE, &cookie::begin(api, token)),
        None => reply,
    }
}

impl Caller {
    /// The session of who is logged in.
    ///
    /// # Errors
    /// 403 `SESSION_NEEDED` for an API key and in dev mode: what only a person may do with an account.
    pub fn session(&self) -> Refusable<SessionId> {
        match self.by {
            By::Session(session) => Ok(session),
            By::Key(_) | By::Dev => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "SESSION_NEEDED",
                "only somebody who is logged in may do that; an API key may not, and dev mode has no accounts",
            )),
        }
    }
}

/// The caller's own record.
///
/// # Errors
/// The store's; 401 when the user is gone.
pub async fn user_of(api: &Api, caller: &Caller) -> Refusable<UserRecord> {
    caller.session()?;
    let user = api.store.user(caller.owner.user).await?;
    user.ok_or_else(|| crate::http::caller::unauthorized("the user does not exist any more"))
}

/// Refuses a password that is easily guessed.
///
/// # Errors
/// 422 `WEAK_PASSWORD` at the field.
pub fn strong(password: &str, email: &str, pointer: &str) -> Refusable<()> {
    match policy::weakness(password, email) {
        None => Ok(()),
        Some(reason) => {
            let message = format!("this password is easily guessed: {reason}; take at least 10 characters that nobody else would");
            Err(Problem::invalid(Finding::new("WEAK_PASSWORD", pointer, message)))
        }
    }
}

/// 401 for a login that failed, whatever it failed by.
pub fn wrong_credentials() -> Box<Problem> {
    let detail = "there is no account with this address and password";
    Problem::new(StatusCode::UNAUTHORIZED, "WRONG_CREDENTIALS", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mainspring\""))
}

pub fn account_disabled() -> Box<Problem> {
    Problem::new(StatusCode::FORBIDDEN, "ACCOUNT_DISABLED", "the account is disabled; ask whoever administers this installation")
}

/// 400: a token of a link or a challenge is no good, whatever the reason.
pub fn token_rejected() -> Box<Problem> {
    let detail = "this link or token is not valid: it was used, has expired, or was not copied in full; ask for a new one";
    Problem::new(StatusCode::BAD_REQUEST, "TOKEN_REJECTED", detail)
}

pub fn code_rejected() -> Box<Problem> {
    let detail = "this code is not right, or was used already; wait for the next one";
    Problem::new(StatusCode::UNAUTHORIZED, "CODE_REJECTED", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mainspring\""))
}

impl From<HashError> for Box<Problem> {
    fn from(error: HashError) -> Box<Problem> {
        match error {
            HashError::Busy => Problem::unavailable("LOGINS_BUSY", "there are too many logins at once; try again in a moment"),
            error => Problem::internal(error),
        }
    }
}

impl From<SessionError> for Box<Problem> {
    fn from(error: SessionError) -> Box<Problem> {
        match error {
            SessionError::Store(error) => error.into(),
            SessionError::Vault(error) => Problem::internal(error),
        }
    }
}

impl From<AccountError> for Box<Problem> {
    fn from(error: AccountError) -> Box<Problem> {
        match error {
            AccountError::Taken => Problem::conflict(error.to_string()),
            AccountError::Email(_) => Problem::invalid(Finding::new("INVALID_VALUE", "/email", error.to_string())),
            AccountError::Store(error) => error.into(),
            AccountError::Key(_) => Problem::internal(error),
        }
    }
}

impl From<VaultError> for Box<Problem> {
    fn from(error: VaultError) -> Box<Problem> {
        Problem::internal(error)
    }
}
