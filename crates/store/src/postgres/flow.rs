//! Runs that are held back: admissions by key, and pauses.

use async_trait::async_trait;
use mainspring_model::flow::{LiveRun, Ruling, rule};
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::rate::{Turn, TurnAsk};
use mainspring_model::store::{ADMITTED_AT_ONCE, Admitted, FlowStore, StoreError};
use mainspring_model::wait::triggers_topic;
use sqlx::Row;
use sqlx::postgres::PgBindIterExt;
use uuid::Uuid;

use super::PostgresStore;
use super::error::Fail;
use super::rows::LOCK;
use super::runs::status;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use crate::shared::flow::{held, made_way};

#[async_trait]
impl FlowStore for PostgresStore {
    async fn admit(&self, org: OrgId, key: &str) -> Result<Admitted, StoreError> {
        let (admitted, due) = self.within(self.decide(org, key)).await?;
        if due {
            self.notices.tell();
        }
        Ok(admitted)
    }

    async fn held_keys(&self, after: Option<&(OrgId, String)>, limit: u32) -> Result<Vec<(OrgId, String)>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let (org, key) = after.map_or((Uuid::nil(), ""), |(org, key)| (org.0, key.as_str()));
            let rows = session.query(HELD_KEYS).bind(org).bind(key).bind(i64::from(limit)).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| Ok((OrgId(row.try_get(0)?), row.try_get(1)?))).collect()
        };
        self.within(found).await
    }

    async fn request_pause(&self, org: OrgId, run: RunId) -> Result<bool, StoreError> {
        self.within(self.note_pause(org, run)).await
    }

    async fn resume(&self, org: OrgId, run: RunId) -> Result<bool, StoreError> {
        let resumed = self.within(self.note_resume(org, run)).await?;
        if resumed {
            self.notices.tell();
        }
        Ok(resumed)
    }

    async fn pause_requests(&self) -> Result<Vec<RunId>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let query = session.query("select id from runs where pause_asked and status = 'running' and epoch = $1 order by id");
            let rows = query.bind(self.node.epoch()).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| Ok(RunId(row.try_get(0)?))).collect()
        };
        self.within(found).await
    }

    async fn take_turn(&self, ask: &TurnAsk) -> Result<Turn, StoreError> {
        self.within(self.take(ask)).await
    }

    async fn forget_turns(&self, org: OrgId, run: RunId) -> Result<(), StoreError> {
        self.within(self.forget(org, run)).await
    }

    async fn prune_turns(&self, batch: u32) -> Result<u64, StoreError> {
        self.within(self.prune_line(batch)).await
    }
}

/// Each key once, by steps through the index: one may have a hundred thousand runs.
const HELD_KEYS: &str = "with recursive keys (org_id, flow_key) as (\
     (select org_id, flow_key from runs where flow_state = 'held' and finished_at is null and (org_id, flow_key) > ($1, $2) \
     order by org_id, flow_key limit 1) \
     union all select n.org_id, n.flow_key from keys cross join lateral (select r.org_id, r.flow_key from runs as r \
     where r.flow_state = 'held' and r.finished_at is null and (r.org_id, r.flow_key) > (keys.org_id, keys.flow_key) \
     order by r.org_id, r.flow_key limit 1) as n) select org_id, flow_key from keys limit $3";

const LIVE: &str = "select id, cancel_asked from runs where org_id = $1 and flow_key = $2 and flow_state = 'live' and finished_at is null \
     order by created_ms, id";

const HELD: &str = "select id, flow_limit::bigint, flow_policy from runs where org_id = $1 and flow_key = $2 and flow_state = 'held' \
     and finished_at is null and status = 'queued' order by priority desc, created_ms, id limit $3";

