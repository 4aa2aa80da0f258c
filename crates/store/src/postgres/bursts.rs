//! Bursts: firings that wait for others, and their closing.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use mainspring_model::burst::{Burst, Firing, Gather, Open};
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::store::{BurstEnd, BurstStore, DueBursts, Ripe, RunStore, StoreError};
use serde_json::Value;
use sqlx::postgres::PgBindIterExt;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::error::Fail;
use super::ledger::Place;
use super::rows::LOCK;
use super::session::{Scope, Session};
use super::values::Stamp;
use super::{PostgresStore, at, json};
use crate::shared::bursts::{READ, bytes_of, firing, gather_text, is_same, open, state_of, texts_of};
use crate::shared::group::Newborn;

#[async_trait]
impl BurstStore for PostgresStore {
    async fn due_bursts(&self, limit: u32) -> Result<DueBursts, StoreError> {
        self.within(self.bursts_due(limit)).await
    }

    async fn ripe_burst(&self, org: OrgId, key: &str) -> Result<Option<Ripe>, StoreError> {
        let Some((gather, begins, merged, mut triggers)) = self.within(self.ripe(org, key)).await? else { return Ok(None) };
        let Some(begins) = begins else { return Ok(Some(Ripe { gather, begins: None, merged, triggers: Vec::new() })) };
        let Some(header) = self.header(begins).await? else { return Ok(None) };
        let mut in_order = Vec::new();
        if let Gather::Batch { .. } = gather {
            for run in [begins].iter().chain(&merged) {
                let Some(trigger) = triggers.remove(run) else { return Ok(None) };
                in_order.push(trigger);
            }
        }
        Ok(Some(Ripe { gather, begins: Some(header), merged, triggers: in_order }))
    }

    async fn close_burst(&self, end: &BurstEnd) -> Result<bool, StoreError> {
        let closed = self.within(self.close_ripe(end)).await?;
        if closed {
            self.notices.tell();
        }
        Ok(closed)
    }
}

const DUE: &str = "select org_id, burst_key, due_at from bursts order by due_at limit $1";
const GATHER: &str = "select due_at, gather::text from bursts where org_id = $1 and burst_key = $2";
const OPEN: &str = "select burst_key, opened_at, due_at, firings, bytes from bursts where org_id = $1 and burst_key = any($2)";
const FIRINGS: &str = "select id, created_ms, octet_length(trigger_data::text)::bigint from runs where org_id = $1 and burst_key = $2 \
     and flow_state = 'burst' order by created_ms, id limit $3";
/// One at a time for a key. The keys are in order, so that two writers never wait for one another in a circle.
const ALONE: &str =
    "select pg_advisory_xact_lock(hashtextextended($1::uuid::text || ' burst ' || v.key, 0)) from unnest($2::text[]) as v (key)";
const JOIN: &str = "update runs as r set burst_key = v.key, flow_state = 'burst', due_at = null from unnest($2::uuid[], $3::text[]) as v (id, key) \
     where r.org_id = $1 and r.id = v.id";
const PUT: &str = "insert into bursts (org_id, burst_key, gather, opened_at, due_at, firings, bytes) \
     select $1, v.key, v.gather::json, v.opened, v.due, v.firings, v.bytes from unnest($2::text[], $3::text[], $4::timestamptz[], \
     $5::timestamptz[], $6::bigint[], $7::bigint[]) as v (key, gather, opened, due, firings, bytes) \
     on conflict (org_id, burst_key) do update set gather = excluded.gather, opened_at = excluded.opened_at, due_at = excluded.due_at, \
     firings = excluded.firings, bytes = excluded.bytes";
const BEGIN: &str = "update runs set flow_state = $3, flow_key = $4, flow_limit = $5, flow_policy = $6, \
     trigger_data = coalesce($7::json, trigger_data), inputs = coalesce($8::json, inputs), \
     due_at = case when $9 then $10 when status = 'paused' or $3 = 'held' then null else $10 end, \
     tag = case when $9 then 'default' else tag end, \
     pause_asked = pause_asked and not $9, status = case when $9 then 'queued' else status end where org_id = $1 and id = $2";
