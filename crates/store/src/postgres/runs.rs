//! Runs: the `RunStore`, and how a run's row is read.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mainspring_model::clock::Millis;
use mainspring_model::event::Event;
use mainspring_model::id::{OrgId, Owner, PlanId, RunId, UserId};
use mainspring_model::run::{Ending, RunHeader, RunStatus, RunSummary, UNTAGGED};
use mainspring_model::store::{Claimed, Committed, Page, Paging, RunFilter, RunStore, RunWrite, Standing, StoreError};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::{PostgresStore, at, at_or_none, enter_org_of, json, json_or_none, text, text_or_none, whole};
use crate::shared::bursts::held_for;
use crate::shared::cursor::{self, IdCursor};
use crate::shared::draft::Draft;
use crate::shared::places::held_by;

#[async_trait]
impl RunStore for PostgresStore {
    async fn now(&self) -> Result<Millis, StoreError> {
        if let Some(clock) = &self.terms.clock {
            return Ok(clock.now());
        }
        let now = async {
            let session = self.steps.open(Scope::Nobody, false, None).await?;
            let now = session.now();
            session.end().await?;
            Ok(now)
        };
        self.within(now).await
    }

    fn epoch(&self) -> i64 {
        self.node.epoch()
    }

    fn trusts(&self, epoch: i64) -> bool {
        self.node.trust.holds(epoch)
    }

    async fn trusted(&self, epoch: i64) -> bool {
        self.node.trust.settled(epoch).await
    }

    async fn commit(&self, write: RunWrite) -> Result<Committed, StoreError> {
        let draft = Draft::of(write)?;
        self.writers.commit(draft).await
    }

    async fn claim(&self, max: u32) -> Result<Vec<Claimed>, StoreError> {
        if self.node.epoch() == 0 {
            return Err(StoreError::Failed("only a process that drives runs claims them".to_owned()));
        }
        self.within(self.claim_batch(max)).await
    }

    async fn next_wake(&self) -> Result<Option<Millis>, StoreError> {
        self.within(self.earliest_wait()).await
    }

    async fn work_arrived(&self) {
        self.notices.arrived().await;
    }

    /// Sweeps. Which runs were in flight is not asked: a node that died is counted for every run that it held, and its own row
    /// says which one it drove alone ([`PostgresStore::drives_alone`]).
    async fn recover(&self, _in_flight: &[RunId], _alone: Option<RunId>) -> Result<u64, StoreError> {
        self.sweep().await
    }

    async fn release(&self, run: RunId, epoch: i64) -> Result<(), StoreError> {
        let write = RunWrite { run, epoch, create: None, events: Arc::default(), standing: Standing::Queued };
        // Late means that there was nothing to give back.
        self.commit(write).await.map(|_| ())
    }

    async fn wake(&self, run: RunId) -> Result<(), StoreError> {
        if self.within(self.cut_wait_short(run)).await? {
            self.notices.tell();
        }
        Ok(())
    }

    async fn request_cancel(&self, org: OrgId, run: RunId, by: &str) -> Result<bool, StoreError> {
        let going = self.within(self.note_cancel(org, run, by)).await?;
        if going {
            self.notices.tell();
        }
        Ok(going)
    }

    async fn cancel_requests(&self) -> Result<Vec<(RunId, String)>, StoreError> {
        self.within(self.asked_to_cancel()).await
    }

