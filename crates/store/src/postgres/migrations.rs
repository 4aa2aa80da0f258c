//! Migrations: ordered texts inside the program, each applied once, none changed after that, all under one lock.

use std::collections::HashMap;

use mainspring_model::store::{Migrations, StoreError};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Row};

use super::error::Fail;
use super::rights::{self, Roles};
use crate::blobs::hex;
use crate::sabotage::{Switch, is_on};

/// One migration: its name in the database and its text.
struct Migration {
    name: &'static str,
    text: &'static str,
}

/// In order. A text is never edited once it was released: a later one changes what it made.
const ALL: &[Migration] = &[
    Migration { name: "0001_runs", text: include_str!("../../migrations/postgres/0001_runs.sql") },
    Migration { name: "0002_plans", text: include_str!("../../migrations/postgres/0002_plans.sql") },
    Migration { name: "0003_access", text: include_str!("../../migrations/postgres/0003_access.sql") },
    Migration { name: "0004_days", text: include_str!("../../migrations/postgres/0004_days.sql") },
    Migration { name: "0005_tags", text: include_str!("../../migrations/postgres/0005_tags.sql") },
    Migration { name: "0006_copies", text: include_str!("../../migrations/postgres/0006_copies.sql") },
    Migration { name: "0007_people", text: include_str!("../../migrations/postgres/0007_people.sql") },
    Migration { name: "0008_credentials", text: include_str!("../../migrations/postgres/0008_credentials.sql") },
    Migration { name: "0009_identity", text: include_str!("../../migrations/postgres/0009_identity.sql") },
    Migration { name: "0010_egress", text: include_str!("../../migrations/postgres/0010_egress.sql") },
    Migration { name: "0011_notifications", text: include_str!("../../migrations/postgres/0011_notifications.sql") },
    Migration { name: "0012_organizations", text: include_str!("../../migrations/postgres/0012_organizations.sql") },
    Migration { name: "0013_privacy", text: include_str!("../../migrations/postgres/0013_privacy.sql") },
    Migration { name: "0014_signals", text: include_str!("../../migrations/postgres/0014_signals.sql") },
    Migration { name: "0015_listeners", text: include_str!("../../migrations/postgres/0015_listeners.sql") },
    Migration { name: "0016_flow", text: include_str!("../../migrations/postgres/0016_flow.sql") },
    Migration { name: "0017_versions", text: include_str!("../../migrations/postgres/0017_versions.sql") },
    Migration { name: "0018_files", text: include_str!("../../migrations/postgres/0018_files.sql") },
    Migration { name: "0019_triggers", text: include_str!("../../migrations/postgres/0019_triggers.sql") },
    Migration { name: "0020_state", text: include_str!("../../migrations/postgres/0020_state.sql") },
    Migration { name: "0021_limits", text: include_str!("../../migrations/postgres/0021_limits.sql") },
    Migration { name: "0022_bursts", text: include_str!("../../migrations/postgres/0022_bursts.sql") },
    Migration { name: "0023_places", text: include_str!("../../migrations/postgres/0023_places.sql") },
];

/// What the code reads and writes. A database that lacks one of them was restored in part or edited by hand.
pub(super) const REQUIRED: &[&str] = &[
    "api_keys",
    "audit_log",
    "blobs",
    "bursts",
    "credential_shares",
    "credentials",
    "data_keys",
    "egress_rules",
    "execution_logs",
    "feature_flags",
    "file_chunks",
    "file_uploads",
    "files",
    "hidden_fields",
    "idempotency",
    "integrations",
    "invitations",
    "journal",
    "journal_rest",
    "login_attempts",
    "members",
    "nodes",
    "notification_rules",
    "notifications",
    "one_time_tokens",
    "organization_totals",
    "organizations",
    "outbox",
    "plan_shares",
    "outside_identities",
    "plan_versions",
    "plans",
    "rate_turns",
    "recovery_codes",
    "refresh_tokens",
    "run_blobs",
    "runs",
    "schedules",
    "schema_migrations",
    "schema_rights",
    "second_factors",
    "sessions",
    "signals",
    "state_done",
    "state_seen",
    "state_values",
    "step_results",
    "store_state",
    "trigger_states",
    "users",
    "variables",
    "waits",
    "webhook_routes",
];

