//! Holding runs: claims by age, waits that are cut short, and requests to cancel.

use std::collections::BTreeMap;

use mainspring_model::clock::Millis;
use mainspring_model::flow::Refusal;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::{RunStatus, UNTAGGED};
use mainspring_model::store::{Claimed, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::ledger::Place;
use super::notices::Notices;
use super::places::Given;
use super::runs::{HEADERS, header, status};
use super::session::{Scope, Session};
use super::values::{Stamp, given, kept};
use super::{PostgresStore, at_or_none, whole};
use crate::shared::flow::refusal;
use crate::shared::judge::Known;
use crate::shared::places::LOOKS;

/// Runs of one claim: enough to make the transaction cheap, few enough that another node finds some too.
const BATCH: u32 = 50;
/// Claims that begin where the last one ended, before one looks from the beginning again.
const SHORT: u32 = 20;
/// How far before the end of the last claim the next one begins: nodes commit out of the order of their clocks.
const SLACK: Millis = 10_000;

/// Where claims of queued runs begin. Behind it lie rows that were claimed but not yet cleaned up, and while somebody keeps an
/// old snapshot there are many: a claim that began among them would read them all, each time.
#[derive(Default)]
pub(super) struct Floor {
    at: Option<Millis>,
    short: u32,
}

impl Floor {
    /// Where the next claim begins; `None`: at the beginning.
    fn take(&mut self) -> Option<Millis> {
        self.short += 1;
        if self.short > SHORT {
            *self = Floor::default();
        }
        self.at
    }

    /// The claim had found so many from `began` on, the last of them queued at `last`.
    fn note(&mut self, began: Option<Millis>, full: bool, last: Option<Millis>) {
        match last {
            // Not back to what somebody else was given in between: their place is now, and the claim looks there by itself.
            Some(last) if full => self.at = Some(began.map_or(last - SLACK, |began| began.max(last - SLACK))),
            // Nothing more from there on: look from the beginning next, if this look did not.
            _ if began.is_some() => *self = Floor::default(),
            _ => self.at = None,
        }
    }
}

/// Queued runs whatever the clock says, for their times are places in a line ([`crate::shared::turns`]); waiting ones when they
/// are due; of both the oldest, in turn, so that many of one kind do not hold up the other. The one place that decides whose
/// turn it is: $1 the node's epoch, $2 now, $3 how many, $4 where the queued ones begin, $5 where those begin whose place is now
/// while the first lies in the future, $6 the tags of the node. Waits are taken up by nodes that serve what has no tag: what a run
/// needs next is known only when it has been read. A run that is held has no tag, so that anybody goes on with a dead node's.
/// Runs of organizations whose runs at work are limited ($7: all of them are) are named and not taken: [`super::places`] decides.
const CLAIM: &str = "with near as materialized (select q.org_id, q.id, q.due_at from unnest($6::text[]) as served (tag) \
     cross join lateral (select org_id, id, due_at from runs where status = 'queued' and runs.tag = served.tag and due_at >= $5 \
     and due_at <= $2 and due_at < $4 order by due_at, id limit $3 for update skip locked) as q), \
     far as materialized (select q.org_id, q.id, q.due_at from unnest($6::text[]) as served (tag) \
     cross join lateral (select org_id, id, due_at from runs where status = 'queued' and runs.tag = served.tag and due_at >= $4 \
     order by due_at, id limit $3 for update skip locked) as q), \
     queued as (select org_id, id, due_at from near union all select org_id, id, due_at from far), \
     waiting as materialized (select org_id, id, due_at from runs where status = 'waiting' and due_at <= $2 and 'default' = any($6) \
     order by due_at, id limit $3 for update skip locked), \
     chosen as (select org_id, id, due_at, was_queued, $7 or exists (select from organizations as o where o.org_id = both_kinds.org_id \
     and o.places is not null) as limited from (select org_id, id, due_at, true as was_queued, \
     row_number() over (order by due_at, id) as place from queued \
     union all select org_id, id, due_at, false, row_number() over (order by due_at, id) from waiting) as both_kinds \
     order by place, due_at, id limit $3), \
     taken as (update runs as r set status = 'running', epoch = $1, due_at = null, signalled = false, \
     tag = 'default', started_at = coalesce(r.started_at, $2) from chosen as c where not c.limited and r.org_id = c.org_id and r.id = c.id \
     returning r.org_id, r.id, r.cancel_asked, r.crashes, r.crashes_alone, r.parent_id, \
     r.pause_asked, r.flow_state, r.flow_policy, r.flow_by) \
     select c.org_id, c.id, c.due_at, c.was_queued, t.cancel_asked, t.crashes::bigint, t.crashes_alone::bigint, t.parent_id, \
     (select r.started_at is not null from runs as r where r.org_id = c.org_id and r.id = c.id), \
     t.pause_asked, t.flow_state, t.flow_policy, t.flow_by, c.limited \
     from chosen as c left join taken as t on t.org_id = c.org_id and t.id = c.id order by c.due_at, c.id";

/// Runs of a claim of which nobody knows whether it was kept: this node drives none of them, and nobody else may while it lives.
const GIVE_BACK: &str =
    "update runs set status = 'queued', epoch = 0, due_at = $2 where epoch = $1 and status = 'running' and id = any($3)";

/// What the queue tells of a claimed run.
pub(super) struct Taken {
    org: OrgId,
    run: RunId,
    cancel_requested: bool,
    crashes: u32,
    crashes_alone: u32,
    parent: Option<RunId>,
    begun: bool,
    pause_requested: bool,
    refused: Option<Refusal>,
}

impl Taken {
    /// From a row in the order of [`CLAIM`]'s columns.
    pub(super) fn of(row: &PgRow) -> Result<Taken, Fail> {
        Ok(Taken {
            org: OrgId(row.try_get(0)?),
            run: RunId(row.try_get(1)?),
            cancel_requested: row.try_get(4)?,
            crashes: whole(row, 5)?,
            crashes_alone: whole(row, 6)?,
            parent: row.try_get::<Option<Uuid>, _>(7)?.map(RunId),
            begun: row.try_get(8)?,
            pause_requested: row.try_get(9)?,
            refused: refusal(row.try_get(10)?, row.try_get(11)?, row.try_get(12)?)?,
        })
    }
}

/// A claim, and whether nothing that it met had a place.
struct Looked {
    claimed: Vec<Claimed>,
    set_aside: bool,
}

impl PostgresStore {
    /// Takes up to `max` runs for this node, oldest due first; none when this node was declared dead.
    pub(super) async fn claim_batch(&self, max: u32) -> Result<Vec<Claimed>, Fail> {
        let size = max.min(BATCH);
        if size == 0 {
            return Ok(vec![]);
        }
        for _ in 0..LOOKS {
            let began = self.floor().take();
            let mut looked = self.claim_from(began, size).await?;
            if began.is_some() && looked.claimed.is_empty() && !looked.set_aside {
                // There may be some before the floor: a run that a dead node had goes back with the moment of the sweep, but clocks differ.
                looked = self.claim_from(None, size).await?;
            }
            if !looked.claimed.is_empty() || !looked.set_aside {
                return Ok(looked.claimed);
            }
        }
        // Others have a turn, and then it looks on.
        self.notices.again();
        Ok(vec![])
    }

    fn floor(&self) -> std::sync::MutexGuard<'_, Floor> {
        self.floor.lock().expect("no panic happens while the floor is held")
    }

    fn unanswered(&self) -> std::sync::MutexGuard<'_, Vec<RunId>> {
        self.unanswered.lock().expect("no panic happens while the list is held")
    }

    async fn claim_from(&self, began: Option<Millis>, size: u32) -> Result<Looked, Fail> {
        let epoch = self.node.epoch();
        let mut session = self.steps.open(Scope::Queue, true, Some(epoch)).await?;
        if !self.node.keeps(epoch, &mut session).await? {
            return Ok(Looked { claimed: vec![], set_aside: false });
        }
        let unanswered = self.unanswered().clone();
        if !unanswered.is_empty() {
            let ids: Vec<Uuid> = unanswered.iter().map(|run| run.0).collect();
            session.query(GIVE_BACK).bind(epoch).bind(Stamp(session.now())).bind(ids).execute(&mut *session).await?;
        }
        let query = session.query(CLAIM).bind(epoch).bind(Stamp(session.now())).bind(i64::from(size));
        let from = began.unwrap_or(Millis::MIN);
        let query = query.bind(Stamp(from)).bind(Stamp(from.min(session.now() - SLACK))).bind(&self.tags).bind(self.places.is_some());
        let rows = query.fetch_all(&mut *session).await?;
        let mut taken = Vec::with_capacity(rows.len());
        // In the order of ids, in which every claim takes the organizations' locks.
        let mut met: BTreeMap<OrgId, Vec<Uuid>> = BTreeMap::new();
        let mut last = None;
        for row in &rows {
            if row.try_get(3)? {
                last = at_or_none(row, 2)?;
            }
            if row.try_get(13)? {
                met.entry(OrgId(row.try_get(0)?)).or_default().push(row.try_get(1)?);
            } else {
                taken.push(Taken::of(row)?);
            }
        }
        let (mut set_aside, mut busy) = (false, false);
        let mut left: usize = met.values().map(Vec::len).sum();
        for (org, runs) in met {
            left -= runs.len();
            let most = (size as usize).saturating_sub(taken.len() + left);
            match self.give_places(org, &runs, most, epoch, &mut session).await? {
                Given::Taken(begin, aside) => {
                    taken.extend(begin);
                    set_aside |= aside > 0;
                }
                Given::Busy => busy = true,
            }
        }
        let ids: Vec<RunId> = taken.iter().map(|run| run.run).collect();
        let claimed = self.load(taken, epoch, &mut session).await?;
        if let Err(fail) = session.commit().await {
            self.unanswered().extend(ids);
            return Err(fail);
        }
        self.unanswered().retain(|run| !unanswered.contains(run));
        if busy {
            // They are met again as soon as whoever decides is done.
            *self.floor() = Floor::default();
            Notices::soon(&self.notices);
        } else {
            self.floor().note(began, rows.len() == size as usize, last);
        }
        for (claim, known) in &claimed {
            self.writers.learn(claim.header.id, known.clone());
        }
        Ok(Looked { claimed: claimed.into_iter().map(|(claim, _)| claim).collect(), set_aside })
    }

    /// The headers, each read as its own organization.
    async fn load(&self, taken: Vec<Taken>, epoch: i64, session: &mut Session) -> Result<Vec<(Claimed, Known<Place>)>, Fail> {
        let mut orgs: Vec<OrgId> = taken.iter().map(|run| run.org).collect();
        orgs.sort_unstable();
        orgs.dedup();
        let mut found = std::collections::HashMap::with_capacity(taken.len());
        for org in orgs {
            session.enter(Scope::Org(org)).await?;
            let ids: Vec<Uuid> = taken.iter().filter(|run| run.org == org).map(|run| run.run.0).collect();
            for row in session.query(HEADERS).bind(org.0).bind(ids).fetch_all(&mut **session).await? {
                let header = header(&row)?;
                found.insert(header.id, (header, whole(&row, 14)?));
            }
        }
        let claim = |run: Taken| {
            let (header, seq) = found.remove(&run.run).ok_or_else(|| Fail::damaged("a claimed run"))?;
            let known = Known {
                place: Place { org: run.org, plan: header.plan_id },
                status: RunStatus::Running,
                epoch,
                seq,
                crashed: run.crashes + run.crashes_alone > 0,
                parent: run.parent,
            };
            let claimed = Claimed {
                header,
                epoch,
                cancel_requested: run.cancel_requested,
                crashes: run.crashes,
                crashes_alone: run.crashes_alone,
                begun: run.begun,
                pause_requested: run.pause_requested,
                refused: run.refused,
            };
            Ok((claimed, known))
        };
        taken.into_iter().map(claim).collect()
    }

    pub(super) async fn earliest_wait(&self) -> Result<Option<Millis>, Fail> {
        if !self.tags.iter().any(|tag| tag == UNTAGGED) {
            return Ok(None);
        }
        let mut session = self.steps.open(Scope::Queue, false, None).await?;
        let query = session.query("select min(due_at) from runs where status = 'waiting' and due_at is not null");
        let row = query.fetch_one(&mut *session).await?;
        session.end().await?;
        at_or_none(&row, 0)
    }

    /// Whether there was a wait to cut short.
    pub(super) async fn cut_wait_short(&self, run: RunId) -> Result<bool, Fail> {
        let mut session = self.steps.open(Scope::Queue, true, None).await?;
        let query = session.query("update runs set due_at = least(coalesce(due_at, $2), $2) where id = $1 and status = 'waiting'");
        let done = query.bind(run.0).bind(Stamp(session.now())).execute(&mut *session).await?;
        session.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// The first who asks is remembered. A run that waits is due now; one that is held learns it at its next wait at the latest; one
    /// that waits for a tag that nobody serves is ended by any node.
    pub(super) async fn note_cancel(&self, org: OrgId, run: RunId, by: &str) -> Result<bool, Fail> {
        let mut session = self.write(Scope::Org(org)).await?;
        let query = session.query("select status from runs where org_id = $1 and id = $2 for no key update").bind(org.0).bind(run.0);
        let Some(row) = query.fetch_optional(&mut *session).await? else {
            session.end().await?;
            return Err(StoreError::NotFound { what: format!("the run {run}") }.into());
        };
        if status(row.try_get(0)?)?.is_terminal() {
            session.end().await?;
            return Ok(false);
        }
        session
            .query(
                "update runs set cancel_by = coalesce(cancel_by, $3), cancel_asked = true, \
                 signalled = case status when 'running' then true else signalled end, \
                 tag = 'default', \
             due_at = case when status = 'waiting' then least(coalesce(due_at, $4), $4) \
                 when status = 'paused' or (status = 'queued' and (flow_state in ('held', 'burst') or set_aside)) then $4 else due_at end, \
                 set_aside = false, flow_state = case when flow_state in ('held', 'burst') then 'refused' else flow_state end, \
                 status = case status when 'paused' then 'queued' else status end where org_id = $1 and id = $2",
            )
            .bind(org.0)
            .bind(run.0)
            .bind(kept(by))
            .bind(Stamp(session.now()))
            .execute(&mut *session)
            .await?;
        session.commit().await?;
        Ok(true)
    }

    pub(super) async fn asked_to_cancel(&self) -> Result<Vec<(RunId, String)>, Fail> {
        let mut session = self.steps.open(Scope::Queue, false, None).await?;
        let query = session.query("select org_id, id from runs where cancel_asked and status = 'running' and epoch = $1 order by id");
        let rows = query.bind(self.node.epoch()).fetch_all(&mut *session).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let (org, run): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
            session.enter(Scope::Org(OrgId(org))).await?;
            let query = session.query("select cancel_by from runs where org_id = $1 and id = $2 and cancel_by is not null");
            if let Some(row) = query.bind(org).bind(run).fetch_optional(&mut *session).await? {
                found.push((RunId(run), given(row.try_get(0)?)));
            }
        }
        session.end().await?;
        Ok(found)
    }
}
