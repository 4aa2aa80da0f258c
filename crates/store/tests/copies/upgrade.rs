//! Databases of earlier versions with rows in them come to the latest shape with every row.

use mainspring_model::clock::FakeClock;
use mainspring_model::store::Health;
use mainspring_store::postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::filled::fill;
use super::{archived, counted, of_database, of_folder};
use crate::postgres::database::Database;
use crate::sqlite::{beside, open};
use crate::suite::make::{START, World};

/// How each shape is taken back to the one before it. A migration that changes or moves rows needs a line that puts them as they were.
const SQLITE: &[(&str, &str)] = &[
    ("0004_copies", "alter table store_state drop column arriving; alter table store_state drop column moved_to"),
    ("0005_people", "drop table users; drop table organizations; drop table members"),
    ("0006_credentials", "drop table credential_shares; alter table credentials drop column hosts"),
    (
        "0007_identity",
        "drop table sessions; drop table refresh_tokens; drop table one_time_tokens; drop table login_attempts; drop table second_factors; \
         drop table recovery_codes; drop table outside_identities; alter table api_keys drop column scopes",
    ),
    ("0008_egress", "drop table egress_rules"),
    (
        "0009_notifications",
        "drop table outbox; drop table feature_flags; drop table notification_rules; drop table notifications; \
         drop index runs_ended_badly; drop index credentials_by_expiry; alter table store_state drop column watched_until; \
         alter table store_state drop column flags_revision",
    ),
    (
        "0010_organizations",
        "drop table audit_log; drop table invitations; drop table variables; drop table plan_shares; \
         alter table plans drop column private; drop index organizations_to_erase; alter table organizations drop column erase_at",
    ),
    ("0011_privacy", "drop table hidden_fields"),
    ("0012_signals", "drop table signals; drop table waits"),
    ("0013_listeners", "drop index schedules_by_rule"),
    (
        "0014_flow",
        "drop index runs_flow; drop index runs_flow_held; drop index runs_to_pause; alter table runs drop column priority; \
         alter table runs drop column flow_key; alter table runs drop column flow_limit; alter table runs drop column flow_policy; \
         alter table runs drop column flow_state; alter table runs drop column flow_by; alter table runs drop column pause_asked",
    ),
    (
        "0015_versions",
        "update plan_versions set retired_at = created_at where not exists (select 1 from plans as p where p.id = plan_versions.plan_id \
         and p.version = plan_versions.version); alter table plans drop column draft; alter table plans drop column latest; \
         alter table plans drop column file; alter table plan_versions drop column published_at; \
         alter table plan_versions drop column user_id; alter table plan_versions drop column note; alter table plan_versions drop column name",
    ),
    ("0016_files", "drop table files; drop table file_uploads"),
    ("0017_triggers", "drop table trigger_states"),
    ("0018_state", "drop table state_values; drop table state_seen; drop table state_done; drop table step_results"),
    ("0019_limits", "drop table rate_turns"),
    ("0020_bursts", "drop table bursts; drop index runs_burst; alter table runs drop column burst_key"),
    (
        "0021_places",
        "drop index runs_set_aside; alter table runs drop column set_aside; drop index organizations_with_places; \
         alter table organizations drop column places",
    ),
];

const POSTGRES: &[(&str, &str)] = &[
    // Rights on the column go with it, and are given again when they are not known as given.
    (
        "0005_tags",
        "alter table runs drop column tag; create index runs_queued on runs (due_at, id) where status = 'queued'; \
         delete from schema_rights",
    ),
    ("0006_copies", "alter table store_state drop column arriving; alter table store_state drop column moved_to"),
    ("0007_people", "drop table users, organizations, members; delete from schema_rights"),
    ("0008_credentials", "drop table credential_shares; alter table credentials drop column hosts; delete from schema_rights"),
    (
        "0009_identity",
        "drop table sessions, refresh_tokens, one_time_tokens, login_attempts, second_factors, recovery_codes, outside_identities; \
         alter table api_keys drop column scopes; delete from schema_rights",
    ),
    ("0010_egress", "drop table egress_rules; delete from schema_rights"),
    (
        "0011_notifications",
        "drop table outbox; drop table feature_flags; drop table notification_rules; drop table notifications; \
         drop index runs_ended_badly; drop index credentials_by_expiry; alter table store_state drop column watched_until; \
         alter table store_state drop column flags_revision; delete from schema_rights",
    ),
    (
        "0012_organizations",
        "drop table audit_log, invitations, variables, plan_shares; alter table plans drop column private; \
         alter table organizations drop column erase_at; delete from schema_rights",
    ),
    ("0013_privacy", "drop table hidden_fields; delete from schema_rights"),
    ("0014_signals", "drop table signals, waits; delete from schema_rights"),
    ("0015_listeners", "drop index schedules_by_rule; delete from schema_rights"),
    (
        "0016_flow",
        "alter table runs drop column priority, drop column flow_key, drop column flow_limit, drop column flow_policy, \
         drop column flow_state, drop column flow_by, drop column pause_asked; delete from schema_rights",
    ),
    (
        "0017_versions",
        "update plan_versions as v set retired_at = created_at where not exists (select from plans as p where p.org_id = v.org_id \
         and p.id = v.plan_id and p.version = v.version); alter table plans drop column draft; alter table plans drop column latest; \
         alter table plans drop column file; alter table plan_versions drop column published_at; \
         alter table plan_versions drop column user_id; alter table plan_versions drop column note; \
         alter table plan_versions drop column name; delete from schema_rights",
    ),
    ("0018_files", "drop table files, file_chunks, file_uploads; delete from schema_rights"),
    ("0019_triggers", "drop table trigger_states; delete from schema_rights"),
    ("0020_state", "drop table state_values, state_seen, state_done, step_results; delete from schema_rights"),
    ("0021_limits", "drop table rate_turns; delete from schema_rights"),
    ("0022_bursts", "drop table bursts; alter table runs drop column burst_key; delete from schema_rights"),
    ("0023_places", "alter table runs drop column set_aside; alter table organizations drop column places; delete from schema_rights"),
];

