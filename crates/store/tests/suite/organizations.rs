//! Organizations: invitations and members, variables, who reaches a plan, and the end that leaves nothing.

use std::collections::BTreeMap;

use mainspring_model::id::{AuditId, CredentialId, InvitationId, OrgId, Owner, UserId, VariableId};
use mainspring_model::role::Role;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{
    Actor, ApiKeyRecord, AuditFilter, AuditOutcome, AuditRecord, Departed, Erasure, IntegrationRecord, InvitationRecord, InvitationState,
    MemberRecord, NewCredential, NewPlan, OrganizationRecord, PlanSource, RunFilter, Sharing, Standing, VariableRecord, VariableValue,
};
use serde_json::json;

use super::make::{World, code, owner, page, plan_id};

const DAY: i64 = 86_400_000;

async fn organization(world: &World, org: OrgId, members: &[(UserId, Role)]) {
    let now = world.now();
    let record = OrganizationRecord { id: org, name: "Org".to_owned(), slug: org.to_string(), created_at: now, updated_at: now };
    world.store.put_organization(&record).await.unwrap();
    for (user, role) in members {
        world.store.put_member(&MemberRecord { org, user: *user, role: *role, created_at: now }).await.unwrap();
    }
}

fn invitation(world: &World, org: OrgId, byte: u8) -> InvitationRecord {
    InvitationRecord {
        id: InvitationId(world.uuid()),
        org,
        invited_by: owner(1).user,
        role: Role::Member,
        hash: vec![byte; 32],
        email: Some("ada@example.com".to_owned()),
        created_at: world.now(),
        expires_at: world.now() + DAY,
        state: InvitationState::Pending,
        ended_at: None,
        ended_by: None,
    }
}

pub async fn an_invitation_is_used_once(world: &World) {
    let (org, guest) = (owner(1).org, owner(2).user);
    organization(world, org, &[(owner(1).user, Role::Owner)]).await;
    let (first, second, third) = (invitation(world, org, 1), invitation(world, org, 2), invitation(world, org, 3));
    for new in [&first, &second, &third] {
        world.store.put_invitation(new).await.unwrap();
        world.pass(1);
    }
    assert_eq!(world.store.list_invitations(org).await.unwrap(), [third.clone(), second.clone(), first.clone()]);
    assert_eq!(world.store.list_invitations(owner(2).org).await.unwrap(), []);
    assert_eq!(world.store.invitation_by_hash(&[1; 32]).await.unwrap(), Some(first.clone()));
    assert_eq!(world.store.invitation_by_hash(&[9; 32]).await.unwrap(), None);
    let renew = async |org, id| world.store.renew_invitation(org, id, &[4; 32], world.now() + 2 * DAY).await.unwrap();
    assert!(!renew(owner(2).org, third.id).await && renew(org, third.id).await);
    assert_eq!(world.store.invitation_by_hash(&[3; 32]).await.unwrap(), None, "the link before is none any more");
    let third = world.store.invitation_by_hash(&[4; 32]).await.unwrap().unwrap();
    assert_eq!(third.expires_at, world.now() + 2 * DAY);
    let end = async |id, state, by| world.store.end_invitation(org, id, state, by).await;
    assert!(!world.store.end_invitation(owner(2).org, first.id, InvitationState::Accepted, guest).await.unwrap());
    assert!(end(first.id, InvitationState::Accepted, guest).await.unwrap());
    assert_eq!(world.store.role_of(guest, org).await.unwrap(), Some(Role::Member));
    assert!(!end(first.id, InvitationState::Accepted, owner(3).user).await.unwrap(), "once");
    assert!(!renew(org, first.id).await, "one that was used is not sent again");
    assert_eq!(world.store.role_of(owner(3).user, org).await.unwrap(), None);
    let kept = world.store.invitation_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.ended_by, kept.ended_at), (InvitationState::Accepted, Some(guest), Some(world.now())));
    assert_eq!(code(end(second.id, InvitationState::Accepted, guest).await), "CONFLICT");
    assert_eq!(world.store.invitation_by_hash(&[2; 32]).await.unwrap().unwrap().state, InvitationState::Pending, "undone with it");
    assert!(end(second.id, InvitationState::Revoked, owner(1).user).await.unwrap());
    assert!(!end(second.id, InvitationState::Accepted, owner(3).user).await.unwrap());
    world.pass(2 * DAY);
    assert!(!end(third.id, InvitationState::Accepted, owner(3).user).await.unwrap(), "expired");
    assert!(end(third.id, InvitationState::Revoked, owner(1).user).await.unwrap(), "an expired one can be put away");
}

