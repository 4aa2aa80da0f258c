//! What organizations' plans may reach.

use async_trait::async_trait;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::store::{EgressRuleRecord, EgressStore, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at, organizations_of, plans, text};

#[async_trait]
impl EgressStore for PostgresStore {
    async fn put_egress_rule(&self, record: &EgressRuleRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(record.org)).await?;
            session
                .query(
                    "insert into egress_rules (org_id, host, note, user_id, created_at) values ($1, $2, $3, $4, $5) \
                     on conflict (org_id, host) do update set note = excluded.note",
                )
                .bind(record.org.0)
                .bind(kept(&record.host))
                .bind(kept(&record.note))
                .bind(record.user.0)
                .bind(Stamp(record.created_at))
                .execute(&mut *session)
                .await?;
            plans::bump_revision(&mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn list_egress_rules(&self, org: OrgId) -> Result<Vec<EgressRuleRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let records = of_org(org, &mut session).await?;
            session.end().await?;
            Ok(records)
        };
        self.within(found).await
    }

    /// Which organizations have rules is the queue's to see, and what they say each organization's own.
    async fn all_egress_rules(&self) -> Result<Vec<EgressRuleRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let mut all = Vec::new();
            for org in organizations_of("select distinct org_id from egress_rules order by org_id", &mut session).await? {
                session.enter(Scope::Org(org)).await?;
                all.extend(of_org(org, &mut session).await?);
            }
            session.end().await?;
            Ok(all)
        };
        self.within(found).await
    }

    async fn delete_egress_rule(&self, org: OrgId, host: &str) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from egress_rules where org_id = $1 and host = $2").bind(org.0).bind(kept(host));
            let done = query.execute(&mut *session).await?;
            plans::bump_revision(&mut session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }
}

async fn of_org(org: OrgId, session: &mut Session) -> Result<Vec<EgressRuleRecord>, Fail> {
    let sql = "select org_id, host, note, user_id, created_at from egress_rules where org_id = $1 order by host collate \"C\"";
    let rows = session.query(sql).bind(org.0).fetch_all(&mut **session).await?;
    rows.iter().map(record).collect()
}

fn record(row: &PgRow) -> Result<EgressRuleRecord, Fail> {
    Ok(EgressRuleRecord {
        org: OrgId(row.try_get(0)?),
        host: text(row, 1)?,
        note: text(row, 2)?,
        user: UserId(row.try_get(3)?),
        created_at: at(row, 4)?,
    })
}
