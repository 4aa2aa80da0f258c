//! Organizations with a row in every table, and users with one in every table of the installation, for attempts to reach them.

use mainspring_model::burst::{Burst, Gather};
use mainspring_model::event::AttemptStatus;
use mainspring_model::file::FileValue;
use mainspring_model::flag::Flag;
use mainspring_model::flow::Priority;
use mainspring_model::hidden::HiddenField;
use mainspring_model::id::{
    ApiKeyId, AuditId, CredentialId, FileId, IntegrationId, InvitationId, MessageId, NotificationRuleId, Owner, RunId, SessionId, SignalId,
    UserId, VariableId,
};
use mainspring_model::lockout::Rule;
use mainspring_model::rate::{TurnAsk, Waiter};
use mainspring_model::role::Role;
use mainspring_model::run::RunStatus;
use mainspring_model::state::{Digests, StateChange, StateScope, StateWrite};
use mainspring_model::store::{
    Actor, ApiKeyRecord, AuditOutcome, AuditRecord, Channel, CredentialChange, DataKeyRecord, EgressRuleRecord, FileRecord, FlagRecord,
    IntegrationRecord, InvitationRecord, InvitationState, MemberRecord, NewCredential, NewMessage, NewPlan, NewRun, NewSignal,
    NotificationRecord, NotificationRuleRecord, OneTime, OrganizationRecord, OutsideIdentity, RefreshToken, SecondFactor, SessionRecord,
    Standing, StateSpace, TriggerState, UserRecord, VariableRecord, VariableValue, WaitRecord, WebhookRoute,
};
use serde_json::json;

use crate::suite::make::{START, World, attempt, ending, plan_id};

/// Rows in every table.
pub async fn settle(world: &World, who: Owner, n: u128, name: &str) {
    let store = &world.store;
    let route = WebhookRoute {
        plan: plan_id(n),
        org: who.org,
        path: format!("{name}/hook"),
        method: "POST".to_owned(),
        trigger: "hook".to_owned(),
        exclusive: false,
    };
    let schedules = vec![world.schedule("cron", "0 2 * * *", Some(START))];
    let plan = NewPlan { owner: who, webhooks: vec![route], schedules, ..world.plan(name) };
    store.create_plan(plan_id(n), plan).await.unwrap();
    let cron = store.list_schedules(who.org).await.unwrap()[0].id;
    let remembered = TriggerState { seen: json!({"keys": [name]}), ..TriggerState::default() };
    assert!(store.settle_trigger(cron, START, None, Some(START), &remembered).await.unwrap());
    let record = IntegrationRecord {
        id: IntegrationId(world.uuid()),
        owner: who,
        name: name.to_owned(),
        definition: json!({"name": name}),
        created_at: START,
        updated_at: START,
    };
    store.put_integration(&record).await.unwrap();
    let space = StateSpace { org: who.org, plan: None };
    for change in [StateChange::Set(json!(name)), StateChange::Remember(Digests(vec![[1; 16]]))] {
        let write = StateWrite { scope: StateScope::Organization, key: name.to_owned(), until: Some(START + 1), change };
        store.apply_state(space, RunId(world.uuid()), world.uuid(), &write).await.unwrap();
    }
    let waits = Some(Waiter::of(RunId(world.uuid()), name));
    store.take_turn(&TurnAsk { org: who.org, key: name.to_owned(), limit: 1, window: 1, waits }).await.unwrap();
    store.put_cached(who.org, &[1; 32], &json!(name), START + 1).await.unwrap();
    let fields = [("token".to_owned(), name.as_bytes().to_vec())].into();
    let credential = NewCredential {
        id: CredentialId(world.uuid()),
        owner: who,
        provider: "github".to_owned(),
        name: name.to_owned(),
        fields,
        expires_at: None,
        hosts: None,
    };
    store.put_credential(&credential).await.unwrap();
    let shared_with = Some(vec![who.user]);
    let change = CredentialChange { shared_with, ..CredentialChange::default() };
    store.change_credential(who.org, credential.id, &change).await.unwrap();
    let key = ApiKeyRecord {
        id: ApiKeyId(world.uuid()),
        owner: who,
        name: name.to_owned(),
        hash: vec![n as u8; 32],
        created_at: START,
        expires_at: None,
        last_used_at: None,
        scopes: None,
    };
    store.put_api_key(&key).await.unwrap();
    store
        .put_data_key(&DataKeyRecord { org: who.org, version: 1, kek_id: name.to_owned(), wrapped: name.as_bytes().to_vec() })
        .await
        .unwrap();
    people(world, who, name).await;
    telling(world, who, name).await;
    files(world, who, name).await;
    kept_beside(world, who, n, name).await;
    logins(world, n, name).await;
    store.begin_idempotent(who.org, name, &[1]).await.unwrap();
    let sha256 = store.put_blob(who.org, name.as_bytes().to_vec()).await.unwrap();
    for status in [RunStatus::Success, RunStatus::Error] {
        let header = world.header_of(who, plan_id(n));
        world.commit(world.creation(&header, Standing::Running)).await;
        let mut event = attempt(1, START, name, "http", AttemptStatus::Success, json!({"of": name}));
        if let mainspring_model::event::EventBody::Attempted(body) = &mut event.body {
            body.blob = Some(mainspring_model::event::BlobRef { sha256: sha256.clone(), size: 1, preview: name.to_owned() });
        }
        world.commit(world.write(header.id, &[event], Standing::Ended(ending(status)))).await;
    }
    let header = world.header_of(who, plan_id(n)).into();
    let burst = Some(Burst { key: name.to_owned(), gather: Gather::Batch { size: 2, within: 1 } });
    let new = NewRun { header, slot: None, key: None, flow: None, burst, priority: Priority::Normal };
    world.commit(world.creation_of(new, Standing::Queued)).await;
}