impl PostgresStore {
    /// What was decided, and whether something is due by it.
    async fn decide(&self, org: OrgId, key: &str) -> Result<(Admitted, bool), Fail> {
        let mut session = self.steps.open(Scope::Org(org), true, None).await?;
        // One admission of a key at a time. What it reads, it reads in statements of their own: they see what the one before committed.
        let query = session.query("select pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2, 0))").bind(org.0).bind(key);
        query.execute(&mut *session).await?;
        let query = session.query(HELD).bind(org.0).bind(key).bind(i64::from(ADMITTED_AT_ONCE) + 1);
        let rows = query.fetch_all(&mut *session).await?;
        let mut waiting = Vec::with_capacity(rows.len());
        for row in &rows {
            waiting.push(held(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)?);
        }
        let more = waiting.len() > ADMITTED_AT_ONCE as usize;
        waiting.truncate(ADMITTED_AT_ONCE as usize);
        let found = live(org, key, &mut session).await?;
        let mut ruling = rule(&found, &waiting, more);
        if ruling.is_empty() {
            session.end().await?;
            return Ok((Admitted::default(), false));
        }
        let all = touched(&ruling);
        session.query(LOCK).bind(org.0).bind(all).execute(&mut *session).await?;
        // Meanwhile a live one may have ended, and a held one may have been cancelled or paused: what is locked now stays as it is.
        let still = live(org, key, &mut session).await?;
        let query = session.query("select id from runs where org_id = $1 and id = any($2) and flow_state = 'held' and status = 'queued'");
        let ids: Vec<Uuid> = waiting.iter().map(|run| run.id.0).collect();
        let rows = query.bind(org.0).bind(ids).fetch_all(&mut *session).await?;
        let mut there = std::collections::HashSet::with_capacity(rows.len());
        for row in &rows {
            there.insert(row.try_get::<Uuid, _>(0)?);
        }
        if still != found || there.len() < waiting.len() {
            waiting.retain(|run| there.contains(&run.id.0));
            let again = rule(&still, &waiting, more);
            // Only what is locked may be touched; a later admission does the rest.
            let locked = touched(&ruling);
            ruling = if touched(&again).iter().all(|run| locked.contains(run)) { again } else { Ruling::default() };
            if ruling.is_empty() {
                session.end().await?;
                return Ok((Admitted { more: true, ..Admitted::default() }, false));
            }
        }
        carry_out(org, &ruling, &mut session).await?;
        session.commit().await?;
        let admitted = Admitted {
            cancelled: ruling.cancelled.iter().map(|(run, _)| *run).collect(),
            told: ruling.delivered.iter().map(|(_, live)| *live).collect(),
            more,
        };
        Ok((admitted, true))
    }

    async fn note_pause(&self, org: OrgId, run: RunId) -> Result<bool, Fail> {
        let mut session = self.write(Scope::Org(org)).await?;
        let query = session.query("select status, cancel_asked from runs where org_id = $1 and id = $2 for no key update");
        let Some(row) = query.bind(org.0).bind(run.0).fetch_optional(&mut *session).await? else {
            session.end().await?;
            return Err(StoreError::NotFound { what: format!("the run {run}") }.into());
        };
        if status(row.try_get(0)?)?.is_terminal() || row.try_get(1)? {
            session.end().await?;
            return Ok(false);
        }
        session
            .query(
                "update runs set pause_asked = true, set_aside = false, due_at = case when status in ('queued', 'waiting') then null else due_at end, \
                 status = case when status in ('queued', 'waiting') then 'paused' else status end where org_id = $1 and id = $2",
            )
            .bind(org.0)
            .bind(run.0)
            .execute(&mut *session)
            .await?;
        session.commit().await?;
        Ok(true)
    }

