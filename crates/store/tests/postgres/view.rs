//! `execution_logs` as people read it with psql, and the tables as the operator's queries use them.

use mainspring_model::event::AttemptStatus;
use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Health, LogFilter, Standing};
use mainspring_store::postgres::PostgresStore;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::database::Database;
use super::world_of;
use crate::suite::make::{attempt, ending, owner, page, plan_id, skipped};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_view_answers_plain_queries_for_its_reader_alone() {
    let database = Database::make().await;
    let (store, world) = world_of(&database).await;
    let run = world.held().await;
    let events = [
        attempt(1, world.now() + 7, "greet", "http", AttemptStatus::Error, json!({"status": 500})),
        skipped(2, world.now()),
        attempt(3, world.now() + 8, "after", "core", AttemptStatus::Success, json!("text")),
        attempt(4, world.now() + 9, "odd\u{0}", "odd\u{0}", AttemptStatus::Success, json!("\\u0000 a\u{0}b")),
    ];
    world.commit(world.write(run, &events, Standing::Ended(ending(RunStatus::Error)))).await;
    world.ended_as(&world.header_of(owner(1), plan_id(2)), RunStatus::Success).await;

    // An operator, as the documents say: a role that reads everything and writes nothing.
    let mut server = database.beside().await;
    let operator = format!("{}_operator", database.name);
    for sql in [
        format!("create role {operator} login password 'operator' bypassrls"),
        format!("grant usage on schema public to {operator}"),
        format!("grant select on execution_logs, runs, journal to {operator}"),
    ] {
        server.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let mut psql = PgConnection::connect(&database.url(&operator, "operator")).await.unwrap();
    let row = psql.fetch_one("select * from execution_logs where step_id = 'greet'").await.unwrap();
    let columns: Vec<&str> = row.columns().iter().map(sqlx::Column::name).collect();
    for name in [
        "plan_id",
        "user_id",
        "step_number",
        "provider",
        "action",
        "status",
        "message",
        "latency_ms",
        "output_preview",
        "error",
        "timestamp",
    ] {
        assert!(columns.contains(&name), "{columns:?}");
    }
    assert_eq!(row.get::<uuid::Uuid, _>("user_id"), Owner::LOCAL.user.0);
    assert_eq!((row.get::<f64, _>("latency_ms"), row.get::<&str, _>("output_preview")), (1.5, "{\"status\":500}"));
    assert_eq!(row.get::<&str, _>("error"), "TIMEOUT: no answer in 5 s");
    let texts: Vec<(String, String, String)> = sqlx::query_as(
        "select step_id, timestamp::text, output_preview from execution_logs where timestamp is not null order by timestamp desc limit 1",
    )
    .fetch_all(&mut psql)
    .await
    .unwrap();
    assert_eq!((texts[0].0.as_str(), texts[0].2.as_str()), ("odd␀", "\\u0000 a␀b"), "a NUL becomes its picture, nothing fails");
    // The questions that operators ask, word for word as the handbook has them, over runs of this moment.
    server.execute("update runs set trigger_kind = 'cron' where status = 'error'").await.unwrap();
    server.execute("update runs set created_ms = (extract(epoch from now()) * 1000)::bigint").await.unwrap();
    server.execute("update journal set at = now()").await.unwrap();
    let mut answers = Vec::new();
    for question in questions() {
        let rows = psql.fetch_all(AssertSqlSafe(question.clone())).await.unwrap_or_else(|error| panic!("{question}: {error}"));
        answers.push((
            rows.len(),
            rows.first().map(|row| row.columns().iter().map(|column| sqlx::Column::name(column).to_owned()).collect::<Vec<_>>().join(" ")),
        ));
    }
    let some = |columns: &str| Some(columns.to_owned());
    let expected = [
        (2, some("id plan_name status created_at")),
        (1, some("provider count")),
        (3, some("provider avg max")),
        (0, None),
        (1, some("status count")),
    ];
    assert_eq!(answers, expected);
    let count = async |sql: &str, psql: &mut PgConnection| {
        sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.to_owned())).fetch_one(psql).await.unwrap()
    };
    assert_eq!(count("select count(*) from execution_logs", &mut psql).await, 4, "of both organizations");
    let written = psql.execute("delete from journal").await;
    assert!(written.is_err(), "an operator reads");
    psql.close().await.unwrap();

    // The nodes' role sees its tenant's, and without one nothing.
    let mut role = PgConnection::connect(&database.url(&database.runtime, "runtime")).await.unwrap();
    assert_eq!(count("select count(*) from execution_logs", &mut role).await, 0);
    let own = format!("select set_config('mainspring.org', '{}', false)", owner(1).org);
    role.execute(AssertSqlSafe(own)).await.unwrap();
    assert_eq!(count("select count(*) from execution_logs", &mut role).await, 1);
    assert_eq!(world.store.list_logs(Owner::LOCAL.org, &LogFilter::default(), &page(9)).await.unwrap().items.len(), 3);
    store.close().await;
    server.execute(AssertSqlSafe(format!("drop owned by {operator}"))).await.unwrap();
    server.execute(AssertSqlSafe(format!("drop role {operator}"))).await.unwrap();
}

