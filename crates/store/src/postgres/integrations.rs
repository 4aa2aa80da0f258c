//! Users' own providers.

use async_trait::async_trait;
use mainspring_model::id::{IntegrationId, OrgId, Owner, UserId};
use mainspring_model::store::{IntegrationRecord, IntegrationStore, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept, key};
use super::{PostgresStore, at, json, organizations_of, plans, text};
use crate::shared::json::text_of;

#[async_trait]
impl IntegrationStore for PostgresStore {
    async fn put_integration(&self, record: &IntegrationRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Queue).await?;
            let sql = "select from integrations where id = $1 and org_id <> $2";
            let elsewhere = session.query(sql).bind(record.id.0).bind(record.owner.org.0).fetch_optional(&mut *session).await?;
            session.enter(Scope::Org(record.owner.org)).await?;
            if elsewhere.is_some() {
                return Err(StoreError::NotFound { what: format!("the integration {}", record.id) }.into());
            }
            put(record, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn list_integrations(&self, org: OrgId) -> Result<Vec<IntegrationRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let records = of_org(org, &mut session).await?;
            session.end().await?;
            Ok(records)
        };
        self.within(found).await
    }

    /// Definitions are their organizations' own: each is read as its own.
    async fn all_integrations(&self) -> Result<Vec<IntegrationRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let mut all = Vec::new();
            for org in organizations_of("select distinct org_id from integrations", &mut session).await? {
                session.enter(Scope::Org(org)).await?;
                all.extend(of_org(org, &mut session).await?);
            }
            session.end().await?;
            all.sort_by_key(|record| std::cmp::Reverse((record.created_at, record.id.0)));
            Ok(all)
        };
        self.within(found).await
    }

    async fn delete_integration(&self, org: OrgId, id: IntegrationId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from integrations where org_id = $1 and id = $2").bind(org.0).bind(id.0);
            let done = query.execute(&mut *session).await?;
            plans::bump_revision(&mut session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }
}

async fn put(new: &IntegrationRecord, session: &mut Session) -> Result<(), Fail> {
    let done = session
        .query(
            "insert into integrations (org_id, id, user_id, name, name_key, definition, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6::text::json, $7, $8) on conflict (org_id, id) do update set name = excluded.name, \
             name_key = excluded.name_key, definition = excluded.definition, updated_at = excluded.updated_at",
        )
        .bind(new.owner.org.0)
        .bind(new.id.0)
        .bind(new.owner.user.0)
        .bind(kept(&new.name))
        .bind(key(&new.name))
        .bind(text_of(&new.definition)?)
        .bind(Stamp(new.created_at))
        .bind(Stamp(new.updated_at))
        .execute(&mut **session)
        .await;
    match done.map_err(Fail::from) {
        Ok(_) => plans::bump_revision(session).await,
        Err(fail) if fail.is_taken() => Err(StoreError::Conflict(format!("there is an integration named \"{}\" already", new.name)).into()),
        Err(fail) => Err(fail),
    }
}

async fn of_org(org: OrgId, session: &mut Session) -> Result<Vec<IntegrationRecord>, Fail> {
    let query = session.query(
        "select id, org_id, user_id, name, definition::text, created_at, updated_at from integrations where org_id = $1 \
         order by created_at desc, id desc",
    );
    query.bind(org.0).fetch_all(&mut **session).await?.iter().map(record).collect()
}

fn record(row: &PgRow) -> Result<IntegrationRecord, Fail> {
    Ok(IntegrationRecord {
        id: IntegrationId(row.try_get(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        name: text(row, 3)?,
        definition: json(row, 4)?,
        created_at: at(row, 5)?,
        updated_at: at(row, 6)?,
    })
}
