//! Days of the journal: rows go to the day of their run, and a day goes when no run of it is left.

use std::time::Duration;

use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Health, LogFilter, LogStore, Retention, RunStore, Standing};
use mainspring_store::postgres::{OpenOptions, PostgresStore};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::database::Database;
use crate::suite::make::{World, ending, page, success};

/// Rows of each partition that has some.
async fn rows(server: &mut PgConnection) -> Vec<(String, i64)> {
    let sql = "select tableoid::regclass::text, count(*) from journal group by 1 order by 1";
    server.fetch_all(sql).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_to_their_day_and_the_day_goes_with_its_last_run() {
    let database = Database::make().await;
    // The database's own clock: days are made by it.
    let store = PostgresStore::open(OpenOptions { sweep: None, ..database.options() }).await.unwrap();
    let mut server = database.beside().await;
    let row = server
        .fetch_one(
            "select (extract(epoch from clock_timestamp()) * 1000)::bigint, to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD'), \
             to_char((clock_timestamp() at time zone 'UTC')::date - 5, 'YYYYMMDD')",
        )
        .await
        .unwrap();
    let (now, today, old): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
    // A day that is over, as if this database had been there then.
    let sql = format!(
        "create table journal_{old} partition of journal for values from (mainspring_day_start('{old}')) \
         to (mainspring_day_start('{old}'::date + 1))"
    );
    server.execute(AssertSqlSafe(sql)).await.unwrap();
    server.execute(AssertSqlSafe(format!("alter table journal_{old} owner to {}", database.owner))).await.unwrap();
    let world = World::new(store.clone(), mainspring_model::clock::FakeClock::at(now), tempfile::tempdir().unwrap());
    let day = 86_400_000;
    let run_of = async |at: i64, n: u8| {
        let mut header = world.header();
        header.id = RunId::at(at, [n; 10]);
        world.commit(world.creation(&header, Standing::Running)).await;
        let run = header.id;
        world.commit(world.write(run, &[success(1, at)], Standing::Running)).await;
        run
    };
    let end = async |run| world.commit(world.write(run, &[], Standing::Ended(ending(RunStatus::Success)))).await;
    let fresh = run_of(now, 1).await;
    let (first, last) = (run_of(now - 5 * day, 2).await, run_of(now - 5 * day, 3).await);
    let nowhere = run_of(now - 400 * day, 4).await;
    let (old, today) = (format!("journal_{old}"), format!("journal_{today}"));
    assert_eq!(rows(&mut server).await, [(old.clone(), 2), (today.clone(), 1), ("journal_rest".to_owned(), 1)]);

    let everything = Retention { max_age: Duration::ZERO, max_runs: 0, min_age: Duration::ZERO };
    let prune = async || while store.prune(&everything, 10).await.unwrap() > 0 {};
    end(first).await;
    end(nowhere).await;
    prune().await;
    // The other run still goes on: its day stays, so the first one's rows left one by one, as those of no day do.
    assert_eq!(rows(&mut server).await, [(old.clone(), 1), (today.clone(), 1)]);
    end(last).await;
    prune().await;
    assert_eq!(rows(&mut server).await, [(today.clone(), 1)]);
    let there: bool = sqlx::query_scalar("select to_regclass($1) is not null").bind(&old).fetch_one(&mut server).await.unwrap();
    assert!(!there, "a day goes whole");
    end(fresh).await;
    prune().await;
    // Today is never dropped; what is left in it belongs to no run and is not seen.
    assert_eq!(rows(&mut server).await, [(today, 1)]);
    assert_eq!(store.list_logs(Owner::LOCAL.org, &LogFilter::default(), &page(9)).await.unwrap().items, []);
    assert_eq!(store.history(fresh).await.unwrap(), []);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_day_with_a_run_is_dropped_and_none_is_made_at_will() {
    let database = Database::make().await;
    let store = PostgresStore::open(OpenOptions { sweep: None, ..database.options() }).await.unwrap();
    let mut role = PgConnection::connect(&database.url(&database.runtime, "runtime")).await.unwrap();
    let call =
        async |sql: &str, role: &mut PgConnection| sqlx::query_scalar::<_, bool>(AssertSqlSafe(sql.to_owned())).fetch_one(role).await;
    assert!(!call("select mainspring_drop_day((clock_timestamp() at time zone 'UTC')::date)", &mut role).await.unwrap());
    assert!(!call("select mainspring_make_day((clock_timestamp() at time zone 'UTC')::date)", &mut role).await.unwrap(), "it is there");
    assert!(call("select mainspring_make_day('1999-01-01')", &mut role).await.is_err());
    assert!(call("select mainspring_make_day('infinity')", &mut role).await.is_err());
    assert!(role.execute("drop table journal_rest").await.is_err());
    store.close().await;
}
