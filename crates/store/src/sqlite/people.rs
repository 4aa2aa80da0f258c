//! Users, organizations and members.

use async_trait::async_trait;
use mainspring_model::hidden::HiddenField;
use mainspring_model::id::{OrgId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{MemberRecord, OrganizationRecord, Page, Paging, PeopleStore, StoreError, UserRecord, email_key};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, uuid};
use crate::shared::cursor::{self, Cursor};
use crate::shared::people::{address_taken, role_of, slug_taken};

#[async_trait]
impl PeopleStore for SqliteStore {
    async fn put_user(&self, user: &UserRecord) -> Result<(), StoreError> {
        let user = user.clone();
        self.write(async move |connection| put_user(&user, connection).await).await
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(USER).bind(bytes(id.0)).fetch_optional(connection).await?;
                row.map(|row| user(&row)).transpose()
            })
        })
        .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRecord>, StoreError> {
        let key = email_key(email);
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(USER_BY_EMAIL).bind(key).fetch_optional(connection).await?;
                row.map(|row| user(&row)).transpose()
            })
        })
        .await
    }

    async fn list_users(&self, paging: &Paging) -> Result<Page<UserRecord>, StoreError> {
        let (cursor, paging) = (Cursor::of(paging)?, paging.clone());
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(USERS).bind(cursor.no).bind(cursor::limit(&paging)).fetch_all(connection).await?;
                let found = rows.iter().map(|row| Ok((Cursor { at: 0, no: row.try_get(9)? }, user(row)?)));
                Ok(cursor::page(found.collect::<Result<_, Fail>>()?, &paging))
            })
        })
        .await
    }

    async fn erase_user(&self, user: UserId) -> Result<(), StoreError> {
        self.forget_user(user).await
    }

    async fn put_organization(&self, organization: &OrganizationRecord) -> Result<(), StoreError> {
        let organization = organization.clone();
        self.write(async move |connection| put_organization(&organization, connection).await).await
    }

    async fn organization(&self, org: OrgId) -> Result<Option<OrganizationRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(ORGANIZATION).bind(bytes(org.0)).fetch_optional(connection).await?;
                row.map(|row| organization(&row)).transpose()
            })
        })
        .await
    }

    async fn organization_by_slug(&self, slug: &str) -> Result<Option<OrganizationRecord>, StoreError> {
        let slug = slug.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(ORGANIZATION_BY_SLUG).bind(slug).fetch_optional(connection).await?;
                row.map(|row| organization(&row)).transpose()
            })
        })
        .await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<(OrganizationRecord, Role)>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(MEMBERSHIPS).bind(bytes(user.0)).fetch_all(connection).await?;
                rows.iter().map(|row| Ok((organization(row)?, role_of(row.try_get(5)?)?))).collect()
            })
        })
        .await
    }

    async fn put_member(&self, member: &MemberRecord) -> Result<(), StoreError> {
        let member = member.clone();
        self.write(async move |connection| {
            sqlx::query(
                "insert into members (org_id, user_id, role, created_at) values (?1, ?2, ?3, ?4) \
                 on conflict (org_id, user_id) do update set role = excluded.role",
            )
            .bind(bytes(member.org.0))
            .bind(bytes(member.user.0))
            .bind(member.role.as_str())
            .bind(member.created_at)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    async fn role_of(&self, user: UserId, org: OrgId) -> Result<Option<Role>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let query =
                    sqlx::query("select role from members where org_id = ?1 and user_id = ?2").bind(bytes(org.0)).bind(bytes(user.0));
                let row = query.fetch_optional(connection).await?;
                row.map(|row| Ok(role_of(row.try_get(0)?)?)).transpose()
            })
        })
        .await
    }

    async fn list_members(&self, org: OrgId) -> Result<Vec<MemberRecord>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query("select user_id, role, created_at from members where org_id = ?1 order by no").bind(bytes(org.0));
                let rows = query.fetch_all(connection).await?;
                let member = |row: &SqliteRow| {
                    let (user, role) = (UserId(uuid(row, 0)?), role_of(row.try_get(1)?)?);
                    Ok(MemberRecord { org, user, role, created_at: row.try_get(2)? })
                };
                rows.iter().map(member).collect()
            })
        })
        .await
    }

    async fn delete_member(&self, org: OrgId, user: UserId) -> Result<bool, StoreError> {
        self.write(async move |connection| {
            let query = sqlx::query("delete from members where org_id = ?1 and user_id = ?2").bind(bytes(org.0)).bind(bytes(user.0));
            Ok(query.execute(connection).await?.rows_affected() > 0)
        })
        .await
    }

    async fn hidden_fields(&self, org: OrgId) -> Result<Vec<HiddenField>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query("select field, least from hidden_fields where org_id = ?1 order by position").bind(bytes(org.0));
                let rows = query.fetch_all(connection).await?;
                rows.iter().map(|row| Ok(HiddenField { field: row.try_get(0)?, least: role_of(row.try_get(1)?)? })).collect()
            })
        })
        .await
    }

    async fn put_hidden_fields(&self, org: OrgId, fields: &[HiddenField]) -> Result<(), StoreError> {
        let fields = fields.to_vec();
        self.write(async move |connection| {
            sqlx::query("delete from hidden_fields where org_id = ?1").bind(bytes(org.0)).execute(&mut *connection).await?;
            for (position, rule) in (0_i64..).zip(&fields) {
                sqlx::query("insert into hidden_fields (org_id, position, field, least) values (?1, ?2, ?3, ?4)")
                    .bind(bytes(org.0))
                    .bind(position)
                    .bind(rule.field.as_str())
                    .bind(rule.least.as_str())
                    .execute(&mut *connection)
                    .await?;
            }
            Ok(())
        })
        .await
    }
}