    async fn header(&self, run: RunId) -> Result<Option<RunHeader>, StoreError> {
        let found = async {
            let Some((org, mut session)) = self.session_of(run).await? else { return Ok(None) };
            let row = session.query(HEADERS).bind(org.0).bind(vec![run.0]).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| header(&row)).transpose()
        };
        self.within(found).await
    }

    async fn history(&self, run: RunId) -> Result<Vec<Event>, StoreError> {
        let found = async {
            let Some((org, mut session)) = self.session_of(run).await? else { return Ok(vec![]) };
            let mut events = Vec::new();
            {
                let query =
                    session.query("select seq, at, body::text from journal where org_id = $1 and run_id = $2 order by org_id, run_id, seq");
                let mut rows = query.bind(org.0).bind(run.0).fetch(&mut *session);
                while let Some(row) = rows.try_next().await? {
                    events.push(Event { seq: row.try_get::<i32, _>(0)?.cast_unsigned(), at: at(&row, 1)?, body: json(&row, 2)? });
                }
            }
            session.end().await?;
            Ok(events)
        };
        self.within(found).await
    }

    async fn ending(&self, run: RunId) -> Result<Option<Ending>, StoreError> {
        let found = async {
            let Some((org, mut session)) = self.session_of(run).await? else { return Ok(None) };
            let query = session.query("select ending::text from runs where org_id = $1 and id = $2").bind(org.0).bind(run.0);
            let row = query.fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| json_or_none(&row, 0)).transpose().map(Option::flatten)
        };
        self.within(found).await
    }

    async fn get_run(&self, org: OrgId, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let row = session.query(SUMMARY_BY_ID).bind(org.0).bind(run.0).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| shown(&row)).transpose()
        };
        self.within(found).await
    }

    async fn list_runs(&self, org: OrgId, filter: &RunFilter, paging: &Paging) -> Result<Page<RunSummary>, StoreError> {
        let cursor = IdCursor::of(paging)?;
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let page = list(org, filter, cursor, paging, &mut session).await?;
            session.end().await?;
            Ok(page)
        };
        self.within(found).await
    }
}

impl PostgresStore {
    /// A session that acts for the run's organization; `None` when there is no such run.
    async fn session_of(&self, run: RunId) -> Result<Option<(OrgId, Session)>, Fail> {
        let mut session = self.steps.open(Scope::Queue, false, None).await?;
        match enter_org_of("select org_id from runs where id = $1", run.0, &mut session).await? {
            Some(org) => Ok(Some((org, session))),
            None => {
                session.end().await?;
                Ok(None)
            }
        }
    }
}

/// The columns that [`header`] reads, in its order.
pub(super) const HEADERS: &str = "select r.id, r.org_id, r.user_id, r.plan_id, r.plan_version, r.plan_name, r.inputs, \
     r.trigger_data, r.org_data, r.created_ms, r.seed, r.environment, r.parent_id, r.parent_path, \
     coalesce((select max(j.seq) from journal as j where j.org_id = r.org_id and j.run_id = r.id), 0)::bigint \
     from unnest($2::uuid[]) as asked (id) cross join lateral (select id, org_id, user_id, plan_id, plan_version, plan_name, \
     inputs::text, trigger_data::text, org_data::text, created_ms, seed, environment, parent_id, parent_path \
     from runs where org_id = $1 and runs.id = asked.id offset 0) as r";

