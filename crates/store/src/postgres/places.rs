//! Places: which runs of an organization whose runs at work are limited begin, and which are set aside until a place is free.
//!
//! Whoever decides about an organization's runs holds its lock until the commit, so that what is counted stays true: nobody else takes
//! a place meanwhile. Nobody waits for that lock either: a claim leaves such runs to whoever has it and goes on with the others, so that
//! a process that stands still in the middle holds up one organization and no other.

use async_trait::async_trait;
use mainspring_model::id::OrgId;
use mainspring_model::store::{PlaceStore, StoreError, places_in_force};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PostgresStore;
use super::claims::Taken;
use super::error::Fail;
use super::organizations::no_organization;
use super::session::{Scope, Session};
use super::values::Stamp;
use crate::shared::places::{APART, Candidate, LET_GO, share};

const LOCK: &str = "select pg_try_advisory_xact_lock(hashtextextended('runs at work of ' || $1::uuid::text, 0))";

const OWN: &str = "select places from organizations where org_id = $1";

const AT_WORK: &str = "select count(*) from (select from runs where org_id = $1 and status = 'running' \
     and flow_state is distinct from 'refused' limit $2) as busy";

/// What the claim met and holds, and of those that are set aside the first of each tag of this node, as many as there are places.
const LINE: &str = "with aside as materialized (select q.id, q.cancel_asked, q.priority, q.created_ms from unnest($3::text[]) as served (tag) \
     cross join lateral (select id, cancel_asked, priority, created_ms from runs where org_id = $1 and runs.tag = served.tag and set_aside \
     order by cancel_asked desc, priority desc, created_ms, id limit $4 for update skip locked) as q) \
     select id, cancel_asked, priority::bigint, created_ms, true, \
     coalesce(flow_state = 'refused', false) or (cancel_asked and started_at is null) \
     from runs where org_id = $1 and id = any($2) \
     union all select id, cancel_asked, priority::bigint, created_ms, false, false from aside";

const SET_ASIDE: &str = "update runs set status = 'queued', epoch = 0, due_at = null, set_aside = true where org_id = $1 and id = any($2)";

/// As a claim takes runs, and in the order of its columns. One that was cancelled before it began ends without beginning.
const TAKE: &str = "with taken as (update runs as r set status = 'running', epoch = $1, due_at = null, signalled = false, tag = 'default', \
     set_aside = false, started_at = coalesce(r.started_at, $2), \
     flow_state = case when r.cancel_asked and r.started_at is null then 'refused' else r.flow_state end \
     where r.org_id = $3 and r.id = any($4) returning r.org_id, r.id, r.cancel_asked, r.crashes, r.crashes_alone, r.parent_id, r.pause_asked, \
     r.flow_state, r.flow_policy, r.flow_by, r.created_ms) \
     select t.org_id, t.id, $2, true, t.cancel_asked, t.crashes::bigint, t.crashes_alone::bigint, t.parent_id, \
     (select r.started_at is not null from runs as r where r.org_id = t.org_id and r.id = t.id), \
     t.pause_asked, t.flow_state, t.flow_policy, t.flow_by, true from taken as t order by t.created_ms, t.id";

/// What became of the runs of one organization that a claim met.
pub(super) enum Given {
    /// These begin; that many others were set aside.
    Taken(Vec<Taken>, usize),
    /// Somebody else decides about the organization's runs at this moment.
    Busy,
}

/// Organizations with runs that are set aside, by steps through the index.
const WITH_SET_ASIDE: &str = "with recursive orgs (org_id) as ((select org_id from runs where set_aside and org_id > $1 order by org_id limit 1) \
     union all select (select r.org_id from runs as r where r.set_aside and r.org_id > orgs.org_id order by r.org_id limit 1) from orgs \
     where orgs.org_id is not null) select org_id from orgs where org_id is not null limit $2";

/// The first of each tag, whoever serves it: a claim that meets one gives out all places that are free.
const OFFER: &str = "with recursive tags (tag) as ((select tag from runs where org_id = $1 and set_aside order by tag limit 1) \
     union all select (select r.tag from runs as r where r.org_id = $1 and r.set_aside and r.tag > tags.tag order by r.tag limit 1) from tags \
     where tags.tag is not null), \
     first as materialized (select q.id from tags cross join lateral (select id from runs where org_id = $1 and runs.tag = tags.tag and set_aside \
     order by cancel_asked desc, priority desc, created_ms, id limit 1 for update skip locked) as q where tags.tag is not null) \
     update runs as r set set_aside = false, due_at = $2 from first as f where r.org_id = $1 and r.id = f.id";

/// All, each a place in the queue after the one before.
const LET_ALL_GO: &str = "with chosen as materialized (select id from runs where org_id = $1 and set_aside \
     order by tag, cancel_asked desc, priority desc, created_ms, id limit $3 for update skip locked), \
     line as (select id, row_number() over (order by id) as place from chosen) \
     update runs as r set set_aside = false, due_at = $2::timestamptz + $4::bigint * line.place * interval '1 millisecond' from line \
     where r.org_id = $1 and r.id = line.id";

