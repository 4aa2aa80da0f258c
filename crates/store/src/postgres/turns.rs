//! Turns under the rate of a step: calls that began, and those that wait in line.

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::rate::{LATE, Turn, TurnAsk, turn};
use sqlx::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::error::Fail;
use super::session::{Scope, Session};

/// The moment of the `limit`-th newest among the calls that began and those that wait before `no`. Who waits and could begin now counts
/// as beginning now; who is late is passed over.
const FULL: &str = "select at_ms from ((select at_ms from rate_turns where org_id = $1 and rate_key = $2 and place is null \
     order by at_ms desc limit $3) union all (select greatest(at_ms, $4) from rate_turns where org_id = $1 and rate_key = $2 \
     and place is not null and no < $5 and at_ms > $4 - $6 order by no desc limit $3)) as calls order by at_ms desc limit 1 offset $3 - 1";
const BEFORE: &str = "select at_ms from rate_turns where org_id = $1 and rate_key = $2 and place is not null and no < $3 and at_ms > $4 \
     order by no desc limit 1";
const OLD: &str = "delete from rate_turns where org_id = $1 and no in (select no from rate_turns where org_id = $1 and rate_key = $2 \
     and place is null and counted_until_ms <= $3 order by at_ms limit 100)";
const ORGS: &str = "select distinct org_id from rate_turns order by org_id";
const GONE: [&str; 2] = [
    "delete from rate_turns where org_id = $1 and no in (select no from rate_turns where org_id = $1 and place is null \
     and counted_until_ms <= $2 limit $3)",
    "delete from rate_turns where org_id = $1 and no in (select t.no from rate_turns as t where t.org_id = $1 and t.place is not null \
     and $2::bigint is not null and not exists (select from runs as r where r.org_id = $1 and r.id = t.run_id and r.finished_at is null) \
     limit $3)",
];

impl PostgresStore {
    pub(super) async fn take(&self, ask: &TurnAsk) -> Result<Turn, Fail> {
        let (org, key) = (ask.org.0, ask.key.as_str());
        let mut session = self.write(Scope::Org(ask.org)).await?;
        // One at a time for a key. What it reads, it reads in statements of their own: they see what the one before committed.
        let query =
            session.query("select pg_advisory_xact_lock(hashtextextended($1::uuid::text || ' turn ' || $2, 0))").bind(org).bind(key);
        query.execute(&mut *session).await?;
        // The moment when the transaction began is one before others had their turn.
        let now = session.now_here().await?;
        let place = ask.waits.as_ref().map(|waits| waits.place.to_vec());
        let query = session.query("select no from rate_turns where org_id = $1 and rate_key = $2 and place = $3");
        let row = query.bind(org).bind(key.to_owned()).bind(place.clone()).fetch_optional(&mut *session).await?;
        let mine: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
        let no = mine.unwrap_or(i64::MAX);
        let query = session.query(FULL).bind(org).bind(key.to_owned()).bind(i64::from(ask.limit)).bind(now).bind(no).bind(LATE);
        let full = moment(query.fetch_optional(&mut *session).await?)?;
        let query = session.query(BEFORE).bind(org).bind(key.to_owned()).bind(no).bind(now.saturating_sub(LATE));
        let before = moment(query.fetch_optional(&mut *session).await?)?;
        let turn = turn(now, full, before, ask.window);
        let until = now.saturating_add(ask.window);
        match (turn, mine, &ask.waits) {
            (Turn::Now, Some(no), _) => {
                let sql =
                    "update rate_turns set run_id = null, place = null, at_ms = $3, counted_until_ms = $4 where org_id = $1 and no = $2";
                session.query(sql).bind(org).bind(no).bind(now).bind(until).execute(&mut *session).await?;
            }
            (Turn::At(at), Some(no), _) => {
                let query = session.query("update rate_turns set at_ms = $3 where org_id = $1 and no = $2");
                query.bind(org).bind(no).bind(at).execute(&mut *session).await?;
            }
            (Turn::Now, None, _) => put(ask, None, now, until, &mut session).await?,
            (Turn::At(at), None, Some(waits)) => put(ask, Some((waits.run, place)), at, at, &mut session).await?,
            (Turn::At(_), None, None) => {}
        }
        session.query(OLD).bind(org).bind(key.to_owned()).bind(now).execute(&mut *session).await?;
        session.commit().await?;
        Ok(turn)
    }

    pub(super) async fn forget(&self, org: OrgId, run: RunId) -> Result<(), Fail> {
        let mut session = self.write(Scope::Org(org)).await?;
        let query = session.query("delete from rate_turns where org_id = $1 and run_id = $2");
        query.bind(org.0).bind(run.0).execute(&mut *session).await?;
        session.commit().await
    }

    pub(super) async fn prune_line(&self, batch: u32) -> Result<u64, Fail> {
        let mut session = self.write(Scope::Queue).await?;
        let now = session.now();
        let rows = session.query(ORGS).fetch_all(&mut *session).await?;
        let mut gone = 0;
        for row in rows {
            let org: Uuid = row.try_get(0)?;
            session.enter(Scope::Org(OrgId(org))).await?;
            for sql in GONE {
                let query = session.query(sql).bind(org).bind(now).bind(i64::from(batch));
                gone += query.execute(&mut *session).await?.rows_affected();
            }
        }
        session.commit().await?;
        Ok(gone)
    }
}

fn moment(row: Option<sqlx::postgres::PgRow>) -> Result<Option<Millis>, Fail> {
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn put(ask: &TurnAsk, waits: Option<(RunId, Option<Vec<u8>>)>, at: Millis, until: Millis, session: &mut Session) -> Result<(), Fail> {
    let (run, place) = waits.map_or((None, None), |(run, place)| (Some(run.0), place));
    session
        .query("insert into rate_turns (org_id, rate_key, run_id, place, at_ms, counted_until_ms) values ($1, $2, $3, $4, $5, $6)")
        .bind(ask.org.0)
        .bind(ask.key.clone())
        .bind(run)
        .bind(place)
        .bind(at)
        .bind(until)
        .execute(&mut **session)
        .await?;
    Ok(())
}