async fn put_user(new: &UserRecord, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let done = sqlx::query(
        "insert into users (id, email, email_key, name, password_hash, operator, verified_at, disabled_at, created_at, updated_at) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) on conflict (id) do update set email = excluded.email, \
         email_key = excluded.email_key, name = excluded.name, password_hash = excluded.password_hash, operator = excluded.operator, \
         verified_at = excluded.verified_at, disabled_at = excluded.disabled_at, updated_at = excluded.updated_at",
    )
    .bind(bytes(new.id.0))
    .bind(new.email.as_str())
    .bind(email_key(&new.email))
    .bind(new.name.as_str())
    .bind(new.password_hash.as_deref())
    .bind(new.operator)
    .bind(new.verified_at)
    .bind(new.disabled_at)
    .bind(new.created_at)
    .bind(new.updated_at)
    .execute(connection)
    .await;
    match done.map_err(Fail::from) {
        Ok(_) => Ok(()),
        Err(fail) if fail.is_taken() => Err(address_taken().into()),
        Err(fail) => Err(fail),
    }
}

async fn put_organization(new: &OrganizationRecord, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let done = sqlx::query(
        "insert into organizations (org_id, name, slug, created_at, updated_at) values (?1, ?2, ?3, ?4, ?5) \
         on conflict (org_id) do update set name = excluded.name, slug = excluded.slug, updated_at = excluded.updated_at",
    )
    .bind(bytes(new.id.0))
    .bind(new.name.as_str())
    .bind(new.slug.as_str())
    .bind(new.created_at)
    .bind(new.updated_at)
    .execute(connection)
    .await;
    match done.map_err(Fail::from) {
        Ok(_) => Ok(()),
        Err(fail) if fail.is_taken() => Err(slug_taken(&new.slug).into()),
        Err(fail) => Err(fail),
    }
}

/// The columns that [`user`] reads, in its order, and the row's number.
macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "select id, email, name, password_hash, operator, verified_at, disabled_at, created_at, updated_at, no from users where ",
            $rest
        )
    };
}

const USER: &str = select_users!("id = ?1");
const USER_BY_EMAIL: &str = select_users!("email_key = ?1");
const USERS: &str = select_users!("no < ?1 order by no desc limit ?2");

const ORGANIZATION: &str = "select org_id, name, slug, created_at, updated_at from organizations where org_id = ?1";
const ORGANIZATION_BY_SLUG: &str = "select org_id, name, slug, created_at, updated_at from organizations where slug = ?1";
const MEMBERSHIPS: &str = "select o.org_id, o.name, o.slug, o.created_at, o.updated_at, m.role from members as m \
     join organizations as o on o.org_id = m.org_id where m.user_id = ?1 order by m.created_at, m.no";

fn user(row: &SqliteRow) -> Result<UserRecord, Fail> {
    Ok(UserRecord {
        id: UserId(uuid(row, 0)?),
        email: row.try_get(1)?,
        name: row.try_get(2)?,
        password_hash: row.try_get(3)?,
        operator: row.try_get(4)?,
        verified_at: row.try_get(5)?,
        disabled_at: row.try_get(6)?,
        created_at: row.try_get(7)?,
        updated_at: row.try_get(8)?,
    })
}

fn organization(row: &SqliteRow) -> Result<OrganizationRecord, Fail> {
    Ok(OrganizationRecord {
        id: OrgId(uuid(row, 0)?),
        name: row.try_get(1)?,
        slug: row.try_get(2)?,
        created_at: row.try_get(3)?,
        updated_at: row.try_get(4)?,
    })
}
