//! The parts of the store that the engine reads beside runs; what it never calls says that it is not kept here.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::event::Event;
use mainspring_model::hidden::HiddenField;
use mainspring_model::id::{
    ApiKeyId, AuditId, CredentialId, FileId, IntegrationId, InvitationId, MessageId, NotificationRuleId, OrgId, Owner, PlanId, RunId,
    ScheduleId, SessionId, SignalId, UserId,
};
use mainspring_model::lockout::{Admission, Rule};
use mainspring_model::rate::{Turn, TurnAsk};
use mainspring_model::role::Role;
use mainspring_model::run::{RunStatus, RunSummary};
use mainspring_model::state::{Digest, StateWrite};
use mainspring_model::store::{
    AccessStore, Admitted, ApiKeyRecord, AuditFilter, AuditRecord, AuditStore, Backlog, Blobs, CredentialChange, CredentialRecord,
    DataKeyRecord, Delivery, Departed, EgressRuleRecord, EgressStore, EndedBadly, Erasure, EventFilter, Expiring, FactorStore,
    FailingTrigger, FileEnd, FileRecord, FileStore, FileTotals, FlagRecord, FlagStore, FlowStore, Health, IdempotentAnswer,
    IntegrationRecord, IntegrationStore, InvitationRecord, InvitationState, InvitationStore, LiveStore, LogEntry, LogFilter, LogStore,
    MemberRecord, Message, Migrations, Monitoring, NewCredential, NewMessage, NewPlan, NewSignal, NotificationRecord,
    NotificationRuleRecord, NotificationStore, OneTime, OrganizationRecord, OrganizationStore, OutboxStore, OutsideIdentity, Page, Paging,
    PeopleStore, PlaceStore, PlanRecord, PlanStore, PlanSummary, Pool, Prunable, Put, Reach, RefreshToken, Refreshed, Remembered,
    Retention, ScheduleRecord, ScheduleStore, SealedRow, SealedStore, SealedTable, SecondFactor, SecretStore, Sending, SessionRecord,
    SessionStore, ShareStore, Sharing, SignalRecord, SignalStore, StateDone, StateRecord, StateSet, StateSpace, StateStore, StoreError,
    Told, TriggerStanding, TriggerState, UserRecord, VariableRecord, VariableStore, VersionRecord, WaitRecord, WebhookRoute,
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
    fn plan_versions(OrgId, PlanId, &Paging) -> Page<VersionRecord>;
    fn move_run(OrgId, RunId, u32, u32, u32) -> bool;
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

not_kept!(FlowStore {
    fn request_pause(OrgId, RunId) -> bool;
    fn resume(OrgId, RunId) -> bool;
    fn take_turn(&TurnAsk) -> Turn;
    fn forget_turns(OrgId, RunId) -> ();
    fn prune_turns(u32) -> u64;
    =
    async fn admit(&self, _: OrgId, key: &str) -> Result<Admitted, StoreError> {
        let key = key.to_owned();
        self.ask(false, move |world, database, now| {
            let admitted = database.admit(&key, now);
            world.judge().limits(database);
            Ok(admitted)
        })
        .await
    }
    async fn held_keys(&self, after: Option<&(OrgId, String)>, limit: u32) -> Result<Vec<(OrgId, String)>, StoreError> {
        let after = after.cloned();
        let keys = self.ask(false, |_, database, _| Ok(database.held_keys())).await?;
        let keys = keys.into_iter().map(|key| (OrgId::LOCAL, key)).filter(|key| after.as_ref().is_none_or(|after| key > after));
        Ok(keys.take(limit as usize).collect())
    }
    /// Nobody pauses here.
    async fn pause_requests(&self) -> Result<Vec<RunId>, StoreError> {
        Ok(Vec::new())
    }
});

not_kept!(PlaceStore {
    fn own_places(OrgId) -> Option<u32>;
    fn set_own_places(OrgId, Option<u32>) -> Option<u32>;
    fn offer_place(OrgId) -> bool;
    =
    /// Nobody limits any here.
    fn places_of_each(&self) -> Option<u32> {
        None
    }
    async fn with_own_places(&self) -> Result<Vec<OrgId>, StoreError> {
        Ok(Vec::new())
    }
    async fn with_set_aside(&self, _: Option<OrgId>, _: u32) -> Result<Vec<OrgId>, StoreError> {
        Ok(Vec::new())
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
    fn heard(ScheduleId, Millis, Option<Millis>) -> bool;
    fn trigger_state(OrgId, PlanId, &str) -> Option<TriggerState>;
    fn settle_trigger(ScheduleId, Millis, Option<Millis>, Option<Millis>, &TriggerState) -> bool;
    fn trigger_standings(OrgId) -> Vec<(PlanId, String, TriggerStanding)>;
    fn failing_triggers(u32, u32) -> Vec<FailingTrigger>;
    =
    /// Nobody does here.
    async fn listens(&self, _: OrgId, _: &str) -> Result<bool, StoreError> {
        Ok(false)
    }
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
    fn touch_api_key(OrgId, ApiKeyId) -> ();
    fn delete_api_key(OrgId, ApiKeyId) -> bool;
    fn begin_idempotent(OrgId, &str, &[u8]) -> Remembered;
    fn finish_idempotent(OrgId, &str, &IdempotentAnswer) -> ();
    fn forget_idempotent(OrgId, &str) -> ();
});

not_kept!(OrganizationStore {
    fn change_role(OrgId, UserId, Role) -> Role;
    fn remove_member(OrgId, UserId, UserId) -> Departed;
    fn set_erasure(OrgId, Option<Millis>) -> ();
    fn erasure_of(OrgId) -> Option<Millis>;
    fn erasures_due() -> Vec<OrgId>;
    fn erase(OrgId, u32) -> Erasure;
});

not_kept!(InvitationStore {
    fn put_invitation(&InvitationRecord) -> ();
    fn list_invitations(OrgId) -> Vec<InvitationRecord>;
    fn invitation_by_hash(&[u8]) -> Option<InvitationRecord>;
    fn renew_invitation(OrgId, InvitationId, &[u8], Millis) -> bool;
    fn end_invitation(OrgId, InvitationId, InvitationState, UserId) -> bool;
});

not_kept!(VariableStore {
    fn put_variable(&VariableRecord) -> VariableRecord;
    fn delete_variable(OrgId, &str) -> bool;
    =
    async fn list_variables(&self, _: OrgId) -> Result<Vec<VariableRecord>, StoreError> {
        self.ask(false, |_, _, _| Ok(Vec::new())).await
    }
});

not_kept!(ShareStore {
    fn set_sharing(OrgId, PlanId, bool, &BTreeMap<UserId, bool>) -> ();
    fn private_plans(OrgId) -> BTreeMap<PlanId, Sharing>;
    =
    /// Every plan is the whole organization's.
    async fn sharing(&self, _: OrgId, _: PlanId) -> Result<Option<Sharing>, StoreError> {
        Ok(None)
    }
});

not_kept!(AuditStore {
    fn settle_audit(OrgId, AuditId, &[AuditRecord]) -> ();
    fn append_audit(&[AuditRecord]) -> ();
    fn list_audit(OrgId, &AuditFilter, &Paging) -> Page<AuditRecord>;
    fn prune_audit(Millis, u32) -> u64;
});

not_kept!(PeopleStore {
    fn put_user(&UserRecord) -> ();
    fn user(UserId) -> Option<UserRecord>;
    fn user_by_email(&str) -> Option<UserRecord>;
    fn list_users(&Paging) -> Page<UserRecord>;
    fn erase_user(UserId) -> ();
    fn put_organization(&OrganizationRecord) -> ();
    fn organization(OrgId) -> Option<OrganizationRecord>;
    fn organization_by_slug(&str) -> Option<OrganizationRecord>;
    fn memberships(UserId) -> Vec<(OrganizationRecord, Role)>;
    fn put_member(&MemberRecord) -> ();
    fn role_of(UserId, OrgId) -> Option<Role>;
    fn list_members(OrgId) -> Vec<MemberRecord>;
    fn delete_member(OrgId, UserId) -> bool;
    fn hidden_fields(OrgId) -> Vec<HiddenField>;
    fn put_hidden_fields(OrgId, &[HiddenField]) -> ();
});

not_kept!(OutboxStore {
    fn put_message(&NewMessage) -> Put;
    fn claim_messages(u32, Millis) -> Vec<Message>;
    fn end_message(OrgId, MessageId, &Delivery) -> ();
    fn next_message() -> Option<Millis>;
    fn sendings(OrgId, &[String]) -> Vec<Sending>;
    fn prune_messages(Millis) -> u64;
});

not_kept!(FlagStore {
    fn flags() -> Vec<FlagRecord>;
    fn flags_revision() -> i64;
    fn put_flag(&FlagRecord) -> ();
    fn delete_flag(&str) -> bool;
});

not_kept!(NotificationStore {
    fn put_notification_rule(&NotificationRuleRecord) -> ();
    fn notification_rules(OrgId) -> Vec<NotificationRuleRecord>;
    fn delete_notification_rule(OrgId, NotificationRuleId) -> bool;
    fn put_notification(&NotificationRecord) -> ();
    fn notifications(&Owner, bool, &Paging) -> Page<NotificationRecord>;
    fn unread_of(OrgId, &[UserId], u32) -> Vec<NotificationRecord>;
    fn unread_notifications(&Owner) -> u64;
    fn read_notifications(&Owner, Option<MessageId>) -> u64;
    fn delete_notification(&Owner, MessageId) -> bool;
    fn prune_notifications(Millis) -> u64;
    fn watched_until() -> Millis;
    fn watch_until(Millis) -> ();
    fn ended_badly(Millis, Option<(Millis, RunId)>, u32) -> Vec<EndedBadly>;
    fn slot_endings(OrgId, ScheduleId, Millis, u32) -> Vec<RunStatus>;
    fn expiring_credentials(Millis, Millis) -> Vec<Expiring>;
});

not_kept!(EgressStore {
    fn put_egress_rule(&EgressRuleRecord) -> ();
    fn list_egress_rules(OrgId) -> Vec<EgressRuleRecord>;
    fn all_egress_rules() -> Vec<EgressRuleRecord>;
    fn delete_egress_rule(OrgId, &str) -> bool;
});

not_kept!(SessionStore {
    fn is_founded() -> bool;
    fn replace_password(UserId, Option<&str>, &str) -> bool;
    fn put_session(&SessionRecord, &RefreshToken) -> ();
    fn session(SessionId) -> Option<SessionRecord>;
    fn session_by_cookie(&[u8]) -> Option<SessionRecord>;
    fn list_sessions(UserId) -> Vec<SessionRecord>;
    fn touch_session(SessionId) -> ();
    fn end_session(UserId, SessionId) -> bool;
    fn end_sessions(UserId, Option<SessionId>) -> u64;
    fn refresh(&[u8], &RefreshToken, Millis) -> Refreshed;
    fn put_one_time(&OneTime) -> ();
    fn one_time(&[u8], &str) -> Option<OneTime>;
    fn take_one_time(&[u8], &str) -> Option<OneTime>;
    fn drop_one_time(Option<UserId>, &str) -> ();
    fn attempt(&str, &Rule) -> Admission;
    fn give_back(&str) -> ();
    fn forgive(&str) -> ();
});

not_kept!(FactorStore {
    fn second_factor(UserId) -> Option<SecondFactor>;
    fn put_second_factor(UserId, &SecondFactor) -> ();
    fn confirm_second_factor(UserId, i64, &[Vec<u8>]) -> bool;
    fn use_step(UserId, i64) -> bool;
    fn use_recovery_code(UserId, &[u8]) -> bool;
    fn recovery_codes_left(UserId) -> u32;
    fn delete_second_factor(UserId) -> bool;
    fn outside_identity(&str, &str) -> Option<UserId>;
    fn put_outside_identity(&OutsideIdentity) -> ();
});

not_kept!(LogStore {
    fn list_logs(OrgId, &LogFilter, &Paging) -> Page<LogEntry>;
    fn monitoring(OrgId) -> Monitoring;
    fn prune(&Retention, u32) -> u64;
    fn prunable(&Retention) -> Vec<Prunable>;
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

not_kept!(FileStore {
    fn begin_file(OrgId, FileId) -> ();
    fn append_file(OrgId, FileId, u32, Vec<u8>) -> ();
    fn finish_file(&FileRecord, u64) -> FileEnd;
    fn drop_file(OrgId, FileId) -> ();
    fn get_file(OrgId, FileId) -> Option<FileRecord>;
    fn list_files(OrgId, &Paging) -> Page<FileRecord>;
    fn file_totals(OrgId) -> FileTotals;
    fn read_file(OrgId, FileId, u64, u32) -> Vec<u8>;
    fn delete_file(OrgId, FileId) -> bool;
    fn sweep_files() -> u64;
});

not_kept!(Health {
    fn migrations() -> Migrations;
    fn backlog() -> Backlog;
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

not_kept!(SignalStore {
    fn put_wait(&WaitRecord) -> ();
    fn delete_waits(OrgId, RunId, Option<&str>) -> ();
    fn list_waits(OrgId, &str, u32) -> Vec<WaitRecord>;
    fn wait_for(OrgId, &str) -> Option<WaitRecord>;
    fn put_signal(&NewSignal) -> Told;
    fn signals(OrgId, &str, Millis, Option<SignalId>, u32) -> Vec<SignalRecord>;
    fn list_events(OrgId, &EventFilter, &Paging) -> Page<SignalRecord>;
    fn count_signals(OrgId, &str, Millis, u32) -> u32;
    fn signal(OrgId, SignalId) -> Option<SignalRecord>;
    fn prune_signals(Millis, u32) -> u64;
});

not_kept!(StateStore {
    fn state(StateSpace, &str) -> Option<StateRecord>;
    fn list_state(StateSpace, &str, Option<&str>, u32) -> Vec<StateRecord>;
    fn list_state_sets(StateSpace) -> Vec<StateSet>;
    fn count_state(StateSpace, u64) -> u64;
    fn count_seen(StateSpace, &str, u64) -> u64;
    fn seen(StateSpace, &str, &[Digest]) -> Vec<Option<Millis>>;
    fn apply_state(StateSpace, RunId, Uuid, &StateWrite) -> StateDone;
    fn put_state(StateSpace, &StateRecord) -> Option<StateRecord>;
    fn delete_state(StateSpace, &str) -> Option<StateRecord>;
    fn delete_state_set(StateSpace, &str) -> u64;
    fn cached(OrgId, &[u8; 32]) -> Option<Value>;
    fn put_cached(OrgId, &[u8; 32], &Value, Millis) -> ();
    fn prune_state(u32) -> u64;
});
