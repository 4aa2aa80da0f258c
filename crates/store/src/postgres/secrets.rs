//! Sealed values: credentials field by field, wrapped data keys and the canary. No clear one ever comes here.

use std::collections::BTreeMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, OrgId, Owner, UserId};
use mainspring_model::store::{CredentialRecord, DataKeyRecord, NewCredential, SecretStore, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept, key};
use super::{PostgresStore, at, at_or_none, enter_org_of, json, text, whole};
use crate::shared::json::text_of;

/// Uses of one credential within this time are noted once.
const TOUCH: Millis = 60_000;
/// Remembered touches beyond this many are forgotten: at worst one is noted twice.
const MOST_TOUCHES: usize = 10_000;

#[async_trait]
impl SecretStore for PostgresStore {
    /// A wrapped key is its organization's own: each is read as its own.
    async fn data_keys(&self) -> Result<Vec<DataKeyRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let rows = session.query("select distinct org_id from data_keys order by org_id").fetch_all(&mut *session).await?;
            let mut keys = Vec::new();
            for row in rows {
                let org: Uuid = row.try_get(0)?;
                session.enter(Scope::Org(OrgId(org))).await?;
                let query = session.query("select org_id, version, kek_id, wrapped from data_keys where org_id = $1 order by version");
                for row in query.bind(org).fetch_all(&mut *session).await? {
                    keys.push(data_key(&row)?);
                }
            }
            session.end().await?;
            Ok(keys)
        };
        self.within(found).await
    }

    async fn put_data_key(&self, key: &DataKeyRecord) -> Result<DataKeyRecord, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(key.org)).await?;
            // An update that changes nothing, so that the row which is kept comes back either way.
            let row = session
                .query(
                    "insert into data_keys as k (org_id, version, kek_id, wrapped) values ($1, $2, $3, $4) \
                     on conflict (org_id, version) do update set kek_id = k.kek_id returning org_id, version, kek_id, wrapped",
                )
                .bind(key.org.0)
                .bind(i64::from(key.version))
                .bind(kept(&key.kek_id))
                .bind(&key.wrapped)
                .fetch_one(&mut *session)
                .await?;
            session.commit().await?;
            data_key(&row)
        };
        self.within(done).await
    }

    async fn canary(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Nobody).await?;
            let row = session.query("select canary from store_state").fetch_one(&mut *session).await?;
            session.end().await?;
            Ok(row.try_get(0)?)
        };
        self.within(found).await
    }

    async fn put_canary(&self, sealed: &[u8]) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Nobody).await?;
            session.query("update store_state set canary = $1").bind(sealed).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn put_credential(&self, credential: &NewCredential) -> Result<CredentialRecord, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(credential.owner.org)).await?;
            let record = put(credential, &mut session).await?;
            session.commit().await?;
            Ok(record)
        };
        self.within(done).await
    }

    async fn list_credentials(&self, owner: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(owner.org)).await?;
            let records = list(owner, provider, &mut session).await?;
            session.end().await?;
            Ok(records)
        };
        self.within(found).await
    }

    async fn find_credential(&self, owner: &Owner, provider: &str, name: Option<&str>) -> Result<Option<CredentialRecord>, StoreError> {
        let mut records = self.list_credentials(owner, Some(provider)).await?;
        let wanted = name.unwrap_or("default");
        Ok(match records.iter().position(|record| record.name == wanted) {
            Some(place) => Some(records.swap_remove(place)),
            None if name.is_none() && records.len() == 1 => records.pop(),
            None => None,
        })
    }

    async fn delete_credentials(&self, owner: &Owner, provider: &str, name: Option<&str>) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(owner.org)).await?;
            let done = session
                .query(
                    "delete from credentials where org_id = $1 and user_id = $2 and provider_key = $3 \
                     and ($4::text is null or name_key = $4)",
                )
                .bind(owner.org.0)
                .bind(owner.user.0)
                .bind(key(provider))
                .bind(name.map(key))
                .execute(&mut *session)
                .await?;
            session.commit().await?;
            Ok(done.rows_affected())
        };
        self.within(done).await
    }

    async fn touch_credential(&self, id: CredentialId) -> Result<(), StoreError> {
        let noted = async {
            // The moment is the database's, and asking for it costs as much as the note; so it is remembered by our own.
            let mut session = self.steps.open(Scope::Queue, true, None).await?;
            let now = session.now();
            if self.touched_lately(id, now) {
                return session.end().await;
            }
            let sql = "select org_id from credentials where id = $1";
            if let Some(org) = enter_org_of(sql, id.0, &mut session).await? {
                let query = session.query("update credentials set last_used_at = $3 where org_id = $1 and id = $2");
                query.bind(org.0).bind(id.0).bind(Stamp(now)).execute(&mut *session).await?;
            }
            session.commit().await
        };
        self.within(noted).await
    }
}

impl PostgresStore {
    /// Remembers the touch, unless there was one just now.
    fn touched_lately(&self, id: CredentialId, now: Millis) -> bool {
        let mut touched = self.touched.lock().expect("no panic happens while touches are looked up");
        if touched.get(&id).is_some_and(|at| now.abs_diff(*at) < TOUCH.unsigned_abs()) {
            return true;
        }
        if touched.len() >= MOST_TOUCHES {
            touched.clear();
        }
        touched.insert(id, now);
        false
    }
}

async fn put(new: &NewCredential, session: &mut Session) -> Result<CredentialRecord, Fail> {
    let row = session
        .query(
            "insert into credentials (org_id, id, user_id, provider, provider_key, name, name_key, fields, expires_at, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9, $10) \
             on conflict (org_id, user_id, provider_key, name_key) do update set \
             fields = excluded.fields, expires_at = excluded.expires_at \
             returning id, org_id, user_id, provider, name, fields::text, expires_at, last_used_at, created_at",
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
        .fetch_one(&mut **session)
        .await?;
    record(&row)
}

/// Names in the order of their bytes, whatever the database's collation.
const LIST: &str = "select id, org_id, user_id, provider, name, fields::text, expires_at, last_used_at, created_at from credentials \
     where org_id = $1 and user_id = $2 and ($3::text is null or provider_key = $3) order by provider collate \"C\", name collate \"C\"";

async fn list(owner: &Owner, provider: Option<&str>, session: &mut Session) -> Result<Vec<CredentialRecord>, Fail> {
    let query = session.query(LIST).bind(owner.org.0).bind(owner.user.0).bind(provider.map(key));
    query.fetch_all(&mut **session).await?.iter().map(record).collect()
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

fn record(row: &PgRow) -> Result<CredentialRecord, Fail> {
    Ok(CredentialRecord {
        id: CredentialId(row.try_get(0)?),
        owner: Owner { org: OrgId(row.try_get(1)?), user: UserId(row.try_get(2)?) },
        provider: text(row, 3)?,
        name: text(row, 4)?,
        fields: unsealed(row, 5)?,
        expires_at: at_or_none(row, 6)?,
        last_used_at: at_or_none(row, 7)?,
        created_at: at(row, 8)?,
    })
}

pub(super) fn data_key(row: &PgRow) -> Result<DataKeyRecord, Fail> {
    Ok(DataKeyRecord { org: OrgId(row.try_get(0)?), version: whole(row, 1)?, kek_id: text(row, 2)?, wrapped: row.try_get(3)? })
}