/// Tables that the first shapes did not have: no earlier database has rows for them.
const NEW: &[&str] = &[
    "users",
    "organizations",
    "members",
    "hidden_fields",
    "egress_rules",
    "outbox",
    "feature_flags",
    "notification_rules",
    "notifications",
    "audit_log",
    "invitations",
    "variables",
    "plan_shares",
    "credential_shares",
    "second_factors",
    "recovery_codes",
    "outside_identities",
    "signals",
    "waits",
    "state_values",
    "state_seen",
    "state_done",
    "trigger_states",
    "files",
    "bursts",
];

/// The first shapes that had rows of users: nothing earlier was ever released.
const FIRST: (usize, usize) = (3, 4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_each_earlier_shape_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::at(START);
    let world = World::new(open(folder.path(), &clock).await.unwrap(), clock.clone(), folder);
    fill(&world).await;
    let all = world.store.migrations().await.unwrap().applied;
    world.store.close().await;
    empty_the_new(world.folder.path()).await;
    let before = counted(of_folder(world.folder.path()).await).await;
    assert_eq!(all[FIRST.0..], SQLITE.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>(), "each later shape has its way back");
    for back in (0..SQLITE.len()).rev() {
        let mut connection = beside(world.folder.path()).await;
        for (name, sql) in SQLITE[back..].iter().rev() {
            connection.execute(AssertSqlSafe((*sql).to_owned())).await.unwrap();
            sqlx::query("delete from schema_migrations where migration_name = ?1").bind(*name).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        open(world.folder.path(), &clock).await.unwrap().close().await;
        assert_eq!(before.difference(&counted(of_folder(world.folder.path()).await).await), None, "from {}", SQLITE[back].0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_each_earlier_shape_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::at(START);
    let world = World::new(open(folder.path(), &clock).await.unwrap(), clock, folder);
    fill(&world).await;
    world.store.close().await;
    empty_the_new(world.folder.path()).await;
    let (bytes, before) = archived(&mut of_folder(world.folder.path()).await).await;
    let database = Database::make().await;
    super::into_database(&database.options(), &bytes).await.unwrap();
    let store = PostgresStore::open(database.options()).await.unwrap();
    let all = store.migrations().await.unwrap().applied;
    store.close().await;
    assert_eq!(
        all[FIRST.1..],
        POSTGRES.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>(),
        "each later shape has its way back"
    );
    for back in (0..POSTGRES.len()).rev() {
        let mut connection = PgConnection::connect(&database.url(&database.owner, "owner")).await.unwrap();
        for (name, sql) in POSTGRES[back..].iter().rev() {
            connection.execute(AssertSqlSafe((*sql).to_owned())).await.unwrap();
            sqlx::query("delete from schema_migrations where name = $1").bind(*name).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        PostgresStore::open(database.options()).await.unwrap().close().await;
        assert_eq!(before.difference(&counted(of_database(&database.options()).await).await), None, "from {}", POSTGRES[back].0);
    }
}

async fn empty_the_new(folder: &std::path::Path) {
    let mut connection = beside(folder).await;
    for table in NEW {
        connection.execute(AssertSqlSafe(format!("delete from {table}"))).await.unwrap();
    }
    connection.execute("update plans set private = 0, draft = null, file = null, latest = version").await.unwrap();
    connection.execute("delete from plan_versions where published_at is null").await.unwrap();
    connection.execute("update plan_versions set name = null, user_id = null, note = null, published_at = created_at").await.unwrap();
    // A column that the first shapes did not have.
    connection.execute("update credentials set hosts = null").await.unwrap();
    connection.execute("update api_keys set scopes = null").await.unwrap();
    let flow = "update runs set priority = 0, flow_key = null, flow_limit = null, flow_policy = null, flow_state = null, flow_by = null, pause_asked = 0, burst_key = null";
    connection.execute(flow).await.unwrap();
    connection.close().await.unwrap();
}
