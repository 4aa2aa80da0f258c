//! A store with rows in every table, with the values that copies get wrong: limits, empty and large ones, odd texts.

use std::collections::BTreeMap;

use mainspring_model::burst::{Burst, Gather};
use mainspring_model::event::{AttemptStatus, BlobRef, EventBody};
use mainspring_model::file::{FILE_CHUNK, FileValue};
use mainspring_model::flag::Flag;
use mainspring_model::flow::{Flow, Policy, Priority};
use mainspring_model::hidden::HiddenField;
use mainspring_model::id::{
    ApiKeyId, AuditId, CredentialId, FileId, IntegrationId, InvitationId, MessageId, NotificationRuleId, OrgId, Owner, RunId, SignalId,
    UserId, VariableId,
};
use mainspring_model::role::Role;
use mainspring_model::run::{RunStatus, Slot};
use mainspring_model::state::{Digests, StateChange, StateScope, StateWrite};
use mainspring_model::store::{
    Actor, ApiKeyRecord, AuditOutcome, AuditRecord, Channel, Committed, CredentialChange, DataKeyRecord, EgressRuleRecord, FileEnd,
    FileRecord, FlagRecord, IdempotentAnswer, IntegrationRecord, InvitationRecord, InvitationState, MemberRecord, NewCredential,
    NewMessage, NewPlan, NewRun, NewSignal, NotificationRecord, NotificationRuleRecord, OrganizationRecord, OutsideIdentity, PlanSource,
    SaveAs, Saving, SecondFactor, Standing, StateSpace, Throttle, TriggerStanding, TriggerState, UserRecord, VariableRecord, VariableValue,
    WaitKey, WaitRecord, WebhookRoute,
};
use serde_json::json;

use crate::suite::make::{World, attempt, ending, finished, owner, plan_id, rows, success};

pub const CANARY: &[u8] = &[0, 1, 2, 255];
pub const HOSTILE: &str = "␛0 ␛␛ 'quoted\" \\u0000 \u{1F600} e\u{301} \u{202E}rtl \r\n\t ; drop table runs; -- 😀";

/// Two organizations, each with something in every table.
pub async fn fill(world: &World) {
    world.store.put_canary(CANARY).await.unwrap();
    for (n, who) in [(0, Owner::LOCAL), (10, owner(1))] {
        of(n, who, world).await;
    }
    telling(world).await;
}

/// Flags, rules, notifications and messages.
async fn telling(world: &World) {
    let store = &world.store;
    let flag = Flag { description: HOSTILE.to_owned(), rollout_percentage: Some(7), ..Flag::default() };
    let (updated_at, updated_by) = (world.now(), Owner::LOCAL.user);
    for name in ["editor", "viewer"] {
        store.put_flag(&FlagRecord { name: name.to_owned(), flag: flag.clone(), updated_at, updated_by }).await.unwrap();
    }
    for owner in [Owner::LOCAL, owner(1)] {
        let (id, name, definition) = (NotificationRuleId(world.uuid()), HOSTILE.to_owned(), json!({ "events": [HOSTILE] }));
        let rule = NotificationRuleRecord { id, owner, name, definition, secrets: None, created_at: 1, updated_at: world.now() };
        store.put_notification_rule(&rule).await.unwrap();
        for (key, sealed) in [("first", vec![0, 255]), ("second", vec![1]), ("held", vec![2])] {
            let (key, throttle) = (key.to_owned(), Some(Throttle { rule: id, subject: id.0, distance: 1_000 }));
            let message = NewMessage { id: MessageId(world.uuid()), org: owner.org, channel: Channel::Webhook, key, throttle, sealed };
            store.put_message(&message).await.unwrap();
        }
        let (id, event, title, text) = (MessageId(world.uuid()), "run.failed".to_owned(), HOSTILE.to_owned(), String::new());
        let data = json!({ "n": u64::MAX });
        store.put_notification(&NotificationRecord { id, owner, event, title, text, data, created_at: 1, read_at: Some(2) }).await.unwrap();
    }
}

