//! Variables of organizations: plain values as JSON, secret ones as sealed bytes.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, UserId, VariableId};
use mainspring_model::store::{StoreError, VariableRecord, VariableStore, VariableValue};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, plans, text_of, uuid};

#[async_trait]
impl VariableStore for SqliteStore {
    async fn put_variable(&self, variable: &VariableRecord) -> Result<VariableRecord, StoreError> {
        let (variable, now) = (variable.clone(), self.now_ms());
        self.write(async move |connection| {
            let record = put(&variable, now, connection).await?;
            plans::bump_revision(connection).await?;
            Ok(record)
        })
        .await
    }

    async fn list_variables(&self, org: OrgId) -> Result<Vec<VariableRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(OF_ORG).bind(bytes(org.0)).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn delete_variable(&self, org: OrgId, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(async move |connection| {
            let query = sqlx::query("delete from variables where org_id = ?1 and name = ?2").bind(bytes(org.0)).bind(name.as_str());
            let done = query.execute(&mut *connection).await?;
            plans::bump_revision(connection).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

async fn put(new: &VariableRecord, now: Millis, connection: &mut SqliteConnection) -> Result<VariableRecord, Fail> {
    let (plain, sealed) = match &new.value {
        VariableValue::Plain(value) => (Some(text_of(value)?), None),
        VariableValue::Secret(sealed) => (None, Some(sealed.clone())),
    };
    let row = sqlx::query(
        "insert into variables (org_id, name, id, user_id, value, sealed, created_at, updated_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) \
         on conflict (org_id, name) do update set id = excluded.id, user_id = excluded.user_id, value = excluded.value, \
         sealed = excluded.sealed, updated_at = excluded.updated_at \
         returning org_id, name, id, user_id, value, sealed, created_at, updated_at",
    )
    .bind(bytes(new.org.0))
    .bind(new.name.as_str())
    .bind(bytes(new.id.0))
    .bind(bytes(new.user.0))
    .bind(plain)
    .bind(sealed)
    .bind(now)
    .fetch_one(connection)
    .await?;
    record(&row)
}

const OF_ORG: &str =
    "select org_id, name, id, user_id, value, sealed, created_at, updated_at from variables where org_id = ?1 order by name";

fn record(row: &SqliteRow) -> Result<VariableRecord, Fail> {
    let value = match (row.try_get::<Option<&str>, _>(4)?, row.try_get::<Option<Vec<u8>>, _>(5)?) {
        (Some(plain), None) => VariableValue::Plain(json(plain)?),
        (None, Some(sealed)) => VariableValue::Secret(sealed),
        _ => return Err(Fail::damaged("a variable")),
    };
    Ok(VariableRecord {
        org: OrgId(uuid(row, 0)?),
        name: row.try_get(1)?,
        id: VariableId(uuid(row, 2)?),
        user: UserId(uuid(row, 3)?),
        value,
        created_at: row.try_get(6)?,
        updated_at: row.try_get(7)?,
    })
}
