//! A store that crashes: it lets so many commits through, and then nothing that was asked of it ever answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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
use mainspring_model::run::{Ending, RunHeader, RunStatus, RunSummary};
use mainspring_model::state::{Digest, StateWrite};
use mainspring_model::store::{
    AccessStore, Admitted, ApiKeyRecord, AuditFilter, AuditRecord, AuditStore, Backlog, Blobs, BurstEnd, BurstStore, Claimed, Committed,
    CredentialChange, CredentialRecord, DataKeyRecord, Delivery, Departed, DueBursts, EgressRuleRecord, EgressStore, EndedBadly, Erasure,
    EventFilter, Expiring, FactorStore, FailingTrigger, FileEnd, FileRecord, FileStore, FileTotals, FlagRecord, FlagStore, FlowStore,
    Health, IdempotentAnswer, IntegrationRecord, IntegrationStore, InvitationRecord, InvitationState, InvitationStore, LiveStore, LogEntry,
    LogFilter, LogStore, MemberRecord, Message, Migrations, Monitoring, NewCredential, NewMessage, NewPlan, NewSignal, NotificationRecord,
    NotificationRuleRecord, NotificationStore, OneTime, OrganizationRecord, OrganizationStore, OutboxStore, OutsideIdentity, Page, Paging,
    PeopleStore, PlaceStore, PlanRecord, PlanStore, PlanSummary, Pool, Prunable, Put, Reach, RefreshToken, Refreshed, Remembered,
    Retention, Ripe, RunFilter, RunStore, RunWrite, ScheduleRecord, ScheduleStore, SealedRow, SealedStore, SealedTable, SecondFactor,
    SecretStore, Sending, SessionRecord, SessionStore, ShareStore, Sharing, SignalRecord, SignalStore, Standing, StateDone, StateRecord,
    StateSet, StateSpace, StateStore, Store, StoreError, Told, TriggerStanding, TriggerState, UserRecord, VariableRecord, VariableStore,
    VersionRecord, WaitRecord, WebhookRoute,
};
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

/// Where a commit is when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Nothing of it is on disk.
    Before,
    /// It is on disk, and nobody learns that it is.
    After,
}

/// What the world outside sees of a life.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub commits: u32,
    pub crashed: bool,
    /// Runs whose end was committed.
    pub ended: Vec<RunId>,
}

pub struct CrashingStore {
    inner: Arc<dyn Store>,
    /// Commits that are still let through; never counted down when negative.
    left: AtomicI64,
    at: At,
    seen: watch::Sender<Seen>,
}

impl CrashingStore {
    /// Crashes at the commit after `commits` good ones; never with `None`.
    pub fn new(inner: Arc<dyn Store>, crash: Option<(u32, At)>) -> Arc<CrashingStore> {
        let (left, at) = crash.map_or((-1, At::Before), |(commits, at)| (i64::from(commits), at));
        Arc::new(CrashingStore { inner, left: AtomicI64::new(left), at, seen: watch::channel(Seen::default()).0 })
    }

    pub fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// A dead process answers nothing.
    async fn alive(&self) {
        if self.seen.borrow().crashed {
            std::future::pending::<()>().await;
        }
    }

    async fn crash(&self) {
        self.seen.send_modify(|seen| seen.crashed = true);
        std::future::pending::<()>().await;
    }

    async fn committed(&self, write: RunWrite) -> Result<Committed, StoreError> {
        self.alive().await;
        let last = match self.left.load(Ordering::SeqCst) {
            left if left < 0 => false,
            0 => true,
            _ => self.left.fetch_sub(1, Ordering::SeqCst) == 0,
        };
        if last && self.at == At::Before {
            self.crash().await;
        }
        let ended = matches!(write.standing, Standing::Ended(_) | Standing::EndedWith(..)).then_some(write.run);
        let done = self.inner.commit(write).await;
        if last {
            self.crash().await;
        }
        self.alive().await;
        self.seen.send_modify(|seen| {
            seen.commits += 1;
            if matches!(done, Ok(Committed::Done)) {
                seen.ended.extend(ended);
            }
        });
        done
    }
}