async fn of(n: u128, who: Owner, world: &World) {
    let store = &world.store;
    let key = DataKeyRecord { org: who.org, version: 1, kek_id: "00ff00ff00ff00ff".to_owned(), wrapped: (0..=255).collect() };
    store.put_data_key(&key).await.unwrap();
    let fields = BTreeMap::from([("token".to_owned(), (0..=255).rev().collect()), ("empty".to_owned(), vec![])]);
    let long = "name ".repeat(100);
    for name in ["default", HOSTILE, &long] {
        let id = CredentialId(world.uuid());
        let (provider, name, fields) = ("github".to_owned(), name.to_owned(), fields.clone());
        let hosts = Some(vec!["api.example.com".to_owned(), HOSTILE.to_owned()]);
        let credential = NewCredential { id, owner: who, provider, name, fields, expires_at: Some(i64::from(u32::MAX)), hosts };
        store.put_credential(&credential).await.unwrap();
        let shared_with = Some(vec![owner(n + 7).user, owner(n + 8).user]);
        store.change_credential(who.org, id, &CredentialChange { shared_with, ..CredentialChange::default() }).await.unwrap();
    }
    let hash = vec![u8::try_from(n).unwrap(); 32];
    let (created_at, expires_at) = (world.now(), None);
    let id = ApiKeyId(world.uuid());
    store
        .put_api_key(&ApiKeyRecord {
            id,
            owner: who,
            name: String::new(),
            hash,
            created_at,
            expires_at,
            last_used_at: Some(1),
            scopes: Some(vec![HOSTILE.to_owned()]),
        })
        .await
        .unwrap();
    for key in ["short".to_owned(), "k".repeat(255)] {
        store.begin_idempotent(who.org, &key, &[1; 32]).await.unwrap();
        let headers = vec![("Location".to_owned(), HOSTILE.to_owned())];
        let answer = IdempotentAnswer { fingerprint: vec![1; 32], status: 201, headers, body: vec![0, 255, 0] };
        store.finish_idempotent(who.org, &key, &answer).await.unwrap();
    }
    store.begin_idempotent(who.org, "unanswered", &[2; 32]).await.unwrap();
    let definition = json!({ "base_url": HOSTILE, "limit": i64::MAX, "least": i64::MIN, "huge": u64::MAX, "tiny": 1e-308, "none": null });
    let id = IntegrationId(world.uuid());
    let now = world.now();
    let integration = IntegrationRecord { id, owner: who, name: HOSTILE.to_owned(), definition, created_at: now, updated_at: now };
    store.put_integration(&integration).await.unwrap();
    people(n, who, world).await;
    for (host, note) in [("*.example.com", HOSTILE), ("10.0.0.0/8", "")] {
        let rule = EgressRuleRecord { org: who.org, host: host.to_owned(), note: note.to_owned(), user: who.user, created_at: world.now() };
        world.store.put_egress_rule(&rule).await.unwrap();
    }
    plans(n, who, world).await;
    runs(n, who, world).await;
    organization(n, who, world).await;
    signals(who, world).await;
    state(n, who, world).await;
    files(who, world).await;
}

