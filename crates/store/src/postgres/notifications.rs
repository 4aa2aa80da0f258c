//! Rules of who is told of what, the notifications themselves, and what there is to tell of.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, MessageId, NotificationRuleId, OrgId, Owner, RunId, ScheduleId, UserId};
use mainspring_model::run::{RunStatus, Slot};
use mainspring_model::store::{
    EndedBadly, Expiring, NotificationRecord, NotificationRuleRecord, NotificationStore, Page, Paging, StoreError,
};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::Scope;
use super::values::{Stamp, kept};
use super::{PostgresStore, at, at_or_none, json, runs, text};
use crate::shared::cursor::{self, IdCursor};
use crate::shared::json::text_of;

#[async_trait]
impl NotificationStore for PostgresStore {
    async fn put_notification_rule(&self, rule: &NotificationRuleRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(rule.owner.org)).await?;
            session
                .query(
                    "insert into notification_rules (org_id, id, user_id, name, definition, secrets, created_at, updated_at) \
                     values ($1, $2, $3, $4, $5::text::json, $6, $7, $8) on conflict (org_id, id) do update set name = excluded.name, \
                     definition = excluded.definition, secrets = excluded.secrets, updated_at = excluded.updated_at",
                )
                .bind(rule.owner.org.0)
                .bind(rule.id.0)
                .bind(rule.owner.user.0)
                .bind(kept(&rule.name))
                .bind(text_of(&rule.definition)?)
                .bind(&rule.secrets)
                .bind(Stamp(rule.created_at))
                .bind(Stamp(rule.updated_at))
                .execute(&mut *session)
                .await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn notification_rules(&self, org: OrgId) -> Result<Vec<NotificationRuleRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let sql = "select id, org_id, user_id, name, definition::text, secrets, created_at, updated_at from notification_rules \
                       where org_id = $1 order by created_at, id";
            let rows = session.query(sql).bind(org.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(rule).collect()
        };
        self.within(found).await
    }

    async fn delete_notification_rule(&self, org: OrgId, id: NotificationRuleId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from notification_rules where org_id = $1 and id = $2").bind(org.0).bind(id.0);
            let done = query.execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn put_notification(&self, new: &NotificationRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(new.owner.org)).await?;
            session
                .query(
                    "insert into notifications (org_id, id, user_id, event, title, body, data, created_at, read_at) \
                     values ($1, $2, $3, $4, $5, $6, $7::text::json, $8, $9) on conflict do nothing",
                )
                .bind(new.owner.org.0)
                .bind(new.id.0)
                .bind(new.owner.user.0)
                .bind(&new.event)
                .bind(kept(&new.title))
                .bind(kept(&new.text))
                .bind(text_of(&new.data)?)
                .bind(Stamp(new.created_at))
                .bind(new.read_at.map(Stamp))
                .execute(&mut *session)
                .await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn notifications(&self, owner: &Owner, unread: bool, paging: &Paging) -> Result<Page<NotificationRecord>, StoreError> {
        let cursor = IdCursor::of(paging)?;
        let found = async {
            let mut session = self.read(Scope::Org(owner.org)).await?;
            let query = session.query(if unread { UNREAD } else { ALL }).bind(owner.org.0).bind(owner.user.0);
            let query = query.bind(Stamp(cursor.at)).bind(cursor.id).bind(cursor::limit(paging));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            let found = rows.iter().map(|row| {
                let record = notification(row)?;
                Ok((IdCursor { at: record.created_at, id: record.id.0, seq: 0 }, record))
            });
            Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
        };
        self.within(found).await
    }

    async fn unread_of(&self, org: OrgId, users: &[UserId], most: u32) -> Result<Vec<NotificationRecord>, StoreError> {
        let users: Vec<Uuid> = users.iter().map(|user| user.0).collect();
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let sql = "select id, org_id, user_id, event, title, body, data::text, created_at, read_at from notifications \
                       where org_id = $1 and user_id = any($2) and read_at is null order by created_at desc, id desc limit $3";
            let rows = session.query(sql).bind(org.0).bind(users).bind(i64::from(most)).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(notification).collect()
        };
        self.within(found).await
    }

    async fn unread_notifications(&self, owner: &Owner) -> Result<u64, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(owner.org)).await?;
            let sql = "select count(*) from notifications where org_id = $1 and user_id = $2 and read_at is null";
            let row = session.query(sql).bind(owner.org.0).bind(owner.user.0).fetch_one(&mut *session).await?;
            session.end().await?;
            Ok(row.try_get::<i64, _>(0)?.cast_unsigned())
        };
        self.within(found).await
    }

    async fn read_notifications(&self, owner: &Owner, id: Option<MessageId>) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(owner.org)).await?;
            let now = session.now();
            let sql = "update notifications set read_at = $4 where org_id = $1 and user_id = $2 and ($3::uuid is null or id = $3) \
                       and read_at is null";
            let query = session.query(sql).bind(owner.org.0).bind(owner.user.0).bind(id.map(|id| id.0)).bind(Stamp(now));
            let done = query.execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected())
        };
        self.within(done).await
    }

    async fn delete_notification(&self, owner: &Owner, id: MessageId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(owner.org)).await?;
            let query = session.query("delete from notifications where org_id = $1 and user_id = $2 and id = $3");
            let done = query.bind(owner.org.0).bind(owner.user.0).bind(id.0).execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn prune_notifications(&self, before: Millis) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.steps.open(Scope::Queue, true, None).await?;
            let query = session.query("select distinct org_id from notifications where created_at < $1").bind(Stamp(before));
            let rows = query.fetch_all(&mut *session).await?;
            let mut count = 0;
            for row in rows {
                let org: Uuid = row.try_get(0)?;
                session.enter(Scope::Org(OrgId(org))).await?;
                let query = session.query("delete from notifications where org_id = $1 and created_at < $2").bind(org);
                count += query.bind(Stamp(before)).execute(&mut *session).await?.rows_affected();
            }
            session.commit().await?;
            Ok(count)
        };
        self.within(done).await
    }

    async fn watched_until(&self) -> Result<Millis, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Nobody).await?;
            let row = session.query("select watched_until from store_state").fetch_one(&mut *session).await?;
            session.end().await?;
            at(&row, 0)
        };
        self.within(found).await
    }

    async fn watch_until(&self, moment: Millis) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Nobody).await?;
            let query = session.query("update store_state set watched_until = greatest(watched_until, $1)").bind(Stamp(moment));
            query.execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn ended_badly(&self, since: Millis, after: Option<(Millis, RunId)>, limit: u32) -> Result<Vec<EndedBadly>, StoreError> {
        let (from, id) = after.map_or((since, Uuid::nil()), |(at, id)| (at, id.0));
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let query = session.query(ENDED_BADLY).bind(Stamp(since)).bind(Stamp(from)).bind(id).bind(i64::from(limit));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(ended).collect()
        };
        self.within(found).await
    }

    async fn slot_endings(&self, org: OrgId, schedule: ScheduleId, until: Millis, limit: u32) -> Result<Vec<RunStatus>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let sql = "select status from runs where org_id = $1 and slot_schedule = $2 and slot_due <= $3 and finished_at is not null \
                       order by slot_due desc limit $4";
            let query = session.query(sql).bind(org.0).bind(schedule.0).bind(Stamp(until)).bind(i64::from(limit));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| runs::status(row.try_get(0)?)).collect()
        };
        self.within(found).await
    }

    /// What a credential is called is its organization's own: each is read as its own.
    async fn expiring_credentials(&self, after: Millis, until: Millis) -> Result<Vec<Expiring>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let query = session.query("select org_id from credentials where expires_at > $1 and expires_at <= $2");
            let rows = query.bind(Stamp(after)).bind(Stamp(until)).fetch_all(&mut *session).await?;
            let orgs = rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<Uuid>, _>>()?;
            let mut found = Vec::new();
            for org in orgs {
                session.enter(Scope::Org(OrgId(org))).await?;
                let sql = "select id, org_id, user_id, provider, name, expires_at from credentials \
                           where org_id = $1 and expires_at > $2 and expires_at <= $3 order by expires_at, id";
                let query = session.query(sql).bind(org).bind(Stamp(after)).bind(Stamp(until));
                for row in query.fetch_all(&mut *session).await? {
                    found.push(expiring(&row)?);
                }
            }
            session.end().await?;
            Ok(found)
        };
        self.within(found).await
    }
}

