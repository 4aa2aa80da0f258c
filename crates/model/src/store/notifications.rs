//! Who is told of what: rules, the notifications that the program itself shows, and what there is to tell of.

use async_trait::async_trait;
use serde_json::Value;

use super::{Page, Paging, StoreError};
use crate::clock::Millis;
use crate::id::{CredentialId, MessageId, NotificationRuleId, OrgId, Owner, RunId, ScheduleId, UserId};
use crate::run::{RunStatus, Slot};

/// A rule as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NotificationRuleRecord {
    pub id: NotificationRuleId,
    pub owner: Owner,
    pub name: String,
    /// What the rule says; the server knows its form.
    pub definition: Value,
    /// The signing secrets of a webhook, sealed.
    pub secrets: Option<Vec<u8>>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// A notification in a person's list. Its id is its message's.
#[derive(Clone, Debug, PartialEq)]
pub struct NotificationRecord {
    pub id: MessageId,
    pub owner: Owner,
    /// The kind of event.
    pub event: String,
    pub title: String,
    pub text: String,
    pub data: Value,
    pub created_at: Millis,
    pub read_at: Option<Millis>,
}

/// A run that ended neither well nor by somebody's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedBadly {
    pub org: OrgId,
    pub run: RunId,
    pub finished_at: Millis,
    /// Of a run that a schedule started.
    pub slot: Option<Slot>,
}

/// A credential that expires soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    pub id: CredentialId,
    pub owner: Owner,
    pub provider: String,
    pub name: String,
    pub expires_at: Millis,
}

#[async_trait]
pub trait NotificationStore: Send + Sync {
    /// Makes or replaces the rule with this id.
    async fn put_notification_rule(&self, rule: &NotificationRuleRecord) -> Result<(), StoreError>;

    /// The organization's, oldest first.
    async fn notification_rules(&self, org: OrgId) -> Result<Vec<NotificationRuleRecord>, StoreError>;

    async fn delete_notification_rule(&self, org: OrgId, id: NotificationRuleId) -> Result<bool, StoreError>;

    /// Puts a notification into its owner's list; again with the same id it stays one.
    async fn put_notification(&self, notification: &NotificationRecord) -> Result<(), StoreError>;

    /// The person's in that organization, newest first.
    async fn notifications(&self, owner: &Owner, unread: bool, paging: &Paging) -> Result<Page<NotificationRecord>, StoreError>;

    /// Those that these people of the organization have not read, at most `most` of all of them together, newest first.
    async fn unread_of(&self, org: OrgId, users: &[UserId], most: u32) -> Result<Vec<NotificationRecord>, StoreError>;

    async fn unread_notifications(&self, owner: &Owner) -> Result<u64, StoreError>;

    /// One, or without an id all of the person; how many were not read before.
    async fn read_notifications(&self, owner: &Owner, id: Option<MessageId>) -> Result<u64, StoreError>;

    async fn delete_notification(&self, owner: &Owner, id: MessageId) -> Result<bool, StoreError>;

    /// Removes notifications older than this moment, read or not; how many.
    async fn prune_notifications(&self, before: Millis) -> Result<u64, StoreError>;

    /// Up to which moment ends of runs were looked at; 0 at first.
    async fn watched_until(&self) -> Result<Millis, StoreError>;

    /// Never goes back.
    async fn watch_until(&self, moment: Millis) -> Result<(), StoreError>;

    /// Runs of every organization that ended badly at `since` or later, beyond the one given as `after`, earliest first.
    async fn ended_badly(&self, since: Millis, after: Option<(Millis, RunId)>, limit: u32) -> Result<Vec<EndedBadly>, StoreError>;

    /// How the runs of a schedule ended, from this slot backwards; those that still go on are left out.
    async fn slot_endings(&self, org: OrgId, schedule: ScheduleId, until: Millis, limit: u32) -> Result<Vec<RunStatus>, StoreError>;

    /// Credentials of every organization that expire after `after` and at `until` at the latest.
    async fn expiring_credentials(&self, after: Millis, until: Millis) -> Result<Vec<Expiring>, StoreError>;
}
