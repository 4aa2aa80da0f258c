//! Accounts: made by registering, by the first owner's link or by an operator, each with an organization to begin in.

use mainspring_model::id::{OrgId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{MemberRecord, OrganizationRecord, StoreError, UserRecord};
use thiserror::Error;

use super::policy;
use crate::app::App;
use crate::flags::USER_REGISTRATION;

/// Who is to have an account.
pub struct NewAccount {
    pub email: String,
    pub name: String,
    /// Already hashed; `None` for who logs in elsewhere.
    pub password_hash: Option<String>,
    pub operator: bool,
    /// The address is proved already.
    pub verified: bool,
}

/// Why an account could not be made.
#[derive(Debug, Error)]
pub enum AccountError {
    #[error("somebody has an account with this e-mail address already")]
    Taken,
    #[error("\"{0}\" is no e-mail address")]
    Email(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the organization's key could not be made: {0}")]
    Key(String),
}

impl App {
    /// Whether anybody may make an account: as the feature flag says once somebody made it, else as the settings and the flag's default do.
    pub fn registration_is_open(&self) -> bool {
        let said = self.flags.is_on(USER_REGISTRATION, None);
        if self.flags.get(USER_REGISTRATION).is_some() { said } else { said || self.identity.terms.registration }
    }

    /// Makes an account with an organization of its own.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn make_account(&self, new: NewAccount) -> Result<UserRecord, AccountError> {
        let user = self.put_account(UserId(self.engine.new_id()), new).await?;
        self.ensure_home(&user).await?;
        Ok(user)
    }

    /// Makes the account of the installation's first owner: that of the local owner, so that whatever was made before on this machine
    /// is theirs.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn make_first_owner(&self, new: NewAccount) -> Result<UserRecord, AccountError> {
        let user = self.put_account(UserId::LOCAL, NewAccount { operator: true, verified: true, ..new }).await?;
        let now = self.clock.now();
        if self.store.organization(OrgId::LOCAL).await?.is_none() {
            let home =
                OrganizationRecord { id: OrgId::LOCAL, name: "Main".to_owned(), slug: "main".to_owned(), created_at: now, updated_at: now };
            self.store.put_organization(&home).await?;
        }
        self.store.put_member(&MemberRecord { org: OrgId::LOCAL, user: user.id, role: Role::Owner, created_at: now }).await?;
        Ok(user)
    }

    async fn put_account(&self, id: UserId, new: NewAccount) -> Result<UserRecord, AccountError> {
        let email = new.email.trim().to_owned();
        if !policy::is_email(&email) {
            return Err(AccountError::Email(email.chars().take(100).collect()));
        }
        let now = self.clock.now();
        let name: String = new.name.chars().filter(|c| !c.is_control()).take(100).collect();
        let user = UserRecord {
            id,
            email,
            name: name.trim().to_owned(),
            password_hash: new.password_hash,
            operator: new.operator,
            verified_at: new.verified.then_some(now),
            disabled_at: None,
            created_at: now,
            updated_at: now,
        };
        match self.store.put_user(&user).await {
            Ok(()) => Ok(user),
            Err(StoreError::Conflict(_)) => Err(AccountError::Taken),
            Err(error) => Err(error.into()),
        }
    }

    /// Sees to it that a user is a member of something: after a crash between the account and its organization too.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn ensure_home(&self, user: &UserRecord) -> Result<(), AccountError> {
        if !self.store.memberships(user.id).await?.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let id = OrgId(self.engine.new_id());
        let called = if user.name.is_empty() { user.email.split('@').next().unwrap_or_default() } else { &user.name };
        let name = format!("{called}'s organization");
        let base = slug(called);
        // The id's random end makes the second try unique; its beginning is the time.
        let end = id.0.simple().to_string();
        for slug in [base.clone(), format!("{base}-{}", &end[24..])] {
            let home = OrganizationRecord { id, name: name.clone(), slug, created_at: now, updated_at: now };
            match self.store.put_organization(&home).await {
                Ok(()) => {
                    self.store.put_member(&MemberRecord { org: id, user: user.id, role: Role::Owner, created_at: now }).await?;
                    self.engine.credentials().ensure_key(id).await.map_err(|error| AccountError::Key(error.to_string()))?;
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AccountError::Store(StoreError::Conflict("no slug was free".to_owned())))
    }
}

/// Lower-case letters, digits and single hyphens.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug.chars().take(40).collect();
    let slug = slug.trim_end_matches('-');
    if slug.len() < 2 { "home".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_slug_is_made_of_any_name() {
        assert_eq!([slug("Ada Lovelace"), slug("  ö--Ä x! "), slug("日本"), slug("a.b+c")], ["ada-lovelace", "home", "home", "a-b-c"]);
    }
}
