//! The catalogue: every table of an organization or a user is under forced row-level security, now and with the next migration.

use mainspring_model::store::Health;
use mainspring_store::postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::database::Database;

/// Tables that belong to nobody.
const COMMON: [&str; 4] = ["nodes", "schema_migrations", "schema_rights", "store_state"];

/// What is unique in the whole installation, though a clash tells that another organization has it.
const COMMON_KEYS: [&str; 1] = ["organizations_slug_key"];

/// The one policy of every other table, as the server writes it.
const TENANT: &str = "(org_id = ( SELECT (NULLIF(current_setting('mainspring.org'::text, true), ''::text))::uuid AS \"nullif\"))";

/// What is wrong with the tables and views of the schema, in words.
pub async fn faults(server: &mut PgConnection) -> Vec<String> {
    let mut faults = Vec::new();
    let tables: Vec<(String, bool, bool, bool, i64)> = sqlx::query_as(
        "select c.relname::text, exists (select from pg_attribute as a where a.attrelid = c.oid and a.attname in ('org_id', 'user_id')), \
         c.relrowsecurity, c.relforcerowsecurity, (select count(*) from pg_policy as p where p.polrelid = c.oid and p.polname = 'tenant' \
         and p.polcmd = '*' and p.polroles = '{0}' and p.polpermissive \
         and pg_get_expr(p.polqual, p.polrelid) = $1 and pg_get_expr(p.polwithcheck, p.polrelid) = $1) \
         from pg_class as c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1",
    )
    .bind(TENANT)
    .fetch_all(&mut *server)
    .await
    .unwrap();
    for (table, owned, enabled, forced, policies) in tables {
        let common = COMMON.contains(&table.as_str());
        if common && owned {
            faults.push(format!("{table} has an owner's column and is listed as nobody's"));
        } else if !(common || owned && enabled && forced && policies == 1) {
            faults.push(format!("{table}: owned {owned}, enabled {enabled}, forced {forced}, tenant policies {policies}"));
        }
    }
    let others: Vec<String> = sqlx::query_scalar(
        "select polrelid::regclass || '.' || polname from pg_policy where polname <> 'tenant' and not (polname = 'queue' \
         and pg_get_expr(polqual, polrelid) ~ '^\\(CURRENT_USER = ''mainspring_queue_[0-9]+''::name\\)$' \
         and pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid))",
    )
    .fetch_all(&mut *server)
    .await
    .unwrap();
    faults.extend(others.into_iter().map(|policy| format!("{policy} is a policy that nobody knows")));
    let views: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('v', 'm') \
         and not coalesce(reloptions @> '{security_invoker=true}', false)",
    )
    .fetch_all(&mut *server)
    .await
    .unwrap();
    faults.extend(views.into_iter().map(|view| format!("{view} is read with its owner's rights")));
    let keys: Vec<String> = sqlx::query_scalar(
        "select i.indexrelid::regclass::text from pg_index as i join pg_class as c on c.oid = i.indrelid \
         join pg_attribute as a on a.attrelid = c.oid and a.attname = 'org_id' \
         where c.relnamespace = 'public'::regnamespace and i.indisunique and i.indkey[0] <> a.attnum",
    )
    .fetch_all(server)
    .await
    .unwrap();
    faults.extend(
        keys.into_iter().filter(|key| !COMMON_KEYS.contains(&key.as_str())).map(|key| format!("{key} is unique across organizations")),
    );
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_is_under_forced_row_level_security() {
    let database = Database::make().await;
    PostgresStore::open(database.options()).await.unwrap().close().await;
    let mut server = database.beside().await;
    assert_eq!(faults(&mut server).await, [""; 0]);
    // Each of these is what a careless migration would do.
    for (sabotage, named) in [
        ("alter table runs no force row level security", "runs:"),
        ("alter table blobs disable row level security", "blobs:"),
        ("drop policy tenant on credentials", "credentials:"),
        ("create table notes (org_id uuid, note text)", "notes:"),
        ("create table notes_2 (note text)", "notes_2:"),
        ("create view all_runs as select id from runs", "all_runs is read"),
        ("create policy open on plans using (true)", "plans.open is a policy"),
        ("create unique index one_name on plans (name)", "one_name is unique"),
        ("alter table nodes add column user_id uuid", "nodes has an owner's column"),
    ] {
        let before = faults(&mut server).await.len();
        server.execute(AssertSqlSafe(sabotage.to_owned())).await.unwrap();
        let found = faults(&mut server).await;
        assert_eq!(found.len(), before + 1, "{sabotage}: {found:?}");
        assert!(found.iter().any(|fault| fault.starts_with(named)), "{sabotage}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queues_role_sees_the_queues_columns_only() {
    let database = Database::make().await;
    PostgresStore::open(database.options()).await.unwrap().close().await;
    let mut server = database.beside().await;
    let rights: Vec<String> = sqlx::query_scalar(
        "select c.relname || ': ' || string_agg(a.attname || case when has_column_privilege(r.oid, c.oid, a.attnum, 'update') then '!' \
         else '' end, ' ' order by a.attname collate \"C\") from pg_roles as r cross join pg_class as c \
         join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         where r.rolname = 'mainspring_queue_' || (select oid from pg_database where datname = current_database()) \
         and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') \
         and has_column_privilege(r.oid, c.oid, a.attnum, 'select') group by c.relname order by c.relname collate \"C\"",
    )
    .fetch_all(&mut server)
    .await
    .unwrap();
    // `!`: may be changed. No document, no address or name of a user, no secret, no text of a step.
    let expected = [
        "api_keys: id key_hash org_id",
        "audit_log: at org_id",
        "blobs: org_id sha256 touched_at",
        "bursts: burst_key due_at org_id",
        "credentials: expires_at id org_id",
        "data_keys: org_id version",
        "egress_rules: org_id",
        "feature_flags: org_id",
        "file_uploads: due_at file_id org_id",
        "files: expires_at id org_id",
        "hidden_fields: org_id",
        "idempotency: org_id started_at",
        "integrations: id org_id",
        "invitations: id org_id token_hash",
        "members: created_at org_id role user_id",
        "nodes: alone no",
        "notification_rules: id org_id",
        "notifications: created_at org_id",
        "organization_totals: org_id",
        "organizations: created_at erase_at name org_id places slug updated_at",
        "outbox: attempts! due_at! ended_at id org_id state",
        "plan_versions: org_id plan_id retired_at version",
        "plans: id org_id",
        "rate_turns: org_id",
        "run_blobs: org_id run_id sha256",
        "runs: cancel_asked crashes! crashes_alone! created_ms due_at! epoch! finished_at flow_by flow_key flow_policy flow_state! \
         id org_id parent_id pause_asked plan_id plan_version priority set_aside! signalled! \
         slot_due slot_schedule started_at! status! tag!",
        "schedules: expression id last_due misfire next_due org_id plan_id plan_name timezone trigger_id user_id",
        "signals: org_id received_at",
        "state_done: org_id",
        "state_seen: expires_at org_id",
        "state_values: expires_at org_id",
        "step_results: expires_at org_id",
        "trigger_states: failures org_id",
        "users: org_id",
        "variables: name org_id",
        "waits: org_id",
        "webhook_routes: exclusive method org_id path path_key plan_id position trigger_id",
    ];
    assert_eq!(rights, expected);
    let more: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_roles as r cross join pg_class as c where r.rolname = 'mainspring_queue_' || \
         (select oid from pg_database where datname = current_database()) and c.relnamespace = 'public'::regnamespace \
         and c.relkind in ('r', 'p', 'v') and has_table_privilege(r.oid, c.oid, 'insert, delete, truncate, references, trigger')",
    )
    .fetch_all(&mut server)
    .await
    .unwrap();
    assert_eq!(more, [""; 0]);
    let role: (bool, bool, bool) = sqlx::query_as(
        "select rolcanlogin, rolsuper, rolbypassrls from pg_roles where rolname like 'mainspring_queue_' || \
         (select oid from pg_database where datname = current_database())",
    )
    .fetch_one(&mut server)
    .await
    .unwrap();
    assert_eq!(role, (false, false, false));
}
