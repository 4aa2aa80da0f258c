//! Rows of credentials: written, changed, and with whom they are shared.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, OrgId, Owner, UserId};
use mainspring_model::store::{CredentialChange, CredentialRecord, NewCredential, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::error::Fail;
use super::{bytes, json, text_of, uuid};

/// A credential's columns in the order of [`record`], for a condition.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select c.id, c.org_id, c.user_id, c.provider, c.name, c.fields, c.expires_at, c.last_used_at, c.created_at, c.hosts, \
             (select json_group_array(hex(s.user_id)) from credential_shares as s where s.credential_id = c.id) from credentials as c \
             where c.org_id = ?1 and ",
            $condition
        )
    };
}

/// A user's own.
pub(super) const OWN: &str = select!("c.user_id = ?2 and (?3 is null or c.provider = ?3) order by c.provider, c.name, c.id");
/// What a user may use.
pub(super) const USABLE: &str = select!(
    "(c.user_id = ?2 or c.user_id = zeroblob(16) or exists (select 1 from credential_shares as s where s.credential_id = c.id \
     and s.user_id = ?2)) and (?3 is null or c.provider = ?3) order by c.provider, c.name, c.id"
);

pub(super) async fn put(new: &NewCredential, now: Millis, connection: &mut SqliteConnection) -> Result<CredentialRecord, Fail> {
    sqlx::query(
        "insert into credentials (id, org_id, user_id, provider, name, fields, expires_at, created_at, hosts) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) on conflict (org_id, user_id, provider, name) do update set \
         fields = excluded.fields, expires_at = excluded.expires_at, hosts = coalesce(excluded.hosts, hosts) where id = excluded.id",
    )
    .bind(bytes(new.id.0))
    .bind(bytes(new.owner.org.0))
    .bind(bytes(new.owner.user.0))
    .bind(new.provider.as_str())
    .bind(new.name.as_str())
    .bind(sealed_text(&new.fields)?)
    .bind(new.expires_at)
    .bind(now)
    .bind(new.hosts.as_ref().map(text_of).transpose()?)
    .execute(&mut *connection)
    .await?;
    let query = sqlx::query(select!("c.user_id = ?2 and c.provider = ?3 and c.name = ?4"));
    let query = query.bind(bytes(new.owner.org.0)).bind(bytes(new.owner.user.0)).bind(new.provider.as_str()).bind(new.name.as_str());
    record(&query.fetch_one(connection).await?)
}

pub(super) async fn changed(
    org: OrgId,
    id: CredentialId,
    change: &CredentialChange,
    now: Millis,
    connection: &mut SqliteConnection,
) -> Result<Option<CredentialRecord>, Fail> {
    let hosts = change.hosts.as_ref().map(|hosts| hosts.as_ref().map(text_of).transpose()).transpose()?;
    let done = sqlx::query(
        "update credentials set name = coalesce(?3, name), fields = coalesce(?4, fields), \
         expires_at = case when ?5 then ?6 else expires_at end, hosts = case when ?7 then ?8 else hosts end where org_id = ?1 and id = ?2",
    )
    .bind(bytes(org.0))
    .bind(bytes(id.0))
    .bind(change.name.as_deref())
    .bind(change.fields.as_ref().map(sealed_text).transpose()?)
    .bind(change.expires_at.is_some())
    .bind(change.expires_at.flatten())
    .bind(hosts.is_some())
    .bind(hosts.flatten())
    .execute(&mut *connection)
    .await
    .map_err(Fail::from)
    .map_err(|fail| if fail.is_taken() { StoreError::Conflict("another credential has that name".to_owned()).into() } else { fail })?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    if let Some(users) = &change.shared_with {
        sqlx::query("delete from credential_shares where credential_id = ?1").bind(bytes(id.0)).execute(&mut *connection).await?;
        for user in users {
            let sql =
                "insert into credential_shares (org_id, credential_id, user_id, created_at) values (?1, ?2, ?3, ?4) on conflict do nothing";
            let query = sqlx::query(sql).bind(bytes(org.0)).bind(bytes(id.0)).bind(bytes(user.0)).bind(now);
            query.execute(&mut *connection).await?;
        }
    }
    by_id(org, id, connection).await
}

async fn by_id(org: OrgId, id: CredentialId, connection: &mut SqliteConnection) -> Result<Option<CredentialRecord>, Fail> {
    let query = sqlx::query(select!("c.id = ?2"));
    query.bind(bytes(org.0)).bind(bytes(id.0)).fetch_optional(connection).await?.as_ref().map(record).transpose()
}

/// Of credentials that are gone.
pub(super) async fn drop_stale_shares(org: OrgId, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let sql = "delete from credential_shares where org_id = ?1 and credential_id not in (select id from credentials where org_id = ?1)";
    sqlx::query(sql).bind(bytes(org.0)).execute(connection).await?;
    Ok(())
}

/// Sealed values as they lie in a column.
pub(super) fn sealed_text(fields: &BTreeMap<String, Vec<u8>>) -> Result<String, Fail> {
    let fields: BTreeMap<&str, String> = fields.iter().map(|(name, sealed)| (name.as_str(), BASE64.encode(sealed))).collect();
    text_of(&fields)
}

pub(super) fn unsealed_text(text: &str) -> Result<BTreeMap<String, Vec<u8>>, Fail> {
    let texts: BTreeMap<String, String> = json(text)?;
    let unsealed = |(name, text): (String, String)| Some((name, BASE64.decode(text).ok()?));
    texts.into_iter().map(unsealed).collect::<Option<_>>().ok_or_else(|| Fail::damaged("a sealed value"))
}

pub(super) fn record(row: &SqliteRow) -> Result<CredentialRecord, Fail> {
    Ok(CredentialRecord {
        id: CredentialId(uuid(row, 0)?),
        owner: Owner { org: OrgId(uuid(row, 1)?), user: UserId(uuid(row, 2)?) },
        provider: row.try_get(3)?,
        name: row.try_get(4)?,
        fields: unsealed_text(row.try_get(5)?)?,
        expires_at: row.try_get(6)?,
        last_used_at: row.try_get(7)?,
        created_at: row.try_get(8)?,
        hosts: row.try_get::<Option<&str>, _>(9)?.map(json).transpose()?,
        shared_with: users(row.try_get(10)?)?,
    })
}

/// Of a JSON array of ids in hex.
fn users(text: &str) -> Result<Vec<UserId>, Fail> {
    let texts: Vec<String> = json(text)?;
    let users = texts.iter().map(|text| Uuid::try_parse(text).map(UserId)).collect::<Result<Vec<_>, _>>();
    let mut users = users.map_err(|_| Fail::damaged("an id"))?;
    users.sort_unstable();
    Ok(users)
}
