//! `execution_logs` as people read it with the SQLite shell.

use mainspring_model::event::AttemptStatus;
use mainspring_model::id::Owner;
use mainspring_model::store::Standing;
use serde_json::json;
use sqlx::Row;

use super::{beside, fresh};
use crate::suite::make::{attempt, plan_id, skipped};

#[tokio::test]
async fn the_view_has_the_columns_of_the_interface() {
    let world = fresh().await;
    let run = world.held().await;
    let events = [
        attempt(1, world.now() + 7, "greet", "http", AttemptStatus::Error, json!({"status": 500})),
        skipped(2, world.now()),
        attempt(3, world.now() + 8, "after", "core", AttemptStatus::Success, json!("text")),
    ];
    world.commit(world.write(run, &events, Standing::Running)).await;
    let mut other = beside(world.folder.path()).await;
    let columns: Vec<String> =
        sqlx::query_scalar("select name from pragma_table_info('execution_logs') order by cid").fetch_all(&mut other).await.unwrap();
    let public = [
        "id",
        "run_id",
        "plan_id",
        "plan_name",
        "user_id",
        "step_number",
        "step_id",
        "attempt",
        "provider",
        "action",
        "status",
        "message",
        "latency_ms",
        "output_preview",
        "error",
        "timestamp",
    ];
    assert_eq!(columns[..public.len()], public);
    let kind: String =
        sqlx::query_scalar("select type from sqlite_schema where name = 'execution_logs'").fetch_one(&mut other).await.unwrap();
    assert_eq!(kind, "view");
    let row = sqlx::query("select * from execution_logs where step_id = 'greet'").fetch_one(&mut other).await.unwrap();
    let text = |name: &str| row.try_get::<String, _>(name).unwrap();
    assert_eq!((text("run_id"), text("plan_id")), (run.to_string(), plan_id(1).to_string()));
    assert_eq!((text("user_id"), text("id")), (Owner::LOCAL.user.to_string(), format!("{run}.1")));
    assert_eq!((text("timestamp"), text("error")), ("2025-06-15T15:06:40.007Z".to_owned(), "TIMEOUT: no answer in 5 s".to_owned()));
    assert_eq!((text("output_preview"), row.try_get::<f64, _>("latency_ms").unwrap()), ("{\"status\":500}".to_owned(), 1.5));
    let count: i64 = sqlx::query_scalar("select count(*) from execution_logs").fetch_one(&mut other).await.unwrap();
    assert_eq!(count, 2);
    let kinds: Vec<String> = sqlx::query_scalar("select body ->> '$.kind' from journal order by seq").fetch_all(&mut other).await.unwrap();
    assert_eq!(kinds, ["attempted", "skipped", "attempted"]);
}
