//! The end of an account: everything that is a person's own goes in one transaction, and no row keeps the address.

use mainspring_model::id::UserId;
use mainspring_model::store::{StoreError, email_key};
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, json, plans};
use crate::shared::people::{no_user, still_a_member, tells};

/// Rows that are the user's alone. What others go on with keeps the user's id, which then leads nowhere.
const OWN: [&str; 14] = [
    "delete from refresh_tokens where session_id in (select id from sessions where user_id = ?1)",
    "delete from sessions where user_id = ?1",
    "delete from one_time_tokens where user_id = ?1",
    "delete from recovery_codes where user_id = ?1",
    "delete from second_factors where user_id = ?1",
    "delete from outside_identities where user_id = ?1",
    "delete from members where user_id = ?1",
    "delete from api_keys where user_id = ?1",
    "delete from credential_shares where user_id = ?1 or credential_id in (select id from credentials where user_id = ?1)",
    "delete from credentials where user_id = ?1",
    "delete from plan_shares where user_id = ?1",
    "delete from notification_rules where user_id = ?1",
    "delete from notifications where user_id = ?1",
    "delete from users where id = ?1",
];

impl SqliteStore {
    pub(super) async fn forget_user(&self, user: UserId) -> Result<(), StoreError> {
        let now = self.now_ms();
        self.write(async move |connection| forget(user, now, connection).await).await
    }
}

async fn forget(user: UserId, now: i64, connection: &mut SqliteConnection) -> Result<(), Fail> {
    let row = sqlx::query("select email_key from users where id = ?1").bind(bytes(user.0)).fetch_optional(&mut *connection).await?;
    let key: String = row.ok_or_else(|| no_user(user))?.try_get(0)?;
    let sql = "select count(*) from members as m join organizations as o on o.org_id = m.org_id \
               where m.user_id = ?1 and (o.erase_at is null or o.erase_at > ?2)";
    let left: i64 = sqlx::query(sql).bind(bytes(user.0)).bind(now).fetch_one(&mut *connection).await?.try_get(0)?;
    if left > 0 {
        return Err(still_a_member().into());
    }
    // Invitations to the address, of whatever organization: an open one must not become everybody's.
    let rows = sqlx::query("select id, email from invitations where email is not null").fetch_all(&mut *connection).await?;
    for row in rows {
        if email_key(row.try_get(1)?) == key {
            let sql = "update invitations set email = null, ended_at = coalesce(ended_at, ?2), \
                       state = case state when 'pending' then 'revoked' else state end where id = ?1";
            sqlx::query(sql).bind(row.try_get::<Vec<u8>, _>(0)?).bind(now).execute(&mut *connection).await?;
        }
    }
    // Rules that tell the address of something, whoever made them: there is nobody to be told.
    for row in sqlx::query("select id, definition from notification_rules").fetch_all(&mut *connection).await? {
        if tells(&json(row.try_get(1)?)?, &key) {
            let query = sqlx::query("delete from notification_rules where id = ?1").bind(row.try_get::<Vec<u8>, _>(0)?);
            query.execute(&mut *connection).await?;
        }
    }
    for sql in OWN {
        sqlx::query(sql).bind(bytes(user.0)).execute(&mut *connection).await?;
    }
    plans::bump_revision(connection).await
}
