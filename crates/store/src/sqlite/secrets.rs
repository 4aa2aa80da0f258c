//! Sealed values: credentials field by field, wrapped data keys and the canary. No clear one ever comes here.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, OrgId, Owner};
use mainspring_model::store::{CredentialChange, CredentialRecord, DataKeyRecord, NewCredential, SecretStore, StoreError};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::credentials::{OWN, USABLE, changed, drop_stale_shares, put, record};
use super::error::Fail;
use super::{SqliteStore, bytes, uuid};

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
        self.credentials(OWN, owner, provider).await
    }

    async fn usable_credentials(&self, user: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError> {
        self.credentials(USABLE, user, provider).await
    }

    async fn change_credential(
        &self,
        org: OrgId,
        id: CredentialId,
        change: &CredentialChange,
    ) -> Result<Option<CredentialRecord>, StoreError> {
        let (change, now) = (change.clone(), self.now_ms());
        self.write(async move |connection| changed(org, id, &change, now, connection).await).await
    }

    async fn delete_credential(&self, org: OrgId, id: CredentialId) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            let query = sqlx::query("delete from credentials where org_id = ?1 and id = ?2").bind(bytes(org.0)).bind(bytes(id.0));
            let done = query.execute(&mut *connection).await?.rows_affected() == 1;
            drop_stale_shares(org, connection).await?;
            Ok(done)
        })
        .await
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
                    .execute(&mut *connection)
                    .await?;
            drop_stale_shares(owner.org, connection).await?;
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

impl SqliteStore {
    async fn credentials(&self, sql: &'static str, user: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError> {
        let (user, provider) = (*user, provider.map(str::to_owned));
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(sql).bind(bytes(user.org.0)).bind(bytes(user.user.0)).bind(provider);
                query.fetch_all(connection).await?.iter().map(record).collect()
            })
        })
        .await
    }
}

pub(super) fn data_key(row: &SqliteRow) -> Result<DataKeyRecord, Fail> {
    Ok(DataKeyRecord { org: OrgId(uuid(row, 0)?), version: row.try_get(1)?, kek_id: row.try_get(2)?, wrapped: row.try_get(3)? })
}
