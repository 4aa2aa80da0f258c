//! The outbox: messages that wait, keep their distance, are taken, and end.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{MessageId, NotificationRuleId, OrgId};
use mainspring_model::store::{Channel, Delivery, Message, NewMessage, OutboxStore, Put, SendState, Sending, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, given, kept};
use super::{PostgresStore, at, at_or_none, whole};
use crate::shared::throttle::{self, Slot};

#[async_trait]
impl OutboxStore for PostgresStore {
    async fn put_message(&self, message: &NewMessage) -> Result<Put, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(message.org)).await?;
            let put = put(message, &mut session).await?;
            session.commit().await?;
            Ok(put)
        };
        self.within(done).await
    }

    async fn claim_messages(&self, max: u32, hold: Millis) -> Result<Vec<Message>, StoreError> {
        let claimed = async {
            // A look costs no write as long as nothing is due.
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let due = session.query(NEXT).fetch_one(&mut *session).await?;
            let now = session.now();
            session.end().await?;
            if at_or_none(&due, 0)?.is_none_or(|due| due > now) {
                return Ok(Vec::new());
            }
            let mut session = self.steps.open(Scope::Queue, true, None).await?;
            let now = session.now();
            let query = session.query(CLAIM).bind(Stamp(now)).bind(i64::from(max)).bind(Stamp(now.saturating_add(hold)));
            let rows = query.fetch_all(&mut *session).await?;
            let mut by_org: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
            for row in &rows {
                by_org.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
            }
            let mut messages = Vec::new();
            for (org, ids) in by_org {
                session.enter(Scope::Org(OrgId(org))).await?;
                let rows = session.query(CONTENT).bind(org).bind(ids).fetch_all(&mut *session).await?;
                for row in &rows {
                    messages.push(message(row)?);
                }
            }
            session.commit().await?;
            messages.sort_by_key(|message| message.created_at);
            Ok(messages)
        };
        self.within(claimed).await
    }

    async fn end_message(&self, org: OrgId, id: MessageId, delivery: &Delivery) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let now = session.now();
            let (sql, at, reason) = match delivery {
                Delivery::Sent => (ENDED_SENT, now, None),
                Delivery::Failed { reason } => (ENDED_FAILED, now, Some(reason)),
                Delivery::Again { at, reason } => (AGAIN, *at, Some(reason)),
            };
            let query = session.query(sql).bind(org.0).bind(id.0).bind(Stamp(at)).bind(reason.map(|reason| kept(reason)));
            query.execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn next_message(&self) -> Result<Option<Millis>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let row = session.query(NEXT).fetch_one(&mut *session).await?;
            session.end().await?;
            at_or_none(&row, 0)
        };
        self.within(found).await
    }

    async fn sendings(&self, org: OrgId, keys: &[String]) -> Result<Vec<Sending>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let sql = "select message_key, state, attempts, reason from outbox where org_id = $1 and message_key = any($2)";
            let rows = session.query(sql).bind(org.0).bind(keys).fetch_all(&mut *session).await?;
            session.end().await?;
            let one = |row: &PgRow| {
                let attempts = whole(row, 2)?;
                let state = SendState::of_row(row.try_get(1)?);
                Ok(Sending { key: row.try_get(0)?, state, attempts, reason: row.try_get::<Option<String>, _>(3)?.map(given) })
            };
            rows.iter().map(one).collect::<Result<Vec<_>, Fail>>()
        };
        self.within(found).await
    }

    async fn prune_messages(&self, before: Millis) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.steps.open(Scope::Queue, true, None).await?;
            let sql = "select distinct org_id from outbox where ended_at < $1 and ended_at is not null";
            let rows = session.query(sql).bind(Stamp(before)).fetch_all(&mut *session).await?;
            let mut count = 0;
            for row in rows {
                let org: Uuid = row.try_get(0)?;
                session.enter(Scope::Org(OrgId(org))).await?;
                let query = session.query("delete from outbox where org_id = $1 and ended_at < $2").bind(org).bind(Stamp(before));
                count += query.execute(&mut *session).await?.rows_affected();
            }
            session.commit().await?;
            Ok(count)
        };
        self.within(done).await
    }
}

