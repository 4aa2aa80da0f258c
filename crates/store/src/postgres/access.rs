//! API keys by their hash, and the remembered answers of idempotent writes.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{ApiKeyId, OrgId, Owner, UserId};
use mainspring_model::store::{AccessStore, ApiKeyRecord, IdempotentAnswer, Remembered, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept, key};
use super::{PostgresStore, at, at_or_none, enter_org_of, json, json_or_none, text};
use crate::shared::json::text_of;
use crate::shared::sessions::TOUCH;

/// How long an answer is remembered.
pub(super) const ANSWER_KEPT: Millis = 24 * 3_600_000;
/// Whoever began this long ago and has not answered is dead.
const ANSWER_AWAITED: Millis = 5 * 60_000;

#[async_trait]
impl AccessStore for PostgresStore {
    async fn put_api_key(&self, new: &ApiKeyRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Queue).await?;
            // A hash is one key's, whoever owns it: a request says nothing else of its caller.
            let lock = session.query("select pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 1835103092))");
            lock.bind(&new.hash).execute(&mut *session).await?;
            let query = session.query("select id = $2 from api_keys where (id = $2 or key_hash = $1) and org_id <> $3 limit 1");
            let elsewhere = query.bind(&new.hash).bind(new.id.0).bind(new.owner.org.0).fetch_optional(&mut *session).await?;
            session.enter(Scope::Org(new.owner.org)).await?;
            match elsewhere.map(|row| row.try_get::<bool, _>(0)).transpose()? {
                None => put(new, &mut session).await?,
                Some(true) => return Err(StoreError::NotFound { what: format!("the API key {}", new.id) }.into()),
                Some(false) => return Err(StoreError::Conflict("this API key exists already".to_owned()).into()),
            }
            session.commit().await
        };
        self.within(done).await
    }

    async fn api_key_by_hash(&self, hash: &[u8]) -> Result<Option<ApiKeyRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let Some(org) = enter_org_of("select org_id from api_keys where key_hash = $1", hash, &mut session).await? else {
                session.end().await?;
                return Ok(None);
            };
            let row = session.query(BY_HASH).bind(org.0).bind(hash).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| record(&row)).transpose()
        };
        self.within(found).await
    }

    async fn list_api_keys(&self, org: OrgId) -> Result<Vec<ApiKeyRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let rows = session.query(OF_ORG).bind(org.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(record).collect()
        };
        self.within(found).await
    }

    async fn touch_api_key(&self, org: OrgId, id: ApiKeyId) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let now = session.now();
            let query = session.query(
                "update api_keys set last_used_at = $3 where org_id = $1 and id = $2 and (last_used_at is null or last_used_at <= $4)",
            );
            query.bind(org.0).bind(id.0).bind(Stamp(now)).bind(Stamp(now - TOUCH)).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn delete_api_key(&self, org: OrgId, id: ApiKeyId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from api_keys where org_id = $1 and id = $2").bind(org.0).bind(id.0);
            let done = query.execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn begin_idempotent(&self, org: OrgId, key: &str, fingerprint: &[u8]) -> Result<Remembered, StoreError> {
        let begun = async {
            loop {
                let mut session = self.write(Scope::Org(org)).await?;
                let begun = begin(org, key, fingerprint, &mut session).await?;
                session.commit().await?;
                // Forgotten between the two looks: now it is new.
                if let Some(begun) = begun {
                    return Ok(begun);
                }
            }
        };
        self.within(begun).await
    }

    async fn finish_idempotent(&self, org: OrgId, key: &str, answer: &IdempotentAnswer) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            session
                .query(
                    "update idempotency set fingerprint = $3, status = $4, headers = $5::text::json, body = $6 \
                     where org_id = $1 and idempotency_key = $2",
                )
                .bind(org.0)
                .bind(super::values::key(key))
                .bind(&answer.fingerprint)
                .bind(i32::from(answer.status))
                .bind(text_of(&answer.headers)?)
                .bind(&answer.body)
                .execute(&mut *session)
                .await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn forget_idempotent(&self, org: OrgId, key: &str) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from idempotency where org_id = $1 and idempotency_key = $2");
            query.bind(org.0).bind(super::values::key(key)).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }
}

