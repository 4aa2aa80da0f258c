//! Sealed values: credentials field by field, wrapped data keys and the canary. No clear one ever comes here.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, OrgId, Owner};
use mainspring_model::store::{CredentialChange, CredentialRecord, DataKeyRecord, NewCredential, SecretStore, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::credentials::{OWN, USABLE, changed, drop_stale_shares, put, record};
use super::error::Fail;
use super::session::Scope;
use super::values::{Stamp, kept, key};
use super::{PostgresStore, enter_org_of, text, whole};

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
        self.credentials(OWN, owner, provider).await
    }

    async fn usable_credentials(&self, user: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError> {
        self.credentials(USABLE, user, provider).await
    }

    async fn change_credential(
        &self,
        org: OrgId,
        id: CredentialId,
        change: &CredentialChange,
    ) -> Result<Option<CredentialRecord>, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let record = changed(org, id, change, &mut session).await?;
            session.commit().await?;
            Ok(record)
        };
        self.within(done).await
    }

    async fn delete_credential(&self, org: OrgId, id: CredentialId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from credentials where org_id = $1 and id = $2").bind(org.0).bind(id.0);
            let done = query.execute(&mut *session).await?.rows_affected() == 1;
            drop_stale_shares(org, &mut session).await?;
            session.commit().await?;
            Ok(done)
        };
        self.within(done).await
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
            drop_stale_shares(owner.org, &mut session).await?;
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
    async fn credentials(&self, sql: &'static str, user: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(user.org)).await?;
            let query = session.query(sql).bind(user.org.0).bind(user.user.0).bind(provider.map(key));
            let records = query.fetch_all(&mut *session).await?.iter().map(record).collect();
            session.end().await?;
            records
        };
        self.within(found).await
    }

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

pub(super) fn data_key(row: &PgRow) -> Result<DataKeyRecord, Fail> {
    Ok(DataKeyRecord { org: OrgId(row.try_get(0)?), version: whole(row, 1)?, kek_id: text(row, 2)?, wrapped: row.try_get(3)? })
}