/// One that was paused ends as well: it has nothing to do that a pause would keep it from. Any node may end it.
const MERGE: &str = "update runs set flow_state = 'refused', flow_policy = $3, flow_by = $4, due_at = $5, status = 'queued', pause_asked = false, \
     tag = 'default' where org_id = $1 and id = any($2)";

/// What is read of a burst that is due: how it is gathered, who begins, who ends, and what their triggers saw.
type Read = (Gather, Option<RunId>, Vec<RunId>, HashMap<RunId, Value>);

impl PostgresStore {
    async fn bursts_due(&self, limit: u32) -> Result<DueBursts, Fail> {
        let mut session = self.steps.open(Scope::Queue, false, None).await?;
        let now = session.now();
        let rows = session.query(DUE).bind(i64::from(limit) + 1).fetch_all(&mut *session).await?;
        session.end().await?;
        let mut found = DueBursts::default();
        for row in &rows {
            let due = at(row, 2)?;
            if due > now || found.due.len() == limit as usize {
                found.next = Some(due);
                break;
            }
            found.due.push((OrgId(row.try_get(0)?), row.try_get(1)?));
        }
        Ok(found)
    }

    async fn ripe(&self, org: OrgId, key: &str) -> Result<Option<Read>, Fail> {
        let mut session = self.steps.open(Scope::Org(org), false, None).await?;
        let now = session.now();
        let Some(gather) = due_gather(org, key, now, &mut session).await? else {
            session.end().await?;
            return Ok(None);
        };
        let Some(closing) = gather.close(&firings(org, key, &mut session).await?) else {
            session.end().await?;
            return Ok(Some((gather, None, Vec::new(), HashMap::new())));
        };
        let mut triggers = HashMap::new();
        if let Gather::Batch { .. } = gather {
            let ids: Vec<Uuid> = closing.merged.iter().chain([&closing.begins]).map(|run| run.0).collect();
            let query = session.query("select id, trigger_data::text from runs where org_id = $1 and id = any($2)");
            for row in query.bind(org.0).bind(ids).fetch_all(&mut *session).await? {
                triggers.insert(RunId(row.try_get(0)?), json(&row, 1)?);
            }
        }
        session.end().await?;
        Ok(Some((gather, Some(closing.begins), closing.merged, triggers)))
    }

    async fn close_ripe(&self, end: &BurstEnd) -> Result<bool, Fail> {
        let org = end.org.0;
        let mut session = self.write(Scope::Org(end.org)).await?;
        session.query(ALONE).bind(org).bind(vec![end.key.clone()]).execute(&mut *session).await?;
        let all: Vec<Uuid> = end.merged.iter().chain(&end.begins).map(|run| run.0).collect();
        session.query(LOCK).bind(org).bind(all).execute(&mut *session).await?;
        // What is read now is in statements of their own: they see what others committed while the locks were waited for.
        let now = session.now_here().await?;
        let Some(gather) = due_gather(end.org, &end.key, now, &mut session).await? else {
            session.end().await?;
            return Ok(false);
        };
        let closing = gather.close(&firings(end.org, &end.key, &mut session).await?);
        if !is_same(closing.as_ref(), end) {
            session.end().await?;
            return Ok(false);
        }
        if let Some(begins) = end.begins {
            let ((state, policy), (trigger, inputs)) = (state_of(end), texts_of(end)?);
            session
                .query(BEGIN)
                .bind(org)
                .bind(begins.0)
                .bind(state)
                .bind(end.flow.as_ref().map(|flow| flow.key.clone()))
                .bind(end.flow.as_ref().map(|flow| flow.limit.cast_signed()))
                .bind(policy)
                .bind(trigger)
                .bind(inputs)
                .bind(end.unfit)
                .bind(Stamp(now))
                .execute(&mut *session)
                .await?;
            session
                .query(MERGE)
                .bind(org)
                .bind(end.merged.iter().map(|run| run.0).bind_iter())
                .bind(gather.by().as_str())
                .bind(begins.0)
                .bind(Stamp(now))
                .execute(&mut *session)
                .await?;
        }
        match closing.and_then(|closing| closing.left) {
            Some(left) => {
                let mut put = Putting::default();
                put.add(&end.key, gather, &left)?;
                session
                    .query(PUT)
                    .bind(org)
                    .bind(put.keys)
                    .bind(put.gathers)
                    .bind(put.opened)
                    .bind(put.due)
                    .bind(put.firings)
                    .bind(put.bytes)
                    .execute(&mut *session)
                    .await?;
            }
            None => {
                let query = session.query("delete from bursts where org_id = $1 and burst_key = $2");
                query.bind(org).bind(end.key.clone()).execute(&mut *session).await?;
            }
        }
        session.commit().await?;
        Ok(true)
    }
}

