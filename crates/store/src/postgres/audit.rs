//! The audit log: rows that are added, listed and one day removed, and never changed.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{AuditId, OrgId, UserId};
use mainspring_model::store::{Actor, AuditFilter, AuditOutcome, AuditRecord, AuditStore, Page, Paging, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept, key};
use super::{PostgresStore, at, json_or_none, text, text_or_none};
use crate::shared::cursor::{self, IdCursor};
use crate::shared::json::text_of;

#[async_trait]
impl AuditStore for PostgresStore {
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let Some(first) = records.first() else { return Ok(()) };
        let done = async {
            let mut session = self.write(Scope::Org(first.org)).await?;
            append_all(first.org, records, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn settle_audit(&self, org: OrgId, begun: AuditId, records: &[AuditRecord]) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from audit_log where org_id = $1 and id = $2 and outcome = 'unknown'");
            query.bind(org.0).bind(begun.0).execute(&mut *session).await?;
            append_all(org, records, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn list_audit(&self, org: OrgId, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditRecord>, StoreError> {
        let cursor = IdCursor::of(paging)?;
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let page = list(org, filter, cursor, paging, &mut session).await?;
            session.end().await?;
            Ok(page)
        };
        self.within(found).await
    }

    async fn prune_audit(&self, before: Millis, batch: u32) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Queue).await?;
            let sql = "select distinct org_id from (select org_id from audit_log where at < $1 order by at limit $2) as old";
            let rows = session.query(sql).bind(Stamp(before)).bind(i64::from(batch)).fetch_all(&mut *session).await?;
            let mut gone = 0;
            for row in rows {
                let org = OrgId(row.try_get(0)?);
                session.enter(Scope::Org(org)).await?;
                let query = session.query(
                    "delete from audit_log where org_id = $1 and id in (select id from audit_log where org_id = $1 and at < $2 \
                     order by at limit $3)",
                );
                gone += query.bind(org.0).bind(Stamp(before)).bind(i64::from(batch)).execute(&mut *session).await?.rows_affected();
            }
            session.commit().await?;
            Ok(gone)
        };
        self.within(done).await
    }
}

/// Of a session that acts for `org`; it acts for the last record's organization then.
async fn append_all(mut org: OrgId, records: &[AuditRecord], session: &mut Session) -> Result<(), Fail> {
    for record in records {
        if record.org != org {
            org = record.org;
            session.enter(Scope::Org(org)).await?;
        }
        append(record, session).await?;
    }
    Ok(())
}

pub(super) async fn append(new: &AuditRecord, session: &mut Session) -> Result<(), Fail> {
    let now = session.now();
    session
        .query(
            "insert into audit_log (org_id, id, at, user_id, actor, actor_id, address, agent, action, action_key, outcome, target_kind, \
             target_id, target_key, before, after, request_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
             $15::text::json, $16::text::json, $17)",
        )
        .bind(new.org.0)
        .bind(new.id.0)
        .bind(Stamp(new.at.unwrap_or(now)))
        .bind(new.user.map(|user| user.0))
        .bind(new.actor.kind())
        .bind(new.actor.id())
        .bind(new.address.as_deref().map(kept))
        .bind(new.agent.as_deref().map(kept))
        .bind(kept(&new.action))
        .bind(key(&new.action))
        .bind(new.outcome.as_str())
        .bind(new.target_kind.as_deref().map(kept))
        .bind(new.target_id.as_deref().map(kept))
        .bind(new.target_id.as_deref().map(key))
        .bind(new.before.as_ref().map(text_of).transpose()?)
        .bind(new.after.as_ref().map(text_of).transpose()?)
        .bind(new.request_id.as_deref().map(kept))
        .execute(&mut **session)
        .await?;
    Ok(())
}

/// A filter that an index begins with; the others are looked at row by row.
macro_rules! list_sql {
    ($way:literal) => {
        concat!(
            "select org_id, id, at, user_id, actor, actor_id, address, agent, action, outcome, target_kind, target_id, before::text, \
             after::text, request_id from audit_log where org_id = $1 and ",
            $way,
            " and at >= $5 and at < $6 and (at, id) < ($7, $8) order by at desc, id desc limit $9"
        )
    };
}

const ALL: &str = list_sql!("$2::uuid is null and $3::text is null and $4::text is null");
const BY_USER: &str = list_sql!("user_id = $2 and ($3::text is null or action_key = $3) and ($4::text is null or target_key = $4)");
const BY_TARGET: &str = list_sql!("$2::uuid is null and ($3::text is null or action_key = $3) and target_key = $4");
const BY_ACTION: &str = list_sql!("$2::uuid is null and action_key = $3 and $4::text is null");

async fn list(
    org: OrgId,
    filter: &AuditFilter,
    cursor: IdCursor,
    paging: &Paging,
    session: &mut Session,
) -> Result<Page<AuditRecord>, Fail> {
    let sql = match (filter.user, &filter.action, &filter.target) {
        (Some(_), ..) => BY_USER,
        (None, _, Some(_)) => BY_TARGET,
        (None, Some(_), None) => BY_ACTION,
        (None, None, None) => ALL,
    };
    let rows = session
        .query(sql)
        .bind(org.0)
        .bind(filter.user.map(|user| user.0))
        .bind(filter.action.as_deref().map(key))
        .bind(filter.target.as_deref().map(key))
        .bind(Stamp(filter.since.unwrap_or(i64::MIN)))
        .bind(Stamp(filter.until.unwrap_or(i64::MAX)))
        .bind(Stamp(cursor.at))
        .bind(cursor.id)
        .bind(cursor::limit(paging))
        .fetch_all(&mut **session)
        .await?;
    let found = rows.iter().map(|row| {
        let record = record(row)?;
        Ok((IdCursor { at: record.at.unwrap_or_default(), id: record.id.0, seq: 0 }, record))
    });
    Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
}

fn record(row: &PgRow) -> Result<AuditRecord, Fail> {
    Ok(AuditRecord {
        org: OrgId(row.try_get(0)?),
        id: AuditId(row.try_get(1)?),
        at: Some(at(row, 2)?),
        user: row.try_get::<Option<_>, _>(3)?.map(UserId),
        actor: Actor::read(row.try_get(4)?, row.try_get(5)?).ok_or_else(|| Fail::damaged("an actor"))?,
        address: text_or_none(row, 6)?,
        agent: text_or_none(row, 7)?,
        action: text(row, 8)?,
        outcome: AuditOutcome::read(row.try_get(9)?).ok_or_else(|| Fail::damaged("an outcome"))?,
        target_kind: text_or_none(row, 10)?,
        target_id: text_or_none(row, 11)?,
        before: json_or_none(row, 12)?,
        after: json_or_none(row, 13)?,
        request_id: text_or_none(row, 14)?,
    })
}
