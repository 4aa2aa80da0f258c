//! The parts of the store that the engine reads beside runs; what it never calls says that it is not kept here.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::event::Event;
use mainspring_model::id::{ApiKeyId, CredentialId, IntegrationId, OrgId, Owner, PlanId, RunId, ScheduleId};
use mainspring_model::run::RunSummary;
use mainspring_model::store::{
    AccessStore, ApiKeyRecord, Blobs, CredentialChange, CredentialRecord, DataKeyRecord, Health, IdempotentAnswer, IntegrationRecord,
    IntegrationStore, LiveStore, LogEntry, LogFilter, LogStore, Migrations, Monitoring, NewCredential, NewPlan, Page, Paging, PlanRecord,
    PlanStore, PlanSummary, Pool, Reach, Remembered, Retention, ScheduleRecord, ScheduleStore, SealedRow, SealedStore, SealedTable,
    SecretStore, StoreError, WebhookRoute,
};
use serde_json::Value;
use uuid::Uuid;

use super::store::NodeStore;

/// Methods that nothing in the simulation calls: an honest refusal, which would show as a broken promise if something did.
macro_rules! not_kept {
    ($store:ident { $(fn $name:ident($($arg:ty),*) -> $out:ty;)* $(= $($more:item)*)? }) => {
        #[async_trait]
        impl $store for NodeStore {
            $(async fn $name(&self $(, _: $arg)*) -> Result<$out, StoreError> {
                Err(StoreError::Failed(concat!("the model store does not keep what ", stringify!($name), " asks for").to_owned()))
            })*
            $($($more)*)?
        }
    };
}

not_kept!(PlanStore {
    fn create_plan(PlanId, NewPlan) -> PlanRecord;
    fn update_plan(PlanId, Option<u32>, NewPlan) -> PlanRecord;
    fn delete_plan(OrgId, PlanId) -> ();
    fn list_plans(OrgId, &Paging) -> Page<PlanSummary>;
    fn webhook_routes() -> Vec<WebhookRoute>;
    fn plans_revision() -> i64;
    =
    async fn get_plan(&self, _: OrgId, id: PlanId) -> Result<Option<PlanRecord>, StoreError> {
        self.ask(false, move |_, database, _| Ok(database.plans.get(&id).cloned())).await
    }
    async fn plan_by_name(&self, _: OrgId, name: &str) -> Result<Option<PlanRecord>, StoreError> {
        let name = name.to_owned();
        self.ask(false, move |_, database, _| Ok(database.plans.values().find(|plan| plan.name == name).cloned())).await
    }
    async fn plan_version(&self, id: PlanId, version: u32) -> Result<Option<Value>, StoreError> {
        self.ask(false, move |_, database, _| {
            Ok(database.plans.get(&id).filter(|plan| plan.version == version).map(|plan| plan.document.clone()))
        })
        .await
    }
});

not_kept!(IntegrationStore {
    fn put_integration(&IntegrationRecord) -> ();
    fn list_integrations(OrgId) -> Vec<IntegrationRecord>;
    fn all_integrations() -> Vec<IntegrationRecord>;
    fn delete_integration(OrgId, IntegrationId) -> bool;
});

not_kept!(ScheduleStore {
    fn list_schedules(OrgId) -> Vec<ScheduleRecord>;
    =
    async fn due_schedules(&self, now: Millis, limit: u32) -> Result<Vec<ScheduleRecord>, StoreError> {
        self.ask(false, move |_, database, _| Ok(database.due_schedules(now, limit as usize))).await
    }
    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        self.ask(false, |_, database, _| Ok(database.schedules.values().filter_map(|schedule| schedule.next_due).min())).await
    }
    async fn skip_slots(&self, id: ScheduleId, seen: Millis, last: Option<Millis>, next: Option<Millis>) -> Result<bool, StoreError> {
        self.ask(false, move |world, database, now| {
            let moved = database.skip_slots(id, seen, last, next);
            if moved {
                world.judge().schedule_moved(id, next, now);
            }
            Ok(moved)
        })
        .await
    }
});

not_kept!(SecretStore {
    fn put_credential(&NewCredential) -> CredentialRecord;
    fn list_credentials(&Owner, Option<&str>) -> Vec<CredentialRecord>;
    fn change_credential(OrgId, CredentialId, &CredentialChange) -> Option<CredentialRecord>;
    fn delete_credential(OrgId, CredentialId) -> bool;
    fn delete_credentials(&Owner, &str, Option<&str>) -> u64;
    fn touch_credential(CredentialId) -> ();
    fn canary() -> Option<Vec<u8>>;
    fn put_canary(&[u8]) -> ();
    =
    /// None is ever stored here; that it is asked for before each attempt is what counts.
    async fn usable_credentials(&self, _: &Owner, _: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError> {
        self.ask(false, |_, _, _| Ok(Vec::new())).await
    }
    async fn data_keys(&self) -> Result<Vec<DataKeyRecord>, StoreError> {
        self.ask(false, |_, database, _| Ok(database.data_keys.clone())).await
    }
    async fn put_data_key(&self, key: &DataKeyRecord) -> Result<DataKeyRecord, StoreError> {
        let key = key.clone();
        self.ask(false, move |_, database, _| {
            if let Some(first) = database.data_keys.iter().find(|first| (first.org, first.version) == (key.org, key.version)) {
                return Ok(first.clone());
            }
            database.data_keys.push(key.clone());
            Ok(key)
        })
        .await
    }
});

not_kept!(SealedStore {
    fn sealed_rows(SealedTable, OrgId, Option<Uuid>, u32) -> Vec<SealedRow>;
    fn replace_sealed(&SealedRow, &BTreeMap<String, Vec<u8>>) -> bool;
    fn data_keys_of(OrgId) -> Vec<DataKeyRecord>;
    fn replace_data_key(&DataKeyRecord, &DataKeyRecord) -> bool;
    fn replace_canary(&[u8], &[u8]) -> bool;
});

not_kept!(AccessStore {
    fn put_api_key(&ApiKeyRecord) -> ();
    fn api_key_by_hash(&[u8]) -> Option<ApiKeyRecord>;
    fn list_api_keys(OrgId) -> Vec<ApiKeyRecord>;
    fn delete_api_key(OrgId, ApiKeyId) -> bool;
    fn begin_idempotent(OrgId, &str, &[u8]) -> Remembered;
    fn finish_idempotent(OrgId, &str, &IdempotentAnswer) -> ();
    fn forget_idempotent(OrgId, &str) -> ();
});

not_kept!(LogStore {
    fn list_logs(OrgId, &LogFilter, &Paging) -> Page<LogEntry>;
    fn monitoring(OrgId) -> Monitoring;
    fn prune(&Retention, u32) -> u64;
});

not_kept!(LiveStore {
    fn runs_by_id(OrgId, &[RunId]) -> Vec<RunSummary>;
    fn runs_changed(OrgId, Millis, u32) -> Vec<RunSummary>;
    fn journal_after(OrgId, RunId, u32, u32) -> Vec<Event>;
});

not_kept!(Blobs {
    fn put_blob(OrgId, Vec<u8>) -> String;
    fn get_blob(OrgId, &str) -> Vec<u8>;
});

not_kept!(Health {
    fn migrations() -> Migrations;
    =
    async fn probe(&self) -> Result<(), StoreError> {
        self.ask(false, |_, _, _| Ok(())).await
    }
    fn reach(&self) -> Reach {
        Reach::default()
    }
    fn pools(&self) -> Vec<Pool> {
        Vec::new()
    }
    async fn close(&self) {}
});
