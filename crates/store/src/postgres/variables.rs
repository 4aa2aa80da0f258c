//! Variables of organizations: plain values as JSON, secret ones as sealed bytes.

use async_trait::async_trait;
use mainspring_model::id::{OrgId, UserId, VariableId};
use mainspring_model::store::{StoreError, VariableRecord, VariableStore, VariableValue};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at, json_or_none, plans, text};
use crate::shared::json::text_of;

#[async_trait]
impl VariableStore for PostgresStore {
    async fn put_variable(&self, variable: &VariableRecord) -> Result<VariableRecord, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(variable.org)).await?;
            let record = put(variable, &mut session).await?;
            plans::bump_revision(&mut session).await?;
            session.commit().await?;
            Ok(record)
        };
        self.within(done).await
    }

    async fn list_variables(&self, org: OrgId) -> Result<Vec<VariableRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let rows = session.query(OF_ORG).bind(org.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(record).collect()
        };
        self.within(found).await
    }

    async fn delete_variable(&self, org: OrgId, name: &str) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from variables where org_id = $1 and name = $2").bind(org.0).bind(kept(name));
            let done = query.execute(&mut *session).await?;
            plans::bump_revision(&mut session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }
}

async fn put(new: &VariableRecord, session: &mut Session) -> Result<VariableRecord, Fail> {
    let (plain, sealed) = match &new.value {
        VariableValue::Plain(value) => (Some(text_of(value)?), None),
        VariableValue::Secret(sealed) => (None, Some(sealed)),
    };
    let row = session
        .query(
            "insert into variables (org_id, name, id, user_id, value, sealed, created_at, updated_at) \
             values ($1, $2, $3, $4, $5::text::json, $6, $7, $7) on conflict (org_id, name) do update set id = excluded.id, \
             user_id = excluded.user_id, value = excluded.value, sealed = excluded.sealed, updated_at = excluded.updated_at \
             returning org_id, name, id, user_id, value::text, sealed, created_at, updated_at",
        )
        .bind(new.org.0)
        .bind(kept(&new.name))
        .bind(new.id.0)
        .bind(new.user.0)
        .bind(plain)
        .bind(sealed)
        .bind(Stamp(session.now()))
        .fetch_one(&mut **session)
        .await?;
    record(&row)
}

/// In the order of the names' bytes, whatever the database's collation.
const OF_ORG: &str = "select org_id, name, id, user_id, value::text, sealed, created_at, updated_at from variables where org_id = $1 \
     order by name collate \"C\"";

fn record(row: &PgRow) -> Result<VariableRecord, Fail> {
    let value = match (json_or_none(row, 4)?, row.try_get::<Option<Vec<u8>>, _>(5)?) {
        (Some(plain), None) => VariableValue::Plain(plain),
        (None, Some(sealed)) => VariableValue::Secret(sealed),
        _ => return Err(Fail::damaged("a variable")),
    };
    Ok(VariableRecord {
        org: OrgId(row.try_get(0)?),
        name: text(row, 1)?,
        id: VariableId(row.try_get(2)?),
        user: UserId(row.try_get(3)?),
        value,
        created_at: at(row, 6)?,
        updated_at: at(row, 7)?,
    })
}