impl PostgresStore {
    /// Gives an organization's free places to those who come first, whether the claim met them or they were set aside before, and sets aside
    /// those that it met and that have none. `most` is how many runs it may take.
    pub(super) async fn give_places(
        &self,
        org: OrgId,
        met: &[Uuid],
        most: usize,
        epoch: i64,
        session: &mut Session,
    ) -> Result<Given, Fail> {
        if !lock(org, session).await? {
            return Ok(Given::Busy);
        }
        // There is no limit any more: all that was met goes on, and what was set aside is let go by an offer.
        let (room, beside) = self.room(org, session).await?.map_or((met.len(), 0), |room| (room as usize, i64::from(room)));
        let query = session.query(LINE).bind(org.0).bind(met).bind(&self.tags).bind(beside);
        let line = query.fetch_all(&mut **session).await?.iter().map(candidate).collect::<Result<_, Fail>>()?;
        let given = share(line, room, most);
        if !given.aside.is_empty() {
            session.query(SET_ASIDE).bind(org.0).bind(&given.aside).execute(&mut **session).await?;
        }
        if given.begin.is_empty() {
            return Ok(Given::Taken(Vec::new(), given.aside.len()));
        }
        let query = session.query(TAKE).bind(epoch).bind(Stamp(session.now())).bind(org.0).bind(given.begin);
        let taken = query.fetch_all(&mut **session).await?.iter().map(Taken::of).collect::<Result<_, Fail>>()?;
        Ok(Given::Taken(taken, given.aside.len()))
    }

    /// Places that are free; `None` without a limit. Under the organization's lock, in a statement of its own: it sees what was committed
    /// before the lock was had.
    async fn room(&self, org: OrgId, session: &mut Session) -> Result<Option<u32>, Fail> {
        let Some(limit) = places_in_force(own(org, session).await?.flatten(), self.places) else { return Ok(None) };
        let row = session.query(AT_WORK).bind(org.0).bind(i64::from(limit)).fetch_one(&mut **session).await?;
        let busy = u32::try_from(row.try_get::<i64, _>(0)?).unwrap_or(limit);
        Ok(Some(limit.saturating_sub(busy)))
    }

    /// Whether something is due by it, and whether that was all; `None`: somebody else decides at this moment.
    async fn offer(&self, org: OrgId) -> Result<Option<(bool, bool)>, Fail> {
        let mut session = self.steps.open(Scope::Queue, true, None).await?;
        if !lock(org, &mut session).await? {
            session.end().await?;
            return Ok(None);
        }
        let now = Stamp(session.now());
        let query = match self.room(org, &mut session).await? {
            Some(0) => {
                session.end().await?;
                return Ok(Some((false, true)));
            }
            Some(_) => session.query(OFFER).bind(org.0).bind(now),
            None => session.query(LET_ALL_GO).bind(org.0).bind(now).bind(LET_GO).bind(APART),
        };
        let offered = query.execute(&mut *session).await?.rows_affected();
        session.commit().await?;
        Ok(Some((offered > 0, offered < LET_GO.cast_unsigned())))
    }
}

async fn lock(org: OrgId, session: &mut Session) -> Result<bool, Fail> {
    Ok(session.query(LOCK).bind(org.0).fetch_one(&mut **session).await?.try_get(0)?)
}

/// `None`: there is no such organization.
async fn own(org: OrgId, session: &mut Session) -> Result<Option<Option<u32>>, Fail> {
    let row = session.query(OWN).bind(org.0).fetch_optional(&mut **session).await?;
    let own = |row: &PgRow| Ok(row.try_get::<Option<i32>, _>(0)?.and_then(|places| u32::try_from(places).ok()));
    row.as_ref().map(own).transpose()
}

fn candidate(row: &PgRow) -> Result<Candidate<Uuid>, Fail> {
    Ok(Candidate {
        run: row.try_get(0)?,
        met: row.try_get(4)?,
        ends: row.try_get(5)?,
        cancelled: row.try_get(1)?,
        rank: row.try_get(2)?,
        age: row.try_get(3)?,
    })
}

#[async_trait]
impl PlaceStore for PostgresStore {
    fn places_of_each(&self) -> Option<u32> {
        self.places
    }

    async fn own_places(&self, org: OrgId) -> Result<Option<u32>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let found = own(org, &mut session).await?;
            session.end().await?;
            Ok(found.flatten())
        };
        self.within(found).await
    }

    async fn set_own_places(&self, org: OrgId, places: Option<u32>) -> Result<Option<u32>, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let Some(before) = own(org, &mut session).await? else {
                session.end().await?;
                return Err(no_organization(org).into());
            };
            let query = session.query("update organizations set places = $2 where org_id = $1").bind(org.0);
            query.bind(places.map(|places| i32::try_from(places).unwrap_or(i32::MAX))).execute(&mut *session).await?;
            session.commit().await?;
            Ok(before)
        };
        self.within(done).await
    }

    async fn with_own_places(&self) -> Result<Vec<OrgId>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let rows = session.query("select org_id from organizations where places is not null").fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| Ok(OrgId(row.try_get(0)?))).collect()
        };
        self.within(found).await
    }

    async fn offer_place(&self, org: OrgId) -> Result<bool, StoreError> {
        let Some((due, all)) = self.within(self.offer(org)).await? else { return Ok(false) };
        if due {
            self.notices.tell();
        }
        Ok(all)
    }

    async fn with_set_aside(&self, after: Option<OrgId>, limit: u32) -> Result<Vec<OrgId>, StoreError> {
        let found = async {
            let mut session = self.steps.open(Scope::Queue, false, None).await?;
            let query = session.query(WITH_SET_ASIDE).bind(after.map_or(Uuid::nil(), |org| org.0)).bind(i64::from(limit));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| Ok(OrgId(row.try_get(0)?))).collect()
        };
        self.within(found).await
    }
}