async fn kept_beside(world: &World, who: Owner, n: u128, name: &str) {
    let (store, text) = (&world.store, || name.to_owned());
    let entry = AuditRecord {
        id: AuditId(world.uuid()),
        org: who.org,
        at: None,
        user: Some(who.user),
        actor: Actor::Server,
        address: Some(text()),
        agent: Some(text()),
        action: text(),
        outcome: AuditOutcome::Done,
        target_kind: Some(text()),
        target_id: Some(text()),
        before: Some(json!(name)),
        after: Some(json!(name)),
        request_id: Some(text()),
    };
    store.append_audit(&[entry]).await.unwrap();
    let invitation = InvitationRecord {
        id: InvitationId(world.uuid()),
        org: who.org,
        invited_by: who.user,
        role: Role::Member,
        hash: vec![n as u8; 32],
        email: Some(text()),
        created_at: START,
        expires_at: START,
        state: InvitationState::Pending,
        ended_at: None,
        ended_by: None,
    };
    store.put_invitation(&invitation).await.unwrap();
    let (id, value) = (VariableId(world.uuid()), VariableValue::Plain(json!(name)));
    let variable = VariableRecord { org: who.org, name: text(), id, user: who.user, value, created_at: START, updated_at: START };
    store.put_variable(&variable).await.unwrap();
    store.set_sharing(who.org, plan_id(n), true, &[(who.user, true)].into()).await.unwrap();
}

async fn people(world: &World, who: Owner, name: &str) {
    let text = || name.to_owned();
    let organization = OrganizationRecord { id: who.org, name: text(), slug: text(), created_at: START, updated_at: START };
    world.store.put_organization(&organization).await.unwrap();
    let user = UserRecord {
        id: UserId(world.uuid()),
        email: text(),
        name: text(),
        password_hash: Some(text()),
        operator: false,
        verified_at: None,
        disabled_at: None,
        created_at: START,
        updated_at: START,
    };
    world.store.put_user(&user).await.unwrap();
    world.store.put_hidden_fields(who.org, &[HiddenField { field: text(), least: Role::Owner }]).await.unwrap();
    let rule = EgressRuleRecord { org: who.org, host: text(), note: text(), user: who.user, created_at: START };
    world.store.put_egress_rule(&rule).await.unwrap();
    let member = MemberRecord { org: who.org, user: user.id, role: Role::Owner, created_at: START };
    world.store.put_member(&member).await.unwrap();
}

