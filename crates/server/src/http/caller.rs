//! Who asks: in dev mode the local owner, otherwise the user of the API key. Nothing else in a request names anybody.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use mainspring_model::clock::Millis;
use mainspring_model::id::{ApiKeyId, Owner, UserId};
use mainspring_model::role::{Permission, Role};
use mainspring_vault::Token;

use super::api::Api;
use super::members;
use super::permissions::denied;
use super::problem::{Problem, Refusable};

/// Who asks, on behalf of which organization, and as what.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub owner: Owner,
    pub role: Role,
    /// May administer the installation.
    pub operator: bool,
    pub by: By,
}

/// By what a caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Dev mode asks nobody.
    Dev,
    Key(ApiKeyId),
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
    const LOCAL: Caller = Caller { owner: Owner::LOCAL, role: Role::Owner, operator: true, by: By::Dev };

    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    /// # Errors
    /// 403 `PERMISSION_DENIED`.
    pub fn demand(&self, permission: Permission) -> Refusable<()> {
        if self.may(permission) {
            return Ok(());
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
    let caller = if api.mode.dev { Caller::LOCAL } else { by_key(api, hash_of_key(headers)?).await? };
    let Some(wanted) = headers.get("x-organization") else { return Ok(caller) };
    match members::pick(api, caller, wanted.to_str().unwrap_or_default()).await {
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            Err(Problem::forbidden("X-Organization: the caller is no member of such an organization"))
        }
        picked => picked,
    }
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
    let caller = Caller { owner: record.owner, role, operator, by: By::Key(record.id) };
    api.keys.put(hash, caller, now, record.expires_at);
    Ok(caller)
}

/// What a user is in an organization, and whether they administer the installation; `None` for who may do nothing there.
async fn standing(api: &Api, owner: Owner) -> Refusable<Option<(Role, bool)>> {
    if owner == Owner::LOCAL {
        return Ok(Some((Role::Owner, true)));
    }
    let Some(user) = api.store.user(owner.user).await?.filter(|user| user.disabled_at.is_none()) else { return Ok(None) };
    Ok(api.store.role_of(owner.user, owner.org).await?.map(|role| (role, user.operator)))
}

/// Whether the key was right when it was last looked up, however long ago.
pub(super) fn was_right(api: &Api, hash: &[u8; 32]) -> bool {
    api.keys.lock().contains_key(hash)
}

/// Of the key in `Authorization`.
pub(super) fn hash_of_key(headers: &HeaderMap) -> Refusable<[u8; 32]> {
    let given = headers.get(header::AUTHORIZATION).ok_or_else(|| unauthorized("an API key is needed: send Authorization: Bearer msk_…"))?;
    let token = given
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token)
        .ok_or_else(|| unauthorized("Authorization is not \"Bearer <API key>\""))?;
    // The checksum tells a mistyped key without a look at the store.
    let token = Token::parse(Token::API_KEY, token).map_err(|error| unauthorized(format!("the API key cannot be right: {error}")))?;
    Ok(token.hash().0)
}

pub(super) fn unauthorized(detail: impl Into<String>) -> Box<Problem> {
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mainspring\""))
}

fn user_in_query(query: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "user_id").map(|(_, value)| value.into_owned())
}

/// Keys seen lately, by hash. Short, because a removed key must stop working at once for all that a person can tell.
#[derive(Default)]
pub struct KeyCache(Mutex<HashMap<[u8; 32], (Caller, Millis)>>);

const KEEP: Millis = 5_000;
const CAPACITY: usize = 1_024;

impl KeyCache {
    fn get(&self, hash: &[u8; 32], now: Millis) -> Option<Caller> {
        self.lock().get(hash).filter(|(_, until)| *until > now).map(|(known, _)| *known)
    }

    fn put(&self, hash: [u8; 32], known: Caller, now: Millis, expires_at: Option<Millis>) {
        let mut keys = self.lock();
        if keys.len() >= CAPACITY {
            keys.clear();
        }
        keys.insert(hash, (known, expires_at.map_or(now + KEEP, |at| at.min(now + KEEP))));
    }

    fn forget(&self, hash: &[u8; 32]) {
        self.lock().remove(hash);
    }

    /// Somebody's standing changed: everybody is looked up anew.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], (Caller, Millis)>> {
        self.0.lock().expect("no panic happens while the keys are held")
    }
}