    async fn note_resume(&self, org: OrgId, run: RunId) -> Result<bool, Fail> {
        let mut session = self.write(Scope::Org(org)).await?;
        let query = session.query("select 1 from runs where org_id = $1 and id = $2");
        if query.bind(org.0).bind(run.0).fetch_optional(&mut *session).await?.is_none() {
            session.end().await?;
            return Err(StoreError::NotFound { what: format!("the run {run}") }.into());
        }
        let done = session
            .query(
                "update runs set pause_asked = false, \
                 due_at = case when status = 'paused' and coalesce(flow_state, '') not in ('held', 'burst') then $3 else due_at end, \
                 status = case status when 'paused' then 'queued' else status end \
                 where org_id = $1 and id = $2 and pause_asked and finished_at is null",
            )
            .bind(org.0)
            .bind(run.0)
            .bind(Stamp(session.now()))
            .execute(&mut *session)
            .await?;
        session.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

async fn live(org: OrgId, key: &str, session: &mut Session) -> Result<Vec<LiveRun>, Fail> {
    let rows = session.query(LIVE).bind(org.0).bind(key).fetch_all(&mut **session).await?;
    rows.iter().map(|row| Ok(LiveRun { id: RunId(row.try_get(0)?), cancelled: row.try_get(1)? })).collect()
}

/// The runs whose rows change.
fn touched(ruling: &Ruling) -> Vec<Uuid> {
    let pairs = ruling.refused.iter().map(|(held, _)| held).chain(ruling.cancelled.iter().map(|(live, _)| live));
    let both = ruling.delivered.iter().flat_map(|(held, live)| [held, live]);
    ruling.begin.iter().chain(pairs).chain(both).map(|run| run.0).collect()
}

async fn carry_out(org: OrgId, ruling: &Ruling, session: &mut Session) -> Result<(), Fail> {
    let now = Stamp(session.now());
    if !ruling.begin.is_empty() {
        session
            .query("update runs set flow_state = 'live', due_at = $2 where org_id = $1 and id = any($3)")
            .bind(org.0)
            .bind(now)
            .bind(ruling.begin.iter().map(|run| run.0).bind_iter())
            .execute(&mut **session)
            .await?;
    }
    for (held, live) in &ruling.delivered {
        session
            .query(
                "insert into signals (org_id, id, topic, sole, data, received_at) select $1, id, $2, false, trigger_data, $3 from runs \
                 where org_id = $1 and id = $4 on conflict do nothing",
            )
            .bind(org.0)
            .bind(kept(&triggers_topic(*live)))
            .bind(now)
            .bind(held.0)
            .execute(&mut **session)
            .await?;
        session
            .query(
                "update runs set due_at = case status when 'waiting' then least(coalesce(due_at, $2), $2) else due_at end, \
                 signalled = case status when 'running' then true else signalled end \
                 where org_id = $1 and id = $3 and status in ('waiting', 'running')",
            )
            .bind(org.0)
            .bind(now)
            .bind(live.0)
            .execute(&mut **session)
            .await?;
    }
    let refused = || ruling.refused.iter().chain(&ruling.delivered);
    if refused().next().is_some() {
        session
            .query(
                "update runs as r set flow_state = 'refused', flow_by = v.by, due_at = $2, tag = 'default' from unnest($3::uuid[], $4::uuid[]) as v (id, by) \
                 where r.org_id = $1 and r.id = v.id",
            )
            .bind(org.0)
            .bind(now)
            .bind(refused().map(|(held, _)| held.0).bind_iter())
            .bind(refused().map(|(_, by)| by.0).bind_iter())
            .execute(&mut **session)
            .await?;
    }
    for (live, held) in &ruling.cancelled {
        session
            .query(
                "update runs set cancel_by = coalesce(cancel_by, $3), cancel_asked = true, tag = 'default', \
                 signalled = case status when 'running' then true else signalled end, \
                 due_at = case status when 'waiting' then least(coalesce(due_at, $4), $4) when 'paused' then $4 else \
                 case when set_aside then $4 else due_at end end, set_aside = false, \
                 status = case status when 'paused' then 'queued' else status end \
                 where org_id = $1 and id = $2 and finished_at is null",
            )
            .bind(org.0)
            .bind(live.0)
            .bind(kept(&made_way(*held)))
            .bind(now)
            .execute(&mut **session)
            .await?;
    }
    Ok(())
}
