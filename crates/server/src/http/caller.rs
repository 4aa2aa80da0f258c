//! Who asks: in dev mode the local owner, otherwise the user of the API key, access token or session cookie. Nothing else in a
//! request names anybody.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use mainspring_model::clock::Millis;
use mainspring_model::id::{ApiKeyId, OrgId, Owner, SessionId, UserId};
use mainspring_model::role::{Permission, Role};
use mainspring_model::scope::Scope;
use mainspring_vault::{AccessToken, Token};

use super::api::Api;
use super::permissions::denied;
use super::problem::{Problem, Refusable};
use super::{cookie, members};
use crate::known::Known;

/// Who asks, on behalf of which organization, and as what.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub owner: Owner,
    pub role: Role,
    /// May administer the installation.
    pub operator: bool,
    /// Of its key; everything for whoever is logged in.
    pub scope: Scope,
    pub by: By,
}

/// By what a caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Dev mode asks nobody.
    Dev,
    Key(ApiKeyId),
    /// Logged in, by an access token or a browser's cookie.
    Session(SessionId),
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Box<Problem>;

    /// [`super::permissions::judge`] found out before any handler began.
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Caller, Box<Problem>> {
        parts.extensions.get().copied().ok_or_else(|| Problem::internal("a public operation asks who calls"))
    }
}

/// Who asks with these headers at this address.
pub async fn of(api: &Api, headers: &HeaderMap, uri: &Uri) -> Refusable<Caller> {
    let caller = identify(api, headers).await?;
    if let Some(user) = uri.query().and_then(user_in_query) {
        caller.is(api, &user)?;
    }
    Ok(caller)
}

impl Caller {
    /// The local owner, whom nobody has to make.
    const LOCAL: Caller = Caller { owner: Owner::LOCAL, role: Role::Owner, operator: true, scope: Scope::ALL, by: By::Dev };

    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission) && self.scope.has(permission)
    }

    /// # Errors
    /// 403 `PERMISSION_DENIED`.
    pub fn demand(&self, permission: Permission) -> Refusable<()> {
        if self.may(permission) {
            return Ok(());
        }
        if self.role.may(permission) {
            return Err(denied(format!("that needs {permission}, which is not among the scopes of the API key; make a key that has it")));
        }
        let (role, least) = (self.role, permission.least());
        Err(denied(format!(
            "that needs {permission}, which the role {role} does not have; ask an admin of the organization to make you {least}"
        )))
    }

    /// Earlier callers also send `user_id`: it must be the caller's own and grants nothing.
    pub fn is(&self, api: &Api, user_id: &str) -> Refusable<()> {
        if api.mode.dev {
            if !api.warned_of_user_id.swap(true, Ordering::Relaxed) {
                tracing::warn!("a caller sends user_id; in dev mode the caller is the local owner whatever it says");
            }
            return Ok(());
        }
        match user_id.parse::<UserId>() {
            Ok(user) if user == self.owner.user => Ok(()),
            _ => Err(Problem::forbidden("user_id is not the caller's; leave it out, the key says who asks")),
        }
    }
}

async fn identify(api: &Api, headers: &HeaderMap) -> Refusable<Caller> {
    let caller = match (api.mode.dev, sign(api, headers)) {
        (true, _) => Caller::LOCAL,
        (false, Err(problem)) => return Err(problem),
        (false, Ok(Sign::Key(hash))) => by_key(api, hash).await?,
        (false, Ok(Sign::Access(token))) => return by_session(api, SessionId(token.session), Some(token.user), headers).await,
        (false, Ok(Sign::Cookie(cookie))) => {
            let session = api.session_of_cookie(&cookie).await?.ok_or_else(session_over)?;
            return by_session(api, session, None, headers).await;
        }
    };
    let Some(wanted) = headers.get("x-organization") else { return Ok(caller) };
    match members::pick(api, caller, wanted.to_str().unwrap_or_default()).await {
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            Err(Problem::forbidden("X-Organization: the caller is no member of such an organization"))
        }
        picked => picked,
    }
}

/// By what a request says who asks.
pub(super) enum Sign {
    Key([u8; 32]),
    /// Signed by us and not expired. Whether its session goes on is another question.
    Access(AccessToken),
    Cookie(Token),
}