macro_rules! delegate {
    ($store:ident { $(fn $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?;)* $(= $($more:item)*)? }) => {
        #[async_trait]
        impl $store for CrashingStore {
            $(async fn $name(&self $(, $arg: $type)*) $(-> $out)? {
                self.alive().await;
                let done = self.inner.$name($($arg),*).await;
                self.alive().await;
                done
            })*
            $($($more)*)?
        }
    };
}

delegate!(RunStore {
    fn now() -> Result<Millis, StoreError>;
    fn claim(max: u32) -> Result<Vec<Claimed>, StoreError>;
    fn next_wake() -> Result<Option<Millis>, StoreError>;
    fn work_arrived();
    fn trusted(epoch: i64) -> bool;
    fn recover(in_flight: &[RunId], alone: Option<RunId>) -> Result<u64, StoreError>;
    fn release(run: RunId, epoch: i64) -> Result<(), StoreError>;
    fn wake(run: RunId) -> Result<(), StoreError>;
    fn request_cancel(org: OrgId, run: RunId, by: &str) -> Result<bool, StoreError>;
    fn cancel_requests() -> Result<Vec<(RunId, String)>, StoreError>;
    fn header(run: RunId) -> Result<Option<RunHeader>, StoreError>;
    fn history(run: RunId) -> Result<Vec<Event>, StoreError>;
    fn ending(run: RunId) -> Result<Option<Ending>, StoreError>;
    fn get_run(org: OrgId, run: RunId) -> Result<Option<RunSummary>, StoreError>;
    fn list_runs(org: OrgId, filter: &RunFilter, paging: &Paging) -> Result<Page<RunSummary>, StoreError>;
    =
    fn epoch(&self) -> i64 {
        self.inner.epoch()
    }
    fn trusts(&self, epoch: i64) -> bool {
        self.inner.trusts(epoch)
    }
    async fn commit(&self, write: RunWrite) -> Result<Committed, StoreError> {
        self.committed(write).await
    }
});

delegate!(PlanStore {
    fn create_plan(id: PlanId, plan: NewPlan) -> Result<PlanRecord, StoreError>;
    fn update_plan(id: PlanId, expected: Option<u32>, plan: NewPlan) -> Result<PlanRecord, StoreError>;
    fn delete_plan(org: OrgId, id: PlanId) -> Result<(), StoreError>;
    fn get_plan(org: OrgId, id: PlanId) -> Result<Option<PlanRecord>, StoreError>;
    fn plan_by_name(org: OrgId, name: &str) -> Result<Option<PlanRecord>, StoreError>;
    fn list_plans(org: OrgId, paging: &Paging) -> Result<Page<PlanSummary>, StoreError>;
    fn plan_versions(org: OrgId, id: PlanId, paging: &Paging) -> Result<Page<VersionRecord>, StoreError>;
    fn move_run(org: OrgId, run: RunId, from: u32, to: u32, seq: u32) -> Result<bool, StoreError>;
    fn plan_version(id: PlanId, version: u32) -> Result<Option<Value>, StoreError>;
    fn webhook_routes() -> Result<Vec<WebhookRoute>, StoreError>;
    fn plans_revision() -> Result<i64, StoreError>;
});

delegate!(IntegrationStore {
    fn put_integration(record: &IntegrationRecord) -> Result<(), StoreError>;
    fn list_integrations(org: OrgId) -> Result<Vec<IntegrationRecord>, StoreError>;
    fn all_integrations() -> Result<Vec<IntegrationRecord>, StoreError>;
    fn delete_integration(org: OrgId, id: IntegrationId) -> Result<bool, StoreError>;
});

