//! Rules of who is told of what, the notifications themselves, and what there is to tell of.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, MessageId, NotificationRuleId, OrgId, Owner, RunId, ScheduleId, UserId};
use mainspring_model::run::{RunStatus, Slot};
use mainspring_model::store::{
    EndedBadly, Expiring, NotificationRecord, NotificationRuleRecord, NotificationStore, Page, Paging, StoreError,
};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::Fail;
use super::{SqliteStore, bytes, hex_list, id_of, json, runs, text_of, uuid};
use crate::shared::cursor::{self, Cursor};

#[async_trait]
impl NotificationStore for SqliteStore {
    async fn put_notification_rule(&self, rule: &NotificationRuleRecord) -> Result<(), StoreError> {
        let rule = rule.clone();
        self.write(async move |connection| {
            let done = sqlx::query(
                "insert into notification_rules (id, org_id, user_id, name, definition, secrets, created_at, updated_at) \
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) on conflict (id) do update set name = excluded.name, \
                 definition = excluded.definition, secrets = excluded.secrets, updated_at = excluded.updated_at \
                 where org_id = excluded.org_id",
            )
            .bind(bytes(rule.id.0))
            .bind(bytes(rule.owner.org.0))
            .bind(bytes(rule.owner.user.0))
            .bind(rule.name.as_str())
            .bind(text_of(&rule.definition)?)
            .bind(rule.secrets.clone())
            .bind(rule.created_at)
            .bind(rule.updated_at)
            .execute(connection)
            .await?;
            match done.rows_affected() {
                0 => Err(StoreError::NotFound { what: format!("the rule {}", rule.id) }.into()),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn notification_rules(&self, org: OrgId) -> Result<Vec<NotificationRuleRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select id, org_id, user_id, name, definition, secrets, created_at, updated_at from notification_rules \
                           where org_id = ?1 order by no";
                let rows = sqlx::query(sql).bind(bytes(org.0)).fetch_all(connection).await?;
                rows.iter().map(rule).collect()
            })
        })
        .await
    }

    async fn delete_notification_rule(&self, org: OrgId, id: NotificationRuleId) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            let query = sqlx::query("delete from notification_rules where org_id = ?1 and id = ?2").bind(bytes(org.0)).bind(bytes(id.0));
            Ok(query.execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    async fn put_notification(&self, notification: &NotificationRecord) -> Result<(), StoreError> {
        let notification = notification.clone();
        self.write(async move |connection| {
            sqlx::query(
                "insert into notifications (id, org_id, user_id, event, title, body, data, created_at, read_at) \
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) on conflict do nothing",
            )
            .bind(bytes(notification.id.0))
            .bind(bytes(notification.owner.org.0))
            .bind(bytes(notification.owner.user.0))
            .bind(notification.event.as_str())
            .bind(notification.title.as_str())
            .bind(notification.text.as_str())
            .bind(text_of(&notification.data)?)
            .bind(notification.created_at)
            .bind(notification.read_at)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    async fn notifications(&self, owner: &Owner, unread: bool, paging: &Paging) -> Result<Page<NotificationRecord>, StoreError> {
        let (owner, cursor, paging) = (*owner, Cursor::of(paging)?, paging.clone());
        self.read(move |connection| {
            Box::pin(async move {
                let sql = if unread { UNREAD } else { ALL };
                let query = sqlx::query(sql).bind(bytes(owner.org.0)).bind(bytes(owner.user.0)).bind(cursor.no);
                let rows = query.bind(cursor::limit(&paging)).fetch_all(connection).await?;
                let found = rows.iter().map(|row| Ok((Cursor { at: 0, no: row.try_get(9)? }, notification(row)?)));
                Ok(cursor::page(found.collect::<Result<_, Fail>>()?, &paging))
            })
        })
        .await
    }

    async fn unread_of(&self, org: OrgId, users: &[UserId], most: u32) -> Result<Vec<NotificationRecord>, StoreError> {
        let users = hex_list(users.iter().map(|user| user.0));
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select id, org_id, user_id, event, title, body, data, created_at, read_at from notifications \
                           where org_id = ?1 and user_id in (select unhex(value) from json_each(?2)) and read_at is null \
                           order by no desc limit ?3";
                let rows = sqlx::query(sql).bind(bytes(org.0)).bind(users).bind(most).fetch_all(connection).await?;
                rows.iter().map(notification).collect()
            })
        })
        .await
    }

    async fn unread_notifications(&self, owner: &Owner) -> Result<u64, StoreError> {
        let owner = *owner;
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select count(*) from notifications where org_id = ?1 and user_id = ?2 and read_at is null";
                let row = sqlx::query(sql).bind(bytes(owner.org.0)).bind(bytes(owner.user.0)).fetch_one(connection).await?;
                Ok(row.try_get::<i64, _>(0)?.cast_unsigned())
            })
        })
        .await
    }

    async fn read_notifications(&self, owner: &Owner, id: Option<MessageId>) -> Result<u64, StoreError> {
        let (owner, now) = (*owner, self.now_ms());
        self.write(async move |connection| {
            let sql =
                "update notifications set read_at = ?4 where org_id = ?1 and user_id = ?2 and (?3 is null or id = ?3) and read_at is null";
            let query = sqlx::query(sql).bind(bytes(owner.org.0)).bind(bytes(owner.user.0)).bind(id.map(|id| bytes(id.0))).bind(now);
            Ok(query.execute(connection).await?.rows_affected())
        })
        .await
    }

    async fn delete_notification(&self, owner: &Owner, id: MessageId) -> Result<bool, StoreError> {
        let owner = *owner;
        self.write(async move |connection| {
            let query = sqlx::query("delete from notifications where org_id = ?1 and user_id = ?2 and id = ?3").bind(bytes(owner.org.0));
            Ok(query.bind(bytes(owner.user.0)).bind(bytes(id.0)).execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    async fn prune_notifications(&self, before: Millis) -> Result<u64, StoreError> {
        self.write(async move |connection| {
            Ok(sqlx::query("delete from notifications where created_at < ?1").bind(before).execute(connection).await?.rows_affected())
        })
        .await
    }

    async fn watched_until(&self) -> Result<Millis, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let row = sqlx::query("select watched_until from store_state where only_row = 1").fetch_one(connection).await?;
                Ok(row.try_get(0)?)
            })
        })
        .await
    }

    async fn watch_until(&self, moment: Millis) -> Result<(), StoreError> {
        self.write(async move |connection| {
            let sql = "update store_state set watched_until = max(watched_until, ?1) where only_row = 1";
            sqlx::query(sql).bind(moment).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn ended_badly(&self, since: Millis, after: Option<(Millis, RunId)>, limit: u32) -> Result<Vec<EndedBadly>, StoreError> {
        let (at, id) = after.map_or((since, vec![]), |(at, id)| (at, bytes(id.0)));
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(ENDED_BADLY).bind(since).bind(at).bind(id).bind(i64::from(limit)).fetch_all(connection).await?;
                rows.iter().map(ended).collect()
            })
        })
        .await
    }

    async fn slot_endings(&self, _: OrgId, schedule: ScheduleId, until: Millis, limit: u32) -> Result<Vec<RunStatus>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select status from runs where slot_schedule = ?1 and slot_schedule is not null and slot_due <= ?2 \
                           and finished_at is not null order by slot_due desc limit ?3";
                let rows = sqlx::query(sql).bind(bytes(schedule.0)).bind(until).bind(i64::from(limit)).fetch_all(connection).await?;
                rows.iter().map(|row| runs::status(row.try_get(0)?)).collect()
            })
        })
        .await
    }

    async fn expiring_credentials(&self, after: Millis, until: Millis) -> Result<Vec<Expiring>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select id, org_id, user_id, provider, name, expires_at from credentials \
                           where expires_at > ?1 and expires_at <= ?2 order by expires_at, no";
                let rows = sqlx::query(sql).bind(after).bind(until).fetch_all(connection).await?;
                rows.iter().map(expiring).collect()
            })
        })
        .await
    }
}

