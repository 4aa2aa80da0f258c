//! The outbox: messages that wait, keep their distance, are taken, and end.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{MessageId, NotificationRuleId, OrgId};
use mainspring_model::store::{Channel, Delivery, Message, NewMessage, OutboxStore, Put, SendState, Sending, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, uuid};
use crate::shared::throttle::{self, Slot};

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn put_message(&self, message: &NewMessage) -> Result<Put, StoreError> {
        let (message, now) = (message.clone(), self.now_ms());
        self.write(async move |connection| put(&message, now, connection).await).await
    }

    async fn claim_messages(&self, max: u32, hold: Millis) -> Result<Vec<Message>, StoreError> {
        let now = self.now_ms();
        // A look costs no write as long as nothing is due.
        if self.next_message().await?.is_none_or(|due| due > now) {
            return Ok(Vec::new());
        }
        self.write(async move |connection| {
            let rows = sqlx::query(CLAIM).bind(now).bind(i64::from(max)).bind(now.saturating_add(hold)).fetch_all(connection).await?;
            let mut messages = rows.iter().map(message).collect::<Result<Vec<_>, _>>()?;
            messages.sort_by_key(|message| message.created_at);
            Ok(messages)
        })
        .await
    }

    async fn end_message(&self, org: OrgId, id: MessageId, delivery: &Delivery) -> Result<(), StoreError> {
        let (delivery, now) = (delivery.clone(), self.now_ms());
        self.write(async move |connection| end(org, id, &delivery, now, connection).await).await
    }

    async fn next_message(&self) -> Result<Option<Millis>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let row = sqlx::query("select min(due_at) from outbox where state = 'waiting'").fetch_one(connection).await?;
                Ok(row.try_get(0)?)
            })
        })
        .await
    }

    async fn sendings(&self, org: OrgId, keys: &[String]) -> Result<Vec<Sending>, StoreError> {
        let keys = keys.to_vec();
        self.read(move |connection| {
            Box::pin(async move {
                let mut found = Vec::new();
                for key in &keys {
                    let sql = "select state, attempts, reason from outbox where org_id = ?1 and message_key = ?2";
                    let query = sqlx::query(sql).bind(bytes(org.0)).bind(key.as_str());
                    if let Some(row) = query.fetch_optional(&mut *connection).await? {
                        let attempts = u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX);
                        let state = SendState::of_row(row.try_get(0)?);
                        found.push(Sending { key: key.clone(), state, attempts, reason: row.try_get(2)? });
                    }
                }
                Ok(found)
            })
        })
        .await
    }

    async fn prune_messages(&self, before: Millis) -> Result<u64, StoreError> {
        self.write(async move |connection| {
            let query = sqlx::query("delete from outbox where ended_at < ?1 and ended_at is not null").bind(before);
            Ok(query.execute(connection).await?.rows_affected())
        })
        .await
    }
}

/// The columns that [`message`] reads, in its order.
const CLAIM: &str = "update outbox set attempts = attempts + 1, due_at = ?3 where no in (select o.no from outbox as o \
     where o.state = 'waiting' and o.due_at <= ?1 order by o.due_at limit ?2) \
     returning id, org_id, channel, rule_id, attempts, created_at, \
     (select count(*) from outbox as h where h.held_by = outbox.id), coalesce(sealed, x'')";

async fn put(new: &NewMessage, now: Millis, connection: &mut SqliteConnection) -> Result<Put, Fail> {
    let known = sqlx::query("select 1 from outbox where org_id = ?1 and message_key = ?2").bind(bytes(new.org.0)).bind(new.key.as_str());
    if known.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(Put::Known);
    }
    let slot = match new.throttle {
        None => Slot::Leaves(now),
        Some(terms) => {
            let row = sqlx::query(
                "select id, slot_at from outbox where rule_id = ?1 and subject_id = ?2 and state <> 'held' order by slot_at desc limit 1",
            )
            .bind(bytes(terms.rule.0))
            .bind(bytes(terms.subject))
            .fetch_optional(&mut *connection)
            .await?;
            let last = row.map(|row| Ok::<_, Fail>((uuid(&row, 0)?, row.try_get(1)?))).transpose()?;
            throttle::slot(last, terms.distance, now)
        }
    };
    let (state, at, held_by) = match slot {
        Slot::Leaves(at) => ("waiting", at, None),
        Slot::HeldBy(other) => ("held", now, Some(other)),
    };
    let held = held_by.is_some();
    sqlx::query(
        "insert into outbox (id, org_id, channel, message_key, rule_id, subject_id, state, held_by, slot_at, due_at, sealed, created_at, \
         ended_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12)",
    )
    .bind(bytes(new.id.0))
    .bind(bytes(new.org.0))
    .bind(new.channel.as_str())
    .bind(new.key.as_str())
    .bind(new.throttle.map(|terms| bytes(terms.rule.0)))
    .bind(new.throttle.map(|terms| bytes(terms.subject)))
    .bind(state)
    .bind(held_by.map(bytes))
    .bind(at)
    .bind((!held).then(|| new.sealed.clone()))
    .bind(now)
    .bind(held.then_some(now))
    .execute(connection)
    .await?;
    Ok(if held { Put::Held } else { Put::Waits })
}

async fn end(org: OrgId, id: MessageId, delivery: &Delivery, now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let (sql, at, reason) = match delivery {
        Delivery::Sent => (ENDED_SENT, now, None),
        Delivery::Failed { reason } => (ENDED_FAILED, now, Some(reason)),
        Delivery::Again { at, reason } => (AGAIN, *at, Some(reason)),
    };
    let query = sqlx::query(sql).bind(bytes(org.0)).bind(bytes(id.0)).bind(at).bind(reason.map(String::as_str));
    query.execute(connection).await?;
    Ok(())
}

const ENDED_SENT: &str = "update outbox set state = 'sent', ended_at = ?3, reason = ?4, sealed = null where org_id = ?1 and id = ?2";
const ENDED_FAILED: &str = "update outbox set state = 'failed', ended_at = ?3, reason = ?4, sealed = null where org_id = ?1 and id = ?2";
const AGAIN: &str = "update outbox set due_at = ?3, reason = ?4 where org_id = ?1 and id = ?2 and state = 'waiting'";

fn message(row: &SqliteRow) -> Result<Message, Fail> {
    let rule: Option<&[u8]> = row.try_get(3)?;
    Ok(Message {
        id: MessageId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        channel: Channel::parse(row.try_get(2)?).ok_or_else(|| Fail::damaged("a message's channel"))?,
        rule: rule.map(|bytes| super::id_of(bytes).map(NotificationRuleId)).transpose()?,
        attempts: u32::try_from(row.try_get::<i64, _>(4)?).unwrap_or(u32::MAX),
        created_at: row.try_get(5)?,
        others: u32::try_from(row.try_get::<i64, _>(6)?).unwrap_or(u32::MAX),
        sealed: row.try_get(7)?,
    })
}