pub async fn the_last_owner_stays(world: &World) {
    let (org, ada, bob) = (owner(1).org, owner(1).user, owner(2).user);
    organization(world, org, &[(ada, Role::Owner), (bob, Role::Viewer)]).await;
    let change = async |user, role| world.store.change_role(org, user, role).await;
    assert_eq!(code(change(ada, Role::Admin).await), "CONFLICT");
    assert_eq!(code(world.store.remove_member(org, ada, bob).await), "CONFLICT");
    assert_eq!(change(ada, Role::Owner).await.unwrap(), Role::Owner);
    assert_eq!(code(change(owner(3).user, Role::Owner).await), "NOT_FOUND");
    assert_eq!(code(world.store.change_role(owner(2).org, bob, Role::Owner).await), "NOT_FOUND");
    assert_eq!(change(bob, Role::Owner).await.unwrap(), Role::Viewer);
    // Two owners that leave at once: one of them stays.
    let (one, two) = tokio::join!(change(ada, Role::Member), change(bob, Role::Member));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1, "{one:?} {two:?}");
    let owners = world.store.list_members(org).await.unwrap().iter().filter(|member| member.role == Role::Owner).count();
    assert_eq!(owners, 1);
}

pub async fn who_goes_leaves_plans_and_takes_keys(world: &World) {
    let (org, ada, bob) = (owner(1).org, owner(1).user, owner(2).user);
    let (of_ada, of_bob) = (Owner { org, user: ada }, Owner { org, user: bob });
    organization(world, org, &[(ada, Role::Owner), (bob, Role::Member)]).await;
    for (n, who) in [(1, of_ada), (2, of_bob)] {
        let mut plan = NewPlan { owner: who, source: PlanSource::File, ..world.plan("same") };
        plan.schedules = vec![world.schedule("cron", "0 2 * * *", Some(world.now()))];
        world.store.create_plan(plan_id(n), plan).await.unwrap();
        let id = mainspring_model::id::IntegrationId(world.uuid());
        let (now, definition) = (world.now(), json!({}));
        let shop = IntegrationRecord { id, owner: who, name: "shop".to_owned(), definition, created_at: now, updated_at: now };
        world.store.put_integration(&shop).await.unwrap();
        let (id, fields) = (CredentialId(world.uuid()), BTreeMap::from([("token".to_owned(), vec![1])]));
        let (provider, name) = ("github".to_owned(), "default".to_owned());
        world.store.put_credential(&NewCredential { id, owner: who, provider, name, fields, expires_at: None, hosts: None }).await.unwrap();
        let key = ApiKeyRecord {
            id: mainspring_model::id::ApiKeyId(world.uuid()),
            owner: who,
            name: "ci".to_owned(),
            hash: vec![u8::try_from(n).unwrap(); 32],
            created_at: now,
            expires_at: None,
            last_used_at: None,
            scopes: None,
        };
        world.store.put_api_key(&key).await.unwrap();
    }
    world.store.set_sharing(org, plan_id(1), true, &BTreeMap::from([(bob, true)])).await.unwrap();
    let revision = world.store.plans_revision().await.unwrap();
    let departed = world.store.remove_member(org, bob, ada).await.unwrap();
    assert_eq!(departed, Departed { api_keys: 1, credentials: 1, shares: 1, plans: 1, integrations: 1 });
    assert!(world.store.plans_revision().await.unwrap() > revision);
    assert_eq!(world.store.role_of(bob, org).await.unwrap(), None);
    assert_eq!(world.store.api_key_by_hash(&[2; 32]).await.unwrap(), None);
    assert!(world.store.api_key_by_hash(&[1; 32]).await.unwrap().is_some());
    assert_eq!(world.store.list_credentials(&of_bob, None).await.unwrap(), []);
    assert_eq!(world.store.list_credentials(&of_ada, None).await.unwrap().len(), 1);
    let taken = world.store.get_plan(org, plan_id(2)).await.unwrap().unwrap();
    assert_eq!((taken.owner, taken.source), (of_ada, PlanSource::Api), "two plan files of one name: hers stays one");
    assert!(world.store.list_schedules(org).await.unwrap().iter().all(|schedule| schedule.owner == of_ada));
    let integrations = world.store.list_integrations(org).await.unwrap();
    let mut names: Vec<String> = integrations.iter().map(|integration| integration.name.clone()).collect();
    names.sort();
    assert!(integrations.iter().all(|integration| integration.owner == of_ada));
    assert!(names[0] == "shop" && names[1].starts_with("shop ("), "{names:?}");
    assert_eq!(code(world.store.remove_member(org, bob, ada).await), "NOT_FOUND");
}

