//! Sessions, refresh tokens, tokens for one use and failed attempts: the installation's rows.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, SessionId, UserId};
use mainspring_model::lockout::{Admission, Attempts, Rule};
use mainspring_model::store::{OneTime, RefreshToken, Refreshed, SessionRecord, SessionStore, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at, at_or_none, json, text, whole};
use crate::shared::json::text_of;
use crate::shared::sessions::{Found, TOUCH, Turn, turn};

pub(super) const HERE: Scope = Scope::Org(OrgId::INSTALLATION);
/// $1 of every statement.
pub(super) const ORG: uuid::Uuid = OrgId::INSTALLATION.0;

#[async_trait]
impl SessionStore for PostgresStore {
    async fn is_founded(&self) -> Result<bool, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let users: bool = session
                .query("select exists (select from users where org_id = $1)")
                .bind(ORG)
                .fetch_one(&mut *session)
                .await?
                .try_get(0)?;
            session.enter(Scope::Queue).await?;
            let keys: bool = session.query("select exists (select id from api_keys)").fetch_one(&mut *session).await?.try_get(0)?;
            session.end().await?;
            Ok(users || keys)
        };
        self.within(found).await
    }

    async fn replace_password(&self, user: UserId, known: Option<&str>, hash: &str) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let now = session.now();
            let query = session.query(
                "update users set password_hash = $4, updated_at = $5 where org_id = $1 and id = $2 and password_hash is not distinct from $3",
            );
            let done = query.bind(ORG).bind(user.0).bind(known).bind(hash).bind(Stamp(now)).execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn put_session(&self, new: &SessionRecord, refresh: &RefreshToken) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            put_session(new, &mut session).await?;
            put_refresh(refresh, new, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let now = session.now();
            let row = session.query(SESSION).bind(ORG).bind(Stamp(now)).bind(id.0).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| record(&row)).transpose()
        };
        self.within(found).await
    }

    async fn session_by_cookie(&self, hash: &[u8]) -> Result<Option<SessionRecord>, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let now = session.now();
            let row = session.query(SESSION_BY_COOKIE).bind(ORG).bind(Stamp(now)).bind(hash).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| record(&row)).transpose()
        };
        self.within(found).await
    }

    async fn list_sessions(&self, user: UserId) -> Result<Vec<SessionRecord>, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let now = session.now();
            let rows = session.query(SESSIONS).bind(ORG).bind(Stamp(now)).bind(user.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(record).collect()
        };
        self.within(found).await
    }

    async fn touch_session(&self, id: SessionId) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let now = session.now();
            let query = session.query("update sessions set last_used_at = $3 where org_id = $1 and id = $2 and last_used_at <= $4");
            query.bind(ORG).bind(id.0).bind(Stamp(now)).bind(Stamp(now - TOUCH)).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let ended = end(user, Some(id), None, &mut session).await?;
            session.commit().await?;
            Ok(ended > 0)
        };
        self.within(done).await
    }

    async fn end_sessions(&self, user: UserId, but: Option<SessionId>) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let ended = end(user, None, but, &mut session).await?;
            session.commit().await?;
            Ok(ended)
        };
        self.within(done).await
    }

    async fn refresh(&self, hash: &[u8], successor: &RefreshToken, grace: Millis) -> Result<Refreshed, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let refreshed = refresh(hash, successor, grace, &mut session).await?;
            session.commit().await?;
            Ok(refreshed)
        };
        self.within(done).await
    }

    async fn put_one_time(&self, token: &OneTime) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            session
                .query(
                    "insert into one_time_tokens (org_id, token_hash, purpose, user_id, data, expires_at) \
                     values ($1, $2, $3, $4, $5::text::json, $6)",
                )
                .bind(ORG)
                .bind(&token.hash)
                .bind(kept(&token.purpose))
                .bind(token.user.map(|user| user.0))
                .bind(text_of(&token.data)?)
                .bind(Stamp(token.expires_at))
                .execute(&mut *session)
                .await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn one_time(&self, hash: &[u8], purpose: &str) -> Result<Option<OneTime>, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let now = session.now();
            let query = session.query(
                "select token_hash, purpose, user_id, data::text, expires_at from one_time_tokens \
                 where org_id = $1 and token_hash = $2 and purpose = $3 and expires_at > $4",
            );
            let row = query.bind(ORG).bind(hash).bind(kept(purpose)).bind(Stamp(now)).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| one_time(&row)).transpose()
        };
        self.within(found).await
    }

    async fn take_one_time(&self, hash: &[u8], purpose: &str) -> Result<Option<OneTime>, StoreError> {
        let taken = async {
            let mut session = self.write(HERE).await?;
            let now = session.now();
            let query = session.query(
                "delete from one_time_tokens where org_id = $1 and token_hash = $2 and purpose = $3 and expires_at > $4 \
                 returning token_hash, purpose, user_id, data::text, expires_at",
            );
            let row = query.bind(ORG).bind(hash).bind(kept(purpose)).bind(Stamp(now)).fetch_optional(&mut *session).await?;
            session.commit().await?;
            row.map(|row| one_time(&row)).transpose()
        };
        self.within(taken).await
    }

    async fn drop_one_time(&self, user: Option<UserId>, purpose: &str) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let query = session.query("delete from one_time_tokens where org_id = $1 and user_id is not distinct from $2 and purpose = $3");
            query.bind(ORG).bind(user.map(|user| user.0)).bind(kept(purpose)).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn attempt(&self, key: &str, rule: &Rule) -> Result<Admission, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let admission = attempt(key, rule, &mut session).await?;
            session.commit().await?;
            Ok(admission)
        };
        self.within(done).await
    }

    async fn give_back(&self, key: &str) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let query =
                session.query("update login_attempts set attempts = attempts - 1 where org_id = $1 and attempt_key = $2 and attempts > 0");
            query.bind(ORG).bind(kept(key)).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn forgive(&self, key: &str) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let query = session.query("delete from login_attempts where org_id = $1 and attempt_key = $2");
            query.bind(ORG).bind(kept(key)).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }
}

