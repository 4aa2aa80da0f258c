//! The audit log: rows that are added, listed and one day removed, and never changed.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{AuditId, OrgId, UserId};
use mainspring_model::store::{Actor, AuditFilter, AuditOutcome, AuditRecord, AuditStore, Page, Paging, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::error::Fail;
use super::{SqliteStore, bytes, id_of, json, text_of, uuid};
use crate::shared::cursor::{self, IdCursor};

#[async_trait]
impl AuditStore for SqliteStore {
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let (records, now) = (records.to_vec(), self.now_ms());
        self.write(async move |connection| {
            for record in &records {
                append(record, now, connection).await?;
            }
            Ok(())
        })
        .await
    }

    async fn settle_audit(&self, org: OrgId, begun: AuditId, records: &[AuditRecord]) -> Result<(), StoreError> {
        let (records, now) = (records.to_vec(), self.now_ms());
        self.write(async move |connection| {
            let query = sqlx::query("delete from audit_log where org_id = ?1 and id = ?2 and outcome = 'unknown'");
            query.bind(bytes(org.0)).bind(bytes(begun.0)).execute(&mut *connection).await?;
            for record in &records {
                append(record, now, connection).await?;
            }
            Ok(())
        })
        .await
    }

    async fn list_audit(&self, org: OrgId, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditRecord>, StoreError> {
        let (cursor, filter, paging) = (IdCursor::of(paging)?, filter.clone(), paging.clone());
        self.read(move |connection| Box::pin(async move { list(org, &filter, cursor, &paging, connection).await })).await
    }

    async fn prune_audit(&self, before: Millis, batch: u32) -> Result<u64, StoreError> {
        self.write(async move |connection| {
            let query = sqlx::query("delete from audit_log where no in (select no from audit_log where at < ?1 order by at limit ?2)");
            Ok(query.bind(before).bind(i64::from(batch)).execute(connection).await?.rows_affected())
        })
        .await
    }
}

pub(super) async fn append(new: &AuditRecord, now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query(
        "insert into audit_log (org_id, id, at, user_id, actor, actor_id, address, agent, action, outcome, target_kind, target_id, \
         before, after, request_id) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )
    .bind(bytes(new.org.0))
    .bind(bytes(new.id.0))
    .bind(new.at.unwrap_or(now))
    .bind(new.user.map(|user| bytes(user.0)))
    .bind(new.actor.kind())
    .bind(new.actor.id().map(bytes))
    .bind(new.address.as_deref())
    .bind(new.agent.as_deref())
    .bind(new.action.as_str())
    .bind(new.outcome.as_str())
    .bind(new.target_kind.as_deref())
    .bind(new.target_id.as_deref())
    .bind(new.before.as_ref().map(text_of).transpose()?)
    .bind(new.after.as_ref().map(text_of).transpose()?)
    .bind(new.request_id.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

/// A filter that an index begins with; the others are looked at row by row.
macro_rules! list_sql {
    ($way:literal) => {
        concat!(
            "select org_id, id, at, user_id, actor, actor_id, address, agent, action, outcome, target_kind, target_id, before, after, \
             request_id from audit_log where org_id = ?1 and ",
            $way,
            " and at >= ?5 and at < ?6 and (at, id) < (?7, ?8) order by at desc, id desc limit ?9"
        )
    };
}

pub(super) const ALL: &str = list_sql!("?2 is null and ?3 is null and ?4 is null");
pub(super) const BY_USER: &str = list_sql!("user_id = ?2 and (?3 is null or action = ?3) and (?4 is null or target_id = ?4)");
pub(super) const BY_TARGET: &str = list_sql!("?2 is null and (?3 is null or action = ?3) and target_id = ?4");
pub(super) const BY_ACTION: &str = list_sql!("?2 is null and action = ?3 and ?4 is null");

async fn list(
    org: OrgId,
    filter: &AuditFilter,
    cursor: IdCursor,
    paging: &Paging,
    connection: &mut SqliteConnection,
) -> Result<Page<AuditRecord>, Fail> {
    let sql = match (filter.user, &filter.action, &filter.target) {
        (Some(_), ..) => BY_USER,
        (None, _, Some(_)) => BY_TARGET,
        (None, Some(_), None) => BY_ACTION,
        (None, None, None) => ALL,
    };
    let rows = sqlx::query(sql)
        .bind(bytes(org.0))
        .bind(filter.user.map(|user| bytes(user.0)))
        .bind(filter.action.as_deref())
        .bind(filter.target.as_deref())
        .bind(filter.since.unwrap_or(i64::MIN))
        .bind(filter.until.unwrap_or(i64::MAX))
        .bind(cursor.at)
        .bind(bytes(cursor.id))
        .bind(cursor::limit(paging))
        .fetch_all(connection)
        .await?;
    let found = rows.iter().map(|row| {
        let record = record(row)?;
        Ok((IdCursor { at: record.at.unwrap_or_default(), id: record.id.0, seq: 0 }, record))
    });
    Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
}

fn record(row: &SqliteRow) -> Result<AuditRecord, Fail> {
    let id_or_none = |column| row.try_get::<Option<&[u8]>, _>(column)?.map(id_of).transpose();
    let document = |column| row.try_get::<Option<&str>, _>(column)?.map(json).transpose();
    let actor_id: Option<Uuid> = id_or_none(5)?;
    Ok(AuditRecord {
        org: OrgId(uuid(row, 0)?),
        id: AuditId(uuid(row, 1)?),
        at: Some(row.try_get(2)?),
        user: id_or_none(3)?.map(UserId),
        actor: Actor::read(row.try_get(4)?, actor_id).ok_or_else(|| Fail::damaged("an actor"))?,
        address: row.try_get(6)?,
        agent: row.try_get(7)?,
        action: row.try_get(8)?,
        outcome: AuditOutcome::read(row.try_get(9)?).ok_or_else(|| Fail::damaged("an outcome"))?,
        target_kind: row.try_get(10)?,
        target_id: row.try_get(11)?,
        before: document(12)?,
        after: document(13)?,
        request_id: row.try_get(14)?,
    })
}
