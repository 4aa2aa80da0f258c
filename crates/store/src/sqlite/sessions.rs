//! Sessions, refresh tokens, tokens for one use and failed attempts.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{SessionId, UserId};
use mainspring_model::lockout::{Admission, Attempts, Rule};
use mainspring_model::store::{OneTime, RefreshToken, Refreshed, SessionRecord, SessionStore, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, id_of, json, text_of, uuid};
use crate::shared::sessions::{Found, TOUCH, Turn, turn};

#[async_trait]
impl SessionStore for SqliteStore {
    async fn is_founded(&self) -> Result<bool, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let sql = "select exists (select 1 from users) or exists (select 1 from api_keys)";
                Ok(sqlx::query(sql).fetch_one(connection).await?.try_get(0)?)
            })
        })
        .await
    }

    async fn replace_password(&self, user: UserId, known: Option<&str>, hash: &str) -> Result<bool, StoreError> {
        let (known, hash, now) = (known.map(str::to_owned), hash.to_owned(), self.now_ms());
        self.write(async move |connection| {
            let query = sqlx::query("update users set password_hash = ?3, updated_at = ?4 where id = ?1 and password_hash is ?2");
            let query = query.bind(bytes(user.0)).bind(known.as_deref()).bind(hash.as_str()).bind(now);
            Ok(query.execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    async fn put_session(&self, session: &SessionRecord, refresh: &RefreshToken) -> Result<(), StoreError> {
        let (session, refresh) = (session.clone(), refresh.clone());
        self.write(async move |connection| {
            put_session(&session, connection).await?;
            put_refresh(&refresh, &session, connection).await
        })
        .await
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let now = self.now_ms();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(SESSION).bind(now).bind(bytes(id.0)).fetch_optional(connection).await?;
                row.map(|row| session(&row)).transpose()
            })
        })
        .await
    }

    async fn session_by_cookie(&self, hash: &[u8]) -> Result<Option<SessionRecord>, StoreError> {
        let (hash, now) = (hash.to_vec(), self.now_ms());
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(SESSION_BY_COOKIE).bind(now).bind(hash).fetch_optional(connection).await?;
                row.map(|row| session(&row)).transpose()
            })
        })
        .await
    }

    async fn list_sessions(&self, user: UserId) -> Result<Vec<SessionRecord>, StoreError> {
        let now = self.now_ms();
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(SESSIONS).bind(now).bind(bytes(user.0)).fetch_all(connection).await?;
                rows.iter().map(session).collect()
            })
        })
        .await
    }

    async fn touch_session(&self, id: SessionId) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| {
            let query = sqlx::query("update sessions set last_used_at = ?2 where id = ?1 and last_used_at <= ?3");
            query.bind(bytes(id.0)).bind(now).bind(now - TOUCH).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn end_session(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        self.write(async move |connection| Ok(end(user, Some(id), None, connection).await? > 0)).await
    }

    async fn end_sessions(&self, user: UserId, but: Option<SessionId>) -> Result<u64, StoreError> {
        self.write(async move |connection| end(user, None, but, connection).await).await
    }

    async fn refresh(&self, hash: &[u8], successor: &RefreshToken, grace: Millis) -> Result<Refreshed, StoreError> {
        let (hash, successor, now) = (hash.to_vec(), successor.clone(), self.now_ms());
        self.write(async move |connection| refresh(&hash, &successor, grace, now, connection).await).await
    }

    async fn put_one_time(&self, token: &OneTime) -> Result<(), StoreError> {
        let token = token.clone();
        self.write(async move |connection| {
            sqlx::query("insert into one_time_tokens (token_hash, purpose, user_id, data, expires_at) values (?1, ?2, ?3, ?4, ?5)")
                .bind(token.hash.clone())
                .bind(token.purpose.as_str())
                .bind(token.user.map(|user| bytes(user.0)))
                .bind(text_of(&token.data)?)
                .bind(token.expires_at)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }

    async fn one_time(&self, hash: &[u8], purpose: &str) -> Result<Option<OneTime>, StoreError> {
        let (hash, purpose, now) = (hash.to_vec(), purpose.to_owned(), self.now_ms());
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select token_hash, purpose, user_id, data, expires_at from one_time_tokens \
                           where token_hash = ?1 and purpose = ?2 and expires_at > ?3";
                let row = sqlx::query(sql).bind(hash).bind(purpose).bind(now).fetch_optional(connection).await?;
                row.map(|row| one_time(&row)).transpose()
            })
        })
        .await
    }

    async fn take_one_time(&self, hash: &[u8], purpose: &str) -> Result<Option<OneTime>, StoreError> {
        let (hash, purpose, now) = (hash.to_vec(), purpose.to_owned(), self.now_ms());
        self.write(async move |connection| {
            let sql = "delete from one_time_tokens where token_hash = ?1 and purpose = ?2 and expires_at > ?3 \
                       returning token_hash, purpose, user_id, data, expires_at";
            let row = sqlx::query(sql).bind(hash.clone()).bind(purpose.as_str()).bind(now).fetch_optional(connection).await?;
            row.map(|row| one_time(&row)).transpose()
        })
        .await
    }

    async fn drop_one_time(&self, user: Option<UserId>, purpose: &str) -> Result<(), StoreError> {
        let purpose = purpose.to_owned();
        self.write(async move |connection| {
            let query = sqlx::query("delete from one_time_tokens where user_id is ?1 and purpose = ?2");
            query.bind(user.map(|user| bytes(user.0))).bind(purpose.as_str()).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn attempt(&self, key: &str, rule: &Rule) -> Result<Admission, StoreError> {
        let (key, rule, now) = (key.to_owned(), *rule, self.now_ms());
        self.write(async move |connection| attempt(&key, rule, now, connection).await).await
    }

    async fn give_back(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.write(async move |connection| {
            let sql = "update login_attempts set attempts = attempts - 1 where attempt_key = ?1 and attempts > 0";
            sqlx::query(sql).bind(key.as_str()).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn forgive(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.write(async move |connection| {
            sqlx::query("delete from login_attempts where attempt_key = ?1").bind(key.as_str()).execute(connection).await?;
            Ok(())
        })
        .await
    }
}

impl SqliteStore {
    /// Removes what has ended; it is no use to anybody.
    pub(super) async fn prune_sessions(&self) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| {
            for sql in [
                "delete from refresh_tokens where expires_at <= ?1 or session_id in (select id from sessions where expires_at <= ?1)",
                "delete from sessions where expires_at <= ?1",
                "delete from one_time_tokens where expires_at <= ?1",
                "delete from login_attempts where forgotten_at <= ?1",
            ] {
                sqlx::query(sql).bind(now).execute(&mut *connection).await?;
            }
            Ok(())
        })
        .await
    }
}

async fn put_session(new: &SessionRecord, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query(
        "insert into sessions (id, user_id, method, device, address, cookie_hash, created_at, last_used_at, expires_at) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(bytes(new.id.0))
    .bind(bytes(new.user.0))
    .bind(new.method.as_str())
    .bind(new.device.as_str())
    .bind(new.address.as_str())
    .bind(new.cookie.clone())
    .bind(new.created_at)
    .bind(new.last_used_at)
    .bind(new.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_refresh(new: &RefreshToken, session: &SessionRecord, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("insert into refresh_tokens (token_hash, session_id, expires_at) values (?1, ?2, ?3)")
        .bind(new.hash.clone())
        .bind(bytes(session.id.0))
        .bind(new.expires_at.min(session.expires_at))
        .execute(connection)
        .await?;
    Ok(())
}

async fn end(user: UserId, only: Option<SessionId>, but: Option<SessionId>, connection: &mut SqliteConnection) -> Result<u64, Fail> {
    let (only, but) = (only.map(|id| bytes(id.0)), but.map(|id| bytes(id.0)));
    let sql = "delete from refresh_tokens where session_id in (select id from sessions where user_id = ?1 \
               and (?2 is null or id = ?2) and (?3 is null or id <> ?3))";
    sqlx::query(sql).bind(bytes(user.0)).bind(only.clone()).bind(but.clone()).execute(&mut *connection).await?;
    let sql = "delete from sessions where user_id = ?1 and (?2 is null or id = ?2) and (?3 is null or id <> ?3)";
    Ok(sqlx::query(sql).bind(bytes(user.0)).bind(only).bind(but).execute(connection).await?.rows_affected())
}

async fn refresh(
    hash: &[u8],
    successor: &RefreshToken,
    grace: Millis,
    now: Millis,
    connection: &mut SqliteConnection,
) -> Result<Refreshed, Fail> {
    let sql = "select t.session_id, t.expires_at, t.used_at, t.successor, not exists (select 1 from refresh_tokens as n \
               where n.token_hash = t.successor and n.used_at is null) from refresh_tokens as t where t.token_hash = ?1";
    let Some(row) = sqlx::query(sql).bind(hash.to_vec()).fetch_optional(&mut *connection).await? else { return Ok(Refreshed::Unknown) };
    let id = uuid(&row, 0)?;
    let Some(of) = sqlx::query(SESSION).bind(now).bind(bytes(id)).fetch_optional(&mut *connection).await? else {
        return Ok(Refreshed::Unknown);
    };
    let session = session(&of)?;
    let found =
        Found { expires_at: row.try_get(1)?, used_at: row.try_get(2)?, successor: row.try_get(3)?, successor_is_used: row.try_get(4)? };
    Ok(match turn(found, now, grace) {
        Turn::Expired => Refreshed::Unknown,
        Turn::Again(hash) => Refreshed::Again(session, hash),
        Turn::Reused => {
            end(session.user, Some(session.id), None, connection).await?;
            Refreshed::Reused(session)
        }
        Turn::Rotate => {
            let query = sqlx::query("update refresh_tokens set used_at = ?2, successor = ?3 where token_hash = ?1");
            query.bind(hash.to_vec()).bind(now).bind(successor.hash.clone()).execute(&mut *connection).await?;
            put_refresh(successor, &session, connection).await?;
            let query = sqlx::query("update sessions set last_used_at = ?2 where id = ?1").bind(bytes(session.id.0)).bind(now);
            query.execute(connection).await?;
            Refreshed::Rotated(SessionRecord { last_used_at: now, ..session })
        }
    })
}

async fn attempt(key: &str, rule: Rule, now: Millis, connection: &mut SqliteConnection) -> Result<Admission, Fail> {
    let query = sqlx::query("select attempts, last_at from login_attempts where attempt_key = ?1").bind(key);
    let so_far = match query.fetch_optional(&mut *connection).await? {
        Some(row) => Attempts { count: row.try_get(0)?, last_at: row.try_get(1)? },
        None => Attempts::default(),
    };
    let (admission, next) = rule.judge(so_far, now);
    if let Some(next) = next {
        sqlx::query(
            "insert into login_attempts (attempt_key, attempts, last_at, forgotten_at) values (?1, ?2, ?3, ?4) \
             on conflict (attempt_key) do update set attempts = excluded.attempts, last_at = excluded.last_at, \
             forgotten_at = excluded.forgotten_at",
        )
        .bind(key)
        .bind(next.count)
        .bind(next.last_at)
        .bind(next.last_at + rule.forgotten_after)
        .execute(connection)
        .await?;
    }
    Ok(admission)
}

/// The columns that [`session`] reads, in its order; ?1 is the present moment.
macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "select id, user_id, method, device, address, cookie_hash, created_at, last_used_at, expires_at from sessions \
             where expires_at > ?1 and ",
            $rest
        )
    };
}

const SESSION: &str = select_sessions!("id = ?2");
const SESSION_BY_COOKIE: &str = select_sessions!("cookie_hash = ?2");
const SESSIONS: &str = select_sessions!("user_id = ?2 order by no desc");

fn session(row: &SqliteRow) -> Result<SessionRecord, Fail> {
    Ok(SessionRecord {
        id: SessionId(uuid(row, 0)?),
        user: UserId(uuid(row, 1)?),
        method: row.try_get(2)?,
        device: row.try_get(3)?,
        address: row.try_get(4)?,
        cookie: row.try_get(5)?,
        created_at: row.try_get(6)?,
        last_used_at: row.try_get(7)?,
        expires_at: row.try_get(8)?,
    })
}

fn one_time(row: &SqliteRow) -> Result<OneTime, Fail> {
    let user = row.try_get::<Option<&[u8]>, _>(2)?.map(id_of).transpose()?;
    Ok(OneTime {
        hash: row.try_get(0)?,
        purpose: row.try_get(1)?,
        user: user.map(UserId),
        data: json(row.try_get(3)?)?,
        expires_at: row.try_get(4)?,
    })
}
