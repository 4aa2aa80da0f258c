//! Users, organizations and members. Users are the installation's; which organizations somebody is in is asked as the queue.

use async_trait::async_trait;
use mainspring_model::hidden::HiddenField;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{MemberRecord, OrganizationRecord, Page, Paging, PeopleStore, StoreError, UserRecord, email_key};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at, at_or_none, text, text_or_none};
use crate::shared::cursor::{self, IdCursor};
use crate::shared::people::{address_taken, role_of, slug_taken};

const USERS: Scope = Scope::Org(OrgId::INSTALLATION);

#[async_trait]
impl PeopleStore for PostgresStore {
    async fn put_user(&self, user: &UserRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(USERS).await?;
            put_user(user, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError> {
        let found = async {
            let mut session = self.read(USERS).await?;
            let row = session.query(USER).bind(OrgId::INSTALLATION.0).bind(id.0).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| user(&row)).transpose()
        };
        self.within(found).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, StoreError> {
        let found = async {
            let mut session = self.read(USERS).await?;
            let query = session.query(USER_BY_EMAIL).bind(OrgId::INSTALLATION.0).bind(kept(&email_key(email)).into_owned());
            let row = query.fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| user(&row)).transpose()
        };
        self.within(found).await
    }

    async fn list_users(&self, paging: &Paging) -> Result<Page<UserRecord>, StoreError> {
        let cursor = IdCursor::of(paging)?;
        let found = async {
            let mut session = self.read(USERS).await?;
            let query = session.query(LIST).bind(OrgId::INSTALLATION.0).bind(Stamp(cursor.at)).bind(cursor.id).bind(cursor::limit(paging));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            let found = rows.iter().map(|row| {
                let user = user(row)?;
                Ok((IdCursor { at: user.created_at, id: user.id.0, seq: 0 }, user))
            });
            Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
        };
        self.within(found).await
    }

    async fn erase_user(&self, user: UserId) -> Result<(), StoreError> {
        self.forget_user(user).await
    }

    async fn put_organization(&self, organization: &OrganizationRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(organization.id)).await?;
            put_organization(organization, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn organization(&self, org: OrgId) -> Result<Option<OrganizationRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let row = session.query(ORGANIZATION).bind(org.0).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| organization(&row)).transpose()
        };
        self.within(found).await
    }

    async fn organization_by_slug(&self, slug: &str) -> Result<Option<OrganizationRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let row = session.query(ORGANIZATION_BY_SLUG).bind(kept(slug)).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| organization(&row)).transpose()
        };
        self.within(found).await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<(OrganizationRecord, Role)>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Queue).await?;
            let rows = session.query(MEMBERSHIPS).bind(user.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| Ok((organization(row)?, role_of(row.try_get(5)?)?))).collect()
        };
        self.within(found).await
    }

    async fn put_member(&self, member: &MemberRecord) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(member.org)).await?;
            session
                .query(
                    "insert into members (org_id, user_id, role, created_at) values ($1, $2, $3, $4) \
                     on conflict (org_id, user_id) do update set role = excluded.role",
                )
                .bind(member.org.0)
                .bind(member.user.0)
                .bind(member.role.as_str())
                .bind(Stamp(member.created_at))
                .execute(&mut *session)
                .await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn role_of(&self, user: UserId, org: OrgId) -> Result<Option<Role>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query("select role from members where org_id = $1 and user_id = $2").bind(org.0).bind(user.0);
            let row = query.fetch_optional(&mut *session).await?;
            session.end().await?;
            row.map(|row| Ok(role_of(row.try_get(0)?)?)).transpose()
        };
        self.within(found).await
    }

    async fn list_members(&self, org: OrgId) -> Result<Vec<MemberRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query("select user_id, role, created_at from members where org_id = $1 order by created_at, user_id");
            let rows = query.bind(org.0).fetch_all(&mut *session).await?;
            session.end().await?;
            let member = |row: &PgRow| {
                let (user, role) = (UserId(row.try_get(0)?), role_of(row.try_get(1)?)?);
                Ok(MemberRecord { org, user, role, created_at: at(row, 2)? })
            };
            rows.iter().map(member).collect()
        };
        self.within(found).await
    }

    async fn delete_member(&self, org: OrgId, user: UserId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            let query = session.query("delete from members where org_id = $1 and user_id = $2").bind(org.0).bind(user.0);
            let done = query.execute(&mut *session).await?;
            session.commit().await?;
            Ok(done.rows_affected() > 0)
        };
        self.within(done).await
    }

    async fn hidden_fields(&self, org: OrgId) -> Result<Vec<HiddenField>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let query = session.query("select field, least from hidden_fields where org_id = $1 order by position");
            let rows = query.bind(org.0).fetch_all(&mut *session).await?;
            session.end().await?;
            rows.iter().map(|row| Ok(HiddenField { field: text(row, 0)?, least: role_of(row.try_get(1)?)? })).collect()
        };
        self.within(found).await
    }

    async fn put_hidden_fields(&self, org: OrgId, fields: &[HiddenField]) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.write(Scope::Org(org)).await?;
            session.query("delete from hidden_fields where org_id = $1").bind(org.0).execute(&mut *session).await?;
            for (position, rule) in (0_i64..).zip(fields) {
                let query = session.query("insert into hidden_fields (org_id, position, field, least) values ($1, $2, $3, $4)");
                let query = query.bind(org.0).bind(position).bind(kept(&rule.field)).bind(rule.least.as_str());
                query.execute(&mut *session).await?;
            }
            session.commit().await
        };
        self.within(done).await
    }
}

