//! Sealed values wherever they lie, listed and replaced for a rotation of keys.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::store::{DataKeyRecord, SealedRow, SealedStore, SealedTable, StoreError};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::credentials::{sealed_text, unsealed_text};
use super::error::Fail;
use super::secrets::data_key;
use super::{SqliteStore, bytes, uuid};

#[async_trait]
impl SealedStore for SqliteStore {
    async fn sealed_rows(&self, table: SealedTable, org: OrgId, after: Option<Uuid>, limit: u32) -> Result<Vec<SealedRow>, StoreError> {
        let sql = match table {
            SealedTable::Credentials => {
                "select id, user_id, fields from credentials where org_id = ?1 and (?2 is null or id > ?2) order by id limit ?3"
            }
            SealedTable::Variables => {
                "select id, null, sealed from variables \
                 where org_id = ?1 and sealed is not null and (?2 is null or id > ?2) order by id limit ?3"
            }
            SealedTable::NotificationRules => {
                "select id, null, secrets from notification_rules \
                 where org_id = ?1 and secrets is not null and (?2 is null or id > ?2) order by id limit ?3"
            }
            SealedTable::Outbox => {
                "select id, null, sealed from outbox \
                 where org_id = ?1 and sealed is not null and (?2 is null or id > ?2) order by id limit ?3"
            }
            SealedTable::SecondFactors => {
                "select user_id, user_id, sealed from second_factors \
                 where ?1 = zeroblob(16) and (?2 is null or user_id > ?2) order by user_id limit ?3"
            }
        };
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(sql).bind(bytes(org.0)).bind(after.map(bytes)).bind(limit);
                query.fetch_all(connection).await?.iter().map(|row| sealed_row(table, org, row)).collect()
            })
        })
        .await
    }

    async fn replace_sealed(&self, seen: &SealedRow, fields: &BTreeMap<String, Vec<u8>>) -> Result<bool, StoreError> {
        let sql = match seen.table {
            SealedTable::Credentials => "update credentials set fields = ?4 where org_id = ?1 and id = ?2 and fields = ?3",
            SealedTable::Variables => "update variables set sealed = ?4 where org_id = ?1 and id = ?2 and sealed = ?3",
            SealedTable::NotificationRules => "update notification_rules set secrets = ?4 where org_id = ?1 and id = ?2 and secrets = ?3",
            SealedTable::Outbox => "update outbox set sealed = ?4 where org_id = ?1 and id = ?2 and sealed = ?3",
            SealedTable::SecondFactors => "update second_factors set sealed = ?4 where ?1 = zeroblob(16) and user_id = ?2 and sealed = ?3",
        };
        let (table, org, id, old, new) = (seen.table, seen.org, seen.id, seen.fields.clone(), fields.clone());
        self.write(async move |connection| {
            let query = sqlx::query(sql).bind(bytes(org.0)).bind(bytes(id));
            let query = match table.field() {
                None => query.bind(sealed_text(&old)?).bind(sealed_text(&new)?),
                Some(field) => {
                    let (Some(old), Some(new)) = (old.get(field), new.get(field)) else { return Ok(false) };
                    query.bind(old.clone()).bind(new.clone())
                }
            };
            Ok(query.execute(connection).await?.rows_affected() == 1)
        })
        .await
    }

    async fn data_keys_of(&self, org: OrgId) -> Result<Vec<DataKeyRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select org_id, version, kek_id, wrapped from data_keys where org_id = ?1 order by version";
                sqlx::query(sql).bind(bytes(org.0)).fetch_all(connection).await?.iter().map(data_key).collect()
            })
        })
        .await
    }

    async fn replace_data_key(&self, seen: &DataKeyRecord, wrapped: &DataKeyRecord) -> Result<bool, StoreError> {
        let (seen, wrapped) = (seen.clone(), wrapped.clone());
        self.write(async move |connection| {
            let sql = "update data_keys set kek_id = ?4, wrapped = ?5 where org_id = ?1 and version = ?2 and wrapped = ?3";
            let query = sqlx::query(sql).bind(bytes(seen.org.0)).bind(i64::from(seen.version)).bind(seen.wrapped.clone());
            let query = query.bind(wrapped.kek_id.as_str()).bind(wrapped.wrapped.clone());
            Ok(query.execute(connection).await?.rows_affected() == 1)
        })
        .await
    }

    async fn replace_canary(&self, seen: &[u8], canary: &[u8]) -> Result<bool, StoreError> {
        let (seen, canary) = (seen.to_vec(), canary.to_vec());
        self.write(async move |connection| {
            let query = sqlx::query("update store_state set canary = ?2 where only_row = 1 and canary = ?1");
            Ok(query.bind(seen.clone()).bind(canary.clone()).execute(connection).await?.rows_affected() == 1)
        })
        .await
    }
}

fn sealed_row(table: SealedTable, org: OrgId, row: &SqliteRow) -> Result<SealedRow, Fail> {
    let id = uuid(row, 0)?;
    let user = row.try_get::<Option<&[u8]>, _>(1)?.map(|_| uuid(row, 1)).transpose()?.map(UserId);
    match table.field() {
        None => Ok(SealedRow { table, org, user, id, fields: unsealed_text(row.try_get(2)?)? }),
        Some(_) => Ok(SealedRow::one(table, org, user, id, row.try_get(2)?)),
    }
}
