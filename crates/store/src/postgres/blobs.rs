//! Blobs: large values in a table of their organization, by the SHA-256 of their bytes.

use async_trait::async_trait;
use mainspring_model::id::OrgId;
use mainspring_model::store::{Blobs, StoreError};
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::PostgresStore;
use super::session::Scope;
use super::values::Stamp;
use crate::blobs::{BLOB_LIMIT, hex, is_address};

#[async_trait]
impl Blobs for PostgresStore {
    async fn put_blob(&self, org: OrgId, bytes: Vec<u8>) -> Result<String, StoreError> {
        let size = bytes.len() as u64;
        if size > BLOB_LIMIT {
            return Err(StoreError::TooLarge { size, limit: BLOB_LIMIT });
        }
        let sha256 = hex(&Sha256::digest(&bytes));
        let done = async {
            let mut session = self.steps.open(Scope::Org(org), true, None).await?;
            // Its age begins anew: whoever is about to sweep it finds it young. The bytes travel only when they are not there.
            let query = session.query("update blobs set touched_at = $3 where org_id = $1 and sha256 = $2");
            let there = query.bind(org.0).bind(&sha256).bind(Stamp(session.now())).execute(&mut *session).await?;
            if there.rows_affected() == 0 {
                session
                    .query(
                        "insert into blobs (org_id, sha256, bytes, touched_at) values ($1, $2, $3, $4) \
                         on conflict (org_id, sha256) do update set touched_at = excluded.touched_at",
                    )
                    .bind(org.0)
                    .bind(&sha256)
                    .bind(&bytes)
                    .bind(Stamp(session.now()))
                    .execute(&mut *session)
                    .await?;
            }
            session.commit().await
        };
        self.within(done).await?;
        Ok(sha256)
    }

    async fn get_blob(&self, org: OrgId, sha256: &str) -> Result<Vec<u8>, StoreError> {
        if !is_address(sha256) {
            return Err(StoreError::Invalid("a blob's address is 64 lower-case hex digits".to_owned()));
        }
        let found = async {
            let mut session = self.steps.open(Scope::Org(org), false, None).await?;
            let query = session.query("select bytes from blobs where org_id = $1 and sha256 = $2").bind(org.0).bind(sha256);
            let row = query.fetch_optional(&mut *session).await?;
            session.end().await?;
            Ok(row.map(|row| row.try_get::<Vec<u8>, _>(0)).transpose()?)
        };
        let Some(bytes) = self.within(found).await? else { return Err(StoreError::NotFound { what: format!("the blob {sha256}") }) };
        if hex(&Sha256::digest(&bytes)) == sha256 {
            Ok(bytes)
        } else {
            Err(StoreError::Failed(format!("the blob {sha256} is damaged: its bytes do not match its name")))
        }
    }
}