/// One that is there, and one that is being written.
async fn files(world: &World, who: Owner, name: &str) {
    for ends in [true, false] {
        let id = FileId(world.uuid());
        world.store.begin_file(who.org, id).await.unwrap();
        world.store.append_file(who.org, id, 0, name.as_bytes().to_vec()).await.unwrap();
        let (media_type, size, sha256) = ("text/plain".to_owned(), name.len() as u64, "ab".repeat(32));
        let value = FileValue { file: id, name: name.to_owned(), media_type, size, sha256 };
        let record = FileRecord { owner: who, value, created_at: 0, expires_at: None, run: None, step: Some(name.to_owned()) };
        if ends {
            world.store.finish_file(&record, u64::MAX).await.unwrap();
        }
    }
}

async fn telling(world: &World, who: Owner, name: &str) {
    let (text, now) = (|| name.to_owned(), world.now());
    let flag = FlagRecord { name: text(), flag: Flag::default(), updated_at: now, updated_by: who.user };
    world.store.put_flag(&flag).await.unwrap();
    let rule = NotificationRuleRecord {
        id: NotificationRuleId(world.uuid()),
        owner: who,
        name: text(),
        definition: json!({}),
        secrets: None,
        created_at: now,
        updated_at: now,
    };
    world.store.put_notification_rule(&rule).await.unwrap();
    let id = MessageId(world.uuid());
    let message = NewMessage { id, org: who.org, channel: Channel::Mail, key: text(), throttle: None, sealed: name.as_bytes().to_vec() };
    world.store.put_message(&message).await.unwrap();
    let (event, title, data) = (text(), text(), json!(name));
    let notification = NotificationRecord { id, owner: who, event, title, text: text(), data, created_at: now, read_at: None };
    world.store.put_notification(&notification).await.unwrap();
    let signal = NewSignal { org: who.org, id: SignalId(world.uuid()), topic: text(), data: json!(name), sole: false };
    world.store.put_signal(&signal).await.unwrap();
    let detail = json!(name);
    let wait = WaitRecord { org: who.org, run: RunId(world.uuid()), path: text(), topic: text(), key: None, detail, created_at: now };
    world.store.put_wait(&wait).await.unwrap();
}

/// How somebody is logged in, under the installation.
async fn logins(world: &World, n: u128, name: &str) {
    let (store, text, user, hash) = (&world.store, || name.to_owned(), UserId(world.uuid()), vec![n as u8; 32]);
    let session = SessionRecord {
        id: SessionId(world.uuid()),
        user,
        method: text(),
        device: text(),
        address: text(),
        cookie: Some(hash.clone()),
        created_at: START,
        last_used_at: START,
        expires_at: i64::from(u32::MAX) * 1_000,
    };
    store.put_session(&session, &RefreshToken { hash: hash.clone(), expires_at: session.expires_at }).await.unwrap();
    let once = OneTime { hash: hash.clone(), purpose: text(), user: Some(user), data: json!(name), expires_at: session.expires_at };
    store.put_one_time(&once).await.unwrap();
    store.attempt(name, &Rule::ADDRESS).await.unwrap();
    let factor = SecondFactor { sealed: hash.clone(), confirmed_at: None, last_step: None, created_at: START };
    store.put_second_factor(user, &factor).await.unwrap();
    store.confirm_second_factor(user, 1, &[hash]).await.unwrap();
    let identity = OutsideIdentity { issuer: text(), subject: text(), user, created_at: START };
    store.put_outside_identity(&identity).await.unwrap();
}
