//! Logging in at an outside issuer: there with a state that is bound to the browser, back once, and on to a page of our own.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainspring_model::store::{OutsideIdentity, UserRecord};
use mainspring_vault::Token;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;
use utoipa::{IntoParams, ToSchema};

use super::answer::account_disabled;
use super::public::Sender;
use crate::http::api::{Api, Shared};
use crate::http::cookie;
use crate::http::path::PathName;
use crate::http::permissions::unfounded;
use crate::http::problem::{Problem, Refusable};
use crate::http::query::{Query, wrong};
use crate::http::reply::Reply;
use crate::identity::accounts::NewAccount;
use crate::identity::links::Purpose;
use crate::identity::outside::{IdToken, Issuer, OutsideError};
use crate::identity::terms::{CHALLENGE, OUTSIDE};

/// Binds a login under way to the browser that began it.
const COOKIE: &str = "mainspring_login";
const HOST_COOKIE: &str = "__Host-mainspring_login";

#[derive(Serialize, ToSchema)]
pub struct IssuerList {
    issuers: Vec<IssuerBody>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Issuer)]
pub struct IssuerBody {
    name: String,
    /// Where a browser begins.
    start: String,
}

/// Where one can log in beside here
#[utoipa::path(get, path = "/api/auth/oidc", tag = "accounts", security(()), responses((status = 200, body = IssuerList)))]
pub async fn list_issuers(State(api): Shared) -> Reply {
    let issuers = api.identity.outside.issuers().iter();
    let body = |issuer: &Issuer| IssuerBody { name: issuer.name.clone(), start: format!("/api/auth/oidc/{}/start", issuer.name) };
    Reply::ok(&IssuerList { issuers: issuers.map(body).collect() })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Leaving {
    /// The path of this server to come back to; `/` unless written.
    return_to: Option<String>,
}

/// Leave for an issuer to log in there
#[utoipa::path(get, path = "/api/auth/oidc/{provider}/start", tag = "accounts", security(()), params(("provider" = String, Path), Leaving), responses((status = 303, description = "To the issuer.")))]
pub async fn leave_for_issuer(State(api): Shared, PathName(name): PathName, Query(query): Query<Leaving>) -> Refusable<Response> {
    let issuer = find(&api, &name)?;
    if !api.mode.dev && !api.identity.is_founded(&*api.store).await? {
        return Err(unfounded());
    }
    let return_to = own_path(query.return_to.as_deref().unwrap_or("/"))?;
    let mut address = api.identity.outside.authorization_endpoint(issuer).await.map_err(|error| failed(&issuer.name, &error))?;
    let browser = Token::generate(Token::ONCE, api.vault.entropy())?;
    let data = json!({ "issuer": issuer.name, "return_to": return_to, "browser": hash(&browser) });
    let state = api.one_time(None, Purpose::OutsideLogin, OUTSIDE, data).await?;
    let (nonce, verifier) = secrets(&api, &state);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &issuer.client_id)
        .append_pair("redirect_uri", &redirect_uri(&api, issuer))
        .append_pair("scope", &issuer.scopes.join(" "))
        .append_pair("state", state.expose())
        .append_pair("nonce", &nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    let bound = cookie::set(&api, COOKIE, HOST_COOKIE, browser.expose(), OUTSIDE.as_secs());
    Ok(see_other(address.as_str(), &[bound]))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Returning {
    code: Option<String>,
    state: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
    error: Option<String>,
}

/// Come back from an issuer
///
/// The state is good once, within ten minutes, in the browser that began. With a second factor one is sent on with a challenge.
#[utoipa::path(get, path = "/api/auth/oidc/{provider}/callback", tag = "accounts", security(()), params(("provider" = String, Path), Returning), responses((status = 303, description = "Logged in; on to where one came from.")))]
pub async fn return_from_issuer(
    State(api): Shared,
    PathName(name): PathName,
    headers: HeaderMap,
    Query(query): Query<Returning>,
    sender: Sender,
) -> Refusable<Response> {
    let issuer = find(&api, &name)?;
    let state = query.state.as_deref().and_then(|text| Token::parse(Token::ONCE, text).ok()).ok_or_else(rejected)?;
    let kept = api.look_one_time(state.expose(), Purpose::OutsideLogin).await?.ok_or_else(rejected)?;
    // In the browser that began, or somebody is made to log in as another.
    let browser = cookie::value(&headers, HOST_COOKIE).or_else(|| cookie::value(&headers, COOKIE));
    let browser = browser.and_then(|text| Token::parse(Token::ONCE, text).ok()).ok_or_else(rejected)?;
    if kept.data["browser"] != hash(&browser) || kept.data["issuer"] != issuer.name.as_str() {
        return Err(rejected());
    }
    api.take_one_time(state.expose(), Purpose::OutsideLogin).await?.ok_or_else(rejected)?;
    if query.iss.as_ref().is_some_and(|iss| *iss != issuer.issuer) {
        return Err(rejected());
    }
    let Some(code) = query.code.filter(|_| query.error.is_none()) else {
        tracing::info!(issuer = issuer.name, error = query.error, "an issuer let somebody not in");
        return Err(rejected());
    };
    let (nonce, verifier) = secrets(&api, &state);
    let exchanged = api.identity.outside.exchange(issuer, &code, &redirect_uri(&api, issuer), &verifier, &nonce).await;
    let token = exchanged.map_err(|error| failed(&issuer.name, &error))?;
    let user = user_of(&api, issuer, token).await?;
    if user.disabled_at.is_some() {
        return Err(account_disabled());
    }
    let return_to = own_path(kept.data["return_to"].as_str().unwrap_or("/"))?;
    let method = format!("oidc:{}", issuer.name);
    let done = cookie::set(&api, COOKIE, HOST_COOKIE, "", 0);
    if api.store.second_factor(user.id).await?.is_some_and(|factor| factor.confirmed_at.is_some()) {
        let challenge = api.one_time(Some(user.id), Purpose::SecondFactor, CHALLENGE, json!({ "method": method })).await?;
        return Ok(see_other(&format!("{return_to}#totp_challenge={}", challenge.expose()), &[done]));
    }
    api.ensure_home(&user).await?;
    let client = crate::identity::sessions::Client { browser: true, ..sender.client };
    let login = api.begin_session(user.id, &method, &client).await?;
    tracing::info!(user = %user.id, session = %login.session.id, method, "logged in");
    let begun = login.cookie.as_ref().map(|token| cookie::begin(&api, token)).unwrap_or_default();
    Ok(see_other(&return_to, &[done, begun]))
}

/// Who somebody at an issuer is here: whoever was linked; else the user with the same proved address, where the operator says so; else
/// a new account, where anybody may have one.
async fn user_of(api: &Api, issuer: &Issuer, token: IdToken) -> Refusable<UserRecord> {
    if let Some(id) = api.store.outside_identity(&issuer.issuer, &token.subject).await? {
        return api.store.user(id).await?.ok_or_else(unlinked);
    }
    let email = token.email.filter(|_| token.email_verified).ok_or_else(unlinked)?;
    let user = match api.store.user_by_email(&email).await? {
        // Proved here too: else whoever registered with another's address first would get the other as well.
        Some(user) if api.identity.terms.link_by_email && user.verified_at.is_some() => user,
        Some(_) => return Err(unlinked()),
        None if api.registration_is_open() => {
            let name = token.name.unwrap_or_default();
            api.make_account(NewAccount { email, name, password_hash: None, operator: false, verified: true }).await?
        }
        None => return Err(unlinked()),
    };
    let identity = OutsideIdentity { issuer: issuer.issuer.clone(), subject: token.subject, user: user.id, created_at: api.clock.now() };
    api.store.put_outside_identity(&identity).await?;
    tracing::info!(user = %user.id, issuer = issuer.name, "an outside identity was linked");
    Ok(user)
}

fn find<'a>(api: &'a Api, name: &str) -> Refusable<&'a Issuer> {
    let shown: String = name.chars().take(60).collect();
    api.identity.outside.issuer(name).ok_or_else(|| Problem::not_found(format_args!("the issuer \"{shown}\"")))
}

