//! Second factors with their recovery codes, and identities at outside issuers: the installation's rows.

use async_trait::async_trait;
use mainspring_model::id::UserId;
use mainspring_model::store::{FactorStore, OutsideIdentity, SecondFactor, StoreError};
use sqlx::Row;

use super::error::Fail;
use super::sessions::{HERE, ORG};
use super::values::{Stamp, kept};
use super::{PostgresStore, at, at_or_none, whole};
use crate::shared::sessions::{factor_confirmed, identity_taken};

#[async_trait]
impl FactorStore for PostgresStore {
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let sql = "select sealed, confirmed_at, last_step, created_at from second_factors where org_id = $1 and user_id = $2";
            let row = session.query(sql).bind(ORG).bind(user.0).fetch_optional(&mut *session).await?;
            session.end().await?;
            let Some(row) = row else { return Ok(None) };
            let (sealed, last_step) = (row.try_get(0)?, row.try_get(2)?);
            Ok(Some(SecondFactor { sealed, confirmed_at: at_or_none(&row, 1)?, last_step, created_at: at(&row, 3)? }))
        };
        self.within(found).await
    }

    async fn put_second_factor(&self, user: UserId, factor: &SecondFactor) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let done = session
                .query(
                    "insert into second_factors as f (org_id, user_id, sealed, confirmed_at, last_step, created_at) \
                     values ($1, $2, $3, $4, $5, $6) on conflict (org_id, user_id) do update set sealed = excluded.sealed, \
                     confirmed_at = excluded.confirmed_at, last_step = excluded.last_step, created_at = excluded.created_at \
                     where f.confirmed_at is null",
                )
                .bind(ORG)
                .bind(user.0)
                .bind(&factor.sealed)
                .bind(factor.confirmed_at.map(Stamp))
                .bind(factor.last_step)
                .bind(Stamp(factor.created_at))
                .execute(&mut *session)
                .await?;
            session.commit().await?;
            if done.rows_affected() == 0 { Err(factor_confirmed().into()) } else { Ok(()) }
        };
        self.within(done).await
    }

    async fn confirm_second_factor(&self, user: UserId, step: i64, recovery: &[Vec<u8>]) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let now = session.now();
            let query = session.query(
                "update second_factors set confirmed_at = $3, last_step = $4 where org_id = $1 and user_id = $2 and confirmed_at is null",
            );
            let done = query.bind(ORG).bind(user.0).bind(Stamp(now)).bind(step).execute(&mut *session).await?;
            if done.rows_affected() > 0 {
                let query = session.query("delete from recovery_codes where org_id = $1 and user_id = $2");
                query.bind(ORG).bind(user.0).execute(&mut *session).await?;
                let query = session
                    .query("insert into recovery_codes (org_id, user_id, code_hash) select $1, $2, hash from unnest($3::bytea[]) as hash");
                query.bind(ORG).bind(user.0).bind(recovery).execute(&mut *session).await?;
            }
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn use_step(&self, user: UserId, step: i64) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let query = session.query(
                "update second_factors set last_step = $3 where org_id = $1 and user_id = $2 and (last_step is null or last_step < $3)",
            );
            let done = query.bind(ORG).bind(user.0).bind(step).execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn use_recovery_code(&self, user: UserId, hash: &[u8]) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let query = session.query("delete from recovery_codes where org_id = $1 and user_id = $2 and code_hash = $3");
            let done = query.bind(ORG).bind(user.0).bind(hash).execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u32, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let query = session.query("select count(*) from recovery_codes where org_id = $1 and user_id = $2");
            let row = query.bind(ORG).bind(user.0).fetch_one(&mut *session).await?;
            session.end().await?;
            whole(&row, 0)
        };
        self.within(found).await
    }

    async fn delete_second_factor(&self, user: UserId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let query = session.query("delete from recovery_codes where org_id = $1 and user_id = $2");
            query.bind(ORG).bind(user.0).execute(&mut *session).await?;
            let query = session.query("delete from second_factors where org_id = $1 and user_id = $2");
            let done = query.bind(ORG).bind(user.0).execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn outside_identity(&self, issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError> {
        let found = async {
            let mut session = self.read(HERE).await?;
            let query = session.query("select user_id from outside_identities where org_id = $1 and issuer = $2 and subject = $3");
            let row = query.bind(ORG).bind(kept(issuer)).bind(kept(subject)).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| Ok(UserId(row.try_get(0)?))).transpose()
        };
        self.within(found).await
    }

    async fn put_outside_identity(&self, identity: &OutsideIdentity) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(HERE).await?;
            let done = session
                .query("insert into outside_identities (org_id, issuer, subject, user_id, created_at) values ($1, $2, $3, $4, $5)")
                .bind(ORG)
                .bind(kept(&identity.issuer))
                .bind(kept(&identity.subject))
                .bind(identity.user.0)
                .bind(Stamp(identity.created_at))
                .execute(&mut *session)
                .await;
            match done.map_err(Fail::from) {
                Ok(_) => session.commit().await,
                Err(fail) if fail.is_taken() => Err(identity_taken().into()),
                Err(fail) => Err(fail),
            }
        };
        self.within(done).await
    }
}
