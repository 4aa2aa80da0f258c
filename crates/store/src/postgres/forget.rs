//! The end of an account: everything that is a person's own goes, organization by organization, and the account itself last.

use mainspring_model::id::{OrgId, UserId};
use mainspring_model::store::{StoreError, email_key};
use sqlx::Row;
use uuid::Uuid;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::Stamp;
use super::{PostgresStore, json, plans, text, text_or_none};
use crate::shared::people::{no_user, still_a_member, tells};

/// Rows of an organization that are the user's alone. What others go on with keeps the user's id, which then leads nowhere.
const OWN: [&str; 7] = [
    "delete from members where org_id = $1 and user_id = $2",
    "delete from api_keys where org_id = $1 and user_id = $2",
    "delete from credential_shares where org_id = $1 and (user_id = $2 or credential_id in (select id from credentials where org_id = $1 and user_id = $2))",
    "delete from credentials where org_id = $1 and user_id = $2",
    "delete from plan_shares where org_id = $1 and user_id = $2",
    "delete from notification_rules where org_id = $1 and user_id = $2",
    "delete from notifications where org_id = $1 and user_id = $2",
];

/// Rows of the installation.
const ACCOUNT: [&str; 7] = [
    "delete from refresh_tokens where org_id = $1 and session_id in (select id from sessions where org_id = $1 and user_id = $2)",
    "delete from sessions where org_id = $1 and user_id = $2",
    "delete from one_time_tokens where org_id = $1 and user_id = $2",
    "delete from recovery_codes where org_id = $1 and user_id = $2",
    "delete from second_factors where org_id = $1 and user_id = $2",
    "delete from outside_identities where org_id = $1 and user_id = $2",
    "delete from users where org_id = $1 and id = $2",
];

const HERE: OrgId = OrgId::INSTALLATION;

impl PostgresStore {
    pub(super) async fn forget_user(&self, user: UserId) -> Result<(), StoreError> {
        let (key, organizations) = self.within(self.begin_to_forget(user)).await?;
        // Each by itself: an installation may have many. What a crash leaves is done when it is asked for again, for as long as the
        // account is there.
        for org in organizations {
            let done = async {
                let mut session = self.write(Scope::Org(org)).await?;
                of_organization(org, user, &key, &mut session).await?;
                session.commit().await
            };
            self.within(done).await?;
        }
        let done = async {
            let mut session = self.write(Scope::Org(HERE)).await?;
            for sql in ACCOUNT {
                session.query(sql).bind(HERE.0).bind(user.0).execute(&mut *session).await?;
            }
            plans::bump_revision(&mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    /// The address, and the organizations that have something of the user or may have the address.
    async fn begin_to_forget(&self, user: UserId) -> Result<(String, Vec<OrgId>), Fail> {
        let mut session = self.read(Scope::Org(HERE)).await?;
        let query = session.query("select email_key from users where org_id = $1 and id = $2").bind(HERE.0).bind(user.0);
        let row = query.fetch_optional(&mut *session).await?.ok_or_else(|| no_user(user))?;
        let key = text(&row, 0)?;
        session.enter(Scope::Queue).await?;
        let sql = "select count(*) from members as m join organizations as o on o.org_id = m.org_id \
                   where m.user_id = $1 and (o.erase_at is null or o.erase_at > $2)";
        let now = Stamp(session.now());
        let left: i64 = session.query(sql).bind(user.0).bind(now).fetch_one(&mut *session).await?.try_get(0)?;
        if left > 0 {
            return Err(still_a_member().into());
        }
        let sql = "select org_id from members where user_id = $1 union select org_id from invitations union \
                   select org_id from notification_rules union select org_id from notifications union select org_id from api_keys \
                   union select org_id from credentials";
        let rows = session.query(sql).bind(user.0).fetch_all(&mut *session).await?;
        session.end().await?;
        let organizations = rows.iter().map(|row| Ok(OrgId(row.try_get(0)?))).collect::<Result<_, Fail>>()?;
        Ok((key, organizations))
    }
}

async fn of_organization(org: OrgId, user: UserId, key: &str, session: &mut Session) -> Result<(), Fail> {
    let now = Stamp(session.now());
    // An open invitation to the address must not become everybody's.
    let query = session.query("select id, email from invitations where org_id = $1 and email is not null").bind(org.0);
    for row in query.fetch_all(&mut **session).await? {
        if text_or_none(&row, 1)?.is_some_and(|email| email_key(&email) == key) {
            let sql = "update invitations set email = null, ended_at = coalesce(ended_at, $3), \
                       state = case state when 'pending' then 'revoked' else state end where org_id = $1 and id = $2";
            let query = session.query(sql).bind(org.0).bind(row.try_get::<Uuid, _>(0)?).bind(now);
            query.execute(&mut **session).await?;
        }
    }
    // Rules that tell the address of something, whoever made them: there is nobody to be told.
    let query = session.query("select id, definition::text from notification_rules where org_id = $1").bind(org.0);
    for row in query.fetch_all(&mut **session).await? {
        if tells(&json(&row, 1)?, key) {
            let query = session.query("delete from notification_rules where org_id = $1 and id = $2").bind(org.0);
            query.bind(row.try_get::<Uuid, _>(0)?).execute(&mut **session).await?;
        }
    }
    for sql in OWN {
        session.query(sql).bind(org.0).bind(user.0).execute(&mut **session).await?;
    }
    Ok(())
}