async fn organization(n: u128, who: Owner, world: &World) {
    let (store, now) = (&world.store, world.now());
    for (name, value) in [("PLAIN", VariableValue::Plain(json!({ "text": HOSTILE }))), ("SEALED", VariableValue::Secret(vec![0, 255, 7]))] {
        let (name, id) = (name.to_owned(), VariableId(world.uuid()));
        let variable = VariableRecord { org: who.org, name, id, user: who.user, value, created_at: now, updated_at: now };
        store.put_variable(&variable).await.unwrap();
    }
    for (at, email) in [(0, None), (1, Some(HOSTILE.to_owned()))] {
        let invitation = InvitationRecord {
            id: InvitationId(world.uuid()),
            org: who.org,
            invited_by: who.user,
            role: Role::Viewer,
            hash: vec![u8::try_from(n).unwrap() + at; 32],
            email,
            created_at: now,
            expires_at: now + 1,
            state: InvitationState::Pending,
            ended_at: None,
            ended_by: None,
        };
        store.put_invitation(&invitation).await.unwrap();
        if at == 1 {
            assert!(store.end_invitation(who.org, invitation.id, InvitationState::Declined, who.user).await.unwrap());
        }
    }
    let entry = |actor, text: Option<&str>| AuditRecord {
        id: AuditId(world.uuid()),
        org: who.org,
        at: None,
        user: text.map(|_| who.user),
        actor,
        address: text.map(str::to_owned),
        agent: text.map(str::to_owned),
        action: text.unwrap_or_default().to_owned(),
        outcome: AuditOutcome::Refused,
        target_kind: text.map(str::to_owned),
        target_id: text.map(|text| text.repeat(20)),
        before: text.map(|text| json!([text])),
        after: text.map(|text| json!({ "\0": text })),
        request_id: text.map(str::to_owned),
    };
    let entries = [entry(Actor::Nobody, None), entry(Actor::Key(ApiKeyId(world.uuid())), Some(HOSTILE))];
    store.append_audit(&entries).await.unwrap();
    let with = BTreeMap::from([(who.user, false), (UserId(world.uuid()), true)]);
    store.set_sharing(who.org, plan_id(n + 1), true, &with).await.unwrap();
    store.set_erasure(who.org, Some(now + 86_400_000)).await.unwrap();
}

/// One of two pieces, and an empty one.
async fn files(who: Owner, world: &World) {
    for (pieces, expires_at) in [(vec![vec![7; FILE_CHUNK], b"end".to_vec()], None), (vec![], Some(world.now() + 86_400_000))] {
        let id = FileId(world.uuid());
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        let (name, media_type, sha256) = (HOSTILE.to_owned(), "text/plain".to_owned(), "ab".repeat(32));
        let value = FileValue { file: id, name, media_type, size, sha256 };
        let (run, step) = (expires_at.map(|_| RunId(world.uuid())), expires_at.map(|_| HOSTILE.to_owned()));
        world.store.begin_file(who.org, id).await.unwrap();
        for (no, piece) in (0..).zip(pieces) {
            world.store.append_file(who.org, id, no, piece).await.unwrap();
        }
        let record = FileRecord { owner: who, value, created_at: 0, expires_at, run, step };
        assert!(matches!(world.store.finish_file(&record, u64::MAX).await.unwrap(), FileEnd::Kept(_)));
    }
}

async fn signals(who: Owner, world: &World) {
    for sole in [false, true] {
        let id = SignalId(world.uuid());
        let signal = NewSignal { org: who.org, id, topic: HOSTILE.to_owned(), data: json!({ HOSTILE: HOSTILE }), sole };
        world.store.put_signal(&signal).await.unwrap();
    }
    for key in [None, Some(WaitKey { pointer: "/a".to_owned(), value: HOSTILE.to_owned() })] {
        let path = format!("step_{}", key.is_some());
        let (topic, detail) = (HOSTILE.to_owned(), json!({ "message": HOSTILE }));
        let wait = WaitRecord { org: who.org, run: RunId(world.uuid()), path, topic, key, detail, created_at: world.now() };
        world.store.put_wait(&wait).await.unwrap();
    }
}

async fn state(n: u128, who: Owner, world: &World) {
    let run = RunId(world.uuid());
    for (plan, until) in [(None, None), (Some(plan_id(n + 1)), Some(world.now() + 1))] {
        let space = StateSpace { org: who.org, plan };
        let scope = if plan.is_some() { StateScope::Plan } else { StateScope::Organization };
        let (item, value) = (if plan.is_some() { [0; 16] } else { [255; 16] }, json!({ HOSTILE: [HOSTILE, i64::MAX] }));
        for change in [StateChange::Set(value), StateChange::Remember(Digests(vec![item, [7; 16]]))] {
            let write = StateWrite { scope, key: HOSTILE.to_owned(), until, change };
            world.store.apply_state(space, run, world.uuid(), &write).await.unwrap();
        }
    }
}

