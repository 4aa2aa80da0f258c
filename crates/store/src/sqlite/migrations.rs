//! Migrations: ordered texts inside the program, each applied once, none changed after that.

use std::collections::HashMap;

use mainspring_model::clock::Millis;
use mainspring_model::store::{Migrations, StoreError};
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use crate::blobs::hex;

/// One migration: its name in the database and its text.
pub(super) struct Migration {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// In order. A text is never edited once it was released: a later one changes what it made.
pub(super) const ALL: &[Migration] = &[
    Migration { name: "0001_runs", text: include_str!("../../migrations/sqlite/0001_runs.sql") },
    Migration { name: "0002_plans", text: include_str!("../../migrations/sqlite/0002_plans.sql") },
    Migration { name: "0003_access", text: include_str!("../../migrations/sqlite/0003_access.sql") },
    Migration { name: "0004_copies", text: include_str!("../../migrations/sqlite/0004_copies.sql") },
    Migration { name: "0005_people", text: include_str!("../../migrations/sqlite/0005_people.sql") },
    Migration { name: "0006_credentials", text: include_str!("../../migrations/sqlite/0006_credentials.sql") },
    Migration { name: "0007_identity", text: include_str!("../../migrations/sqlite/0007_identity.sql") },
    Migration { name: "0008_egress", text: include_str!("../../migrations/sqlite/0008_egress.sql") },
    Migration { name: "0009_notifications", text: include_str!("../../migrations/sqlite/0009_notifications.sql") },
    Migration { name: "0010_organizations", text: include_str!("../../migrations/sqlite/0010_organizations.sql") },
    Migration { name: "0011_privacy", text: include_str!("../../migrations/sqlite/0011_privacy.sql") },
    Migration { name: "0012_signals", text: include_str!("../../migrations/sqlite/0012_signals.sql") },
    Migration { name: "0013_listeners", text: include_str!("../../migrations/sqlite/0013_listeners.sql") },
    Migration { name: "0014_flow", text: include_str!("../../migrations/sqlite/0014_flow.sql") },
    Migration { name: "0015_versions", text: include_str!("../../migrations/sqlite/0015_versions.sql") },
    Migration { name: "0016_files", text: include_str!("../../migrations/sqlite/0016_files.sql") },
    Migration { name: "0017_triggers", text: include_str!("../../migrations/sqlite/0017_triggers.sql") },
    Migration { name: "0018_state", text: include_str!("../../migrations/sqlite/0018_state.sql") },
    Migration { name: "0019_limits", text: include_str!("../../migrations/sqlite/0019_limits.sql") },
    Migration { name: "0020_bursts", text: include_str!("../../migrations/sqlite/0020_bursts.sql") },
    Migration { name: "0021_places", text: include_str!("../../migrations/sqlite/0021_places.sql") },
];

/// What the code reads and writes. A database that lacks one of them was restored in part or edited by hand.
const REQUIRED: &[&str] = &[
    "api_keys",
    "audit_log",
    "bursts",
    "credential_shares",
    "credentials",
    "data_keys",
    "execution_logs",
    "egress_rules",
    "feature_flags",
    "file_uploads",
    "files",
    "hidden_fields",
    "idempotency",
    "integrations",
    "invitations",
    "journal",
    "login_attempts",
    "members",
    "notification_rules",
    "notifications",
    "one_time_tokens",
    "organization_totals",
    "organizations",
    "outbox",
    "outside_identities",
    "plan_numbers",
    "plan_shares",
    "plan_versions",
    "plans",
    "rate_turns",
    "recovery_codes",
    "refresh_tokens",
    "run_blobs",
    "runs",
    "schedules",
    "schema_migrations",
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

/// Brings the database to this version's shape, or says why it must not be touched.
pub(super) async fn migrate(now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    migrate_to(ALL, now, connection).await?;
    require(connection).await
}

async fn migrate_to(all: &[Migration], now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    if pending(all, connection).await?.is_empty() {
        return Ok(());
    }
    sqlx::query("begin immediate").execute(&mut *connection).await?;
    let done = apply(all, now, connection).await;
    let end = if done.is_ok() { "commit" } else { "rollback" };
    sqlx::query(end).execute(&mut *connection).await?;
    done
}

async fn apply(all: &[Migration], now: Millis, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::raw_sql(
        "create table if not exists schema_migrations (\
         migration_name text not null unique, applied_at integer not null, checksum text not null) strict",
    )
    .execute(&mut *connection)
    .await?;
    // Asked again inside the transaction: another process may have been first.
    for migration in pending(all, connection).await? {
        sqlx::raw_sql(migration.text).execute(&mut *connection).await?;
        sqlx::query("insert into schema_migrations (migration_name, applied_at, checksum) values (?1, ?2, ?3)")
            .bind(migration.name)
            .bind(now)
            .bind(checksum(migration))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// What is not applied yet, after comparing what is.
async fn pending<'a>(all: &'a [Migration], connection: &mut SqliteConnection) -> Result<Vec<&'a Migration>, Fail> {
    let exists = sqlx::query("select 1 from sqlite_schema where name = 'schema_migrations'").fetch_optional(&mut *connection).await?;
    let mut found: HashMap<String, String> = HashMap::new();
    if exists.is_some() {
        let rows = sqlx::query("select migration_name, checksum from schema_migrations").fetch_all(&mut *connection).await?;
        for row in rows {
            found.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    let mut pending = Vec::new();
    for migration in all {
        match found.remove(migration.name) {
            None => pending.push(migration),
            Some(text) if text == checksum(migration) => {}
            Some(_) => return Err(StoreError::ChangedMigration { name: migration.name.to_owned() }.into()),
        }
    }
    match found.into_keys().max() {
        Some(found) => Err(StoreError::Newer { found }.into()),
        None => Ok(pending),
    }
}

async fn require(connection: &mut SqliteConnection) -> Result<(), Fail> {
    let rows = sqlx::query("select name from sqlite_schema where type in ('table', 'view')").fetch_all(connection).await?;
    let found = rows.iter().map(|row| row.try_get::<&str, _>(0)).collect::<Result<Vec<_>, _>>()?;
    let missing: Vec<&str> = REQUIRED.iter().filter(|name| !found.contains(name)).copied().collect();
    if missing.is_empty() { Ok(()) } else { Err(StoreError::Lacking { names: missing.join(", ") }.into()) }
}

/// All of this version, in order.
pub(super) fn names() -> Vec<String> {
    ALL.iter().map(|migration| migration.name.to_owned()).collect()
}

/// What the database has and lacks, compared with the texts as at the start.
pub(super) async fn state(connection: &mut SqliteConnection) -> Result<Migrations, Fail> {
    let pending: Vec<String> = pending(ALL, connection).await?.iter().map(|migration| migration.name.to_owned()).collect();
    let applied = ALL.iter().map(|migration| migration.name.to_owned()).filter(|name| !pending.contains(name)).collect();
    Ok(Migrations { applied, pending })
}

fn checksum(migration: &Migration) -> String {
    hex(&Sha256::digest(migration.text))
}