/// The columns that [`notification`] reads, in its order; the last one is a list's cursor.
macro_rules! select_notifications {
    ($rest:literal) => {
        concat!(
            "select id, org_id, user_id, event, title, body, data, created_at, read_at, no from notifications \
             where org_id = ?1 and user_id = ?2 and no < ?3 ",
            $rest,
            " order by no desc limit ?4"
        )
    };
}

const ALL: &str = select_notifications!("");
const UNREAD: &str = select_notifications!("and read_at is null");

/// By the index of runs that ended badly, which the words of its condition lead to.
pub(super) const ENDED_BADLY: &str = "select o.org_id, r.id, r.finished_at, r.slot_schedule, r.slot_due from runs as r \
     indexed by runs_ended_badly cross join organization_totals as o on o.no = r.org_no \
     where r.finished_at >= ?1 and r.finished_at is not null and r.status <> 'success' and r.status <> 'cancelled' \
     and (r.finished_at, r.id) > (?2, ?3) order by r.finished_at, r.id limit ?4";

fn rule(row: &SqliteRow) -> Result<NotificationRuleRecord, Fail> {
    Ok(NotificationRuleRecord {
        id: NotificationRuleId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        name: row.try_get(3)?,
        definition: json(row.try_get(4)?)?,
        secrets: row.try_get(5)?,
        created_at: row.try_get(6)?,
        updated_at: row.try_get(7)?,
    })
}

fn notification(row: &SqliteRow) -> Result<NotificationRecord, Fail> {
    Ok(NotificationRecord {
        id: MessageId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        event: row.try_get(3)?,
        title: row.try_get(4)?,
        text: row.try_get(5)?,
        data: json(row.try_get(6)?)?,
        created_at: row.try_get(7)?,
        read_at: row.try_get(8)?,
    })
}

fn ended(row: &SqliteRow) -> Result<EndedBadly, Fail> {
    let schedule: Option<&[u8]> = row.try_get(3)?;
    let slot = match schedule {
        Some(id) => Some(Slot { schedule: ScheduleId(id_of(id)?), due_at: row.try_get(4)? }),
        None => None,
    };
    Ok(EndedBadly { org: OrgId(uuid(row, 0)?), run: RunId(uuid(row, 1)?), finished_at: row.try_get(2)?, slot })
}

fn expiring(row: &SqliteRow) -> Result<Expiring, Fail> {
    Ok(Expiring {
        id: CredentialId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        provider: row.try_get(3)?,
        name: row.try_get(4)?,
        expires_at: row.try_get(5)?,
    })
}
