//! The end of an account: what it would take with it, what is in its way, and doing it.

use mainspring_model::id::{OrgId, UserId};
use mainspring_model::role::Role;
use mainspring_model::store::{OrganizationRecord, Paging, StoreError, UserRecord};

use crate::app::App;
use crate::erasure;

/// What deleting an account comes to.
#[derive(Debug, Default)]
pub struct Deletion {
    /// Others go on with these; plans and integrations become the member's who is named.
    pub left: Vec<(OrganizationRecord, UserId)>,
    /// Nobody else is in these: they are deleted too.
    pub alone: Vec<OrganizationRecord>,
    /// Why it cannot be.
    pub in_the_way: Vec<String>,
}

impl App {
    /// Looks at what deleting an account would do. Changes nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_at_deletion(&self, user: &UserRecord) -> Result<Deletion, StoreError> {
        let mut deletion = Deletion::default();
        for (org, role) in self.store.memberships(user.id).await? {
            let members = self.store.list_members(org.id).await?;
            let heir = members.iter().find(|member| member.role == Role::Owner && member.user != user.id);
            match heir {
                Some(heir) => deletion.left.push((org, heir.user)),
                // Its members go on without an owner otherwise.
                None if members.len() > 1 => deletion.in_the_way.push(format!(
                    "you are the only owner of {} ({}), which has other members: transfer it or delete it first",
                    org.name, org.slug
                )),
                None if org.id == OrgId::LOCAL => deletion.in_the_way.push(format!(
                    "{} ({}) is the installation's own organization and you are alone in it: make somebody else its owner first",
                    org.name, org.slug
                )),
                None if role == Role::Owner => deletion.alone.push(org),
                None => deletion.in_the_way.push(format!("{} ({}) has no owner", org.name, org.slug)),
            }
        }
        if user.operator && !self.has_another_operator(user.id).await? {
            deletion.in_the_way.push("you are the only one who administers this installation: make another operator first".to_owned());
        }
        Ok(deletion)
    }

    async fn has_another_operator(&self, user: UserId) -> Result<bool, StoreError> {
        let mut paging = Paging { limit: 200, cursor: None };
        loop {
            let page = self.store.list_users(&paging).await?;
            if page.items.iter().any(|other| other.operator && other.disabled_at.is_none() && other.id != user) {
                return Ok(true);
            }
            paging.cursor = page.next_cursor;
            if paging.cursor.is_none() {
                return Ok(false);
            }
        }
    }

    /// Deletes an account as [`App::look_at_deletion`] said. Whatever cuts it off leaves an account that can be deleted again.
    /// The rows of organizations that go with it are removed by [`erasure::erase`].
    ///
    /// # Errors
    /// The store's; `Conflict` when somebody made the user a member of something meanwhile.
    pub async fn delete_account(&self, user: &UserRecord, deletion: &Deletion) -> Result<(), StoreError> {
        for (org, heir) in &deletion.left {
            match self.store.remove_member(org.id, user.id, *heir).await {
                // Somebody was faster, or it is done for the second time.
                Ok(_) | Err(StoreError::NotFound { .. }) => self.live.plans_changed(org.id),
                Err(error) => return Err(error),
            }
        }
        for org in &deletion.alone {
            self.store.set_erasure(org.id, Some(self.clock.now())).await?;
            erasure::stop_runs(self, org.id, &user.id.to_string()).await?;
        }
        self.end_sessions(user.id, None).await?;
        self.store.erase_user(user.id).await
    }
}
