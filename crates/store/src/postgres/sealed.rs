//! Sealed values wherever they lie, listed and replaced for a rotation of keys.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::store::{DataKeyRecord, SealedRow, SealedStore, SealedTable, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PostgresStore;
use super::credentials::{sealed_text, unsealed};
use super::error::Fail;
use super::secrets::data_key;
use super::session::Scope;
use super::values::kept;

#[async_trait]
impl SealedStore for PostgresStore {
    async fn sealed_rows(&self, table: SealedTable, org: OrgId, after: Option<Uuid>, limit: u32) -> Result<Vec<SealedRow>, StoreError> {
        let sql = match table {
            SealedTable::Credentials => {
                "select id, user_id, fields::text from credentials where org_id = $1 and ($2::uuid is null or id > $2) order by id limit $3"
            }
            SealedTable::Variables => {
                "select id, null::uuid, sealed from variables where org_id = $1 and sealed is not null \
                 and ($2::uuid is null or id > $2) order by id limit $3"
            }
            SealedTable::NotificationRules => {
                "select id, null::uuid, secrets from notification_rules where org_id = $1 and secrets is not null \
                 and ($2::uuid is null or id > $2) order by id limit $3"
            }
            SealedTable::Outbox => {
                "select id, null::uuid, sealed from outbox where org_id = $1 and sealed is not null \
                 and ($2::uuid is null or id > $2) order by id limit $3"
            }
            SealedTable::SecondFactors => {
                "select user_id, user_id, sealed from second_factors where org_id = $1 and sealed is not null \
                 and ($2::uuid is null or user_id > $2) order by user_id limit $3"
            }
        };
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query(sql).bind(org.0).bind(after).bind(i64::from(limit));
            let rows = query.fetch_all(&mut *session).await?.iter().map(|row| sealed_row(table, org, row)).collect();
            session.end().await?;
            rows
        };
        self.within(found).await
    }

    async fn replace_sealed(&self, seen: &SealedRow, fields: &BTreeMap<String, Vec<u8>>) -> Result<bool, StoreError> {
        let sql = match seen.table {
            SealedTable::Credentials => {
                "update credentials set fields = $4::text::json where org_id = $1 and id = $2 and fields::text = $3"
            }
            SealedTable::Variables => "update variables set sealed = $4 where org_id = $1 and id = $2 and sealed = $3",
            SealedTable::NotificationRules => "update notification_rules set secrets = $4 where org_id = $1 and id = $2 and secrets = $3",
            SealedTable::Outbox => "update outbox set sealed = $4 where org_id = $1 and id = $2 and sealed = $3",
            SealedTable::SecondFactors => "update second_factors set sealed = $4 where org_id = $1 and user_id = $2 and sealed = $3",
        };
        let done = async {
            let mut session = self.write(Scope::Org(seen.org)).await?;
            let query = session.query(sql).bind(seen.org.0).bind(seen.id);
            let query = match seen.table.field() {
                None => query.bind(sealed_text(&seen.fields)?).bind(sealed_text(fields)?),
                Some(field) => query.bind(seen.fields.get(field)).bind(fields.get(field)),
            };
            let done = query.execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() == 1)
        };
        self.within(done).await
    }

    async fn data_keys_of(&self, org: OrgId) -> Result<Vec<DataKeyRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query("select org_id, version, kek_id, wrapped from data_keys where org_id = $1 order by version");
            let keys = query.bind(org.0).fetch_all(&mut *session).await?.iter().map(data_key).collect();
            session.end().await?;
            keys
        };
        self.within(found).await
    }

    async fn replace_data_key(&self, seen: &DataKeyRecord, wrapped: &DataKeyRecord) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(seen.org)).await?;
            let query = session.query("update data_keys set kek_id = $4, wrapped = $5 where org_id = $1 and version = $2 and wrapped = $3");
            let query = query.bind(seen.org.0).bind(i64::from(seen.version)).bind(&seen.wrapped);
            let done = query.bind(kept(&wrapped.kek_id)).bind(&wrapped.wrapped).execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() == 1)
        };
        self.within(done).await
    }

    async fn replace_canary(&self, seen: &[u8], canary: &[u8]) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Nobody).await?;
            let query = session.query("update store_state set canary = $2 where canary = $1").bind(seen).bind(canary);
            let done = query.execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() == 1)
        };
        self.within(done).await
    }
}

fn sealed_row(table: SealedTable, org: OrgId, row: &PgRow) -> Result<SealedRow, Fail> {
    let (id, user) = (row.try_get(0)?, row.try_get::<Option<Uuid>, _>(1)?.map(UserId));
    match table.field() {
        None => Ok(SealedRow { table, org, user, id, fields: unsealed(row, 2)? }),
        Some(_) => Ok(SealedRow::one(table, org, user, id, row.try_get(2)?)),
    }
}
