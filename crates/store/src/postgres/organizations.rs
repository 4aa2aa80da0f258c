//! Changes of organizations that must be whole: roles and members who go.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{Departed, Erasure, OrganizationStore, StoreError};
use sqlx::Row;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept, key};
use super::{PostgresStore, at_or_none, plans, text};
use crate::shared::invitations::{last_owner, role_of};

#[async_trait]
impl OrganizationStore for PostgresStore {
    async fn change_role(&self, org: OrgId, user: UserId, role: Role) -> Result<Role, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let before = owned_by_another(org, user, role == Role::Owner, &mut session).await?;
            let query = session.query("update members set role = $3 where org_id = $1 and user_id = $2");
            query.bind(org.0).bind(user.0).bind(role.as_str()).execute(&mut *session).await?;
            session.commit().await?;
            Ok(before)
        };
        self.within(done).await
    }

    async fn remove_member(&self, org: OrgId, user: UserId, heir: UserId) -> Result<Departed, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            owned_by_another(org, user, false, &mut session).await?;
            let departed = remove(org, user, heir, &mut session).await?;
            session.commit().await?;
            Ok(departed)
        };
        self.within(done).await
    }

    async fn set_erasure(&self, org: OrgId, at: Option<Millis>) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("update organizations set erase_at = $2 where org_id = $1").bind(org.0).bind(at.map(Stamp));
            if query.execute(&mut *session).await?.rows_affected() == 0 {
                return Err(no_organization(org).into());
            }
            plans::bump_revision(&mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn erasure_of(&self, org: OrgId) -> Result<Option<Millis>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query("select erase_at from organizations where org_id = $1").bind(org.0);
            let row = query.fetch_optional(&mut *session).await?;
            session.end().await?;
            Ok(row.map(|row| at_or_none(&row, 0)).transpose()?.flatten())
        };
        self.within(found).await
    }

    async fn erasures_due(&self) -> Result<Vec<OrgId>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let query = session.query("select org_id from organizations where erase_at is not null and erase_at <= $1 order by erase_at");
            let rows = query.bind(Stamp(session.now())).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| Ok(OrgId(row.try_get(0)?))).collect()
        };
        self.within(found).await
    }

    async fn erase(&self, org: OrgId, batch: u32) -> Result<Erasure, StoreError> {
        self.within(self.erase_batch(org, batch)).await
    }
}

pub(super) fn no_organization(org: OrgId) -> StoreError {
    StoreError::NotFound { what: format!("the organization {org}") }
}

/// The member's role, when somebody else is an owner or the member `stays` one. Owners stand still until the transaction ends.
async fn owned_by_another(org: OrgId, user: UserId, stays: bool, session: &mut Session) -> Result<Role, Fail> {
    let rows = session
        .query("select user_id, role from members where org_id = $1 and (user_id = $2 or role = 'owner') order by user_id for update")
        .bind(org.0)
        .bind(user.0)
        .fetch_all(&mut **session)
        .await?;
    let (mut own, mut others) = (None, 0);
    for row in &rows {
        if row.try_get::<Uuid, _>(0)? == user.0 {
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

async fn remove(org: OrgId, user: UserId, heir: UserId, session: &mut Session) -> Result<Departed, Fail> {
    let mut departed = Departed::default();
    for (sql, count) in [
        ("delete from members where org_id = $1 and user_id = $2", None),
        ("delete from api_keys where org_id = $1 and user_id = $2", Some(&mut departed.api_keys)),
        (
            "delete from credential_shares where org_id = $1 and (user_id = $2 or credential_id in \
             (select id from credentials where org_id = $1 and user_id = $2))",
            None,
        ),
        ("delete from credentials where org_id = $1 and user_id = $2", Some(&mut departed.credentials)),
        ("delete from notification_rules where org_id = $1 and user_id = $2", None),
        ("delete from notifications where org_id = $1 and user_id = $2", None),
        ("delete from plan_shares where org_id = $1 and user_id = $2", Some(&mut departed.shares)),
    ] {
        let done = session.query(sql).bind(org.0).bind(user.0).execute(&mut **session).await?;
        if let Some(count) = count {
            *count = done.rows_affected();
        }
    }
    // The heir may have one of the name: the departed one's gets its own id behind it.
    let sql = "select id, name from integrations as i where org_id = $1 and user_id = $2 and exists (select from integrations as o \
               where o.org_id = i.org_id and o.user_id = $3 and o.name_key = i.name_key)";
    for row in session.query(sql).bind(org.0).bind(user.0).bind(heir.0).fetch_all(&mut **session).await? {
        let id: Uuid = row.try_get(0)?;
        let name = beside(&text(&row, 1)?, id);
        let query = session.query("update integrations set name = $3, name_key = $4 where org_id = $1 and id = $2");
        query.bind(org.0).bind(id).bind(kept(&name)).bind(key(&name)).execute(&mut **session).await?;
    }
    // A plan file's name is unique for its owner; of two of one name the departed one's is a plan like any other from here on.
    for (sql, count) in [
        (
            "update plans as p set source = 'api' where p.org_id = $1 and p.user_id = $2 and p.source = 'file' and exists (select \
             from plans as o where o.org_id = $1 and o.user_id = $3 and o.source = 'file' and o.name_key = p.name_key)",
            None,
        ),
        ("update plans set user_id = $3 where org_id = $1 and user_id = $2", Some(&mut departed.plans)),
        ("update schedules set user_id = $3 where org_id = $1 and user_id = $2", None),
        ("update integrations set user_id = $3 where org_id = $1 and user_id = $2", Some(&mut departed.integrations)),
    ] {
        let done = session.query(sql).bind(org.0).bind(user.0).bind(heir.0).execute(&mut **session).await?;
        if let Some(count) = count {
            *count = done.rows_affected();
        }
    }
    plans::bump_revision(session).await?;
    Ok(departed)
}

fn beside(name: &str, id: Uuid) -> String {
    format!("{name} ({})", &id.simple().to_string()[20..])
}