/// To the letter what the operator registers at the issuer.
fn redirect_uri(api: &Api, issuer: &Issuer) -> String {
    format!("{}/api/auth/oidc/{}/callback", api.public_url(), issuer.name)
}

/// The nonce and the PKCE verifier follow from the state and our keys: neither is kept anywhere.
fn secrets(api: &Api, state: &Token) -> (String, String) {
    let derive = |purpose: &str| {
        let parts: [&[u8]; 1] = [state.expose().as_bytes()];
        let first = api.identity.keys.derive(purpose, &parts).next();
        first.map(|bytes| URL_SAFE_NO_PAD.encode(*bytes)).unwrap_or_default()
    };
    (derive("login nonce"), derive("login verifier"))
}

fn hash(token: &Token) -> String {
    URL_SAFE_NO_PAD.encode(token.hash().0)
}

/// A path of this server and nothing that a browser would read as another place.
fn own_path(text: &str) -> Refusable<String> {
    let refuse = || wrong("return_to", "it must be a path of this server, such as /plans".to_owned());
    let plain = text.len() <= 1_000 && !text.chars().any(|c| c.is_control() || c == '\\' || c.is_whitespace());
    if !plain || !text.starts_with('/') || text.starts_with("//") {
        return Err(refuse());
    }
    let base = Url::parse("http://own.invalid/").map_err(|_| refuse())?;
    let joined = base.join(text).map_err(|_| refuse())?;
    if joined.origin() != base.origin() || joined.fragment().is_some() || joined.path().starts_with("//") {
        return Err(refuse());
    }
    let query = joined.query().map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{}{query}", joined.path()))
}

