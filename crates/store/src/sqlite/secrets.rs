//! Sealed values: credentials field by field, wrapped data keys and the canary. No clear one ever comes here.

use std::collections::BTreeMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, OrgId, Owner, UserId};
use mainspring_model::store::{CredentialRecord, DataKeyRecord, NewCredential, SecretStore, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, text_of, uuid};

/// Uses of one credential within this time are noted once.
const TOUCH: Millis = 60_000;
/// Remembered touches beyond this many are forgotten: at worst one is noted twice.
const MOST_TOUCHES: usize = 10_000;

#[async_trait]
impl SecretStore for SqliteStore {
    async fn data_keys(&self) -> Result<Vec<DataKeyRecord>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let sql = "select org_id, version, kek_id, wrapped from data_keys order by org_id, version";
                let rows = sqlx::query(sql).fetch_all(connection).await?;
                rows.iter().map(data_key).collect()
            })
        })
        .await
    }

    async fn put_data_key(&self, key: &DataKeyRecord) -> Result<DataKeyRecord, StoreError> {
        let key = key.clone();
        self.write(async move |connection| {
            // An update that changes nothing, so that the row which is kept comes back either way.
            let row = sqlx::query(
                "insert into data_keys (org_id, version, kek_id, wrapped) values (?1, ?2, ?3, ?4) \
                 on conflict (org_id, version) do update set kek_id = kek_id returning org_id, version, kek_id, wrapped",
            )
            .bind(bytes(key.org.0))
            .bind(i64::from(key.version))
            .bind(key.kek_id.as_str())
            .bind(key.wrapped.clone())
            .fetch_one(connection)
            .await?;
            data_key(&row)
        })
        .await
    }

    async fn canary(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                Ok(sqlx::query("select canary from store_state where only_row = 1").fetch_one(connection).await?.try_get(0)?)
            })
        })
        .await
    }

    async fn put_canary(&self, sealed: &[u8]) -> Result<(), StoreError> {
        let sealed = sealed.to_vec();
        self.write(async move |connection| {
            sqlx::query("update store_state set canary = ?1 where only_row = 1").bind(sealed.clone()).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn put_credential(&self, credential: &NewCredential) -> Result<CredentialRecord, StoreError> {
        let (credential, now) = (credential.clone(), self.now_ms());
        self.write(async move |connection| put(&credential, now, connection).await).await
    }

    async fn list_credentials(&self, owner: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError> {
        let (owner, provider) = (*owner, provider.map(str::to_owned));
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(LIST).bind(bytes(owner.org.0)).bind(bytes(owner.user.0)).bind(provider);
                query.fetch_all(connection).await?.iter().map(record).collect()
            })
        })
        .await
    }

    async fn find_credential(&self, owner: &Owner, provider: &str, name: Option<&str>) -> Result<Option<CredentialRecord>, StoreError> {
        let (owner, provider, name) = (*owner, provider.to_owned(), name.map(str::to_owned));
        self.read(move |connection| Box::pin(async move { find(&owner, &provider, name.as_deref(), connection).await })).await
    }

    async fn delete_credentials(&self, owner: &Owner, provider: &str, name: Option<&str>) -> Result<u64, StoreError> {
        let (owner, provider, name) = (*owner, provider.to_owned(), name.map(str::to_owned));
        self.write(async move |connection| {
            let done =
                sqlx::query("delete from credentials where org_id = ?1 and user_id = ?2 and provider = ?3 and (?4 is null or name = ?4)")
                    .bind(bytes(owner.org.0))
                    .bind(bytes(owner.user.0))
                    .bind(provider.as_str())
                    .bind(name.as_deref())
                    .execute(connection)
                    .await?;
            Ok(done.rows_affected())
        })
        .await
    }

    async fn touch_credential(&self, id: CredentialId) -> Result<(), StoreError> {
        let now = self.now_ms();
        {
            let mut touched = self.touched.lock().expect("no panic happens while touches are looked up");
            if touched.get(&id).is_some_and(|at| now.abs_diff(*at) < TOUCH.unsigned_abs()) {
                return Ok(());
            }
            if touched.len() >= MOST_TOUCHES {
                touched.clear();
            }
            touched.insert(id, now);
        }
        self.write(async move |connection| {
            sqlx::query("update credentials set last_used_at = ?2 where id = ?1").bind(bytes(id.0)).bind(now).execute(connection).await?;
            Ok(())
        })
        .await
    }
}

async fn put(new: &NewCredential, now: Millis, connection: &mut SqliteConnection) -> Result<CredentialRecord, Fail> {
    let row = sqlx::query(
        "insert into credentials (id, org_id, user_id, provider, name, fields, expires_at, created_at) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (org_id, user_id, provider, name) do update set \
         fields = excluded.fields, expires_at = excluded.expires_at \
         returning id, org_id, user_id, provider, name, fields, expires_at, last_used_at, created_at",
    )
    .bind(bytes(new.id.0))
    .bind(bytes(new.owner.org.0))
    .bind(bytes(new.owner.user.0))
    .bind(new.provider.as_str())
    .bind(new.name.as_str())
    .bind(sealed_text(&new.fields)?)
    .bind(new.expires_at)
    .bind(now)
    .fetch_one(connection)
    .await?;
    record(&row)
}

async fn find(
    owner: &Owner,
    provider: &str,
    name: Option<&str>,
    connection: &mut SqliteConnection,
) -> Result<Option<CredentialRecord>, Fail> {
    let rows = sqlx::query(LIST).bind(bytes(owner.org.0)).bind(bytes(owner.user.0)).bind(provider).fetch_all(connection).await?;
    let mut records = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    let wanted = name.unwrap_or("default");
    match records.iter().position(|record| record.name == wanted) {
        Some(place) => Ok(Some(records.swap_remove(place))),
        None if name.is_none() && records.len() == 1 => Ok(records.pop()),
        None => Ok(None),
    }
}

const LIST: &str = "select id, org_id, user_id, provider, name, fields, expires_at, last_used_at, created_at from credentials \
                    where org_id = ?1 and user_id = ?2 and (?3 is null or provider = ?3) order by provider, name";

/// Sealed values as they lie in a column.
pub(super) fn sealed_text(fields: &BTreeMap<String, Vec<u8>>) -> Result<String, Fail> {
    let fields: BTreeMap<&str, String> = fields.iter().map(|(name, sealed)| (name.as_str(), BASE64.encode(sealed))).collect();
    text_of(&fields)
}

pub(super) fn unsealed_text(text: &str) -> Result<BTreeMap<String, Vec<u8>>, Fail> {
    let texts: BTreeMap<String, String> = json(text)?;
    let unsealed = |(name, text): (String, String)| Some((name, BASE64.decode(text).ok()?));
    texts.into_iter().map(unsealed).collect::<Option<_>>().ok_or_else(|| Fail::damaged("a sealed value"))
}

fn record(row: &SqliteRow) -> Result<CredentialRecord, Fail> {
    Ok(CredentialRecord {
        id: CredentialId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        provider: row.try_get(3)?,
        name: row.try_get(4)?,
        fields: unsealed_text(row.try_get(5)?)?,
        expires_at: row.try_get(6)?,
        last_used_at: row.try_get(7)?,
        created_at: row.try_get(8)?,
    })
}

pub(super) fn data_key(row: &SqliteRow) -> Result<DataKeyRecord, Fail> {
    Ok(DataKeyRecord { org: OrgId(uuid(row, 0)?), version: row.try_get(1)?, kek_id: row.try_get(2)?, wrapped: row.try_get(3)? })
}
