//! What organizations' plans may reach.

use async_trait::async_trait;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::store::{EgressRuleRecord, EgressStore, StoreError};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::Fail;
use super::{SqliteStore, bytes, plans, uuid};

#[async_trait]
impl EgressStore for SqliteStore {
    async fn put_egress_rule(&self, record: &EgressRuleRecord) -> Result<(), StoreError> {
        let new = record.clone();
        self.write(async move |connection| {
            sqlx::query(
                "insert into egress_rules (org_id, host, note, user_id, created_at) values (?1, ?2, ?3, ?4, ?5) \
                 on conflict (org_id, host) do update set note = excluded.note",
            )
            .bind(bytes(new.org.0))
            .bind(new.host.as_str())
            .bind(new.note.as_str())
            .bind(bytes(new.user.0))
            .bind(new.created_at)
            .execute(&mut *connection)
            .await?;
            plans::bump_revision(connection).await
        })
        .await
    }

    async fn list_egress_rules(&self, org: OrgId) -> Result<Vec<EgressRuleRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(OF_ORG).bind(bytes(org.0)).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn all_egress_rules(&self) -> Result<Vec<EgressRuleRecord>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let rows = sqlx::query(ALL).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn delete_egress_rule(&self, org: OrgId, host: &str) -> Result<bool, StoreError> {
        let host = host.to_owned();
        self.write(async move |connection| {
            let query = sqlx::query("delete from egress_rules where org_id = ?1 and host = ?2");
            let done = query.bind(bytes(org.0)).bind(host.as_str()).execute(&mut *connection).await?;
            plans::bump_revision(connection).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

const OF_ORG: &str = "select org_id, host, note, user_id, created_at from egress_rules where org_id = ?1 order by host";
const ALL: &str = "select org_id, host, note, user_id, created_at from egress_rules order by org_id, host";

fn record(row: &SqliteRow) -> Result<EgressRuleRecord, Fail> {
    Ok(EgressRuleRecord {
        org: OrgId(uuid(row, 0)?),
        host: row.try_get(1)?,
        note: row.try_get(2)?,
        user: UserId(uuid(row, 3)?),
        created_at: row.try_get(4)?,
    })
}