/// The queries of the handbook's page for operators.
fn questions() -> Vec<String> {
    let page = include_str!("../../../../docs/operations-postgres.md");
    let (_, after) = page.split_once("Then these are plain queries:").expect("the page has the queries");
    let (_, block) = after.split_once("```sql\n").expect("a block of SQL");
    let (block, _) = block.split_once("```").expect("the block's end");
    let lines: Vec<&str> = block.lines().filter(|line| !line.starts_with("--")).collect();
    lines.join("\n").split(';').map(str::trim).filter(|sql| !sql.is_empty()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_walk_their_index_and_sort_nothing() {
    let database = Database::make().await;
    PostgresStore::open(database.options()).await.unwrap().close().await;
    let mut server = database.beside().await;
    // Enough rows that a planner with figures has a choice.
    server
        .execute(
            "insert into runs (org_id, id, plan_id, user_id, status, epoch, plan_version, created_ms, due_at, finished_at, seed, plan_name, \
             environment, trigger_kind, trigger_data, org_data, inputs) select ('00000000-0000-0000-0000-0000000000' || (10 + n % 50))::uuid, \
             gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), case n % 40 when 0 then 'queued' when 1 then 'waiting' when 2 then 'running' \
             else 'success' end, n % 7, 1, n, to_timestamp(n), case when n % 40 > 2 then to_timestamp(n) end, '', '', '', '', '{}', '{}', '{}' \
             from generate_series(1, 20000) as n",
        )
        .await
        .unwrap();
    server.execute("analyze runs").await.unwrap();
    for (sql, index) in [
        (
            "select id from runs where org_id = '00000000-0000-0000-0000-000000000011' order by created_ms desc, id desc limit 20",
            "runs_by_org",
        ),
        (
            "select id from runs where status = 'queued' and tag = 'default' and due_at >= '-infinity' order by due_at, id limit 50 \
             for update skip locked",
            "runs_queued",
        ),
        (
            "select id from runs where status = 'waiting' and due_at <= now() order by due_at, id limit 50 for update skip locked",
            "runs_waiting",
        ),
        ("select min(due_at) from runs where status = 'waiting' and due_at is not null", "runs_waiting"),
        ("select epoch from runs where status = 'running' order by epoch limit 1", "runs_held"),
        ("select id from runs where finished_at is not null order by finished_at, id limit 50", "runs_finished"),
    ] {
        let plan: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("explain (costs off) {sql}"))).fetch_all(&mut server).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Sort") && !plan.contains("Seq Scan"), "{sql}\n{plan}");
    }
}
