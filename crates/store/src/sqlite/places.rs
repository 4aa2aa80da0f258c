//! Places: which runs of an organization whose runs at work are limited begin, and which are set aside until a place is free.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::OrgId;
use mainspring_model::store::{PlaceStore, StoreError, places_in_force};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, number_list, uuid};
use crate::shared::places::{APART, Candidate, LET_GO, share};

/// Runs that a claim met, by organization, with its limit.
pub(super) type Met = BTreeMap<OrgId, (u32, Vec<i64>)>;

/// Which organizations may have how many runs at work.
pub(super) struct Limits {
    each: Option<u32>,
    own: HashMap<OrgId, u32>,
}

impl Limits {
    pub(super) fn none() -> Limits {
        Limits { each: None, own: HashMap::new() }
    }

    pub(super) async fn read(each: Option<u32>, connection: &mut SqliteConnection) -> Result<Limits, Fail> {
        let rows = sqlx::query("select org_id, places from organizations where places is not null").fetch_all(connection).await?;
        let own = rows.iter().map(|row| Ok((OrgId(uuid(row, 0)?), row.try_get(1)?))).collect::<Result<_, Fail>>()?;
        Ok(Limits { each, own })
    }

    pub(super) fn of(&self, org: OrgId) -> Option<u32> {
        places_in_force(self.own.get(&org).copied(), self.each)
    }
}

/// What became of the runs that a claim met.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) begin: Vec<i64>,
    /// How many were set aside.
    pub(super) aside: usize,
}

pub(super) const AT_WORK: &str = "select count(*) from (select 1 from runs indexed by runs_by_status \
     where org_no = (select no from organization_totals where org_id = ?1) and status = 'running' and status <> 'success' \
     and coalesce(flow_state, '') <> 'refused' limit ?2)";

/// Who is to be cancelled and who comes first, in the order of [`share`].
pub(super) const LINE: &str = "select no, cancel_by is not null, priority, created_at, 0, 0 from runs indexed by runs_set_aside \
     where org_no = (select no from organization_totals where org_id = ?1) and set_aside = 1 \
     order by cancel_by is null, priority desc, created_at, no limit ?2";

const MET: &str = "select no, cancel_by is not null, priority, created_at, 1, \
     coalesce(flow_state, '') = 'refused' or (cancel_by is not null and started_at is null) \
     from runs where no in (select value from json_each(?1))";

/// Gives the places of each organization to those who come first, and sets aside those who were met and have none. `most` is how many runs
/// may be taken in all.
pub(super) async fn share_all(met: Met, most: usize, connection: &mut SqliteConnection) -> Result<Shared, Fail> {
    let mut shared = Shared::default();
    let mut left: usize = met.values().map(|(_, runs)| runs.len()).sum();
    for (org, (limit, runs)) in met {
        left -= runs.len();
        let room = room(org, limit, &mut *connection).await?;
        let mut line = candidates(sqlx::query(MET).bind(number_list(runs)), &mut *connection).await?;
        line.extend(candidates(sqlx::query(LINE).bind(bytes(org.0)).bind(i64::from(room)), &mut *connection).await?);
        let given = share(line, room as usize, most.saturating_sub(left + shared.begin.len()));
        if !given.aside.is_empty() {
            sqlx::query(
                "update runs set status = 'queued', epoch = 0, due_at = null, set_aside = 1 where no in (select value from json_each(?1))",
            )
            .bind(number_list(given.aside.iter().copied()))
            .execute(&mut *connection)
            .await?;
        }
        sqlx::query(
            "update runs set flow_state = 'refused' where no in (select value from json_each(?1)) and cancel_by is not null \
             and started_at is null",
        )
        .bind(number_list(given.begin.iter().copied()))
        .execute(&mut *connection)
        .await?;
        shared.aside += given.aside.len();
        shared.begin.extend(given.begin);
    }
    Ok(shared)
}

/// Places that are free.
async fn room(org: OrgId, limit: u32, connection: &mut SqliteConnection) -> Result<u32, Fail> {
    let row = sqlx::query(AT_WORK).bind(bytes(org.0)).bind(i64::from(limit)).fetch_one(connection).await?;
    let busy: u32 = row.try_get(0)?;
    Ok(limit.saturating_sub(busy))
}