fn see_other(location: &str, cookies: &[String]) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for cookie in cookies.iter().filter(|cookie| !cookie.is_empty()) {
        if let Ok(cookie) = HeaderValue::from_str(cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// 401: whatever was wrong, the way back begins anew.
fn rejected() -> Box<Problem> {
    let detail = "this login is not valid: it was begun in another browser, finished already, or took too long; begin again";
    Problem::new(StatusCode::UNAUTHORIZED, "OUTSIDE_LOGIN_REJECTED", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mainspring\""))
}

/// 403: the issuer knows them, and nobody here does.
fn unlinked() -> Box<Problem> {
    let detail = "no account here belongs to this login; ask whoever administers this installation for an account";
    Problem::new(StatusCode::FORBIDDEN, "OUTSIDE_LOGIN_UNKNOWN", detail)
}

fn failed(issuer: &str, error: &OutsideError) -> Box<Problem> {
    match error {
        OutsideError::Unreachable(reason) => {
            tracing::warn!(issuer, reason, "an issuer could not be asked");
            Problem::unavailable("OUTSIDE_LOGIN_UNAVAILABLE", "the issuer could not be asked; try again in a moment")
        }
        OutsideError::Rejected(reason) => {
            tracing::warn!(issuer, reason, "a login at an issuer was not taken");
            rejected()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn one_comes_back_to_a_page_of_ours() {
        for good in ["/", "/plans", "/plans?limit=3&x=%2F", "/a/b/../c"] {
            assert!(own_path(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "plans",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "///evil.example",
            "/%0d%0aSet-Cookie:x\r\n",
            "javascript:alert(1)",
            "/\tevil",
            "/ evil",
            "http:/evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "/x#token=1",
            "/\u{0}",
        ] {
            assert!(own_path(bad).is_err(), "{bad:?} came to {:?}", own_path(bad));
        }
    }
}