async fn put(new: &ApiKeyRecord, session: &mut Session) -> Result<(), Fail> {
    let done = session
        .query(
            "insert into api_keys (org_id, id, user_id, name, key_hash, created_at, expires_at, last_used_at, scopes) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json) on conflict (org_id, id) do update set name = excluded.name, \
             expires_at = excluded.expires_at, last_used_at = excluded.last_used_at",
        )
        .bind(new.owner.org.0)
        .bind(new.id.0)
        .bind(new.owner.user.0)
        .bind(kept(&new.name))
        .bind(&new.hash)
        .bind(Stamp(new.created_at))
        .bind(new.expires_at.map(Stamp))
        .bind(new.last_used_at.map(Stamp))
        .bind(new.scopes.as_ref().map(text_of).transpose()?)
        .execute(&mut **session)
        .await;
    match done.map_err(Fail::from) {
        Ok(_) => Ok(()),
        Err(fail) if fail.is_taken() => Err(StoreError::Conflict("this API key exists already".to_owned()).into()),
        Err(fail) => Err(fail),
    }
}

/// One statement decides who is first, however many nodes ask at once. `None`: ask again.
async fn begin(org: OrgId, name: &str, fingerprint: &[u8], session: &mut Session) -> Result<Option<Remembered>, Fail> {
    let now = session.now();
    let begun = session
        .query(
            "insert into idempotency as i (org_id, idempotency_key, fingerprint, started_at) values ($1, $2, $3, $4) \
             on conflict (org_id, idempotency_key) do update set fingerprint = excluded.fingerprint, \
             started_at = excluded.started_at, status = null, headers = null, body = null \
             where i.started_at <= case when i.status is null then $6 else $5 end returning 1",
        )
        .bind(org.0)
        .bind(key(name))
        .bind(fingerprint)
        .bind(Stamp(now))
        .bind(Stamp(now - ANSWER_KEPT))
        .bind(Stamp(now - ANSWER_AWAITED))
        .fetch_optional(&mut **session)
        .await?;
    if begun.is_some() {
        return Ok(Some(Remembered::Started));
    }
    let sql = "select fingerprint, status, headers::text, body from idempotency where org_id = $1 and idempotency_key = $2";
    let Some(row) = session.query(sql).bind(org.0).bind(key(name)).fetch_optional(&mut **session).await? else { return Ok(None) };
    let Some(status) = row.try_get::<Option<i32>, _>(1)? else { return Ok(Some(Remembered::InProgress)) };
    Ok(Some(Remembered::Answered(IdempotentAnswer {
        fingerprint: row.try_get(0)?,
        status: u16::try_from(status).map_err(|_| Fail::damaged("an answer's status"))?,
        headers: json(&row, 2)?,
        body: row.try_get(3)?,
    })))
}

/// The columns that [`record`] reads, in its order.
macro_rules! select_api_keys {
    ($rest:literal) => {
        concat!("select id, org_id, user_id, name, key_hash, created_at, expires_at, last_used_at, scopes::text from api_keys where org_id = $1 ", $rest)
    };
}

const BY_HASH: &str = select_api_keys!("and key_hash = $2");
const OF_ORG: &str = select_api_keys!("order by created_at desc, id desc");

fn record(row: &PgRow) -> Result<ApiKeyRecord, Fail> {
    Ok(ApiKeyRecord {
        id: ApiKeyId(row.try_get(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        name: text(row, 3)?,
        hash: row.try_get(4)?,
        created_at: at(row, 5)?,
        expires_at: at_or_none(row, 6)?,
        last_used_at: at_or_none(row, 7)?,
        scopes: json_or_none(row, 8)?,
    })
}