async fn candidates(query: Query<'_, Sqlite, SqliteArguments>, connection: &mut SqliteConnection) -> Result<Vec<Candidate<i64>>, Fail> {
    let rows = query.fetch_all(connection).await?;
    let candidate = |row: &SqliteRow| {
        Ok(Candidate {
            run: row.try_get(0)?,
            met: row.try_get(4)?,
            ends: row.try_get(5)?,
            cancelled: row.try_get(1)?,
            rank: row.try_get(2)?,
            age: row.try_get(3)?,
        })
    };
    rows.iter().map(candidate).collect()
}

#[async_trait]
impl PlaceStore for SqliteStore {
    fn places_of_each(&self) -> Option<u32> {
        self.places
    }

    async fn own_places(&self, org: OrgId) -> Result<Option<u32>, StoreError> {
        self.read(move |connection| Box::pin(async move { Ok(own(org, connection).await?.flatten()) })).await
    }

    async fn set_own_places(&self, org: OrgId, places: Option<u32>) -> Result<Option<u32>, StoreError> {
        self.write(async move |connection| {
            let before = own(org, &mut *connection).await?.ok_or_else(|| super::organizations::no_organization(org))?;
            let query = sqlx::query("update organizations set places = ?2 where org_id = ?1").bind(bytes(org.0)).bind(places);
            query.execute(connection).await?;
            Ok(before)
        })
        .await
    }

    async fn with_own_places(&self) -> Result<Vec<OrgId>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let rows = sqlx::query("select org_id from organizations where places is not null").fetch_all(connection).await?;
                rows.iter().map(|row| Ok(OrgId(uuid(row, 0)?))).collect()
            })
        })
        .await
    }

    async fn offer_place(&self, org: OrgId) -> Result<bool, StoreError> {
        let (each, now) = (self.places, self.now_ms());
        let offered = self.write(async move |connection| offer(org, each, now, connection).await).await?;
        if offered > 0 {
            self.arrived.notify_one();
        }
        Ok(offered < LET_GO.unsigned_abs())
    }

    async fn with_set_aside(&self, after: Option<OrgId>, limit: u32) -> Result<Vec<OrgId>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(SET_ASIDE).bind(after.map(|org| bytes(org.0))).bind(i64::from(limit));
                query.fetch_all(connection).await?.iter().map(|row| Ok(OrgId(uuid(row, 0)?))).collect()
            })
        })
        .await
    }
}

/// Each organization once, by steps through the index.
pub(super) const SET_ASIDE: &str = "with recursive orgs (org_no) as (\
     select * from (select org_no from runs indexed by runs_set_aside where set_aside = 1 \
     and org_no > coalesce((select no from organization_totals where org_id = ?1), 0) order by org_no limit 1) \
     union all select (select r.org_no from runs as r indexed by runs_set_aside where r.set_aside = 1 and r.org_no > orgs.org_no \
     order by r.org_no limit 1) from orgs where orgs.org_no is not null limit ?2) \
     select o.org_id from orgs join organization_totals as o on o.no = orgs.org_no order by orgs.org_no";

/// `None`: there is no such organization.
async fn own(org: OrgId, connection: &mut SqliteConnection) -> Result<Option<Option<u32>>, Fail> {
    let query = sqlx::query("select places from organizations where org_id = ?1").bind(bytes(org.0));
    Ok(query.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()?)
}

/// How many are due by it.
async fn offer(org: OrgId, each: Option<u32>, now: Millis, connection: &mut SqliteConnection) -> Result<u64, Fail> {
    let (most, apart) = match places_in_force(own(org, &mut *connection).await?.flatten(), each) {
        // A claim that meets one gives out all places that are free.
        Some(limit) if room(org, limit, &mut *connection).await? > 0 => (1, 0),
        Some(_) => return Ok(0),
        None => (LET_GO, APART),
    };
    let line = candidates(sqlx::query(LINE).bind(bytes(org.0)).bind(most), &mut *connection).await?;
    for (place, run) in (0_i64..).zip(&line) {
        sqlx::query("update runs set set_aside = 0, due_at = ?2 where no = ?1")
            .bind(run.run)
            .bind(now.saturating_add(place * apart))
            .execute(&mut *connection)
            .await?;
    }
    Ok(line.len() as u64)
}
