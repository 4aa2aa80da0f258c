//! Invitations: found by the hash of their link, ended once, and an accepted one makes its member in the same transaction.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{InvitationId, OrgId, UserId};
use mainspring_model::store::{InvitationRecord, InvitationState, InvitationStore, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, id_of, uuid};
use crate::shared::invitations::{already_a_member, role_of, state_of};

#[async_trait]
impl InvitationStore for SqliteStore {
    async fn put_invitation(&self, invitation: &InvitationRecord) -> Result<(), StoreError> {
        let new = invitation.clone();
        self.write(async move |connection| put(&new, connection).await).await
    }

    async fn list_invitations(&self, org: OrgId) -> Result<Vec<InvitationRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(OF_ORG).bind(bytes(org.0)).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn invitation_by_hash(&self, hash: &[u8]) -> Result<Option<InvitationRecord>, StoreError> {
        let hash = hash.to_vec();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(BY_HASH).bind(hash).fetch_optional(connection).await?;
                row.map(|row| record(&row)).transpose()
            })
        })
        .await
    }

    async fn renew_invitation(&self, org: OrgId, id: InvitationId, hash: &[u8], expires_at: Millis) -> Result<bool, StoreError> {
        let hash = hash.to_vec();
        self.write(async move |connection| {
            let query =
                sqlx::query("update invitations set token_hash = ?3, expires_at = ?4 where org_id = ?1 and id = ?2 and state = 'pending'");
            let done = query.bind(bytes(org.0)).bind(bytes(id.0)).bind(hash.clone()).bind(expires_at).execute(connection).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn end_invitation(&self, org: OrgId, id: InvitationId, state: InvitationState, by: UserId) -> Result<bool, StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| end(org, id, state, by, now, connection).await).await
    }
}

async fn put(new: &InvitationRecord, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query(
        "insert into invitations (org_id, id, user_id, role, token_hash, email, created_at, expires_at, state, ended_at, ended_by) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(bytes(new.org.0))
    .bind(bytes(new.id.0))
    .bind(bytes(new.invited_by.0))
    .bind(new.role.as_str())
    .bind(new.hash.clone())
    .bind(new.email.as_deref())
    .bind(new.created_at)
    .bind(new.expires_at)
    .bind(new.state.as_str())
    .bind(new.ended_at)
    .bind(new.ended_by.map(|user| bytes(user.0)))
    .execute(connection)
    .await?;
    Ok(())
}

async fn end(
    org: OrgId,
    id: InvitationId,
    state: InvitationState,
    by: UserId,
    now: Millis,
    connection: &mut SqliteConnection,
) -> Result<bool, Fail> {
    let row = sqlx::query(
        "update invitations set state = ?3, ended_at = ?4, ended_by = ?5 where org_id = ?1 and id = ?2 and state = 'pending' \
         and (expires_at > ?4 or ?3 = 'revoked') returning role",
    )
    .bind(bytes(org.0))
    .bind(bytes(id.0))
    .bind(state.as_str())
    .bind(now)
    .bind(bytes(by.0))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    if state == InvitationState::Accepted {
        let done = sqlx::query(
            "insert into members (org_id, user_id, role, created_at) values (?1, ?2, ?3, ?4) on conflict (org_id, user_id) do nothing",
        )
        .bind(bytes(org.0))
        .bind(bytes(by.0))
        .bind(row.try_get::<String, _>(0)?)
        .bind(now)
        .execute(connection)
        .await?;
        if done.rows_affected() == 0 {
            return Err(already_a_member().into());
        }
    }
    Ok(true)
}

/// The columns that [`record`] reads, in its order.
macro_rules! select_invitations {
    ($rest:literal) => {
        concat!(
            "select org_id, id, user_id, role, token_hash, email, created_at, expires_at, state, ended_at, ended_by from invitations where ",
            $rest
        )
    };
}

const OF_ORG: &str = select_invitations!("org_id = ?1 order by no desc");
const BY_HASH: &str = select_invitations!("token_hash = ?1");

fn record(row: &SqliteRow) -> Result<InvitationRecord, Fail> {
    Ok(InvitationRecord {
        org: OrgId(uuid(row, 0)?),
        id: InvitationId(uuid(row, 1)?),
        invited_by: UserId(uuid(row, 2)?),
        role: role_of(row.try_get(3)?)?,
        hash: row.try_get(4)?,
        email: row.try_get(5)?,
        created_at: row.try_get(6)?,
        expires_at: row.try_get(7)?,
        state: state_of(row.try_get(8)?)?,
        ended_at: row.try_get(9)?,
        ended_by: row.try_get::<Option<&[u8]>, _>(10)?.map(id_of).transpose()?.map(UserId),
    })
}