/// The first half of every advisory lock of ours: "mast" as a number.
const LOCK: i32 = 0x6d61_7374;

/// Brings the database to this version's shape and gives the roles their rights, or says why it must not be touched.
/// One transaction under one lock: several that begin at once take turns, and a pooler may sit between.
pub(super) async fn up(roles: &Roles, connection: &mut PgConnection) -> Result<(), Fail> {
    sqlx::raw_sql("begin; set local search_path = public, pg_temp").execute(&mut *connection).await?;
    let done = apply(roles, connection).await;
    let end = if done.is_ok() { "commit" } else { "rollback" };
    sqlx::raw_sql(end).execute(&mut *connection).await?;
    done
}

async fn apply(roles: &Roles, connection: &mut PgConnection) -> Result<(), Fail> {
    sqlx::query("select pg_advisory_xact_lock($1, 1)").persistent(false).bind(LOCK).execute(&mut *connection).await?;
    sqlx::raw_sql(
        "create table if not exists public.schema_migrations (version integer primary key, name text not null unique, \
         sha256 text not null, applied_at timestamptz not null default clock_timestamp()); \
         create table if not exists public.schema_rights (runtime text primary key, sha256 text not null)",
    )
    .execute(&mut *connection)
    .await?;
    // Asked behind the lock: another process may have been first.
    for (version, migration) in pending(connection).await? {
        sqlx::raw_sql(migration.text).execute(&mut *connection).await?;
        sqlx::query("insert into public.schema_migrations (version, name, sha256) values ($1, $2, $3)")
            .persistent(false)
            .bind(version)
            .bind(migration.name)
            .bind(checksum(migration))
            .execute(&mut *connection)
            .await?;
    }
    if is_on(Switch::ForceOff) {
        let loosen = "do $$ declare t regclass; begin for t in select oid from pg_class where relforcerowsecurity loop \
                      execute format('alter table %s no force row level security', t); end loop; end $$";
        sqlx::raw_sql(loosen).execute(&mut *connection).await?;
    }
    rights::give(roles, connection).await
}

/// What the database has and lacks, compared with the texts as at the start.
pub(super) async fn state(connection: &mut PgConnection) -> Result<Migrations, Fail> {
    let pending: Vec<String> = pending(connection).await?.into_iter().map(|(_, migration)| migration.name.to_owned()).collect();
    let applied = ALL.iter().map(|migration| migration.name.to_owned()).filter(|name| !pending.contains(name)).collect();
    Ok(Migrations { applied, pending })
}

/// What is not applied yet, with its version, after comparing what is.
async fn pending(connection: &mut PgConnection) -> Result<Vec<(i32, &'static Migration)>, Fail> {
    let exists = sqlx::query("select to_regclass('public.schema_migrations') is not null").persistent(false).fetch_one(&mut *connection);
    let mut found: HashMap<String, String> = HashMap::new();
    if exists.await?.try_get(0)? {
        let rows = sqlx::query("select name, sha256 from public.schema_migrations").persistent(false).fetch_all(&mut *connection).await?;
        for row in rows {
            found.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    let mut pending = Vec::new();
    for (version, migration) in (1..).zip(ALL) {
        match found.remove(migration.name) {
            None => pending.push((version, migration)),
            Some(text) if text == checksum(migration) => {}
            Some(_) => return Err(StoreError::ChangedMigration { name: migration.name.to_owned() }.into()),
        }
    }
    match found.into_keys().max() {
        Some(found) => Err(StoreError::Newer { found }.into()),
        None => Ok(pending),
    }
}

/// Names what is missing among the tables and views that this version uses.
pub(super) async fn require(connection: &mut PgConnection) -> Result<(), Fail> {
    let names: Vec<String> = REQUIRED.iter().map(|name| (*name).to_owned()).collect();
    let rows = sqlx::query("select name from unnest($1::text[]) as name where to_regclass('public.' || name) is null")
        .persistent(false)
        .bind(names)
        .fetch_all(connection)
        .await?;
    let missing = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
    if missing.is_empty() { Ok(()) } else { Err(StoreError::Lacking { names: missing.join(", ") }.into()) }
}

fn checksum(migration: &Migration) -> String {
    hex(&Sha256::digest(migration.text))
}