pub(super) fn header(row: &PgRow) -> Result<RunHeader, Fail> {
    let parent = match row.try_get::<Option<Uuid>, _>(12)? {
        Some(id) => Some((RunId(id), text_or_none(row, 13)?.unwrap_or_default())),
        None => None,
    };
    Ok(RunHeader {
        id: RunId(row.try_get(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        plan_id: PlanId(row.try_get(3)?),
        plan_version: whole(row, 4)?,
        plan_name: text(row, 5)?,
        inputs: json(row, 6)?,
        trigger: json(row, 7)?,
        org: json(row, 8)?,
        created_at: row.try_get(9)?,
        seed: row.try_get::<&[u8], _>(10)?.try_into().map_err(|_| Fail::damaged("a seed"))?,
        environment: text(row, 11)?,
        parent,
    })
}

/// The columns that [`summary`] reads, in its order.
macro_rules! select_summaries {
    ($rest:literal) => {
        concat!(
            "select id, plan_id, plan_version, plan_name, status, trigger_kind, created_ms, started_at, finished_at, due_at, ending::text, tag, \
             (select b.gather::text from bursts as b where runs.flow_state = 'burst' and b.org_id = runs.org_id and b.burst_key = runs.burst_key), \
             (select b.due_at from bursts as b where runs.flow_state = 'burst' and b.org_id = runs.org_id and b.burst_key = runs.burst_key), \
             coalesce(flow_state = 'held', false), set_aside \
             from runs where org_id = $1 and ",
            $rest
        )
    };
}

const SUMMARY_BY_ID: &str = select_summaries!("id = $2");

pub(super) fn summary(row: &PgRow) -> Result<RunSummary, Fail> {
    let status = status(row.try_get(4)?)?;
    let ending: Option<Ending> = json_or_none(row, 10)?;
    let (output, error) = match ending {
        Some(ending) => ((ending.output != Value::Null).then_some(ending.output), ending.error),
        None => (None, None),
    };
    Ok(RunSummary {
        id: RunId(row.try_get(0)?),
        plan_id: PlanId(row.try_get(1)?),
        plan_version: whole(row, 2)?,
        plan_name: text(row, 3)?,
        status,
        trigger: text(row, 5)?,
        created_at: row.try_get(6)?,
        started_at: at_or_none(row, 7)?,
        finished_at: at_or_none(row, 8)?,
        wake_at: if status == RunStatus::Waiting { at_or_none(row, 9)? } else { None },
        tag: if status == RunStatus::Queued { Some(text(row, 11)?).filter(|tag| tag != UNTAGGED) } else { None },
        held_for: None,
        held_by: None,
        output,
        error,
    })
}

/// With what it waits for, of a queued one.
fn shown(row: &PgRow) -> Result<RunSummary, Fail> {
    let run = summary(row)?;
    let held_by = held_by(run.status == RunStatus::Queued, row.try_get(14)?, row.try_get(15)?);
    Ok(RunSummary { held_for: held_for(row.try_get(12)?, at_or_none(row, 13)?)?, held_by, ..run })
}

/// One text for each way to the rows: a plan of its own, that no other filter spoils.
const OF_ORG: &str = select_summaries!(
    "($2::uuid is null) and ($3::text is null) and created_ms >= $4 and created_ms < $5 and (created_ms, id) < ($6, $7) \
     order by created_ms desc, id desc limit $8"
);
const OF_PLAN: &str = select_summaries!(
    "plan_id = $2 and ($3::text is null or status = $3) and created_ms >= $4 and created_ms < $5 and (created_ms, id) < ($6, $7) \
     order by created_ms desc, id desc limit $8"
);
/// Successes are most of all: they are found among them.
const WELL: &str = select_summaries!(
    "($2::uuid is null) and status = $3 and created_ms >= $4 and created_ms < $5 and (created_ms, id) < ($6, $7) \
     order by created_ms desc, id desc limit $8"
);
const OF_STATUS: &str = select_summaries!(
    "($2::uuid is null) and status = $3 and status <> 'success' and created_ms >= $4 and created_ms < $5 and (created_ms, id) < ($6, $7) \
     order by created_ms desc, id desc limit $8"
);

/// Newest first by `created_at`, then by id. `since` is part of the span, `until` is not.
pub(super) async fn list(
    org: OrgId,
    filter: &RunFilter,
    cursor: IdCursor,
    paging: &Paging,
    session: &mut Session,
) -> Result<Page<RunSummary>, Fail> {
    let sql = match (filter.plan, filter.status) {
        (Some(_), _) => OF_PLAN,
        (None, None) => OF_ORG,
        (None, Some(RunStatus::Success)) => WELL,
        (None, Some(_)) => OF_STATUS,
    };
    let rows = session
        .query(sql)
        .bind(org.0)
        .bind(filter.plan.map(|plan| plan.0))
        .bind(filter.status.map(RunStatus::as_str))
        .bind(filter.since.unwrap_or(i64::MIN))
        .bind(filter.until.unwrap_or(i64::MAX))
        .bind(cursor.at)
        .bind(cursor.id)
        .bind(cursor::limit(paging))
        .fetch_all(&mut **session)
        .await?;
    let found = rows.iter().map(|row| {
        let run = shown(row)?;
        Ok((IdCursor { at: run.created_at, id: run.id.0, seq: 0 }, run))
    });
    Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
}

pub(super) fn status(text: &str) -> Result<RunStatus, Fail> {
    RunStatus::parse(text).ok_or_else(|| Fail::damaged("a run's status"))
}