async fn people(n: u128, who: Owner, world: &World) {
    let now = world.now();
    let organization =
        OrganizationRecord { id: who.org, name: HOSTILE.to_owned(), slug: format!("org-{n}"), created_at: now, updated_at: now };
    world.store.put_organization(&organization).await.unwrap();
    let hidden = [Role::Member, Role::Owner].map(|least| HiddenField { field: HOSTILE.to_owned(), least });
    world.store.put_hidden_fields(who.org, &hidden).await.unwrap();
    for (at, role) in Role::ALL.into_iter().enumerate() {
        let id = UserId(world.uuid());
        let user = UserRecord {
            id,
            email: format!("Someone-{n}-{at}@Example.COM"),
            name: HOSTILE.to_owned(),
            password_hash: (at > 0).then(|| "$argon2id$v=19$…".to_owned()),
            operator: at == 0,
            verified_at: (at > 1).then_some(now),
            disabled_at: (at > 2).then_some(now),
            created_at: now,
            updated_at: now + 1,
        };
        world.store.put_user(&user).await.unwrap();
        world.store.put_member(&MemberRecord { org: who.org, user: id, role, created_at: now }).await.unwrap();
        let factor = SecondFactor { sealed: (0..=255).collect(), confirmed_at: None, last_step: None, created_at: now };
        world.store.put_second_factor(id, &factor).await.unwrap();
        if at > 0 {
            let codes = [vec![u8::try_from(at).unwrap(); 32], vec![0; 32]];
            assert!(world.store.confirm_second_factor(id, i64::MAX, &codes).await.unwrap());
        }
        let identity =
            OutsideIdentity { issuer: format!("https://issuer.example/{n}"), subject: format!("{HOSTILE}{at}"), user: id, created_at: now };
        world.store.put_outside_identity(&identity).await.unwrap();
    }
}

async fn plans(n: u128, who: Owner, world: &World) {
    let route = |path: &str| WebhookRoute {
        plan: plan_id(n),
        org: who.org,
        path: path.to_owned(),
        method: "POST".to_owned(),
        trigger: "hook".to_owned(),
        exclusive: false,
    };
    let mut plan = NewPlan {
        owner: who,
        webhooks: vec![route("orders"), route(HOSTILE), route("orders/2")],
        schedules: vec![world.schedule("nightly", "0 2 * * *", Some(world.now() + 1)), world.schedule("never", HOSTILE, None)],
        source: PlanSource::File,
        ..world.plan(HOSTILE)
    };
    plan.schedules[1].timezone = Some("Europe/Berlin".to_owned());
    world.store.create_plan(plan_id(n + 1), plan.clone()).await.unwrap();
    let of_file = world.store.list_schedules(who.org).await.unwrap();
    let nightly = of_file.iter().find(|schedule| schedule.next_due.is_some()).unwrap();
    let standing = TriggerStanding { failures: 2, failing_since: Some(1), error: Some(json!({"code": HOSTILE})), worked_at: None };
    let state = TriggerState { seen: json!({"keys": [HOSTILE]}), standing };
    let due = nightly.next_due;
    assert!(world.store.settle_trigger(nightly.id, due.unwrap(), None, due, &state).await.unwrap());
    plan.document = json!({ "name": "changed", "text": "\0 and \u{10FFFF}", "deep": [[[[{}]]]] });
    world.store.update_plan(plan_id(n + 1), Some(1), plan.clone()).await.unwrap();
    plan.document = json!({ "name": HOSTILE, "draft": true });
    plan.saving = Saving { by: Some(who.user), note: Some(HOSTILE.to_owned()), as_what: SaveAs::Draft };
    plan.file = Some(HOSTILE.to_owned());
    world.store.update_plan(plan_id(n + 1), None, plan).await.unwrap();
    // A plan that is gone, whose version a run still needs.
    world.store.create_plan(plan_id(n + 2), NewPlan { owner: who, ..world.plan("gone") }).await.unwrap();
    let header = world.header_of(who, plan_id(n + 2));
    world.ended_as(&header, RunStatus::Success).await;
    world.store.delete_plan(who.org, plan_id(n + 2)).await.unwrap();
}