const NEXT: &str = "select min(due_at) from outbox where state = 'waiting'";

const CLAIM: &str = "update outbox set attempts = attempts + 1, due_at = $3 where (org_id, id) in (select o.org_id, o.id from outbox as o \
     where o.state = 'waiting' and o.due_at <= $1 order by o.due_at limit $2 for update skip locked) returning org_id, id";

/// The columns that [`message`] reads, in its order.
const CONTENT: &str = "select id, org_id, channel, rule_id, attempts, created_at, \
     (select count(*) from outbox as h where h.org_id = o.org_id and h.held_by = o.id), coalesce(sealed, '') \
     from outbox as o where o.org_id = $1 and o.id = any($2)";

async fn put(new: &NewMessage, session: &mut Session) -> Result<Put, Fail> {
    let (org, now) = (new.org.0, session.now());
    if let Some(terms) = new.throttle {
        // Whoever else tells by this rule waits here: two of them would both find that nothing was told lately.
        let query = session.query("select from notification_rules where org_id = $1 and id = $2 for update").bind(org).bind(terms.rule.0);
        query.fetch_optional(&mut **session).await?;
    }
    let slot = match new.throttle {
        None => Slot::Leaves(now),
        Some(terms) => {
            let row = session
                .query(
                    "select id, slot_at from outbox where org_id = $1 and rule_id = $2 and subject_id = $3 and state <> 'held' \
                     order by slot_at desc limit 1",
                )
                .bind(org)
                .bind(terms.rule.0)
                .bind(terms.subject)
                .fetch_optional(&mut **session)
                .await?;
            let last = row.map(|row| Ok::<_, Fail>((row.try_get(0)?, at(&row, 1)?))).transpose()?;
            throttle::slot(last, terms.distance, now)
        }
    };
    let (state, at, held_by) = match slot {
        Slot::Leaves(at) => ("waiting", at, None),
        Slot::HeldBy(other) => ("held", now, Some(other)),
    };
    let held = held_by.is_some();
    let done = session
        .query(
            "insert into outbox (org_id, id, channel, message_key, rule_id, subject_id, state, held_by, slot_at, due_at, sealed, \
             created_at, ended_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12) on conflict (org_id, message_key) \
             do nothing",
        )
        .bind(org)
        .bind(new.id.0)
        .bind(new.channel.as_str())
        .bind(&new.key)
        .bind(new.throttle.map(|terms| terms.rule.0))
        .bind(new.throttle.map(|terms| terms.subject))
        .bind(state)
        .bind(held_by)
        .bind(Stamp(at))
        .bind((!held).then_some(&new.sealed))
        .bind(Stamp(now))
        .bind(held.then_some(Stamp(now)))
        .execute(&mut **session)
        .await?;
    Ok(match (done.rows_affected(), held) {
        (0, _) => Put::Known,
        (_, true) => Put::Held,
        (_, false) => Put::Waits,
    })
}

const ENDED_SENT: &str = "update outbox set state = 'sent', ended_at = $3, reason = $4, sealed = null where org_id = $1 and id = $2";
const ENDED_FAILED: &str = "update outbox set state = 'failed', ended_at = $3, reason = $4, sealed = null where org_id = $1 and id = $2";
const AGAIN: &str = "update outbox set due_at = $3, reason = $4 where org_id = $1 and id = $2 and state = 'waiting'";

fn message(row: &PgRow) -> Result<Message, Fail> {
    Ok(Message {
        id: MessageId(row.try_get(0)?),
        org: OrgId(row.try_get(1)?),
        channel: Channel::parse(row.try_get(2)?).ok_or_else(|| Fail::damaged("a message's channel"))?,
        rule: row.try_get::<Option<Uuid>, _>(3)?.map(NotificationRuleId),
        attempts: whole(row, 4)?,
        created_at: at(row, 5)?,
        others: whole(row, 6)?,
        sealed: row.try_get(7)?,
    })
}
