//! API keys by their hash, and the remembered answers of idempotent writes.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{ApiKeyId, OrgId, Owner, UserId};
use mainspring_model::store::{AccessStore, ApiKeyRecord, IdempotentAnswer, Remembered, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, text_of, uuid};
use crate::shared::sessions::TOUCH;
use crate::shared::texts::short;

/// How long an answer is remembered.
pub(super) const ANSWER_KEPT: Millis = 24 * 3_600_000;
/// Whoever began this long ago and has not answered is dead.
const ANSWER_AWAITED: Millis = 5 * 60_000;

#[async_trait]
impl AccessStore for SqliteStore {
    async fn put_api_key(&self, key: &ApiKeyRecord) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(async move |connection| put(&key, connection).await).await
    }

    async fn api_key_by_hash(&self, hash: &[u8]) -> Result<Option<ApiKeyRecord>, StoreError> {
        let hash = hash.to_vec();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(BY_HASH).bind(hash).fetch_optional(connection).await?;
                row.map(|row| record(&row)).transpose()
            })
        })
        .await
    }

    async fn list_api_keys(&self, org: OrgId) -> Result<Vec<ApiKeyRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(OF_ORG).bind(bytes(org.0)).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn touch_api_key(&self, org: OrgId, id: ApiKeyId) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| {
            let sql =
                "update api_keys set last_used_at = ?3 where org_id = ?1 and id = ?2 and (last_used_at is null or last_used_at <= ?4)";
            sqlx::query(sql).bind(bytes(org.0)).bind(bytes(id.0)).bind(now).bind(now - TOUCH).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn delete_api_key(&self, org: OrgId, id: ApiKeyId) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            let query = sqlx::query("delete from api_keys where id = ?1 and org_id = ?2").bind(bytes(id.0)).bind(bytes(org.0));
            Ok(query.execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    async fn begin_idempotent(&self, org: OrgId, key: &str, fingerprint: &[u8]) -> Result<Remembered, StoreError> {
        let (key, fingerprint, now) = (short(key).into_owned(), fingerprint.to_vec(), self.now_ms());
        self.write(async move |connection| begin(org, &key, &fingerprint, now, connection).await).await
    }

    async fn finish_idempotent(&self, org: OrgId, key: &str, answer: &IdempotentAnswer) -> Result<(), StoreError> {
        let (key, answer) = (short(key).into_owned(), answer.clone());
        self.write(async move |connection| {
            sqlx::query(
                "update idempotency set fingerprint = ?3, status = ?4, headers = ?5, body = ?6 \
                 where org_id = ?1 and idempotency_key = ?2",
            )
            .bind(bytes(org.0))
            .bind(key.as_str())
            .bind(answer.fingerprint.clone())
            .bind(i64::from(answer.status))
            .bind(text_of(&answer.headers)?)
            .bind(answer.body.clone())
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    async fn forget_idempotent(&self, org: OrgId, key: &str) -> Result<(), StoreError> {
        let key = short(key).into_owned();
        self.write(async move |connection| {
            sqlx::query("delete from idempotency where org_id = ?1 and idempotency_key = ?2")
                .bind(bytes(org.0))
                .bind(key.as_str())
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }
}

async fn put(key: &ApiKeyRecord, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let done = sqlx::query(
        "insert into api_keys (id, org_id, user_id, name, key_hash, created_at, expires_at, last_used_at, scopes) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) on conflict (id) do update set name = excluded.name, \
         expires_at = excluded.expires_at, last_used_at = excluded.last_used_at where org_id = excluded.org_id",
    )
    .bind(bytes(key.id.0))
    .bind(bytes(key.owner.org.0))
    .bind(bytes(key.owner.user.0))
    .bind(key.name.as_str())
    .bind(key.hash.clone())
    .bind(key.created_at)
    .bind(key.expires_at)
    .bind(key.last_used_at)
    .bind(key.scopes.as_ref().map(text_of).transpose()?)
    .execute(connection)
    .await;
    match done.map_err(Fail::from) {
        Ok(done) if done.rows_affected() == 0 => Err(StoreError::NotFound { what: format!("the API key {}", key.id) }.into()),
        Ok(_) => Ok(()),
        Err(fail) if fail.is_taken() => Err(StoreError::Conflict("this API key exists already".to_owned()).into()),
        Err(fail) => Err(fail),
    }
}

async fn begin(org: OrgId, key: &str, fingerprint: &[u8], now: Millis, connection: &mut SqliteConnection) -> Result<Remembered, Fail> {
    let row = sqlx::query(
        "select fingerprint, status, headers, body from idempotency where org_id = ?1 and idempotency_key = ?2 \
         and started_at > case when status is null then ?4 else ?3 end",
    )
    .bind(bytes(org.0))
    .bind(key)
    .bind(now - ANSWER_KEPT)
    .bind(now - ANSWER_AWAITED)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else {
        sqlx::query(
            "insert into idempotency (org_id, idempotency_key, fingerprint, started_at) values (?1, ?2, ?3, ?4) \
             on conflict (org_id, idempotency_key) do update set fingerprint = excluded.fingerprint, \
             started_at = excluded.started_at, status = null, headers = null, body = null",
        )
        .bind(bytes(org.0))
        .bind(key)
        .bind(fingerprint.to_vec())
        .bind(now)
        .execute(connection)
        .await?;
        return Ok(Remembered::Started);
    };
    let Some(status) = row.try_get::<Option<u16>, _>(1)? else { return Ok(Remembered::InProgress) };
    Ok(Remembered::Answered(IdempotentAnswer {
        fingerprint: row.try_get(0)?,
        status,
        headers: json(row.try_get(2)?)?,
        body: row.try_get(3)?,
    }))
}

/// The columns that [`record`] reads, in its order.
macro_rules! select_api_keys {
    ($rest:literal) => {
        concat!("select id, org_id, user_id, name, key_hash, created_at, expires_at, last_used_at, scopes from api_keys where ", $rest)
    };
}

const BY_HASH: &str = select_api_keys!("key_hash = ?1");
const OF_ORG: &str = select_api_keys!("org_id = ?1 order by no desc");

fn record(row: &SqliteRow) -> Result<ApiKeyRecord, Fail> {
    Ok(ApiKeyRecord {
        id: ApiKeyId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        name: row.try_get(3)?,
        hash: row.try_get(4)?,
        created_at: row.try_get(5)?,
        expires_at: row.try_get(6)?,
        last_used_at: row.try_get(7)?,
        scopes: row.try_get::<Option<&str>, _>(8)?.map(json).transpose()?,
    })
}
