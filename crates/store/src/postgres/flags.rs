//! Feature flags: one list for the installation.

use async_trait::async_trait;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::store::{FlagRecord, FlagStore, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at, json, text};
use crate::shared::json::text_of;

/// No organization's rows.
const HERE: Scope = Scope::Org(OrgId::INSTALLATION);

#[async_trait]
impl FlagStore for PostgresStore {
    async fn flags(&self) -> Result<Vec<FlagRecord>, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let sql = "select name, definition::text, updated_at, user_id from feature_flags where org_id = $1 \
                       order by name collate \"C\"";
            let rows = session.query(sql).bind(OrgId::INSTALLATION.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(record).collect()
        };
        self.within(found).await
    }

    async fn flags_revision(&self) -> Result<i64, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Nobody).await?;
            let row = session.query("select flags_revision from store_state").fetch_one(&mut *session).await?;
            session.end().await?;
            Ok(row.try_get(0)?)
        };
        self.within(found).await
    }

    async fn put_flag(&self, record: &FlagRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            session
                .query(
                    "insert into feature_flags (org_id, name, definition, updated_at, user_id) values ($1, $2, $3::text::json, $4, $5) \
                     on conflict (org_id, name) do update set definition = excluded.definition, updated_at = excluded.updated_at, \
                     user_id = excluded.user_id",
                )
                .bind(OrgId::INSTALLATION.0)
                .bind(kept(&record.name))
                .bind(text_of(&record.flag)?)
                .bind(Stamp(record.updated_at))
                .bind(record.updated_by.0)
                .execute(&mut *session)
                .await?;
            bump_revision(&mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn delete_flag(&self, name: &str) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let query = session.query("delete from feature_flags where org_id = $1 and name = $2").bind(OrgId::INSTALLATION.0);
            let done = query.bind(kept(name)).execute(&mut *session).await?;
            bump_revision(&mut session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }
}

async fn bump_revision(session: &mut Session) -> Result<(), Fail> {
    session.query("update store_state set flags_revision = flags_revision + 1").execute(&mut **session).await?;
    Ok(())
}

fn record(row: &PgRow) -> Result<FlagRecord, Fail> {
    Ok(FlagRecord { name: text(row, 0)?, flag: json(row, 1)?, updated_at: at(row, 2)?, updated_by: UserId(row.try_get(3)?) })
}