async fn put_user(new: &UserRecord, session: &mut Session) -> Result<(), Fail> {
    let done = session
        .query(
            "insert into users (org_id, id, email, email_key, name, password_hash, operator, verified_at, disabled_at, created_at, \
             updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (org_id, id) do update set \
             email = excluded.email, email_key = excluded.email_key, name = excluded.name, password_hash = excluded.password_hash, \
             operator = excluded.operator, verified_at = excluded.verified_at, disabled_at = excluded.disabled_at, \
             updated_at = excluded.updated_at",
        )
        .bind(OrgId::INSTALLATION.0)
        .bind(new.id.0)
        .bind(kept(&new.email))
        .bind(kept(&email_key(&new.email)).into_owned())
        .bind(kept(&new.name))
        .bind(new.password_hash.as_deref())
        .bind(new.operator)
        .bind(new.verified_at.map(Stamp))
        .bind(new.disabled_at.map(Stamp))
        .bind(Stamp(new.created_at))
        .bind(Stamp(new.updated_at))
        .execute(&mut **session)
        .await;
    match done.map_err(Fail::from) {
        Ok(_) => Ok(()),
        Err(fail) if fail.is_taken() => Err(address_taken().into()),
        Err(fail) => Err(fail),
    }
}

async fn put_organization(new: &OrganizationRecord, session: &mut Session) -> Result<(), Fail> {
    let done = session
        .query(
            "insert into organizations (org_id, name, slug, created_at, updated_at) values ($1, $2, $3, $4, $5) \
             on conflict (org_id) do update set name = excluded.name, slug = excluded.slug, updated_at = excluded.updated_at",
        )
        .bind(new.id.0)
        .bind(kept(&new.name))
        .bind(kept(&new.slug))
        .bind(Stamp(new.created_at))
        .bind(Stamp(new.updated_at))
        .execute(&mut **session)
        .await;
    match done.map_err(Fail::from) {
        Ok(_) => Ok(()),
        Err(fail) if fail.is_taken() => Err(slug_taken(&new.slug).into()),
        Err(fail) => Err(fail),
    }
}

/// The columns that [`user`] reads, in its order; $1 is the installation.
macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "select id, email, name, password_hash, operator, verified_at, disabled_at, created_at, updated_at from users \
             where org_id = $1 and ",
            $rest
        )
    };
}

const USER: &str = select_users!("id = $2");
const USER_BY_EMAIL: &str = select_users!("email_key = $2");
const LIST: &str = select_users!("(created_at, id) < ($2, $3) order by created_at desc, id desc limit $4");

const ORGANIZATION: &str = "select org_id, name, slug, created_at, updated_at from organizations where org_id = $1";
const ORGANIZATION_BY_SLUG: &str = "select org_id, name, slug, created_at, updated_at from organizations where slug = $1";
const MEMBERSHIPS: &str = "select o.org_id, o.name, o.slug, o.created_at, o.updated_at, m.role from members as m \
     join organizations as o on o.org_id = m.org_id where m.user_id = $1 order by m.created_at, m.org_id";

fn user(row: &PgRow) -> Result<UserRecord, Fail> {
    Ok(UserRecord {
        id: UserId(row.try_get(0)?),
        email: text(row, 1)?,
        name: text(row, 2)?,
        password_hash: text_or_none(row, 3)?,
        operator: row.try_get(4)?,
        verified_at: at_or_none(row, 5)?,
        disabled_at: at_or_none(row, 6)?,
        created_at: at(row, 7)?,
        updated_at: at(row, 8)?,
    })
}

fn organization(row: &PgRow) -> Result<OrganizationRecord, Fail> {
    Ok(OrganizationRecord {
        id: OrgId(row.try_get(0)?),
        name: text(row, 1)?,
        slug: text(row, 2)?,
        created_at: at(row, 3)?,
        updated_at: at(row, 4)?,
    })
}