pub async fn variables(world: &World) {
    let org = owner(1).org;
    let variable = |name: &str, value| VariableRecord {
        org,
        name: name.to_owned(),
        id: VariableId(world.uuid()),
        user: owner(1).user,
        value,
        created_at: 0,
        updated_at: 0,
    };
    let revision = world.store.plans_revision().await.unwrap();
    let plain = world.store.put_variable(&variable("B", VariableValue::Plain(json!({ "deep": ["\0", 1.5] })))).await.unwrap();
    assert_eq!((plain.created_at, plain.updated_at), (world.now(), world.now()));
    let secret = world.store.put_variable(&variable("A", VariableValue::Secret(vec![0, 255]))).await.unwrap();
    assert_eq!(world.store.list_variables(org).await.unwrap(), [secret.clone(), plain.clone()]);
    assert!(world.store.plans_revision().await.unwrap() > revision);
    world.pass(5);
    let again = world.store.put_variable(&variable("A", VariableValue::Plain(json!(null)))).await.unwrap();
    assert_eq!((again.created_at, again.updated_at, &again.value), (secret.created_at, world.now(), &VariableValue::Plain(json!(null))));
    assert_ne!(again.id, secret.id, "what was sealed for the first opens for no other");
    assert_eq!(world.store.list_variables(owner(2).org).await.unwrap(), []);
    assert!(!world.store.delete_variable(owner(2).org, "A").await.unwrap());
    assert!(world.store.delete_variable(org, "A").await.unwrap());
    assert_eq!(world.store.list_variables(org).await.unwrap(), [plain]);
}

pub async fn sharing(world: &World) {
    let (org, ada, bob) = (owner(1).org, owner(1).user, owner(2).user);
    let plan = NewPlan { owner: owner(1), ..world.plan("Mine") };
    world.store.create_plan(plan_id(1), plan.clone()).await.unwrap();
    let open = Sharing { owner: Some(ada), private: false, with: BTreeMap::new() };
    assert_eq!(world.store.sharing(org, plan_id(1)).await.unwrap(), Some(open));
    assert_eq!(world.store.sharing(owner(2).org, plan_id(1)).await.unwrap(), None);
    let with = BTreeMap::from([(bob, true), (owner(3).user, false)]);
    world.store.set_sharing(org, plan_id(1), true, &with).await.unwrap();
    let closed = Sharing { owner: Some(ada), private: true, with };
    assert_eq!(world.store.sharing(org, plan_id(1)).await.unwrap(), Some(closed.clone()));
    assert_eq!(world.store.private_plans(org).await.unwrap(), BTreeMap::from([(plan_id(1), closed.clone())]));
    assert_eq!(world.store.private_plans(owner(2).org).await.unwrap(), BTreeMap::new());
    assert_eq!(code(world.store.set_sharing(owner(2).org, plan_id(1), false, &BTreeMap::new()).await), "NOT_FOUND");
    // A new version changes nothing of it.
    world.store.update_plan(plan_id(1), None, NewPlan { document: json!({ "name": "Mine", "steps": [1] }), ..plan }).await.unwrap();
    assert_eq!(world.store.sharing(org, plan_id(1)).await.unwrap(), Some(closed));
    world.store.set_sharing(org, plan_id(1), false, &BTreeMap::new()).await.unwrap();
    assert_eq!(world.store.private_plans(org).await.unwrap(), BTreeMap::new());
    world.store.delete_plan(org, plan_id(1)).await.unwrap();
    assert_eq!(world.store.sharing(org, plan_id(1)).await.unwrap(), None);
}

