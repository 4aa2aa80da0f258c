//! Rows of credentials: written, changed, and with whom they are shared.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mainspring_model::id::{CredentialId, OrgId, Owner, UserId};
use mainspring_model::store::{CredentialChange, CredentialRecord, NewCredential, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::Session;
use super::values::{Stamp, kept, key};
use super::{at, at_or_none, json, json_or_none, text};
use crate::shared::json::text_of;

/// A credential's columns in the order of [`record`], for a condition.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select c.id, c.org_id, c.user_id, c.provider, c.name, c.fields::text, c.expires_at, c.last_used_at, c.created_at, \
             c.hosts::text, array(select s.user_id from credential_shares as s where s.org_id = c.org_id and s.credential_id = c.id \
             order by s.user_id) from credentials as c where c.org_id = $1 and ",
            $condition
        )
    };
}

// Names in the order of their bytes, whatever the database's collation.
/// A user's own.
pub(super) const OWN: &str =
    select!("c.user_id = $2 and ($3::text is null or c.provider_key = $3) order by c.provider collate \"C\", c.name collate \"C\", c.id");
/// What a user may use.
pub(super) const USABLE: &str = select!(
    "(c.user_id = $2 or c.user_id = '00000000-0000-0000-0000-000000000000' or exists (select from credential_shares as s \
     where s.org_id = c.org_id and s.credential_id = c.id and s.user_id = $2)) and ($3::text is null or c.provider_key = $3) \
     order by c.provider collate \"C\", c.name collate \"C\", c.id"
);

pub(super) async fn put(new: &NewCredential, session: &mut Session) -> Result<CredentialRecord, Fail> {
    session
        .query(
            "insert into credentials as c (org_id, id, user_id, provider, provider_key, name, name_key, fields, expires_at, created_at, hosts) \
             values ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9, $10, $11::text::json) \
             on conflict (org_id, user_id, provider_key, name_key) do update set \
             fields = excluded.fields, expires_at = excluded.expires_at, hosts = coalesce(excluded.hosts, c.hosts) where c.id = excluded.id",
        )
        .bind(new.owner.org.0)
        .bind(new.id.0)
        .bind(new.owner.user.0)
        .bind(kept(&new.provider))
        .bind(key(&new.provider))
        .bind(kept(&new.name))
        .bind(key(&new.name))
        .bind(sealed_text(&new.fields)?)
        .bind(new.expires_at.map(Stamp))
        .bind(Stamp(session.now()))
        .bind(new.hosts.as_ref().map(text_of).transpose()?)
        .execute(&mut **session)
        .await?;
    let query = session.query(select!("c.user_id = $2 and c.provider_key = $3 and c.name_key = $4"));
    let query = query.bind(new.owner.org.0).bind(new.owner.user.0).bind(key(&new.provider)).bind(key(&new.name));
    record(&query.fetch_one(&mut **session).await?)
}

pub(super) async fn changed(
    org: OrgId,
    id: CredentialId,
    change: &CredentialChange,
    session: &mut Session,
) -> Result<Option<CredentialRecord>, Fail> {
    let hosts = change.hosts.as_ref().map(|hosts| hosts.as_ref().map(text_of).transpose()).transpose()?;
    let now = session.now();
    let done = session
        .query(
            "update credentials set name = coalesce($3, name), name_key = coalesce($4, name_key), \
             fields = coalesce($5::text::json, fields), expires_at = case when $6 then $7 else expires_at end, \
             hosts = case when $8 then $9::text::json else hosts end where org_id = $1 and id = $2",
        )
        .bind(org.0)
        .bind(id.0)
        .bind(change.name.as_deref().map(kept))
        .bind(change.name.as_deref().map(key))
        .bind(change.fields.as_ref().map(sealed_text).transpose()?)
        .bind(change.expires_at.is_some())
        .bind(change.expires_at.flatten().map(Stamp))
        .bind(hosts.is_some())
        .bind(hosts.flatten())
        .execute(&mut **session)
        .await
        .map_err(Fail::from)
        .map_err(|fail| if fail.is_taken() { StoreError::Conflict("another credential has that name".to_owned()).into() } else { fail })?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    if let Some(users) = &change.shared_with {
        let query = session.query("delete from credential_shares where org_id = $1 and credential_id = $2").bind(org.0).bind(id.0);
        query.execute(&mut **session).await?;
        let users: Vec<Uuid> = users.iter().map(|user| user.0).collect();
        let sql = "insert into credential_shares (org_id, credential_id, user_id, created_at) select $1, $2, u, $4 \
                   from unnest($3::uuid[]) as u on conflict do nothing";
        session.query(sql).bind(org.0).bind(id.0).bind(users).bind(Stamp(now)).execute(&mut **session).await?;
    }
    by_id(org, id, session).await
}

async fn by_id(org: OrgId, id: CredentialId, session: &mut Session) -> Result<Option<CredentialRecord>, Fail> {
    let query = session.query(select!("c.id = $2")).bind(org.0).bind(id.0);
    query.fetch_optional(&mut **session).await?.as_ref().map(record).transpose()
}

/// Of credentials that are gone.
pub(super) async fn drop_stale_shares(org: OrgId, session: &mut Session) -> Result<(), Fail> {
    let sql = "delete from credential_shares as s where s.org_id = $1 and not exists \
               (select from credentials as c where c.org_id = s.org_id and c.id = s.credential_id)";
    session.query(sql).bind(org.0).execute(&mut **session).await?;
    Ok(())
}

/// Sealed values as they lie in a column.
pub(super) fn sealed_text(fields: &BTreeMap<String, Vec<u8>>) -> Result<String, Fail> {
    let fields: BTreeMap<&str, String> = fields.iter().map(|(name, sealed)| (name.as_str(), BASE64.encode(sealed))).collect();
    Ok(text_of(&fields)?)
}

pub(super) fn unsealed(row: &PgRow, column: usize) -> Result<BTreeMap<String, Vec<u8>>, Fail> {
    let texts: BTreeMap<String, String> = json(row, column)?;
    let unsealed = |(name, text): (String, String)| Some((name, BASE64.decode(text).ok()?));
    texts.into_iter().map(unsealed).collect::<Option<_>>().ok_or_else(|| Fail::damaged("a sealed value"))
}

pub(super) fn record(row: &PgRow) -> Result<CredentialRecord, Fail> {
    Ok(CredentialRecord {
        id: CredentialId(row.try_get(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        provider: text(row, 3)?,
        name: text(row, 4)?,
        fields: unsealed(row, 5)?,
        expires_at: at_or_none(row, 6)?,
        last_used_at: at_or_none(row, 7)?,
        created_at: at(row, 8)?,
        hosts: json_or_none(row, 9)?,
        shared_with: row.try_get::<Vec<Uuid>, _>(10)?.into_iter().map(UserId).collect(),
    })
}
