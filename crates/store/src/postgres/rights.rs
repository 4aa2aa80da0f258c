//! Rights: what the login role must not be able to do, and what the queue's role may.

use mainspring_model::store::StoreError;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::error::Fail;
use crate::blobs::hex;

/// The oldest PostgreSQL that has views with the rights of their reader.
const NEEDED: u32 = 15;

const TEXT: &str = include_str!("../../migrations/postgres/rights.sql");

/// What the server says of itself and of the role that nodes log in with.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    /// The role of nodes.
    pub(super) runtime: String,
    /// The queue's: its name carries the database's number, so that two databases of one server share no role and a member here
    /// reads nothing there. After a restore into another database `up` makes the new one.
    pub(super) queue: String,
    version: i32,
}

/// Asks with the connection of a node, and refuses what no node must have.
///
/// # Errors
/// `TooOld`, `ReadOnly`, `Rights`.
pub(super) async fn look(place: &str, connection: &mut PgConnection) -> Result<Roles, Fail> {
    let row = sqlx::query(
        "select current_setting('server_version'), current_setting('server_version_num')::int, session_user::text, \
         'mainspring_queue_' || (select oid from pg_database where datname = current_database()), pg_is_in_recovery(), \
         current_setting('transaction_read_only') = 'on', \
         (select string_agg(format('%s (%s)', rolname, case when rolsuper then 'SUPERUSER' else 'BYPASSRLS' end), ', ' order by rolname) \
          from pg_roles where (rolsuper or rolbypassrls) and pg_has_role(session_user, oid, 'member') \
          and (rolname = session_user or not (select rolsuper from pg_roles where rolname = session_user)))",
    )
    .persistent(false)
    .fetch_one(connection)
    .await?;
    let (found, version): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
    if version < i32::try_from(NEEDED).unwrap_or(i32::MAX) * 10_000 {
        return Err(StoreError::TooOld { found, needed: NEEDED }.into());
    }
    let reason = if row.try_get(4)? {
        Some("it is a replica; give the address of the primary")
    } else if row.try_get(5)? {
        Some("default_transaction_read_only is on for this role or database")
    } else {
        None
    };
    if let Some(reason) = reason {
        return Err(StoreError::ReadOnly { place: place.to_owned(), reason: reason.to_owned() }.into());
    }
    let runtime: String = row.try_get(2)?;
    if let Some(mighty) = row.try_get::<Option<String>, _>(6)? {
        return Err(StoreError::Rights(format!(
            "the role \"{runtime}\" has too many rights: it is, or may become, {mighty}, and row-level security would not hold; \
             log in with a role that has neither SUPERUSER nor BYPASSRLS, directly or by membership"
        ))
        .into());
    }
    Ok(Roles { runtime, queue: row.try_get(3)?, version })
}

/// Gives both roles their rights, when this text or the role of nodes is new.
pub(super) async fn give(roles: &Roles, connection: &mut PgConnection) -> Result<(), Fail> {
    if lacking(roles, connection).await?.is_none() {
        return Ok(());
    }
    let owner: String = sqlx::query("select current_user::text").persistent(false).fetch_one(&mut *connection).await?.try_get(0)?;
    let text = TEXT
        .replace("{queue_text}", &literal(&roles.queue))
        .replace("{runtime_text}", &literal(&roles.runtime))
        .replace("{queue}", &name(&roles.queue))
        .replace("{runtime}", &name(&roles.runtime))
        .replace("{owner}", &name(&owner))
        // Before 16 a member inherits by its own attribute; there the policies alone see to it that nothing comes of that.
        .replace("{membership}", if roles.version >= 160_000 { " with inherit false, set true" } else { "" });
    let done = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *connection).await.map_err(Fail::from);
    done.map_err(|fail| match fail.state().as_deref() {
        Some("42501") => Fail::Store(StoreError::Rights(format!(
            "the role \"{owner}\" cannot make the queue's role; give it CREATEROLE and the ownership of the database, or as an \
             administrator run: create role {q} nologin; grant {q} to {o}; grant {q} to {r}",
            q = name(&roles.queue),
            o = name(&owner),
            r = name(&roles.runtime)
        ))),
        _ => fail,
    })?;
    sqlx::query(
        "insert into public.schema_rights (runtime, sha256) values ($1, $2) on conflict (runtime) do update set sha256 = excluded.sha256",
    )
    .persistent(false)
    .bind(&roles.runtime)
    .bind(checksum(roles))
    .execute(connection)
    .await?;
    Ok(())
}

/// What the roles lack, in words; `None` when all is as this version wants it.
pub(super) async fn lacking(roles: &Roles, connection: &mut PgConnection) -> Result<Option<&'static str>, Fail> {
    let row = sqlx::query(
        "select (select sha256 from public.schema_rights where runtime = $1), \
         exists (select from pg_roles where rolname = $2) and pg_has_role($1::name, (select oid from pg_roles where rolname = $2), 'member')",
    )
    .persistent(false)
    .bind(&roles.runtime)
    .bind(&roles.queue)
    .fetch_one(connection)
    .await?;
    let (known, member): (Option<String>, Option<bool>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(if known.as_deref() != Some(&checksum(roles)) {
        Some("its rights on the tables are not those of this version")
    } else if member != Some(true) {
        Some("it is no member of the queue's role")
    } else {
        None
    })
}

/// What is worth a warning, or a refusal in production: the login role could change the schema.
pub(super) async fn excess(connection: &mut PgConnection) -> Result<Option<String>, Fail> {
    let row = sqlx::query(
        "select session_user::text, exists (select from pg_class where oid = to_regclass('public.runs') \
         and pg_has_role(session_user, relowner, 'member')), (select rolcreaterole from pg_roles where rolname = session_user)",
    )
    .persistent(false)
    .fetch_one(connection)
    .await?;
    let (role, owns, makes_roles): (String, bool, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let what = match (owns, makes_roles) {
        (false, false) => return Ok(None),
        (true, _) => "owns the tables",
        (false, true) => "may make roles",
    };
    Ok(Some(format!("the role \"{role}\" of DATABASE_URL {what}; give MIGRATE_DATABASE_URL another role that owns the schema")))
}

fn checksum(roles: &Roles) -> String {
    hex(&Sha256::digest(format!("{}\n{TEXT}", roles.queue)))
}

/// Quoted as a name.
fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Quoted as a text.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
