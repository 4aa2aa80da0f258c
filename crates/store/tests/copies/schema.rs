//! Every table and column of both databases travels or is known to stay: a migration that forgets the copies fails here.

use std::collections::BTreeSet;

use mainspring_model::clock::FakeClock;
use mainspring_model::store::Health;
use mainspring_model::store::copy::TABLES;
use mainspring_store::postgres::PostgresStore;

use crate::postgres::database::Database;
use crate::sqlite::{beside, open};
use crate::suite::make::START;

/// What is not copied as it stands, and why.
const SQLITE: &[(&str, &str)] = &[
    ("*.no", "a number of this database's own"),
    ("*.org_no", "org_id in the form"),
    ("*.plan_no", "plan_id in the form"),
    ("*.run_no", "run_id in the form"),
    ("runs.epoch", "of a process"),
    ("runs.created_at", "created_ms in the form"),
    ("runs.set_aside", "the claims there decide anew"),
    ("plan_numbers.*", "made anew by the runs"),
    ("rate_turns.*", "of this place and moment"),
    ("file_uploads.*", "of this place and moment"),
    ("login_attempts.*", "of this place and moment"),
    ("one_time_tokens.*", "of this place and moment"),
    ("refresh_tokens.*", "a copy must not bring back what was revoked after it"),
    ("sessions.*", "a copy must not bring back what was revoked after it"),
    ("schema_migrations.*", "the database's own"),
    ("sqlite_sequence.*", "the database's own"),
    ("step_results.*", "only saves time"),
    ("store_state.*", "of processes, but for the canary, which stands in the head"),
];

const POSTGRES: &[(&str, &str)] = &[
    ("*.name_key", "made from the name"),
    ("*.path_key", "made from the path"),
    ("*.provider_key", "made from the provider"),
    ("audit_log.action_key", "made from the action"),
    ("audit_log.target_key", "made from the target's id"),
    ("blobs.touched_at", "the age here"),
    ("nodes.*", "of processes"),
    ("organization_totals.shard", "the sum travels"),
    ("rate_turns.*", "of this place and moment"),
    ("file_uploads.*", "of this place and moment"),
    ("login_attempts.*", "of this place and moment"),
    ("one_time_tokens.*", "of this place and moment"),
    ("refresh_tokens.*", "a copy must not bring back what was revoked after it"),
    ("sessions.*", "a copy must not bring back what was revoked after it"),
    ("runs.cancel_asked", "made from cancel_by"),
    ("runs.created_at", "made from created_ms"),
    ("runs.epoch", "of a process"),
    ("runs.set_aside", "the claims there decide anew"),
    ("runs.tag", "a node that takes the run up finds it again in the plan"),
    ("runs.trigger_kind", "made from trigger_data"),
    ("schedules.plan_name", "made from the plan"),
    ("schema_migrations.*", "the database's own"),
    ("schema_rights.*", "the database's own"),
    ("step_results.*", "only saves time"),
    ("store_state.*", "of processes, but for the canary, which stands in the head"),
];

fn forgotten(found: Vec<(String, String)>, known: &[(&str, &str)]) -> Vec<String> {
    let copied: BTreeSet<(&str, &str)> =
        TABLES.iter().flat_map(|table| table.columns.iter().map(move |(column, _)| (table.name, *column))).collect();
    let listed = |table: &str, column: &str| {
        known.iter().any(|(name, _)| [format!("{table}.{column}"), format!("*.{column}"), format!("{table}.*")].iter().any(|n| n == name))
    };
    let missing = found.iter().filter(|(table, column)| !copied.contains(&(table.as_str(), column.as_str())) && !listed(table, column));
    missing.map(|(table, column)| format!("{table}.{column}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_travels_or_is_known_to_stay() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), &FakeClock::at(START)).await.unwrap().close().await;
    let mut sqlite = beside(folder.path()).await;
    let columns = "select m.name, c.name from sqlite_schema as m, pragma_table_info(m.name) as c where m.type = 'table' order by 1, 2";
    let found = |rows: Vec<(String, String)>, known| forgotten(rows, known);
    assert_eq!(found(sqlx::query_as(columns).fetch_all(&mut sqlite).await.unwrap(), SQLITE), [""; 0]);
    sqlx::query("alter table schedules add column paused integer").execute(&mut sqlite).await.unwrap();
    sqlx::query("create table notes (text text)").execute(&mut sqlite).await.unwrap();
    assert_eq!(found(sqlx::query_as(columns).fetch_all(&mut sqlite).await.unwrap(), SQLITE), ["notes.text", "schedules.paused"]);

    let database = Database::make().await;
    PostgresStore::open(database.options()).await.unwrap().close().await;
    let mut server = database.beside().await;
    let columns = "select c.relname::text, a.attname::text from pg_class as c join pg_attribute as a on a.attrelid = c.oid \
                   and a.attnum > 0 and not a.attisdropped where c.relnamespace = 'public'::regnamespace \
                   and c.relkind in ('r', 'p') and not c.relispartition order by 1, 2";
    assert_eq!(found(sqlx::query_as(columns).fetch_all(&mut server).await.unwrap(), POSTGRES), [""; 0]);
    sqlx::query("create table notes (org_id uuid)").execute(&mut server).await.unwrap();
    assert_eq!(found(sqlx::query_as(columns).fetch_all(&mut server).await.unwrap(), POSTGRES), ["notes.org_id"]);
}