/// The columns that [`notification`] reads, in its order.
macro_rules! select_notifications {
    ($rest:literal) => {
        concat!(
            "select id, org_id, user_id, event, title, body, data::text, created_at, read_at from notifications \
             where org_id = $1 and user_id = $2 and (created_at, id) < ($3, $4) ",
            $rest,
            " order by created_at desc, id desc limit $5"
        )
    };
}

const ALL: &str = select_notifications!("");
const UNREAD: &str = select_notifications!("and read_at is null");

/// By the index of runs that ended badly, which the words of its condition lead to.
const ENDED_BADLY: &str = "select org_id, id, finished_at, slot_schedule, slot_due from runs where finished_at >= $1 \
     and finished_at is not null and status <> 'success' and status <> 'cancelled' and (finished_at, id) > ($2, $3) \
     order by finished_at, id limit $4";

fn rule(row: &PgRow) -> Result<NotificationRuleRecord, Fail> {
    Ok(NotificationRuleRecord {
        id: NotificationRuleId(row.try_get(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        name: text(row, 3)?,
        definition: json(row, 4)?,
        secrets: row.try_get(5)?,
        created_at: at(row, 6)?,
        updated_at: at(row, 7)?,
    })
}

fn notification(row: &PgRow) -> Result<NotificationRecord, Fail> {
    Ok(NotificationRecord {
        id: MessageId(row.try_get(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        event: row.try_get(3)?,
        title: text(row, 4)?,
        text: text(row, 5)?,
        data: json(row, 6)?,
        created_at: at(row, 7)?,
        read_at: at_or_none(row, 8)?,
    })
}

fn ended(row: &PgRow) -> Result<EndedBadly, Fail> {
    let schedule: Option<Uuid> = row.try_get(3)?;
    let slot = match schedule {
        Some(id) => Some(Slot { schedule: ScheduleId(id), due_at: at(row, 4)? }),
        None => None,
    };
    Ok(EndedBadly { org: OrgId(row.try_get(0)?), run: RunId(row.try_get(1)?), finished_at: at(row, 2)?, slot })
}

fn expiring(row: &PgRow) -> Result<Expiring, Fail> {
    Ok(Expiring {
        id: CredentialId(row.try_get(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        provider: text(row, 3)?,
        name: text(row, 4)?,
        expires_at: at(row, 5)?,
    })
}
