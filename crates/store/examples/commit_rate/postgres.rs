//! PostgreSQL, and its bare loop: the same rows into the same tables by arrays, on one connection and on two.

use mainspring_model::store::Health;
use mainspring_store::postgres::{OpenOptions, PostgresStore};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::runs::{STEPS, body, drive};
use crate::{cpu, now, report};

/// Journal rows of a transaction of the bare loop: about what a group commit gathers.
const BATCH: usize = 2_000;

/// The address is an administrator's: a database and its role are made and dropped.
pub async fn measure(runs: u32, url: &str) {
    let (login, place) = url.rsplit_once('@').expect("an address names its user");
    let (host, _) = place.rsplit_once('/').expect("an address names a database");
    let mut server = PgConnection::connect(url).await.expect("the server answers");
    let name = format!("commit_rate_{}", std::process::id());
    for sql in [format!("create role {name} login createrole password '{name}'"), format!("create database {name} owner {name}")] {
        server.execute(sqlx::AssertSqlSafe(sql)).await.expect("an administrator may");
    }
    let rows = f64::from(runs * (STEPS + 1));
    for (round, writers) in (1_u128..).zip([1, 2, 2, 4]) {
        let options = OpenOptions { writers, ..OpenOptions::new(format!("postgres://{name}:{name}@{host}/{name}")) };
        let store = PostgresStore::open(options).await.expect("the database opens");
        drive(&store, runs.min(1_000), round << 8).await;
        let (cpu, start) = (cpu(), now());
        drive(&store, runs, round << 8 | 1).await;
        report(&format!("store, {writers} writers:"), rows, cpu, start);
        store.close().await;
    }
    let bare_url = format!("{login}@{host}/{name}");
    for connections in [1, 2] {
        bare(&bare_url, runs, connections).await;
    }
    let queue: String = sqlx::query_scalar("select 'mainspring_queue_' || oid from pg_database where datname = $1")
        .bind(&name)
        .fetch_one(&mut server)
        .await
        .expect("the database is there");
    for sql in [format!("drop database {name} with (force)"), format!("drop role {queue}"), format!("drop role {name}")] {
        server.execute(sqlx::AssertSqlSafe(sql)).await.expect("an administrator may");
    }
}

/// No fence, no policies, no answers: arrays of rows, transaction after transaction.
async fn bare(url: &str, runs: u32, connections: u32) {
    let (cpu, start) = (cpu(), now());
    let loops = (0..connections).map(|part| {
        let url = url.to_owned();
        tokio::spawn(async move {
            let mut connection = PgConnection::connect(&url).await.expect("the server answers");
            let org = Uuid::from_u128(99);
            let rows: Vec<(u32, u32)> =
                (0..=STEPS).flat_map(|seq| (0..runs).map(move |run| (run, seq + 1))).filter(|(run, _)| run % connections == part).collect();
            for some in rows.chunks(BATCH) {
                let run_of = |run: u32| Uuid::from_u128(0x018f_0000_0000_7000_9000_0000_0000_0000 | u128::from(run) << 8 | u128::from(connections));
                let ids: Vec<Uuid> = some.iter().map(|(run, _)| run_of(*run)).collect();
                let seqs: Vec<i32> = some.iter().map(|(_, seq)| seq.cast_signed()).collect();
                let bodies: Vec<String> = some.iter().map(|(run, seq)| body(*seq, u64::from(*run))).collect();
                connection.execute("begin").await.expect("begin");
                sqlx::query(
                    "insert into journal (org_id, run_id, seq, at, plan_id, provider, status, body) \
                     select $1, id, seq, clock_timestamp(), $1, 'http', 'success', body::json from unnest($2::uuid[], $3::int[], $4::text[]) \
                     as v (id, seq, body)",
                )
                .bind(org)
                .bind(ids)
                .bind(seqs)
                .bind(bodies)
                .execute(&mut connection)
                .await
                .expect("rows");
                connection.execute("commit").await.expect("commit");
            }
        })
    });
    for part in loops.collect::<Vec<_>>() {
        part.await.expect("no loop panics");
    }
    report(&format!("bare, {connections} connections:"), f64::from(runs * (STEPS + 1)), cpu, start);
}