pub async fn one_that_is_to_go_rests(world: &World) {
    let org = owner(1).org;
    organization(world, org, &[]).await;
    let mut plan = NewPlan { owner: owner(1), ..world.plan("Mine") };
    plan.schedules = vec![world.schedule("cron", "0 2 * * *", Some(world.now()))];
    let (plan_of, path) = (plan_id(1), "in".to_owned());
    let (method, trigger) = ("POST".to_owned(), "hook".to_owned());
    plan.webhooks = vec![mainspring_model::store::WebhookRoute { plan: plan_of, org, path, method, trigger, exclusive: false }];
    world.store.create_plan(plan_of, plan).await.unwrap();
    let awake = async || {
        let due = world.store.due_schedules(world.now(), 10).await.unwrap().len();
        (due, world.store.next_due().await.unwrap().is_some(), world.store.webhook_routes().await.unwrap().len())
    };
    assert_eq!(awake().await, (1, true, 1));
    let revision = world.store.plans_revision().await.unwrap();
    world.store.set_erasure(org, Some(world.now() + DAY)).await.unwrap();
    assert!(world.store.plans_revision().await.unwrap() > revision);
    assert_eq!(world.store.erasure_of(org).await.unwrap(), Some(world.now() + DAY));
    assert_eq!(awake().await, (0, false, 0));
    assert_eq!(world.store.erasures_due().await.unwrap(), []);
    assert_eq!(code(world.store.erase(org, 10).await), "CONFLICT", "not yet");
    world.store.set_erasure(org, None).await.unwrap();
    assert_eq!(world.store.erasure_of(org).await.unwrap(), None);
    assert_eq!(awake().await, (1, true, 1));
    assert_eq!(code(world.store.erase(org, 10).await), "CONFLICT", "no longer");
    assert_eq!(code(world.store.set_erasure(owner(9).org, Some(0)).await), "NOT_FOUND");
    world.store.set_erasure(org, Some(world.now() + DAY)).await.unwrap();
    world.pass(DAY);
    assert_eq!(world.store.erasures_due().await.unwrap(), [org]);
}

pub async fn a_held_run_ends_before_its_organization(world: &World) {
    let who = owner(1);
    organization(world, who.org, &[(who.user, Role::Owner)]).await;
    let held = world.header_of(who, plan_id(1));
    world.commit(world.creation(&held, Standing::Running)).await;
    let waiting = world.header_of(who, plan_id(1));
    world.commit(world.creation(&waiting, Standing::Waiting(None))).await;
    let entry = AuditRecord {
        id: AuditId(world.uuid()),
        org: who.org,
        at: None,
        user: None,
        actor: Actor::Server,
        address: None,
        agent: None,
        action: "delete_organization".to_owned(),
        outcome: AuditOutcome::Done,
        target_kind: None,
        target_id: None,
        before: None,
        after: None,
        request_id: None,
    };
    world.store.append_audit(&[entry]).await.unwrap();
    world.store.set_erasure(who.org, Some(world.now())).await.unwrap();
    let mut last = Erasure::Removed(0);
    for _ in 0..50 {
        last = world.store.erase(who.org, 100).await.unwrap();
        if !matches!(last, Erasure::Removed(_)) {
            break;
        }
    }
    assert_eq!(last, Erasure::Held(1));
    assert_eq!(world.store.list_audit(who.org, &AuditFilter::default(), &page(5)).await.unwrap().items, []);
    let left = world.store.list_runs(who.org, &RunFilter::default(), &page(5)).await.unwrap().items;
    assert_eq!(left.iter().map(|run| run.id).collect::<Vec<_>>(), [held.id], "what nobody holds is gone");
    let ended = world.write(held.id, &[], Standing::Ended(super::make::ending(RunStatus::Cancelled)));
    world.commit(ended).await;
    for _ in 0..50 {
        last = world.store.erase(who.org, 100).await.unwrap();
        if last == Erasure::Gone {
            break;
        }
    }
    assert_eq!(last, Erasure::Gone);
    assert_eq!(world.store.organization(who.org).await.unwrap(), None);
    assert_eq!(world.store.erase(who.org, 100).await.unwrap(), Erasure::Gone);
}
