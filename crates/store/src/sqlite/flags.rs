//! Feature flags: one list for the installation.

use async_trait::async_trait;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::store::{FlagRecord, FlagStore, StoreError};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, text_of, uuid};

#[async_trait]
impl FlagStore for SqliteStore {
    async fn flags(&self) -> Result<Vec<FlagRecord>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let sql = "select name, definition, updated_at, user_id from feature_flags where org_id = ?1 order by name";
                let rows = sqlx::query(sql).bind(bytes(OrgId::INSTALLATION.0)).fetch_all(connection).await?;
                let record = |row| {
                    Ok(FlagRecord {
                        name: Row::try_get(row, 0)?,
                        flag: json(Row::try_get(row, 1)?)?,
                        updated_at: Row::try_get(row, 2)?,
                        updated_by: UserId(uuid(row, 3)?),
                    })
                };
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn flags_revision(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let row = sqlx::query("select flags_revision from store_state where only_row = 1").fetch_one(connection).await?;
                Ok(row.try_get(0)?)
            })
        })
        .await
    }

    async fn put_flag(&self, record: &FlagRecord) -> Result<(), StoreError> {
        let record = record.clone();
        self.write(async move |connection| {
            sqlx::query(
                "insert into feature_flags (org_id, name, definition, updated_at, user_id) values (?1, ?2, ?3, ?4, ?5) \
                 on conflict (org_id, name) do update set definition = excluded.definition, updated_at = excluded.updated_at, \
                 user_id = excluded.user_id",
            )
            .bind(bytes(OrgId::INSTALLATION.0))
            .bind(record.name.as_str())
            .bind(text_of(&record.flag)?)
            .bind(record.updated_at)
            .bind(bytes(record.updated_by.0))
            .execute(&mut *connection)
            .await?;
            bump_revision(connection).await
        })
        .await
    }

    async fn delete_flag(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(async move |connection| {
            let query = sqlx::query("delete from feature_flags where org_id = ?1 and name = ?2").bind(bytes(OrgId::INSTALLATION.0));
            let done = query.bind(name.as_str()).execute(&mut *connection).await?;
            bump_revision(connection).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

async fn bump_revision(connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("update store_state set flags_revision = flags_revision + 1 where only_row = 1").execute(connection).await?;
    Ok(())
}
