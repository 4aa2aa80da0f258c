//! The audit log: it comes back in order, is filtered, and only retention shortens it.

use mainspring_model::id::{ApiKeyId, AuditId, OrgId, Owner, RunId, UserId};
use mainspring_model::store::{Actor, AuditFilter, AuditOutcome, AuditRecord};
use serde_json::json;

use super::make::{World, code, owner, page};

const ME: Owner = Owner::LOCAL;

fn entry(world: &World, who: Owner, action: &str, target: &str) -> AuditRecord {
    AuditRecord {
        id: AuditId(world.uuid()),
        org: who.org,
        at: None,
        user: Some(who.user),
        actor: Actor::Dev,
        address: Some("192.0.2.7".to_owned()),
        agent: Some("curl \0 ␛".to_owned()),
        action: action.to_owned(),
        outcome: AuditOutcome::Done,
        target_kind: Some("plan".to_owned()),
        target_id: Some(target.to_owned()),
        before: None,
        after: Some(json!({ "name": "\0" })),
        request_id: None,
    }
}

pub async fn entries_come_back_in_order(world: &World) {
    let mut known = Vec::new();
    for (at, actor) in
        [Actor::Dev, Actor::Key(ApiKeyId(world.uuid())), Actor::Run(RunId(world.uuid())), Actor::Server].into_iter().enumerate()
    {
        let mut entry = AuditRecord { actor, ..entry(world, ME, "update_plan", &at.to_string()) };
        world.store.append_audit(std::slice::from_ref(&entry)).await.unwrap();
        entry.at = Some(world.now());
        known.insert(0, entry);
        world.pass(1);
    }
    // Whoever is nobody's stands apart; several organizations may be written at once.
    let nobody = AuditRecord { org: OrgId::INSTALLATION, user: None, actor: Actor::Nobody, ..entry(world, ME, "login", "x") };
    world.store.append_audit(&[nobody, entry(world, owner(1), "update_plan", "0")]).await.unwrap();
    world.store.append_audit(&[]).await.unwrap();
    let all = AuditFilter::default();
    let whole = world.store.list_audit(ME.org, &all, &page(50)).await.unwrap();
    assert_eq!(whole.items, known);
    assert_eq!(whole.next_cursor, None);
    let mut paged = Vec::new();
    let mut paging = page(1);
    loop {
        let mut next = world.store.list_audit(ME.org, &all, &paging).await.unwrap();
        paged.append(&mut next.items);
        paging.cursor = next.next_cursor;
        if paging.cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, known);
    assert_eq!(world.store.list_audit(OrgId::INSTALLATION, &all, &page(50)).await.unwrap().items.len(), 1);
    let twice = known[0].clone();
    assert!(world.store.append_audit(&[entry(world, ME, "more", "0"), twice]).await.is_err(), "an entry is never replaced");
    assert_eq!(world.store.list_audit(ME.org, &all, &page(50)).await.unwrap().items, known, "all of a batch or none of it");
}

pub async fn entries_are_found_by_what_they_say(world: &World) {
    let start = world.now();
    let long = "x".repeat(500);
    for (user, action, target) in [(1, "create_plan", "a"), (1, "delete_plan", "b"), (2, "delete_plan", "a"), (2, &long, &long)] {
        let who = Owner { org: ME.org, user: owner(user).user };
        world.store.append_audit(&[entry(world, who, action, target)]).await.unwrap();
        world.pass(1_000);
    }
    let count = async |filter: AuditFilter| world.store.list_audit(ME.org, &filter, &page(50)).await.unwrap().items.len();
    let text = |text: &str| Some(text.to_owned());
    let user = |n| Some(UserId(owner(n).user.0));
    assert_eq!(count(AuditFilter { user: user(1), ..AuditFilter::default() }).await, 2);
    assert_eq!(count(AuditFilter { user: user(1), action: text("delete_plan"), ..AuditFilter::default() }).await, 1);
    assert_eq!(count(AuditFilter { user: user(2), target: text("a"), ..AuditFilter::default() }).await, 1);
    assert_eq!(count(AuditFilter { action: text("delete_plan"), ..AuditFilter::default() }).await, 2);
    assert_eq!(count(AuditFilter { target: text("a"), ..AuditFilter::default() }).await, 2);
    assert_eq!(count(AuditFilter { target: text("a"), action: text("create_plan"), ..AuditFilter::default() }).await, 1);
    assert_eq!(count(AuditFilter { target: Some(long.clone()), action: Some(long), ..AuditFilter::default() }).await, 1);
    assert_eq!(count(AuditFilter { since: Some(start + 1_000), until: Some(start + 3_000), ..AuditFilter::default() }).await, 2);
    assert_eq!(count(AuditFilter { action: text("never"), ..AuditFilter::default() }).await, 0);
}

pub async fn what_was_begun_is_settled(world: &World) {
    let begun = |who: Owner| AuditRecord { outcome: AuditOutcome::Unknown, after: None, ..entry(world, who, "update_plan", "a") };
    let all = AuditFilter::default();
    let listed = async |org| world.store.list_audit(org, &all, &page(50)).await.unwrap().items;
    let (first, second, third) = (begun(ME), begun(ME), begun(ME));
    world.store.append_audit(&[first.clone(), second.clone(), third.clone()]).await.unwrap();
    assert_eq!(listed(ME.org).await.len(), 3);
    assert!(listed(ME.org).await.iter().all(|entry| entry.outcome == AuditOutcome::Unknown));
    world.pass(5);
    // It keeps its id, another organization's stands beside it, and one comes to nothing.
    let done = AuditRecord { outcome: AuditOutcome::Done, ..first.clone() };
    world.store.settle_audit(ME.org, first.id, &[done.clone(), entry(world, owner(1), "update_plan", "b")]).await.unwrap();
    world.store.settle_audit(ME.org, second.id, &[]).await.unwrap();
    let found = listed(ME.org).await;
    assert_eq!(
        found.iter().map(|entry| (entry.id, entry.outcome)).collect::<Vec<_>>(),
        [(first.id, AuditOutcome::Done), (third.id, AuditOutcome::Unknown)]
    );
    assert_eq!((found[0].at, listed(owner(1).org).await.len()), (Some(world.now()), 1));
    // What is known is never replaced.
    assert!(world.store.settle_audit(ME.org, first.id, &[done]).await.is_err());
    world.store.settle_audit(ME.org, first.id, &[]).await.unwrap();
    world.store.settle_audit(owner(1).org, third.id, &[]).await.unwrap();
    assert_eq!(listed(ME.org).await, found);
}

pub async fn entries_go_by_age(world: &World) {
    for who in [ME, owner(1), ME] {
        world.store.append_audit(&[entry(world, who, "create_plan", "a")]).await.unwrap();
        world.pass(1_000);
    }
    let before = world.now() - 1_000;
    assert_eq!(world.store.prune_audit(before, 1).await.unwrap(), 1);
    assert_eq!(world.store.prune_audit(before, 10).await.unwrap(), 1);
    assert_eq!(world.store.prune_audit(before, 10).await.unwrap(), 0);
    assert_eq!(world.store.list_audit(ME.org, &AuditFilter::default(), &page(50)).await.unwrap().items.len(), 1);
    let wrong = mainspring_model::store::Paging { limit: 1, cursor: Some("1-2".to_owned()) };
    assert_eq!(code(world.store.list_audit(ME.org, &AuditFilter::default(), &wrong).await), "INVALID_REQUEST");
}
