//! Changes of organizations that must be whole: roles and members who go.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{Departed, Erasure, OrganizationStore, StoreError};
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::error::Fail;
use super::{SqliteStore, bytes, id_of, plans, uuid};
use crate::shared::invitations::{last_owner, role_of};

#[async_trait]
impl OrganizationStore for SqliteStore {
    async fn change_role(&self, org: OrgId, user: UserId, role: Role) -> Result<Role, StoreError> {
        self.write(async move |connection| {
            let before = owned_by_another(org, user, role == Role::Owner, connection).await?;
            let query = sqlx::query("update members set role = ?3 where org_id = ?1 and user_id = ?2");
            query.bind(bytes(org.0)).bind(bytes(user.0)).bind(role.as_str()).execute(connection).await?;
            Ok(before)
        })
        .await
    }

    async fn remove_member(&self, org: OrgId, user: UserId, heir: UserId) -> Result<Departed, StoreError> {
        self.write(async move |connection| {
            owned_by_another(org, user, false, connection).await?;
            remove(org, user, heir, connection).await
        })
        .await
    }

    async fn set_erasure(&self, org: OrgId, at: Option<Millis>) -> Result<(), StoreError> {
        self.write(async move |connection| {
            let query = sqlx::query("update organizations set erase_at = ?2 where org_id = ?1").bind(bytes(org.0)).bind(at);
            if query.execute(&mut *connection).await?.rows_affected() == 0 {
                return Err(no_organization(org).into());
            }
            plans::bump_revision(connection).await
        })
        .await
    }

    async fn erasure_of(&self, org: OrgId) -> Result<Option<Millis>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query("select erase_at from organizations where org_id = ?1").bind(bytes(org.0));
                let row = query.fetch_optional(connection).await?;
                Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
            })
        })
        .await
    }

    async fn erasures_due(&self) -> Result<Vec<OrgId>, StoreError> {
        let now = self.now_ms();
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query("select org_id from organizations where erase_at is not null and erase_at <= ?1 order by erase_at");
                query.bind(now).fetch_all(connection).await?.iter().map(|row| Ok(OrgId(uuid(row, 0)?))).collect()
            })
        })
        .await
    }

    async fn erase(&self, org: OrgId, batch: u32) -> Result<Erasure, StoreError> {
        self.erase_batch(org, batch).await
    }
}

pub(super) fn no_organization(org: OrgId) -> StoreError {
    StoreError::NotFound { what: format!("the organization {org}") }
}

/// The member's role, when somebody else is an owner or the member `stays` one.
async fn owned_by_another(org: OrgId, user: UserId, stays: bool, connection: &mut SqliteConnection) -> Result<Role, Fail> {
    let rows = sqlx::query("select user_id, role from members where org_id = ?1 and (user_id = ?2 or role = 'owner')")
        .bind(bytes(org.0))
        .bind(bytes(user.0))
        .fetch_all(connection)
        .await?;
    let (mut own, mut others) = (None, 0);
    for row in &rows {
        if uuid(row, 0)? == user.0 {
            own = Some(role_of(row.try_get(1)?)?);
        } else {
            others += 1;
        }
    }
    let own = own.ok_or_else(|| StoreError::NotFound { what: format!("the member {user}") })?;
    if own == Role::Owner && others == 0 && !stays {
        return Err(last_owner().into());
    }
    Ok(own)
}

async fn remove(org: OrgId, user: UserId, heir: UserId, connection: &mut SqliteConnection) -> Result<Departed, Fail> {
    let mut departed = Departed::default();
    for (sql, count) in [
        ("delete from members where org_id = ?1 and user_id = ?2", None),
        ("delete from api_keys where org_id = ?1 and user_id = ?2", Some(&mut departed.api_keys)),
        (
            "delete from credential_shares where org_id = ?1 and (user_id = ?2 or credential_id in \
             (select id from credentials where org_id = ?1 and user_id = ?2))",
            None,
        ),
        ("delete from credentials where org_id = ?1 and user_id = ?2", Some(&mut departed.credentials)),
        ("delete from notification_rules where org_id = ?1 and user_id = ?2", None),
        ("delete from notifications where org_id = ?1 and user_id = ?2", None),
        ("delete from plan_shares where org_id = ?1 and user_id = ?2", Some(&mut departed.shares)),
    ] {
        let done = sqlx::query(sql).bind(bytes(org.0)).bind(bytes(user.0)).execute(&mut *connection).await?;
        if let Some(count) = count {
            *count = done.rows_affected();
        }
    }
    // The heir may have one of the name: the departed one's gets its own id behind it.
    let sql = "select id, name from integrations as i where org_id = ?1 and user_id = ?2 and exists (select 1 from integrations as o \
               where o.org_id = i.org_id and o.user_id = ?3 and o.name = i.name)";
    let rows = sqlx::query(sql).bind(bytes(org.0)).bind(bytes(user.0)).bind(bytes(heir.0)).fetch_all(&mut *connection).await?;
    for row in rows {
        let (id, name): (Vec<u8>, String) = (row.try_get(0)?, row.try_get(1)?);
        let name = beside(&name, id_of(&id)?);
        sqlx::query("update integrations set name = ?2 where id = ?1").bind(id).bind(name).execute(&mut *connection).await?;
    }
    // A plan file's name is unique for its owner; of two of one name the departed one's is a plan like any other from here on.
    for (sql, count) in [
        (
            "update plans set source = 'api' where org_id = ?1 and user_id = ?2 and source = 'file' and exists (select 1 from plans as o \
             where o.org_id = ?1 and o.user_id = ?3 and o.source = 'file' and o.name = plans.name)",
            None,
        ),
        ("update plans set user_id = ?3 where org_id = ?1 and user_id = ?2", Some(&mut departed.plans)),
        ("update schedules set user_id = ?3 where org_id = ?1 and user_id = ?2", None),
        ("update integrations set user_id = ?3 where org_id = ?1 and user_id = ?2", Some(&mut departed.integrations)),
    ] {
        let query = sqlx::query(sql).bind(bytes(org.0)).bind(bytes(user.0)).bind(bytes(heir.0));
        let done = query.execute(&mut *connection).await?;
        if let Some(count) = count {
            *count = done.rows_affected();
        }
    }
    plans::bump_revision(connection).await?;
    Ok(departed)
}

fn beside(name: &str, id: Uuid) -> String {
    format!("{name} ({})", &id.simple().to_string()[20..])
}
