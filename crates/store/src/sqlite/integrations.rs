//! Users' own providers.

use async_trait::async_trait;
use mainspring_model::id::{IntegrationId, OrgId, Owner, UserId};
use mainspring_model::store::{IntegrationRecord, IntegrationStore, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, plans, text_of, uuid};

#[async_trait]
impl IntegrationStore for SqliteStore {
    async fn put_integration(&self, record: &IntegrationRecord) -> Result<(), StoreError> {
        let record = record.clone();
        self.write(async move |connection| put(&record, connection).await).await
    }

    async fn list_integrations(&self, org: OrgId) -> Result<Vec<IntegrationRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(OF_ORG).bind(bytes(org.0)).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn all_integrations(&self) -> Result<Vec<IntegrationRecord>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let rows = sqlx::query(ALL).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn delete_integration(&self, org: OrgId, id: IntegrationId) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            let done = sqlx::query("delete from integrations where id = ?1 and org_id = ?2")
                .bind(bytes(id.0))
                .bind(bytes(org.0))
                .execute(&mut *connection)
                .await?;
            plans::bump_revision(connection).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

async fn put(new: &IntegrationRecord, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let done = sqlx::query(
        "insert into integrations (id, org_id, user_id, name, definition, created_at, updated_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         on conflict (id) do update set name = excluded.name, definition = excluded.definition, updated_at = excluded.updated_at \
         where org_id = excluded.org_id",
    )
    .bind(bytes(new.id.0))
    .bind(bytes(new.owner.org.0))
    .bind(bytes(new.owner.user.0))
    .bind(new.name.as_str())
    .bind(text_of(&new.definition)?)
    .bind(new.created_at)
    .bind(new.updated_at)
    .execute(&mut *connection)
    .await;
    match done.map_err(Fail::from) {
        Ok(done) if done.rows_affected() == 0 => Err(StoreError::NotFound { what: format!("the integration {}", new.id) }.into()),
        Ok(_) => plans::bump_revision(connection).await,
        Err(fail) if fail.is_taken() => Err(StoreError::Conflict(format!("there is an integration named \"{}\" already", new.name)).into()),
        Err(fail) => Err(fail),
    }
}

/// The columns that [`record`] reads, in its order.
macro_rules! select_integrations {
    ($rest:literal) => {
        concat!("select id, org_id, user_id, name, definition, created_at, updated_at from integrations ", $rest)
    };
}

const OF_ORG: &str = select_integrations!("where org_id = ?1 order by no desc");
const ALL: &str = select_integrations!("order by no desc");

fn record(row: &SqliteRow) -> Result<IntegrationRecord, Fail> {
    Ok(IntegrationRecord {
        id: IntegrationId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        name: row.try_get(3)?,
        definition: json(row.try_get(4)?)?,
        created_at: row.try_get(5)?,
        updated_at: row.try_get(6)?,
    })
}
