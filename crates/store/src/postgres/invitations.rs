//! Invitations: found by the hash of their link, ended once, and an accepted one makes its member in the same transaction.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{InvitationId, OrgId, UserId};
use mainspring_model::store::{InvitationRecord, InvitationState, InvitationStore, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at, at_or_none, enter_org_of, text_or_none};
use crate::shared::invitations::{already_a_member, role_of, state_of};

#[async_trait]
impl InvitationStore for PostgresStore {
    async fn put_invitation(&self, invitation: &InvitationRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(invitation.org)).await?;
            put(invitation, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn list_invitations(&self, org: OrgId) -> Result<Vec<InvitationRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let rows = session.query(OF_ORG).bind(org.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(record).collect()
        };
        self.within(found).await
    }

    async fn invitation_by_hash(&self, hash: &[u8]) -> Result<Option<InvitationRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let Some(org) = enter_org_of("select org_id from invitations where token_hash = $1", hash, &mut session).await? else {
                session.end().await?;
                return Ok(None);
            };
            let row = session.query(BY_HASH).bind(org.0).bind(hash).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| record(&row)).transpose()
        };
        self.within(found).await
    }

    async fn renew_invitation(&self, org: OrgId, id: InvitationId, hash: &[u8], expires_at: Millis) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session
                .query("update invitations set token_hash = $3, expires_at = $4 where org_id = $1 and id = $2 and state = 'pending'");
            let done = query.bind(org.0).bind(id.0).bind(hash).bind(Stamp(expires_at)).execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn end_invitation(&self, org: OrgId, id: InvitationId, state: InvitationState, by: UserId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let ended = end(org, id, state, by, &mut session).await?;
            session.commit().await?;
            Ok(ended)
        };
        self.within(done).await
    }
}

async fn put(new: &InvitationRecord, session: &mut Session) -> Result<(), Fail> {
    session
        .query(
            "insert into invitations (org_id, id, user_id, role, token_hash, email, created_at, expires_at, state, ended_at, ended_by) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(new.org.0)
        .bind(new.id.0)
        .bind(new.invited_by.0)
        .bind(new.role.as_str())
        .bind(&new.hash)
        .bind(new.email.as_deref().map(kept))
        .bind(Stamp(new.created_at))
        .bind(Stamp(new.expires_at))
        .bind(new.state.as_str())
        .bind(new.ended_at.map(Stamp))
        .bind(new.ended_by.map(|user| user.0))
        .execute(&mut **session)
        .await?;
    Ok(())
}

async fn end(org: OrgId, id: InvitationId, state: InvitationState, by: UserId, session: &mut Session) -> Result<bool, Fail> {
    let now = Stamp(session.now());
    let row = session
        .query(
            "update invitations set state = $3, ended_at = $4, ended_by = $5 where org_id = $1 and id = $2 and state = 'pending' \
             and (expires_at > $4 or $3 = 'revoked') returning role",
        )
        .bind(org.0)
        .bind(id.0)
        .bind(state.as_str())
        .bind(now)
        .bind(by.0)
        .fetch_optional(&mut **session)
        .await?;
    let Some(row) = row else { return Ok(false) };
    if state == InvitationState::Accepted {
        let done = session
            .query(
                "insert into members (org_id, user_id, role, created_at) values ($1, $2, $3, $4) on conflict (org_id, user_id) do nothing",
            )
            .bind(org.0)
            .bind(by.0)
            .bind(row.try_get::<String, _>(0)?)
            .bind(now)
            .execute(&mut **session)
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
            "select org_id, id, user_id, role, token_hash, email, created_at, expires_at, state, ended_at, ended_by from invitations \
             where org_id = $1 ",
            $rest
        )
    };
}

const OF_ORG: &str = select_invitations!("order by created_at desc, id desc");
const BY_HASH: &str = select_invitations!("and token_hash = $2");

fn record(row: &PgRow) -> Result<InvitationRecord, Fail> {
    Ok(InvitationRecord {
        org: OrgId(row.try_get(0)?),
        id: InvitationId(row.try_get(1)?),
        invited_by: UserId(row.try_get(2)?),
        role: role_of(row.try_get(3)?)?,
        hash: row.try_get(4)?,
        email: text_or_none(row, 5)?,
        created_at: at(row, 6)?,
        expires_at: at(row, 7)?,
        state: state_of(row.try_get(8)?)?,
        ended_at: at_or_none(row, 9)?,
        ended_by: row.try_get::<Option<_>, _>(10)?.map(UserId),
    })
}
