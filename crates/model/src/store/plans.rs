//! Plans, their versions and webhook routes, and users' own providers.

use async_trait::async_trait;
use serde_json::Value;

use super::{Page, Paging, StoreError};
use crate::clock::Millis;
use crate::id::{IntegrationId, OrgId, Owner, PlanId, RunId, UserId};

/// How a plan came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanSource {
    Api,
    /// A file, by `mainspring run` or `serve --plans`; its name is unique per owner.
    File,
}

/// So many published versions of a plan are kept as its history, beside those that runs use.
pub const VERSIONS_KEPT: u32 = 100;

/// What becomes of a document that is saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveAs {
    /// The version that runs from now on.
    #[default]
    Published,
    /// The draft, in place of the one there is.
    Draft,
    /// The draft of this number becomes the version that runs. The document is that draft's.
    Publish(u32),
    /// The version that runs becomes the draft, unless there is one: nothing runs any more.
    Unpublish,
    /// The draft is given up. The document is the published one.
    Discard,
}

/// Who saves a plan, why and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saving {
    pub by: Option<UserId>,
    pub note: Option<String>,
    pub as_what: SaveAs,
}

/// A plan to be stored, checked and normalised.
#[derive(Clone, Debug)]
pub struct NewPlan {
    pub owner: Owner,
    pub name: String,
    pub source: PlanSource,
    /// The normalised document.
    pub document: Value,
    pub webhooks: Vec<WebhookRoute>,
    /// One per cron or interval trigger; ids are kept for triggers that did not change, see [`PlanStore::update_plan`].
    pub schedules: Vec<super::ScheduleRecord>,
    /// The plan file that it comes from, below the folder of plan files.
    pub file: Option<String>,
    pub saving: Saving,
}

/// A webhook path of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRoute {
    pub plan: PlanId,
    pub org: OrgId,
    pub path: String,
    pub method: String,
    /// The trigger's id in the plan.
    pub trigger: String,
    /// `last_step` and `step` need the path and method for themselves.
    pub exclusive: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PlanRecord {
    pub id: PlanId,
    pub owner: Owner,
    pub name: String,
    pub source: PlanSource,
    /// The version that runs, from 1. 0: nothing is published, there is only a draft.
    pub version: u32,
    /// The version that is worked on beside it.
    pub draft: Option<u32>,
    /// Of the version that runs; of the draft when there is none.
    pub document: Value,
    pub file: Option<String>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

impl PlanRecord {
    /// The version that was saved last: what an editor has seen.
    pub fn newest(&self) -> u32 {
        self.draft.unwrap_or_default().max(self.version)
    }
}

/// One entry of a plan's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRecord {
    pub version: u32,
    /// The plan's name in it.
    pub name: String,
    pub created_at: Millis,
    /// `None`: a draft that never ran by itself.
    pub published_at: Option<Millis>,
    pub by: Option<UserId>,
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PlanSummary {
    pub id: PlanId,
    pub name: String,
    pub source: PlanSource,
    /// As in [`PlanRecord`].
    pub version: u32,
    pub draft: Option<u32>,
    pub document: Value,
    pub file: Option<String>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

#[async_trait]
pub trait PlanStore: Send + Sync {
    /// # Errors
    /// `Conflict` when an exclusive webhook path and method is taken (by anybody), or a plan file's name is.
    async fn create_plan(&self, id: PlanId, plan: NewPlan) -> Result<PlanRecord, StoreError>;

    /// Writes a new version, by `plan.saving`. `expected`: the newest version that the caller saw. Where another version runs from now on,
    /// webhook routes and schedules are replaced (a schedule whose trigger id, expression and zone did not change keeps its id and last slot).
    ///
    /// # Errors
    /// `NotFound`, `Stale`, `Conflict` as in create; `Stale` too when the draft to be published is another one, `Conflict` when there is
    /// no draft to give up or nothing would be left.
    async fn update_plan(&self, id: PlanId, expected: Option<u32>, plan: NewPlan) -> Result<PlanRecord, StoreError>;

    /// Also removes its schedules and webhook routes; runs and their journal stay, with the versions they use.
    async fn delete_plan(&self, org: OrgId, id: PlanId) -> Result<(), StoreError>;

    async fn get_plan(&self, org: OrgId, id: PlanId) -> Result<Option<PlanRecord>, StoreError>;

    async fn plan_by_name(&self, org: OrgId, name: &str) -> Result<Option<PlanRecord>, StoreError>;

    async fn list_plans(&self, org: OrgId, paging: &Paging) -> Result<Page<PlanSummary>, StoreError>;

    /// A plan's history, newest first.
    async fn plan_versions(&self, org: OrgId, id: PlanId, paging: &Paging) -> Result<Page<VersionRecord>, StoreError>;

    /// Gives a waiting run another version of its plan. `false`: it is not as it was seen, with this version and a journal of `seq` entries.
    async fn move_run(&self, org: OrgId, run: RunId, from: u32, to: u32, seq: u32) -> Result<bool, StoreError>;

    /// The document of one version, kept as long as a run needs it, whoever owns it (runs carry the owner).
    async fn plan_version(&self, id: PlanId, version: u32) -> Result<Option<Value>, StoreError>;

    /// All routes, for the router in memory; reloaded when [`PlanStore::plans_revision`] moved.
    async fn webhook_routes(&self) -> Result<Vec<WebhookRoute>, StoreError>;

    /// A number that moves with every change of plans, schedules or integrations by any process.
    async fn plans_revision(&self) -> Result<i64, StoreError>;
}

/// A user's own provider as stored: `definition` is its document without secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegrationRecord {
    pub id: IntegrationId,
    pub owner: Owner,
    pub name: String,
    pub definition: Value,
    pub created_at: Millis,
    pub updated_at: Millis,
}

#[async_trait]
pub trait IntegrationStore: Send + Sync {
    /// # Errors
    /// `Conflict` when the owner has an integration of that name.
    async fn put_integration(&self, record: &IntegrationRecord) -> Result<(), StoreError>;
    async fn list_integrations(&self, org: OrgId) -> Result<Vec<IntegrationRecord>, StoreError>;
    async fn all_integrations(&self) -> Result<Vec<IntegrationRecord>, StoreError>;
    /// `false` when there was none.
    async fn delete_integration(&self, org: OrgId, id: IntegrationId) -> Result<bool, StoreError>;
}