delegate!(ScheduleStore {
    fn due_schedules(now: Millis, limit: u32) -> Result<Vec<ScheduleRecord>, StoreError>;
    fn next_due() -> Result<Option<Millis>, StoreError>;
    fn heard(id: ScheduleId, seen: Millis, upto: Option<Millis>) -> Result<bool, StoreError>;
    fn listens(org: OrgId, topic: &str) -> Result<bool, StoreError>;
    fn skip_slots(id: ScheduleId, seen: Millis, last_due: Option<Millis>, next_due: Option<Millis>) -> Result<bool, StoreError>;
    fn trigger_state(org: OrgId, plan: PlanId, trigger: &str) -> Result<Option<TriggerState>, StoreError>;
    fn settle_trigger(id: ScheduleId, seen: Millis, last_due: Option<Millis>, next_due: Option<Millis>, state: &TriggerState) -> Result<bool, StoreError>;
    fn trigger_standings(org: OrgId) -> Result<Vec<(PlanId, String, TriggerStanding)>, StoreError>;
    fn failing_triggers(least: u32, limit: u32) -> Result<Vec<FailingTrigger>, StoreError>;
    fn list_schedules(org: OrgId) -> Result<Vec<ScheduleRecord>, StoreError>;
});

delegate!(SecretStore {
    fn data_keys() -> Result<Vec<DataKeyRecord>, StoreError>;
    fn put_data_key(key: &DataKeyRecord) -> Result<DataKeyRecord, StoreError>;
    fn canary() -> Result<Option<Vec<u8>>, StoreError>;
    fn put_canary(sealed: &[u8]) -> Result<(), StoreError>;
    fn put_credential(credential: &NewCredential) -> Result<CredentialRecord, StoreError>;
    fn list_credentials(owner: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError>;
    fn usable_credentials(user: &Owner, provider: Option<&str>) -> Result<Vec<CredentialRecord>, StoreError>;
    fn change_credential(org: OrgId, id: CredentialId, change: &CredentialChange) -> Result<Option<CredentialRecord>, StoreError>;
    fn delete_credential(org: OrgId, id: CredentialId) -> Result<bool, StoreError>;
    fn delete_credentials(owner: &Owner, provider: &str, name: Option<&str>) -> Result<u64, StoreError>;
    fn touch_credential(id: CredentialId) -> Result<(), StoreError>;
});

delegate!(FlowStore {
    fn admit(org: OrgId, key: &str) -> Result<Admitted, StoreError>;
    fn held_keys(after: Option<&(OrgId, String)>, limit: u32) -> Result<Vec<(OrgId, String)>, StoreError>;
    fn request_pause(org: OrgId, run: RunId) -> Result<bool, StoreError>;
    fn resume(org: OrgId, run: RunId) -> Result<bool, StoreError>;
    fn pause_requests() -> Result<Vec<RunId>, StoreError>;
    fn take_turn(ask: &TurnAsk) -> Result<Turn, StoreError>;
    fn forget_turns(org: OrgId, run: RunId) -> Result<(), StoreError>;
    fn prune_turns(batch: u32) -> Result<u64, StoreError>;
});

delegate!(BurstStore {
    fn due_bursts(limit: u32) -> Result<DueBursts, StoreError>;
    fn ripe_burst(org: OrgId, key: &str) -> Result<Option<Ripe>, StoreError>;
    fn close_burst(end: &BurstEnd) -> Result<bool, StoreError>;
});

delegate!(PlaceStore {
    fn own_places(org: OrgId) -> Result<Option<u32>, StoreError>;
    fn set_own_places(org: OrgId, places: Option<u32>) -> Result<Option<u32>, StoreError>;
    fn with_own_places() -> Result<Vec<OrgId>, StoreError>;
    fn offer_place(org: OrgId) -> Result<bool, StoreError>;
    fn with_set_aside(after: Option<OrgId>, limit: u32) -> Result<Vec<OrgId>, StoreError>;
    =
    fn places_of_each(&self) -> Option<u32> {
        self.inner.places_of_each()
    }
});

delegate!(SealedStore {
    fn sealed_rows(table: SealedTable, org: OrgId, after: Option<Uuid>, limit: u32) -> Result<Vec<SealedRow>, StoreError>;
    fn replace_sealed(seen: &SealedRow, fields: &BTreeMap<String, Vec<u8>>) -> Result<bool, StoreError>;
    fn data_keys_of(org: OrgId) -> Result<Vec<DataKeyRecord>, StoreError>;
    fn replace_data_key(seen: &DataKeyRecord, wrapped: &DataKeyRecord) -> Result<bool, StoreError>;
    fn replace_canary(seen: &[u8], canary: &[u8]) -> Result<bool, StoreError>;
});

delegate!(AccessStore {
    fn put_api_key(key: &ApiKeyRecord) -> Result<(), StoreError>;
    fn api_key_by_hash(hash: &[u8]) -> Result<Option<ApiKeyRecord>, StoreError>;
    fn list_api_keys(org: OrgId) -> Result<Vec<ApiKeyRecord>, StoreError>;
    fn touch_api_key(org: OrgId, id: ApiKeyId) -> Result<(), StoreError>;
    fn delete_api_key(org: OrgId, id: ApiKeyId) -> Result<bool, StoreError>;
    fn begin_idempotent(org: OrgId, key: &str, fingerprint: &[u8]) -> Result<Remembered, StoreError>;
    fn finish_idempotent(org: OrgId, key: &str, answer: &IdempotentAnswer) -> Result<(), StoreError>;
    fn forget_idempotent(org: OrgId, key: &str) -> Result<(), StoreError>;
});

delegate!(PeopleStore {
    fn put_user(user: &UserRecord) -> Result<(), StoreError>;
    fn user(id: UserId) -> Result<Option<UserRecord>, StoreError>;
    fn user_by_email(email: &str) -> Result<Option<UserRecord>, StoreError>;
    fn list_users(paging: &Paging) -> Result<Page<UserRecord>, StoreError>;
    fn erase_user(user: UserId) -> Result<(), StoreError>;
    fn put_organization(organization: &OrganizationRecord) -> Result<(), StoreError>;
    fn organization(org: OrgId) -> Result<Option<OrganizationRecord>, StoreError>;
    fn organization_by_slug(slug: &str) -> Result<Option<OrganizationRecord>, StoreError>;
    fn memberships(user: UserId) -> Result<Vec<(OrganizationRecord, Role)>, StoreError>;
    fn put_member(member: &MemberRecord) -> Result<(), StoreError>;
    fn role_of(user: UserId, org: OrgId) -> Result<Option<Role>, StoreError>;
    fn list_members(org: OrgId) -> Result<Vec<MemberRecord>, StoreError>;
    fn delete_member(org: OrgId, user: UserId) -> Result<bool, StoreError>;
    fn hidden_fields(org: OrgId) -> Result<Vec<HiddenField>, StoreError>;
    fn put_hidden_fields(org: OrgId, fields: &[HiddenField]) -> Result<(), StoreError>;
});

delegate!(EgressStore {
    fn put_egress_rule(record: &EgressRuleRecord) -> Result<(), StoreError>;
    fn list_egress_rules(org: OrgId) -> Result<Vec<EgressRuleRecord>, StoreError>;
    fn all_egress_rules() -> Result<Vec<EgressRuleRecord>, StoreError>;
    fn delete_egress_rule(org: OrgId, host: &str) -> Result<bool, StoreError>;
});

delegate!(OutboxStore {
    fn put_message(message: &NewMessage) -> Result<Put, StoreError>;
    fn claim_messages(max: u32, hold: Millis) -> Result<Vec<Message>, StoreError>;
    fn end_message(org: OrgId, id: MessageId, delivery: &Delivery) -> Result<(), StoreError>;
    fn next_message() -> Result<Option<Millis>, StoreError>;
    fn sendings(org: OrgId, keys: &[String]) -> Result<Vec<Sending>, StoreError>;
    fn prune_messages(before: Millis) -> Result<u64, StoreError>;
});

delegate!(FlagStore {
    fn flags() -> Result<Vec<FlagRecord>, StoreError>;
    fn flags_revision() -> Result<i64, StoreError>;
    fn put_flag(record: &FlagRecord) -> Result<(), StoreError>;
    fn delete_flag(name: &str) -> Result<bool, StoreError>;
});

delegate!(NotificationStore {
    fn put_notification_rule(rule: &NotificationRuleRecord) -> Result<(), StoreError>;
    fn notification_rules(org: OrgId) -> Result<Vec<NotificationRuleRecord>, StoreError>;
    fn delete_notification_rule(org: OrgId, id: NotificationRuleId) -> Result<bool, StoreError>;
    fn put_notification(notification: &NotificationRecord) -> Result<(), StoreError>;
    fn notifications(owner: &Owner, unread: bool, paging: &Paging) -> Result<Page<NotificationRecord>, StoreError>;
    fn unread_of(org: OrgId, users: &[UserId], most: u32) -> Result<Vec<NotificationRecord>, StoreError>;
    fn unread_notifications(owner: &Owner) -> Result<u64, StoreError>;
    fn read_notifications(owner: &Owner, id: Option<MessageId>) -> Result<u64, StoreError>;
    fn delete_notification(owner: &Owner, id: MessageId) -> Result<bool, StoreError>;
    fn prune_notifications(before: Millis) -> Result<u64, StoreError>;
    fn watched_until() -> Result<Millis, StoreError>;
    fn watch_until(moment: Millis) -> Result<(), StoreError>;
    fn ended_badly(since: Millis, after: Option<(Millis, RunId)>, limit: u32) -> Result<Vec<EndedBadly>, StoreError>;
    fn slot_endings(org: OrgId, schedule: ScheduleId, until: Millis, limit: u32) -> Result<Vec<RunStatus>, StoreError>;
    fn expiring_credentials(after: Millis, until: Millis) -> Result<Vec<Expiring>, StoreError>;
});

delegate!(OrganizationStore {
    fn change_role(org: OrgId, user: UserId, role: Role) -> Result<Role, StoreError>;
    fn remove_member(org: OrgId, user: UserId, heir: UserId) -> Result<Departed, StoreError>;
    fn set_erasure(org: OrgId, at: Option<Millis>) -> Result<(), StoreError>;
    fn erasure_of(org: OrgId) -> Result<Option<Millis>, StoreError>;
    fn erasures_due() -> Result<Vec<OrgId>, StoreError>;
    fn erase(org: OrgId, batch: u32) -> Result<Erasure, StoreError>;
});

delegate!(InvitationStore {
    fn put_invitation(invitation: &InvitationRecord) -> Result<(), StoreError>;
    fn list_invitations(org: OrgId) -> Result<Vec<InvitationRecord>, StoreError>;
    fn invitation_by_hash(hash: &[u8]) -> Result<Option<InvitationRecord>, StoreError>;
    fn renew_invitation(org: OrgId, id: InvitationId, hash: &[u8], expires_at: Millis) -> Result<bool, StoreError>;
    fn end_invitation(org: OrgId, id: InvitationId, state: InvitationState, by: UserId) -> Result<bool, StoreError>;
});

delegate!(VariableStore {
    fn put_variable(variable: &VariableRecord) -> Result<VariableRecord, StoreError>;
    fn list_variables(org: OrgId) -> Result<Vec<VariableRecord>, StoreError>;
    fn delete_variable(org: OrgId, name: &str) -> Result<bool, StoreError>;
});

delegate!(ShareStore {
    fn sharing(org: OrgId, plan: PlanId) -> Result<Option<Sharing>, StoreError>;
    fn set_sharing(org: OrgId, plan: PlanId, private: bool, with: &BTreeMap<UserId, bool>) -> Result<(), StoreError>;
    fn private_plans(org: OrgId) -> Result<BTreeMap<PlanId, Sharing>, StoreError>;
});

delegate!(AuditStore {
    fn settle_audit(org: OrgId, begun: AuditId, records: &[AuditRecord]) -> Result<(), StoreError>;
    fn append_audit(records: &[AuditRecord]) -> Result<(), StoreError>;
    fn list_audit(org: OrgId, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditRecord>, StoreError>;
    fn prune_audit(before: Millis, batch: u32) -> Result<u64, StoreError>;
});

delegate!(SessionStore {
    fn is_founded() -> Result<bool, StoreError>;
    fn replace_password(user: UserId, known: Option<&str>, hash: &str) -> Result<bool, StoreError>;
    fn put_session(session: &SessionRecord, refresh: &RefreshToken) -> Result<(), StoreError>;
    fn session(id: SessionId) -> Result<Option<SessionRecord>, StoreError>;
    fn session_by_cookie(hash: &[u8]) -> Result<Option<SessionRecord>, StoreError>;
    fn list_sessions(user: UserId) -> Result<Vec<SessionRecord>, StoreError>;
    fn touch_session(id: SessionId) -> Result<(), StoreError>;
    fn end_session(user: UserId, id: SessionId) -> Result<bool, StoreError>;
    fn end_sessions(user: UserId, but: Option<SessionId>) -> Result<u64, StoreError>;
    fn refresh(hash: &[u8], successor: &RefreshToken, grace: Millis) -> Result<Refreshed, StoreError>;
    fn put_one_time(token: &OneTime) -> Result<(), StoreError>;
    fn one_time(hash: &[u8], purpose: &str) -> Result<Option<OneTime>, StoreError>;
    fn take_one_time(hash: &[u8], purpose: &str) -> Result<Option<OneTime>, StoreError>;
    fn drop_one_time(user: Option<UserId>, purpose: &str) -> Result<(), StoreError>;
    fn attempt(key: &str, rule: &Rule) -> Result<Admission, StoreError>;
    fn give_back(key: &str) -> Result<(), StoreError>;
    fn forgive(key: &str) -> Result<(), StoreError>;
});

delegate!(FactorStore {
    fn second_factor(user: UserId) -> Result<Option<SecondFactor>, StoreError>;
    fn put_second_factor(user: UserId, factor: &SecondFactor) -> Result<(), StoreError>;
    fn confirm_second_factor(user: UserId, step: i64, recovery: &[Vec<u8>]) -> Result<bool, StoreError>;
    fn use_step(user: UserId, step: i64) -> Result<bool, StoreError>;
    fn use_recovery_code(user: UserId, hash: &[u8]) -> Result<bool, StoreError>;
    fn recovery_codes_left(user: UserId) -> Result<u32, StoreError>;
    fn delete_second_factor(user: UserId) -> Result<bool, StoreError>;
    fn outside_identity(issuer: &str, subject: &str) -> Result<Option<UserId>, StoreError>;
    fn put_outside_identity(identity: &OutsideIdentity) -> Result<(), StoreError>;
});

delegate!(LogStore {
    fn list_logs(org: OrgId, filter: &LogFilter, paging: &Paging) -> Result<Page<LogEntry>, StoreError>;
    fn monitoring(org: OrgId) -> Result<Monitoring, StoreError>;
    fn prune(retention: &Retention, batch: u32) -> Result<u64, StoreError>;
    fn prunable(retention: &Retention) -> Result<Vec<Prunable>, StoreError>;
});

delegate!(LiveStore {
    fn runs_by_id(org: OrgId, ids: &[RunId]) -> Result<Vec<RunSummary>, StoreError>;
    fn runs_changed(org: OrgId, since: Millis, limit: u32) -> Result<Vec<RunSummary>, StoreError>;
    fn journal_after(org: OrgId, run: RunId, after: u32, limit: u32) -> Result<Vec<Event>, StoreError>;
});

delegate!(Health {
    fn probe() -> Result<(), StoreError>;
    fn migrations() -> Result<Migrations, StoreError>;
    fn backlog() -> Result<Backlog, StoreError>;
    fn close();
    =
    fn reach(&self) -> Reach {
        self.inner.reach()
    }
    fn pools(&self) -> Vec<Pool> {
        self.inner.pools()
    }
});

delegate!(Blobs {
    fn put_blob(org: OrgId, bytes: Vec<u8>) -> Result<String, StoreError>;
    fn get_blob(org: OrgId, sha256: &str) -> Result<Vec<u8>, StoreError>;
});

delegate!(FileStore {
    fn begin_file(org: OrgId, id: FileId) -> Result<(), StoreError>;
    fn append_file(org: OrgId, id: FileId, no: u32, bytes: Vec<u8>) -> Result<(), StoreError>;
    fn finish_file(file: &FileRecord, quota: u64) -> Result<FileEnd, StoreError>;
    fn drop_file(org: OrgId, id: FileId) -> Result<(), StoreError>;
    fn get_file(org: OrgId, id: FileId) -> Result<Option<FileRecord>, StoreError>;
    fn list_files(org: OrgId, paging: &Paging) -> Result<Page<FileRecord>, StoreError>;
    fn file_totals(org: OrgId) -> Result<FileTotals, StoreError>;
    fn read_file(org: OrgId, id: FileId, size: u64, no: u32) -> Result<Vec<u8>, StoreError>;
    fn delete_file(org: OrgId, id: FileId) -> Result<bool, StoreError>;
    fn sweep_files() -> Result<u64, StoreError>;
});

delegate!(SignalStore {
    fn put_wait(wait: &WaitRecord) -> Result<(), StoreError>;
    fn delete_waits(org: OrgId, run: RunId, path: Option<&str>) -> Result<(), StoreError>;
    fn list_waits(org: OrgId, topics: &str, limit: u32) -> Result<Vec<WaitRecord>, StoreError>;
    fn wait_for(org: OrgId, topic: &str) -> Result<Option<WaitRecord>, StoreError>;
    fn list_events(org: OrgId, filter: &EventFilter, paging: &Paging) -> Result<Page<SignalRecord>, StoreError>;
    fn put_signal(signal: &NewSignal) -> Result<Told, StoreError>;
    fn signals(org: OrgId, topic: &str, since: Millis, after: Option<SignalId>, limit: u32) -> Result<Vec<SignalRecord>, StoreError>;
    fn count_signals(org: OrgId, topic: &str, since: Millis, most: u32) -> Result<u32, StoreError>;
    fn signal(org: OrgId, id: SignalId) -> Result<Option<SignalRecord>, StoreError>;
    fn prune_signals(before: Millis, batch: u32) -> Result<u64, StoreError>;
});

delegate!(StateStore {
    fn state(space: StateSpace, key: &str) -> Result<Option<StateRecord>, StoreError>;
    fn list_state(space: StateSpace, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<StateRecord>, StoreError>;
    fn list_state_sets(space: StateSpace) -> Result<Vec<StateSet>, StoreError>;
    fn count_state(space: StateSpace, most: u64) -> Result<u64, StoreError>;
    fn count_seen(space: StateSpace, set: &str, most: u64) -> Result<u64, StoreError>;
    fn seen(space: StateSpace, set: &str, digests: &[Digest]) -> Result<Vec<Option<Millis>>, StoreError>;
    fn apply_state(space: StateSpace, run: RunId, id: Uuid, write: &StateWrite) -> Result<StateDone, StoreError>;
    fn put_state(space: StateSpace, record: &StateRecord) -> Result<Option<StateRecord>, StoreError>;
    fn delete_state(space: StateSpace, key: &str) -> Result<Option<StateRecord>, StoreError>;
    fn delete_state_set(space: StateSpace, set: &str) -> Result<u64, StoreError>;
    fn cached(org: OrgId, id: &[u8; 32]) -> Result<Option<Value>, StoreError>;
    fn put_cached(org: OrgId, id: &[u8; 32], result: &Value, expires_at: Millis) -> Result<(), StoreError>;
    fn prune_state(batch: u32) -> Result<u64, StoreError>;
});