impl PostgresStore {
    /// Removes what has ended; it is no use to anybody.
    pub(super) async fn prune_sessions(&self) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let now = session.now();
            for sql in [
                "delete from refresh_tokens where org_id = $1 and (expires_at <= $2 or session_id in \
                 (select id from sessions where org_id = $1 and expires_at <= $2))",
                "delete from sessions where org_id = $1 and expires_at <= $2",
                "delete from one_time_tokens where org_id = $1 and expires_at <= $2",
                "delete from login_attempts where org_id = $1 and forgotten_at <= $2",
            ] {
                session.query(sql).bind(ORG).bind(Stamp(now)).execute(&mut *session).await?;
            }
            session.commit().await
        };
        self.within(done).await
    }
}

async fn put_session(new: &SessionRecord, session: &mut Session) -> Result<(), Fail> {
    session
        .query(
            "insert into sessions (org_id, id, user_id, method, device, address, cookie_hash, created_at, last_used_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(ORG)
        .bind(new.id.0)
        .bind(new.user.0)
        .bind(kept(&new.method))
        .bind(kept(&new.device))
        .bind(kept(&new.address))
        .bind(new.cookie.as_deref())
        .bind(Stamp(new.created_at))
        .bind(Stamp(new.last_used_at))
        .bind(Stamp(new.expires_at))
        .execute(&mut **session)
        .await?;
    Ok(())
}

async fn put_refresh(new: &RefreshToken, of: &SessionRecord, session: &mut Session) -> Result<(), Fail> {
    session
        .query("insert into refresh_tokens (org_id, token_hash, session_id, expires_at) values ($1, $2, $3, $4)")
        .bind(ORG)
        .bind(&new.hash)
        .bind(of.id.0)
        .bind(Stamp(new.expires_at.min(of.expires_at)))
        .execute(&mut **session)
        .await?;
    Ok(())
}

async fn end(user: UserId, only: Option<SessionId>, but: Option<SessionId>, session: &mut Session) -> Result<u64, Fail> {
    let (only, but) = (only.map(|id| id.0), but.map(|id| id.0));
    // In the order in which a refresh takes its locks: the token first, so that the two wait for one another and never both.
    let query = session.query(
        "delete from refresh_tokens where org_id = $1 and session_id in (select id from sessions where org_id = $1 and user_id = $2 \
         and ($3::uuid is null or id = $3) and ($4::uuid is null or id <> $4))",
    );
    query.bind(ORG).bind(user.0).bind(only).bind(but).execute(&mut **session).await?;
    let query = session.query(
        "delete from sessions where org_id = $1 and user_id = $2 and ($3::uuid is null or id = $3) and ($4::uuid is null or id <> $4)",
    );
    Ok(query.bind(ORG).bind(user.0).bind(only).bind(but).execute(&mut **session).await?.rows_affected())
}

async fn refresh(hash: &[u8], successor: &RefreshToken, grace: Millis, session: &mut Session) -> Result<Refreshed, Fail> {
    let now = session.now();
    // Of two nodes that are asked at once the second waits here for the first.
    let query = session.query(
        "select t.session_id, t.expires_at, t.used_at, t.successor from refresh_tokens as t where t.org_id = $1 and t.token_hash = $2 for update",
    );
    let Some(row) = query.bind(ORG).bind(hash).fetch_optional(&mut **session).await? else { return Ok(Refreshed::Unknown) };
    let id: uuid::Uuid = row.try_get(0)?;
    // Held, so that no logout comes between: a session that is gone must not get a token.
    let query = session.query(SESSION_HELD).bind(ORG).bind(Stamp(now)).bind(id);
    let Some(of) = query.fetch_optional(&mut **session).await? else { return Ok(Refreshed::Unknown) };
    let of = record(&of)?;
    let next: Option<Vec<u8>> = row.try_get(3)?;
    let query = session.query("select exists (select from refresh_tokens where org_id = $1 and token_hash = $2 and used_at is null)");
    let unused: bool = query.bind(ORG).bind(next.as_deref()).fetch_one(&mut **session).await?.try_get(0)?;
    let found = Found { expires_at: at(&row, 1)?, used_at: at_or_none(&row, 2)?, successor: next, successor_is_used: !unused };
    Ok(match turn(found, now, grace) {
        Turn::Expired => Refreshed::Unknown,
        Turn::Again(hash) => Refreshed::Again(of, hash),
        Turn::Reused => {
            end(of.user, Some(of.id), None, session).await?;
            Refreshed::Reused(of)
        }
        Turn::Rotate => {
            let query = session.query("update refresh_tokens set used_at = $3, successor = $4 where org_id = $1 and token_hash = $2");
            query.bind(ORG).bind(hash).bind(Stamp(now)).bind(&successor.hash).execute(&mut **session).await?;
            put_refresh(successor, &of, session).await?;
            let query = session.query("update sessions set last_used_at = $3 where org_id = $1 and id = $2");
            query.bind(ORG).bind(of.id.0).bind(Stamp(now)).execute(&mut **session).await?;
            Refreshed::Rotated(SessionRecord { last_used_at: now, ..of })
        }
    })
}

async fn attempt(key: &str, rule: &Rule, session: &mut Session) -> Result<Admission, Fail> {
    let now = session.now();
    // A row to hold, whoever comes first.
    let query = session.query(
        "insert into login_attempts (org_id, attempt_key, attempts, last_at, forgotten_at) values ($1, $2, 0, $3, $3) on conflict do nothing",
    );
    query.bind(ORG).bind(kept(key)).bind(Stamp(now)).execute(&mut **session).await?;
    let query = session.query("select attempts, last_at from login_attempts where org_id = $1 and attempt_key = $2 for update");
    let row = query.bind(ORG).bind(kept(key)).fetch_one(&mut **session).await?;
    let (admission, next) = rule.judge(Attempts { count: whole(&row, 0)?, last_at: at(&row, 1)? }, now);
    if let Some(next) = next {
        let query = session
            .query("update login_attempts set attempts = $3, last_at = $4, forgotten_at = $5 where org_id = $1 and attempt_key = $2");
        let query = query.bind(ORG).bind(kept(key)).bind(i64::from(next.count)).bind(Stamp(next.last_at));
        query.bind(Stamp(next.last_at + rule.forgotten_after)).execute(&mut **session).await?;
    }
    Ok(admission)
}

/// The columns that [`record`] reads, in its order; $1 is the installation, $2 the present moment.
macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "select id, user_id, method, device, address, cookie_hash, created_at, last_used_at, expires_at from sessions \
             where org_id = $1 and expires_at > $2 and ",
            $rest
        )
    };
}

const SESSION: &str = select_sessions!("id = $3");
const SESSION_HELD: &str = select_sessions!("id = $3 for update");
const SESSION_BY_COOKIE: &str = select_sessions!("cookie_hash = $3");
const SESSIONS: &str = select_sessions!("user_id = $3 order by created_at desc, id desc");

fn record(row: &PgRow) -> Result<SessionRecord, Fail> {
    Ok(SessionRecord {
        id: SessionId(row.try_get(0)?),
        user: UserId(row.try_get(1)?),
        method: text(row, 2)?,
        device: text(row, 3)?,
        address: text(row, 4)?,
        cookie: row.try_get(5)?,
        created_at: at(row, 6)?,
        last_used_at: at(row, 7)?,
        expires_at: at(row, 8)?,
    })
}

fn one_time(row: &PgRow) -> Result<OneTime, Fail> {
    Ok(OneTime {
        hash: row.try_get(0)?,
        purpose: text(row, 1)?,
        user: row.try_get::<Option<uuid::Uuid>, _>(2)?.map(UserId),
        data: json(row, 3)?,
        expires_at: at(row, 4)?,
    })
}