/// How the firings of a burst that is due are gathered.
async fn due_gather(org: OrgId, key: &str, now: Millis, session: &mut Session) -> Result<Option<Gather>, Fail> {
    let row = session.query(GATHER).bind(org.0).bind(key.to_owned()).fetch_optional(&mut **session).await?;
    match row {
        Some(row) if at(&row, 0)? <= now => Ok(Some(json(&row, 1)?)),
        _ => Ok(None),
    }
}

async fn firings(org: OrgId, key: &str, session: &mut Session) -> Result<Vec<Firing>, Fail> {
    let rows = session.query(FIRINGS).bind(org.0).bind(key.to_owned()).bind(READ).fetch_all(&mut **session).await?;
    rows.iter().map(|row| Ok(firing(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Bursts as they are to be written, one array for each column.
#[derive(Default)]
struct Putting {
    keys: Vec<String>,
    gathers: Vec<String>,
    opened: Vec<Stamp>,
    due: Vec<Stamp>,
    firings: Vec<i64>,
    bytes: Vec<i64>,
}

impl Putting {
    fn add(&mut self, key: &str, gather: Gather, open: &Open) -> Result<(), Fail> {
        self.keys.push(key.to_owned());
        self.gathers.push(gather_text(gather)?);
        self.opened.push(Stamp(open.opened_at));
        self.due.push(Stamp(open.due_at));
        self.firings.push(i64::from(open.firings));
        self.bytes.push(bytes_of(open));
        Ok(())
    }
}

/// The runs of firings are there: their bursts have them.
pub(super) async fn arrive(
    org: OrgId,
    newborns: &[Newborn<'_, Place>],
    made: &HashSet<RunId>,
    now: Millis,
    prepared: bool,
    connection: &mut PgConnection,
) -> Result<(), Fail> {
    let mut gathered: BTreeMap<&str, Vec<(RunId, &Burst, usize)>> = BTreeMap::new();
    for newborn in newborns.iter().filter(|newborn| made.contains(&newborn.run) && newborn.is_queued()) {
        if let Some(burst) = &newborn.birth.burst {
            gathered.entry(&burst.key).or_default().push((newborn.run, burst, newborn.birth.trigger.len()));
        }
    }
    if gathered.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = gathered.keys().map(|key| (*key).to_owned()).collect();
    sqlx::query(ALONE).persistent(prepared).bind(org.0).bind(keys.clone()).execute(&mut *connection).await?;
    let rows = sqlx::query(OPEN).persistent(prepared).bind(org.0).bind(keys).fetch_all(&mut *connection).await?;
    let mut before: HashMap<String, Open> = HashMap::with_capacity(rows.len());
    for row in &rows {
        before.insert(row.try_get(0)?, open(at(row, 1)?, at(row, 2)?, row.try_get(3)?, row.try_get(4)?)?);
    }
    let (mut put, mut runs, mut of) = (Putting::default(), Vec::new(), Vec::new());
    for (key, firings) in gathered {
        let mut state = before.get(key).copied();
        let Some((_, burst, _)) = firings.last() else { continue };
        for (run, burst, bytes) in &firings {
            state = Some(burst.gather.arrive(state, *bytes as u64, now));
            runs.push(run.0);
            of.push(key.to_owned());
        }
        if let Some(state) = &state {
            put.add(key, burst.gather, state)?;
        }
    }
    sqlx::query(JOIN).persistent(prepared).bind(org.0).bind(runs).bind(of).execute(&mut *connection).await?;
    sqlx::query(PUT)
        .persistent(prepared)
        .bind(org.0)
        .bind(put.keys)
        .bind(put.gathers)
        .bind(put.opened)
        .bind(put.due)
        .bind(put.firings)
        .bind(put.bytes)
        .execute(connection)
        .await?;
    Ok(())
}