async fn runs(n: u128, who: Owner, world: &World) {
    let plan = plan_id(n + 1);
    let header = || world.header_of(who, plan);
    for status in [RunStatus::Success, RunStatus::Error, RunStatus::Cancelled] {
        world.ended_as(&header(), status).await;
    }
    let schedule = world.store.list_schedules(who.org).await.unwrap()[0].id;
    let slot = Some((Slot { schedule, due_at: world.now() + 1 }, Some(i64::MAX)));
    let mut odd = header();
    (odd.plan_name, odd.environment, odd.seed) = (HOSTILE.to_owned(), String::new(), [255; 16]);
    odd.inputs = json!({ "text": "\0␛0", "list": [], "number": i64::MIN, "half": 0.1 });
    odd.trigger = json!({ "type": "schedule", "due": HOSTILE });
    odd.parent = Some((header().id, "path/of/it[3]".to_owned()));
    let key = Some(format!("request/{}", "x".repeat(300)));
    world
        .commit(world.creation_of(
            NewRun {
                header: odd.into(),
                slot,
                key,
                flow: Some(Flow { key: "ab12".to_owned(), limit: 2, policy: Policy::Deliver }),
                burst: None,
                priority: Priority::High,
            },
            Standing::Queued,
        ))
        .await;
    let burst = Burst { key: "cd34".to_owned(), gather: Gather::Debounce { quiet: 1_000, most: Some(2_000) } };
    let gathered = NewRun { header: header().into(), slot: None, key: None, flow: None, burst: Some(burst), priority: Priority::Normal };
    world.commit(world.creation_of(gathered, Standing::Queued)).await;
    let waiting = header();
    let until = Some(world.now() + 10);
    assert_eq!(world.commit(world.creation(&waiting, Standing::Waiting(until))).await, Committed::Done);
    world.store.request_cancel(who.org, waiting.id, HOSTILE).await.unwrap();
    let long = header();
    world.commit(world.creation(&long, Standing::Waiting(Some(i64::MAX)))).await;
    // Held, with a journal, a provider whose name is long, and blobs from empty to large.
    let held = header();
    world.commit(world.creation(&held, Standing::Running)).await;
    let named = attempt(1, world.now(), "a", &"provider ".repeat(50), AttemptStatus::Error, json!({ "n": u64::MAX }));
    world.commit(world.write(held.id, &[named, success(2, world.now())], Standing::Running)).await;
    for bytes in [Vec::new(), vec![0], vec![b'"'; 3 << 20]] {
        blob(who.org, bytes, &header(), world).await;
    }
}

/// A run that ended with this as its output.
pub async fn blob(org: OrgId, bytes: Vec<u8>, header: &mainspring_model::run::RunHeader, world: &World) {
    let size = bytes.len() as u64;
    let sha256 = world.store.put_blob(org, bytes).await.unwrap();
    let mut event = success(1, world.now());
    if let EventBody::Attempted(body) = &mut event.body {
        (body.output, body.blob) = (json!(null), Some(BlobRef { sha256, size, preview: HOSTILE.to_owned() }));
    }
    let mut write = world.creation(header, Standing::Ended(ending(RunStatus::Success)));
    write.events = rows(&[event, finished(2, world.now(), RunStatus::Success)]);
    assert_eq!(world.commit(write).await, Committed::Done);
}
