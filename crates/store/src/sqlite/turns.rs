//! Turns under the rate of a step: calls that began, and those that wait in line.

use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::rate::{LATE, Turn, TurnAsk, turn};
use sqlx::SqliteConnection;

use super::bytes;
use super::error::Fail;

/// The moment of the `limit`-th newest among the calls that began and those that wait before `no`. Who waits and could begin now counts
/// as beginning now; who is late is passed over.
const FULL: &str = "select at from (select * from (select at from rate_turns where org_id = ?1 and rate_key = ?2 and place is null \
     order by at desc limit ?3) union all select * from (select max(at, ?4) from rate_turns where org_id = ?1 and rate_key = ?2 \
     and place is not null and no < ?5 and at > ?4 - ?6 order by no desc limit ?3)) order by at desc limit 1 offset ?3 - 1";
const BEFORE: &str = "select at from rate_turns where org_id = ?1 and rate_key = ?2 and place is not null and no < ?3 and at > ?4 \
     order by no desc limit 1";
const OLD: &str = "delete from rate_turns where no in (select no from rate_turns where org_id = ?1 and rate_key = ?2 and place is null \
     and counted_until <= ?3 order by at limit 100)";
const GONE: [&str; 2] = [
    "delete from rate_turns where no in (select no from rate_turns where place is null and counted_until <= ?1 limit ?2)",
    "delete from rate_turns where no in (select no from rate_turns as t where t.place is not null and ?1 is not null \
     and not exists (select 1 from runs as r where r.id = t.run_id and r.finished_at is null) limit ?2)",
];

/// One writer at a time: nobody else asks meanwhile.
pub(super) async fn take(ask: &TurnAsk, now: Millis, connection: &mut SqliteConnection) -> Result<Turn, Fail> {
    let (org, key) = (bytes(ask.org.0), ask.key.as_str());
    let place = ask.waits.as_ref().map(|waits| waits.place.to_vec());
    let sql = "select no from rate_turns where org_id = ?1 and rate_key = ?2 and place = ?3";
    let mine: Option<i64> =
        sqlx::query_scalar(sql).bind(org.clone()).bind(key).bind(place.clone()).fetch_optional(&mut *connection).await?;
    let no = mine.unwrap_or(i64::MAX);
    let query = sqlx::query_scalar(FULL).bind(org.clone()).bind(key).bind(i64::from(ask.limit)).bind(now).bind(no).bind(LATE);
    let full: Option<Millis> = query.fetch_optional(&mut *connection).await?;
    let query = sqlx::query_scalar(BEFORE).bind(org.clone()).bind(key).bind(no).bind(now.saturating_sub(LATE));
    let before: Option<Millis> = query.fetch_optional(&mut *connection).await?;
    let turn = turn(now, full, before, ask.window);
    let until = now.saturating_add(ask.window);
    match (turn, mine, &ask.waits) {
        (Turn::Now, Some(no), _) => {
            let sql = "update rate_turns set run_id = null, place = null, at = ?1, counted_until = ?2 where no = ?3";
            sqlx::query(sql).bind(now).bind(until).bind(no).execute(&mut *connection).await?;
        }
        (Turn::At(at), Some(no), _) => {
            sqlx::query("update rate_turns set at = ?1 where no = ?2").bind(at).bind(no).execute(&mut *connection).await?;
        }
        (Turn::Now, None, _) => put(ask, None, now, until, connection).await?,
        (Turn::At(at), None, Some(waits)) => put(ask, Some((waits.run, place)), at, at, connection).await?,
        (Turn::At(_), None, None) => {}
    }
    sqlx::query(OLD).bind(org).bind(key).bind(now).execute(connection).await?;
    Ok(turn)
}

async fn put(
    ask: &TurnAsk,
    waits: Option<(RunId, Option<Vec<u8>>)>,
    at: Millis,
    until: Millis,
    connection: &mut SqliteConnection,
) -> Result<(), Fail> {
    let (run, place) = waits.map_or((None, None), |(run, place)| (Some(bytes(run.0)), place));
    sqlx::query("insert into rate_turns (org_id, rate_key, run_id, place, at, counted_until) values (?1, ?2, ?3, ?4, ?5, ?6)")
        .bind(bytes(ask.org.0))
        .bind(ask.key.as_str())
        .bind(run)
        .bind(place)
        .bind(at)
        .bind(until)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn forget(org: OrgId, run: RunId, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let sql = "delete from rate_turns where run_id = ?1 and org_id = ?2";
    sqlx::query(sql).bind(bytes(run.0)).bind(bytes(org.0)).execute(connection).await?;
    Ok(())
}

pub(super) async fn prune(batch: u32, now: Millis, connection: &mut SqliteConnection) -> Result<u64, Fail> {
    let mut gone = 0;
    for sql in GONE {
        gone += sqlx::query(sql).bind(now).bind(i64::from(batch)).execute(&mut *connection).await?.rows_affected();
    }
    Ok(gone)
}
