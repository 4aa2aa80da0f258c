//! The writers: nobody fails for a neighbour, a lost connection loses nothing, and a lost answer is asked for.

use std::sync::Arc;

use futures_util::future::join_all;
use mainspring_model::event::AttemptStatus;
use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, Health, Standing, StoreError};
use mainspring_store::postgres::{OpenOptions, PostgresStore};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};

use super::database::Database;
use super::proxy::{Cut, Proxy};
use super::world_of;
use crate::suite::make::{World, attempt, ending, owner, plan_id, success};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_write_fails_alone() {
    let database = Database::make().await;
    let (store, world) = world_of(&database).await;
    // What no check foresees: the database itself refuses one row.
    let mut server = database.beside().await;
    server
        .execute(
            "create function trap() returns trigger language plpgsql as $$ begin \
             if new.body::text like '%poison%' then raise exception 'poison'; end if; return new; end $$; \
             create trigger trap before insert on journal_rest for each row execute function trap()",
        )
        .await
        .unwrap();
    let mut runs = Vec::new();
    for _ in 0..30 {
        runs.push(world.held().await);
    }
    let writes = runs.iter().enumerate().map(|(n, run)| {
        let path = if n == 13 { "poison" } else { "step" };
        let event = attempt(1, world.now(), path, "http", AttemptStatus::Success, json!(1));
        world.store.commit(world.write(*run, &[event], Standing::Running))
    });
    for (n, (answer, run)) in join_all(writes).await.iter().zip(&runs).enumerate() {
        if n == 13 {
            assert!(matches!(answer, Err(StoreError::Failed(text)) if text == "poison"), "{answer:?}");
            assert_eq!(world.seqs(*run).await, [0; 0]);
        } else {
            assert_eq!(answer.as_ref().unwrap(), &Committed::Done);
            assert_eq!(world.seqs(*run).await, [1]);
        }
    }
    // The refused run is still ours and its journal goes on where it was.
    assert_eq!(world.commit(world.write(runs[13], &[success(1, 1)], Standing::Running)).await, Committed::Done);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_organizations_share_a_transaction() {
    let database = Database::make().await;
    let (store, world) = world_of(&database).await;
    let world = Arc::new(world);
    let drivers = (0..64_u128).map(|n| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let header = world.header_of(owner(n % 16), plan_id(n));
            assert_eq!(world.commit(world.creation(&header, Standing::Running)).await, Committed::Done);
            for seq in 1..=10 {
                assert_eq!(world.commit(world.write(header.id, &[success(seq, 1)], Standing::Running)).await, Committed::Done);
            }
            world.commit(world.write(header.id, &[], Standing::Ended(ending(RunStatus::Success)))).await;
            assert_eq!(world.seqs(header.id).await, (1..=10).collect::<Vec<_>>());
        })
    });
    for driver in join_all(drivers).await {
        driver.unwrap();
    }
    for n in 0..16 {
        let totals = world.store.monitoring(owner(n).org).await.unwrap();
        assert_eq!((totals.total_executions, totals.successful), (4, 4));
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_lacks_is_said_and_nothing_of_the_write_is_kept() {
    let database = Database::make().await;
    let (store, world) = world_of(&database).await;
    let runs = [world.held().await, world.held().await];
    let mut server = database.beside().await;
    // As the server says it: these need a full disk, a busy server and a replica that was promoted elsewhere.
    for (state, code) in [("53100", "DISK_FULL"), ("53300", "STORE_BUSY"), ("25006", "STORE_READ_ONLY"), ("42501", "STORE_RIGHTS")] {
        let trap = format!(
            "create or replace function trap() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '{state}'; \
             end $$; create or replace trigger trap before insert on journal_rest for each row execute function trap()"
        );
        server.execute(AssertSqlSafe(trap)).await.unwrap();
        let writes = runs.iter().map(|run| world.store.commit(world.write(*run, &[success(1, 1)], Standing::Running)));
        for answer in join_all(writes).await {
            assert_eq!(answer.unwrap_err().code(), code);
        }
    }
    server.execute("drop trigger trap on journal_rest").await.unwrap();
    for run in runs {
        assert_eq!(world.commit(world.write(run, &[success(1, 1)], Standing::Running)).await, Committed::Done);
        assert_eq!(world.seqs(run).await, [1]);
    }
    store.close().await;
}

/// A store whose connections pass through the proxy.
async fn behind(proxy: &Proxy, database: &Database) -> (Arc<PostgresStore>, World) {
    let options = database.options();
    let url = proxy.in_place_of(&options.url);
    super::world_with(OpenOptions { url, writers: 1, sweep: None, ..options }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_not_reported_as_undone() {
    let database = Database::make().await;
    let proxy = Proxy::start(&database).await;
    let (store, world) = behind(&proxy, &database).await;
    let run = world.held().await;
    for (seq, cut) in [(1, Cut::AfterCommit), (2, Cut::BeforeCommit), (3, Cut::AfterCommit), (4, Cut::BeforeCommit)] {
        proxy.cut(cut);
        // Cut before: nothing was written, and it is written again. Cut after: it was written, and is not written twice.
        assert_eq!(world.commit(world.write(run, &[success(seq, 1)], Standing::Running)).await, Committed::Done, "{cut:?}");
        assert_eq!(world.seqs(run).await, (1..=seq).collect::<Vec<_>>());
    }
    assert_eq!(proxy.cuts(), 4, "each commit met its cut");
    let header = world.header();
    proxy.cut(Cut::AfterCommit);
    assert_eq!(world.commit(world.creation(&header, Standing::Queued)).await, Committed::Done);
    assert_eq!(world.store.monitoring(Owner::LOCAL.org).await.unwrap().total_executions, 2);
    proxy.cut(Cut::AfterCommit);
    world.store.put_canary(&[7]).await.unwrap();
    proxy.cut(Cut::BeforeCommit);
    let undone = world.store.put_canary(&[8]).await;
    assert_eq!((undone.unwrap_err().code(), world.store.canary().await.unwrap()), ("STORE_UNREACHABLE", Some(vec![7])));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ended_are_made_again() {
    let database = Database::make().await;
    let (store, world) = world_of(&database).await;
    let run = world.held().await;
    let mut server = database.beside().await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    for seq in 1..=3 {
        server.execute(end).await.unwrap();
        assert_eq!(world.commit(world.write(run, &[success(seq, 1)], Standing::Running)).await, Committed::Done);
        assert_eq!(world.seqs(run).await.len() as u32, seq);
        world.store.probe().await.unwrap();
    }
    store.close().await;
    assert_eq!(world.store.commit(world.write(run, &[success(4, 1)], Standing::Running)).await.unwrap_err().code(), "STORE_CLOSED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_of_each_kind_is_enough_and_prepared_statements_are_not_needed() {
    let database = Database::make().await;
    let options = OpenOptions { writers: 1, api: 1, steps: 1, prepared: false, ..database.options() };
    let (store, world) = super::world_with(options).await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(world.queued().await);
    }
    let claimed = world.store.claim(50).await.unwrap();
    assert_eq!(claimed.len(), 20);
    let (logs, wakes, writes) = tokio::join!(
        join_all((0..10).map(|_| world.store.monitoring(Owner::LOCAL.org))),
        join_all((0..10).map(|_| world.store.next_wake())),
        join_all(runs.iter().map(|run| world.commit(world.write(*run, &[success(1, 1)], Standing::Running)))),
    );
    assert!(logs.iter().all(Result::is_ok) && wakes.iter().all(Result::is_ok));
    assert_eq!(writes, [Committed::Done; 20]);
    let figures = store.pools();
    assert_eq!(
        figures.iter().map(|pool| (pool.name, pool.most)).collect::<Vec<_>>(),
        [("leases", 3), ("writers", 1), ("api", 1), ("steps", 1)]
    );
    assert!(figures.iter().all(|pool| pool.open <= pool.most && pool.in_use() <= pool.open && pool.waiting == 0), "{figures:?}");
    let mut server = database.beside().await;
    let sql = format!("select count(*) from pg_stat_activity where usename = '{}'", database.runtime);
    let connections: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut server).await.unwrap();
    assert!(connections <= 7, "{connections}");
    store.close().await;
}