/// What a request says of its caller, as far as that can be judged without asking the store. A header wins over a cookie.
pub(super) fn sign(api: &Api, headers: &HeaderMap) -> Refusable<Sign> {
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(cookie) = cookie::session(headers)
    {
        return Ok(Sign::Cookie(cookie));
    }
    let token = bearer(headers)?;
    // Ours begin otherwise, and no API key has a dot.
    if token.contains('.') {
        let now = api.clock.now().div_euclid(1_000);
        let token = AccessToken::read(&api.identity.keys, token, now);
        return token.map(Sign::Access).map_err(|error| unauthorized(format!("the access token is no good: {error}")));
    }
    // The checksum tells a mistyped key without a look at the store.
    let token = Token::parse(Token::API_KEY, token).map_err(|error| unauthorized(format!("the API key cannot be right: {error}")))?;
    Ok(Sign::Key(token.hash().0))
}

/// Who asks by a session, in the organization that they name, else in their first one.
async fn by_session(api: &Api, session: SessionId, user: Option<UserId>, headers: &HeaderMap) -> Refusable<Caller> {
    let member = api.member_of_session(session).await?.ok_or_else(session_over)?;
    // A token that was signed for another user than its session's is none of ours, whatever its signature says.
    if user.is_some_and(|user| user != member.user) {
        return Err(session_over());
    }
    let wanted = headers.get("x-organization").map(|wanted| wanted.to_str().unwrap_or("?"));
    let named = |(org, slug, _): &&(OrgId, String, Role)| wanted.is_none_or(|wanted| wanted == slug || wanted == org.to_string());
    let Some((org, _, role)) = member.organizations.iter().find(named) else {
        return Err(Problem::forbidden("X-Organization: the caller is no member of such an organization"));
    };
    let owner = Owner { org: *org, user: member.user };
    Ok(Caller { owner, role: *role, operator: member.operator, scope: Scope::ALL, by: By::Session(session) })
}

fn session_over() -> Box<Problem> {
    unauthorized("the session is over: it was ended or has expired; log in again")
}

/// Who asks by the key with this hash.
pub(super) async fn by_key(api: &Api, hash: [u8; 32]) -> Refusable<Caller> {
    let now = api.clock.now();
    if let Some(caller) = api.keys.get(&hash, now) {
        return Ok(caller);
    }
    let record = api.store.api_key_by_hash(&hash).await?;
    let record = record.filter(|record| record.expires_at.is_none_or(|until| until > now));
    let Some(record) = record else {
        api.keys.forget(&hash);
        return Err(unauthorized("the API key is unknown, was removed or has expired"));
    };
    let Some((role, operator)) = standing(api, record.owner).await? else {
        api.keys.forget(&hash);
        return Err(unauthorized("the API key's user is disabled, or no member of its organization any more"));
    };
    let scope = Scope::stored(record.scopes.as_deref());
    // Who administers the installation by a key does so by one that is bounded to nothing.
    let caller = Caller { owner: record.owner, role, operator: operator && scope.is_all(), scope, by: By::Key(record.id) };
    api.keys.put(hash, caller, now, record.expires_at.unwrap_or(Millis::MAX));
    // Beside the request: noting a use is nothing to wait for.
    let store = api.store.clone();
    tokio::spawn(async move {
        if let Err(error) = store.touch_api_key(record.owner.org, record.id).await {
            tracing::debug!(%error, "the use of an API key was not noted");
        }
    });
    Ok(caller)
}

/// What a user is in an organization, and whether they administer the installation; `None` for who may do nothing there.
async fn standing(api: &Api, owner: Owner) -> Refusable<Option<(Role, bool)>> {
    let user = api.store.user(owner.user).await?;
    // The local owner needs no record; once there is one, it can be disabled as any other.
    if owner == Owner::LOCAL && user.as_ref().is_none_or(|user| user.disabled_at.is_none()) {
        return Ok(Some((Role::Owner, true)));
    }
    let Some(user) = user.filter(|user| user.disabled_at.is_none()) else { return Ok(None) };
    Ok(api.store.role_of(owner.user, owner.org).await?.map(|role| (role, user.operator)))
}

/// Whether the key was right when it was last looked up, however long ago.
pub(super) fn was_right(api: &Api, hash: &[u8; 32]) -> bool {
    api.keys.has_seen(hash)
}

/// The token in `Authorization`.
fn bearer(headers: &HeaderMap) -> Refusable<&str> {
    let given = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| unauthorized("log in, or send an API key: Authorization: Bearer <access token or msk_…>"))?;
    given
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| unauthorized("Authorization is not \"Bearer <access token or API key>\""))
}

pub(super) fn unauthorized(detail: impl Into<String>) -> Box<Problem> {
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mainspring\""))
}

fn user_in_query(query: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "user_id").map(|(_, value)| value.into_owned())
}

/// Keys seen lately, by hash. Short, because a removed key must stop working at once for all that a person can tell.
pub type KeyCache = Known<[u8; 32], Caller>;
