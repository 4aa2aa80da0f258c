//! Second factors with their recovery codes, and identities at outside issuers.

use async_trait::async_trait;
use mainspring_model::id::UserId;
use mainspring_model::store::{FactorStore, OutsideIdentity, SecondFactor, StoreError};
use sqlx::Row;

use super::error::Fail;
use super::{SqliteStore, bytes, uuid};
use crate::shared::sessions::{factor_confirmed, identity_taken};

#[async_trait]
impl FactorStore for SqliteStore {
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select sealed, confirmed_at, last_step, created_at from second_factors where user_id = ?1";
                let Some(row) = sqlx::query(sql).bind(bytes(user.0)).fetch_optional(connection).await? else { return Ok(None) };
                Ok(Some(SecondFactor {
                    sealed: row.try_get(0)?,
                    confirmed_at: row.try_get(1)?,
                    last_step: row.try_get(2)?,
                    created_at: row.try_get(3)?,
                }))
            })
        })
        .await
    }

    async fn put_second_factor(&self, user: UserId, factor: &SecondFactor) -> Result<(), StoreError> {
        let factor = factor.clone();
        self.write(async move |connection| {
            let done = sqlx::query(
                "insert into second_factors (user_id, sealed, confirmed_at, last_step, created_at) values (?1, ?2, ?3, ?4, ?5) \
                 on conflict (user_id) do update set sealed = excluded.sealed, confirmed_at = excluded.confirmed_at, \
                 last_step = excluded.last_step, created_at = excluded.created_at where confirmed_at is null",
            )
            .bind(bytes(user.0))
            .bind(factor.sealed.clone())
            .bind(factor.confirmed_at)
            .bind(factor.last_step)
            .bind(factor.created_at)
            .execute(connection)
            .await?;
            if done.rows_affected() == 0 { Err(factor_confirmed().into()) } else { Ok(()) }
        })
        .await
    }

    async fn confirm_second_factor(&self, user: UserId, step: i64, recovery: &[Vec<u8>]) -> Result<bool, StoreError> {
        let (recovery, now) = (recovery.to_vec(), self.now_ms());
        self.write(async move |connection| {
            let sql = "update second_factors set confirmed_at = ?2, last_step = ?3 where user_id = ?1 and confirmed_at is null";
            let done = sqlx::query(sql).bind(bytes(user.0)).bind(now).bind(step).execute(&mut *connection).await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query("delete from recovery_codes where user_id = ?1").bind(bytes(user.0)).execute(&mut *connection).await?;
            for hash in &recovery {
                let query = sqlx::query("insert into recovery_codes (user_id, code_hash) values (?1, ?2)");
                query.bind(bytes(user.0)).bind(hash.clone()).execute(&mut *connection).await?;
            }
            Ok(true)
        })
        .await
    }

    async fn use_step(&self, user: UserId, step: i64) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            let sql = "update second_factors set last_step = ?2 where user_id = ?1 and (last_step is null or last_step < ?2)";
            Ok(sqlx::query(sql).bind(bytes(user.0)).bind(step).execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    async fn use_recovery_code(&self, user: UserId, hash: &[u8]) -> Result<bool, StoreError> {
        let hash = hash.to_vec();
        self.write(async move |connection| {
            let query = sqlx::query("delete from recovery_codes where user_id = ?1 and code_hash = ?2");
            Ok(query.bind(bytes(user.0)).bind(hash.clone()).execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u32, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query("select count(*) from recovery_codes where user_id = ?1").bind(bytes(user.0));
                Ok(query.fetch_one(connection).await?.try_get(0)?)
            })
        })
        .await
    }

    async fn delete_second_factor(&self, user: UserId) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            sqlx::query("delete from recovery_codes where user_id = ?1").bind(bytes(user.0)).execute(&mut *connection).await?;
            let query = sqlx::query("delete from second_factors where user_id = ?1").bind(bytes(user.0));
            Ok(query.execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    async fn outside_identity(&self, issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        self.read(move |connection| {
            Box::pin(async move {
                let sql = "select user_id from outside_identities where issuer = ?1 and subject = ?2";
                let row = sqlx::query(sql).bind(issuer).bind(subject).fetch_optional(connection).await?;
                row.map(|row| Ok(UserId(uuid(&row, 0)?))).transpose()
            })
        })
        .await
    }

    async fn put_outside_identity(&self, identity: &OutsideIdentity) -> Result<(), StoreError> {
        let identity = identity.clone();
        self.write(async move |connection| {
            let done = sqlx::query("insert into outside_identities (issuer, subject, user_id, created_at) values (?1, ?2, ?3, ?4)")
                .bind(identity.issuer.as_str())
                .bind(identity.subject.as_str())
                .bind(bytes(identity.user.0))
                .bind(identity.created_at)
                .execute(connection)
                .await;
            match done.map_err(Fail::from) {
                Ok(_) => Ok(()),
                Err(fail) if fail.is_taken() => Err(identity_taken().into()),
                Err(fail) => Err(fail),
            }
        })
        .await
    }
}
