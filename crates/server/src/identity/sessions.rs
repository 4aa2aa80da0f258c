//! Sessions: begun by a login, kept by refresh tokens that are used once, known for a moment, ended for good.

use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, SessionId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{RefreshToken, Refreshed, SessionRecord, StoreError};
use mainspring_vault::{AccessToken, Token, VaultError};
use thiserror::Error;

use super::terms::{ACCESS, GRACE, IDLE, SESSION, millis};
use crate::app::App;

/// Why a session could not be begun or looked up.
#[derive(Debug, Error)]
pub enum SessionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What a client says of itself, and where it is.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub device: String,
    pub address: String,
    /// It keeps cookies and comes from a page of ours.
    pub browser: bool,
}

/// A session's tokens in the clear, to be handed out once.
pub struct Login {
    pub session: SessionRecord,
    pub access: String,
    pub refresh: Token,
    pub cookie: Option<Token>,
}

/// Somebody who is logged in: what a request has to know of them.
#[derive(Clone, Debug)]
pub struct Member {
    pub user: UserId,
    pub operator: bool,
    /// Oldest membership first; never empty.
    pub organizations: Vec<(OrgId, String, Role)>,
}

impl App {
    /// Begins a session. It is durable when this returns.
    ///
    /// # Errors
    /// The store's; no entropy.
    pub async fn begin_session(&self, user: UserId, method: &str, client: &Client) -> Result<Login, SessionError> {
        let now = self.clock.now();
        let entropy = self.vault.entropy();
        let cookie = client.browser.then(|| Token::generate(Token::COOKIE, entropy)).transpose()?;
        let refresh = Token::generate(Token::REFRESH, entropy)?;
        let session = SessionRecord {
            id: SessionId(self.engine.new_id()),
            user,
            method: method.to_owned(),
            device: short(&client.device),
            address: short(&client.address),
            cookie: cookie.as_ref().map(|cookie| cookie.hash().0.to_vec()),
            created_at: now,
            last_used_at: now,
            expires_at: now + millis(SESSION),
        };
        self.store.put_session(&session, &self.stored(&refresh, now)).await?;
        let access = self.access_token(&session, now);
        Ok(Login { session, access, refresh, cookie })
    }

    /// Uses a refresh token up for the next one. `None`: it is no good, or no good any more.
    ///
    /// The successor follows from the token and our keys, so that a lost answer can be given again without keeping it anywhere.
    ///
    /// # Errors
    /// The store's.
    pub async fn refresh_session(&self, presented: &Token) -> Result<Option<Login>, SessionError> {
        let now = self.clock.now();
        let mut successors = self.successors(presented);
        // There is a key, so there is a successor.
        let Some(first) = successors.next().transpose()? else { return Ok(None) };
        let (session, refresh) = match self.store.refresh(&presented.hash().0, &self.stored(&first, now), millis(GRACE)).await? {
            Refreshed::Rotated(session) => (session, first),
            Refreshed::Again(session, hash) => {
                let mut all = vec![first];
                for next in successors {
                    all.push(next?);
                }
                match all.into_iter().find(|next| next.hash().0.as_slice() == hash) {
                    Some(same) => (session, same),
                    // Its key was taken out within these seconds: one logs in again.
                    None => return Ok(None),
                }
            }
            Refreshed::Reused(session) => {
                self.identity.members.forget(&session.id);
                tracing::warn!(
                    session = %session.id, user = %session.user,
                    "a refresh token was used twice: somebody may have a copy, so its session is ended"
                );
                return Ok(None);
            }
            Refreshed::Unknown => return Ok(None),
        };
        let access = self.access_token(&session, now);
        Ok(Some(Login { session, access, refresh, cookie: None }))
    }

    /// The session of a browser's cookie, unless it lay idle for too long.
    ///
    /// # Errors
    /// The store's.
    pub async fn session_of_cookie(&self, cookie: &Token) -> Result<Option<SessionId>, StoreError> {
        let (now, hash) = (self.clock.now(), cookie.hash().0);
        if let Some(session) = self.identity.cookies.get(&hash, now) {
            return Ok(Some(session));
        }
        let session = self.store.session_by_cookie(&hash).await?;
        let Some(session) = session.filter(|session| session.last_used_at + millis(IDLE) > now) else { return Ok(None) };
        self.identity.cookies.put(hash, session.id, now, session.expires_at);
        Ok(Some(session.id))
    }

    /// Who is logged in by a session; `None` when it is over, or its user is disabled or a member of nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn member_of_session(&self, id: SessionId) -> Result<Option<Arc<Member>>, StoreError> {
        let now = self.clock.now();
        if let Some(member) = self.identity.members.get(&id, now) {
            return Ok(Some(member));
        }
        let Some(session) = self.store.session(id).await? else { return Ok(None) };
        let Some(user) = self.store.user(session.user).await?.filter(|user| user.disabled_at.is_none()) else { return Ok(None) };
        let memberships = self.store.memberships(user.id).await?;
        let organizations: Vec<_> = memberships.into_iter().map(|(org, role)| (org.id, org.slug, role)).collect();
        if organizations.is_empty() {
            return Ok(None);
        }
        let member = Arc::new(Member { user: user.id, operator: user.operator, organizations });
        self.identity.members.put(id, member.clone(), now, session.expires_at);
        // Beside the request: noting a use is nothing to wait for.
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.touch_session(id).await {
                tracing::debug!(%error, "the use of a session was not noted");
            }
        });
        Ok(Some(member))
    }

    /// Ends a user's session here and everywhere: here at once, on other nodes as soon as they ask again.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let ended = self.store.end_session(user, id).await?;
        self.identity.members.forget(&id);
        self.identity.cookies.forget_if(|_, session| *session == id);
        Ok(ended)
    }

    /// Ends all of a user's sessions but one.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_sessions(&self, user: UserId, but: Option<SessionId>) -> Result<u64, StoreError> {
        let ended = self.store.end_sessions(user, but).await?;
        self.identity.members.forget_if(|id, member| member.user == user && Some(*id) != but);
        self.identity.cookies.forget_if(|_, session| Some(*session) != but);
        Ok(ended)
    }

    fn stored(&self, refresh: &Token, now: Millis) -> RefreshToken {
        RefreshToken { hash: refresh.hash().0.to_vec(), expires_at: now + millis(IDLE) }
    }

    fn access_token(&self, session: &SessionRecord, now: Millis) -> String {
        let issued_at = now.div_euclid(1_000);
        let until = now.saturating_add(millis(ACCESS)).min(session.expires_at);
        AccessToken { user: session.user, session: session.id.0, issued_at, expires_at: until.div_euclid(1_000) }.sign(&self.identity.keys)
    }

    /// What takes a refresh token's place, by each key, the signing one first.
    fn successors(&self, presented: &Token) -> impl Iterator<Item = Result<Token, VaultError>> {
        let token = presented.expose().as_bytes().to_vec();
        let bytes: Vec<_> = self.identity.keys.derive("refresh token", &[&token]).collect();
        bytes.into_iter().map(|bytes| {
            let given = move |buffer: &mut [u8]| buffer.copy_from_slice(&*bytes);
            Token::generate(Token::REFRESH, &given)
        })
    }
}

/// A text of the client's, as much of it as anybody reads.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
