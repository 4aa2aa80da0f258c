//! Days of the journal: partitions that are made ahead of need, and dropped when no run of theirs is left.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

use super::error::Fail;
use super::session::Session;

/// From yesterday, for ids of a client whose clock is behind, to three days ahead, for a node that cannot make any for so long.
const MAKE: &str = "select count(*) from generate_series((clock_timestamp() at time zone 'UTC')::date - 1, \
     (clock_timestamp() at time zone 'UTC')::date + 3, interval '1 day') as d (day) where public.mainspring_make_day(d.day::date)";

pub(super) async fn make(connection: &mut PgConnection) -> Result<(), Fail> {
    sqlx::raw_sql(MAKE).execute(connection).await?;
    Ok(())
}

/// The oldest days there are, as texts.
const OLDEST: &str = "select to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') from pg_inherits as i \
     join pg_class as c on c.oid = i.inhrelid where i.inhparent = 'public.journal'::regclass and c.relname ~ '^journal_[0-9]{8}$' \
     and to_date(right(c.relname, 8), 'YYYYMMDD') < (clock_timestamp() at time zone 'UTC')::date - 2 order by c.relname limit 400";

/// Drops the days that are over and of which no run is left; each in a transaction of its own, and none is waited for.
pub(super) async fn drop_empty(connection: &mut PgConnection) -> Result<u32, Fail> {
    let rows = sqlx::raw_sql(OLDEST).fetch_all(&mut *connection).await?;
    let mut dropped = 0;
    for row in rows {
        let day: String = row.try_get(0)?;
        // The server's own text of a date.
        let sql = format!("select public.mainspring_drop_day(date '{}')", day.replace('\'', ""));
        match sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut *connection).await.map_err(Fail::from) {
            Ok(row) => dropped += u32::from(row.try_get::<bool, _>(0)?),
            Err(fail) if fail.is_a_lost_race() => {}
            Err(fail) => return Err(fail),
        }
    }
    Ok(dropped)
}

/// Milliseconds of a day.
const DAY: u128 = 86_400_000;

/// The day of an id, counted from 1970.
pub(super) fn day_of(id: Uuid) -> u128 {
    (id.as_u128() >> 80) / DAY
}

/// The first id of a day; of the day after the last there is, the last id.
fn start_of(day: u128) -> Uuid {
    let millis = day * DAY;
    if millis >> 48 == 0 { Uuid::from_u128(millis << 80) } else { Uuid::max() }
}

/// Those of the ids' days that will not be dropped any time soon: nobody made them, or a run of theirs still goes on.
pub(super) async fn lasting(ids: impl Iterator<Item = Uuid>, session: &mut Session) -> Result<BTreeSet<u128>, Fail> {
    let days: BTreeSet<u128> = ids.map(day_of).collect();
    let mut lasting = BTreeSet::new();
    for day in days {
        let row = session
            .query(
                "select to_regclass('public.journal_' || to_char(to_timestamp($1::double precision) at time zone 'UTC', 'YYYYMMDD')) is null \
                 or exists (select from runs where finished_at is null and id >= $2 and id < $3)",
            )
            .bind((day * DAY / 1_000) as f64)
            .bind(start_of(day))
            .bind(start_of(day + 1))
            .fetch_one(&mut **session)
            .await?;
        if row.try_get(0)? {
            lasting.insert(day);
        }
    }
    Ok(lasting)
}
