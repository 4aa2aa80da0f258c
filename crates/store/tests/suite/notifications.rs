//! Rules, notifications and what there is to tell of, each to its own organization and person.

use std::collections::BTreeMap;

use mainspring_model::flow::Priority;
use mainspring_model::id::{CredentialId, MessageId, NotificationRuleId, Owner, UserId};
use mainspring_model::run::{RunStatus, Slot};
use mainspring_model::store::{NewCredential, NewPlan, NewRun, NotificationRecord, NotificationRuleRecord, Paging, Standing};
use serde_json::json;

use super::make::{World, ending, owner, page, plan_id};

const ME: Owner = Owner::LOCAL;

pub async fn rules_belong_to_an_organization(world: &World) {
    let store = &world.store;
    let rule = |owner: Owner, name: &str| NotificationRuleRecord {
        id: NotificationRuleId(world.uuid()),
        owner,
        name: name.to_owned(),
        definition: json!({ "events": ["run.failed"], "text": "\0" }),
        secrets: Some(vec![0, 255]),
        created_at: world.now(),
        updated_at: world.now(),
    };
    let mut first = rule(ME, "mail \0");
    store.put_notification_rule(&first).await.unwrap();
    world.pass(1);
    let (second, theirs) = (rule(ME, "hook"), rule(owner(1), "theirs"));
    store.put_notification_rule(&second).await.unwrap();
    store.put_notification_rule(&theirs).await.unwrap();
    (first.name, first.secrets) = ("renamed".to_owned(), None);
    store.put_notification_rule(&first).await.unwrap();
    assert_eq!(store.notification_rules(ME.org).await.unwrap(), [first.clone(), second]);
    assert!(!store.delete_notification_rule(owner(1).org, first.id).await.unwrap());
    assert!(store.delete_notification_rule(ME.org, first.id).await.unwrap());
    assert_eq!(store.notification_rules(ME.org).await.unwrap().len(), 1);
    assert_eq!(store.notification_rules(owner(1).org).await.unwrap(), [theirs]);
}

pub async fn notifications_are_a_persons(world: &World) {
    let store = &world.store;
    let colleague = Owner { org: ME.org, user: owner(1).user };
    let mut all = Vec::new();
    for (n, who) in [ME, ME, ME, colleague, owner(1)].into_iter().enumerate() {
        world.pass(1);
        let new = NotificationRecord {
            id: MessageId(world.uuid()),
            owner: who,
            event: "run.failed".to_owned(),
            title: format!("{n}\0"),
            text: "the plan failed".to_owned(),
            data: json!({ "n": n }),
            created_at: world.now(),
            read_at: None,
        };
        store.put_notification(&new).await.unwrap();
        store.put_notification(&new).await.unwrap();
        all.push(new);
    }
    let mine = store.notifications(&ME, false, &page(2)).await.unwrap();
    assert_eq!(mine.items, [all[2].clone(), all[1].clone()]);
    let rest = store.notifications(&ME, false, &Paging { limit: 2, cursor: mine.next_cursor }).await.unwrap();
    assert_eq!((rest.items, rest.next_cursor), (vec![all[0].clone()], None));
    assert_eq!(store.unread_notifications(&ME).await.unwrap(), 3);
    let of = async |users: &[UserId], most| store.unread_of(ME.org, users, most).await.unwrap();
    assert_eq!(of(&[ME.user, colleague.user], 9).await, [all[3].clone(), all[2].clone(), all[1].clone(), all[0].clone()]);
    assert_eq!((of(&[ME.user], 2).await, of(&[], 9).await), (vec![all[2].clone(), all[1].clone()], vec![]));
    assert_eq!(store.read_notifications(&colleague, Some(all[0].id)).await.unwrap(), 0, "not theirs");
    assert_eq!(store.read_notifications(&ME, Some(all[0].id)).await.unwrap(), 1);
    assert_eq!(store.read_notifications(&ME, Some(all[0].id)).await.unwrap(), 0);
    let unread = store.notifications(&ME, true, &page(9)).await.unwrap().items;
    assert_eq!(unread, [all[2].clone(), all[1].clone()]);
    assert_eq!(of(&[ME.user], 9).await, unread, "what was read is not among them");
    assert_eq!(store.read_notifications(&ME, None).await.unwrap(), 2);
    assert_eq!((store.unread_notifications(&ME).await.unwrap(), store.unread_notifications(&colleague).await.unwrap()), (0, 1));
    assert!(!store.delete_notification(&colleague, all[0].id).await.unwrap());
    assert!(store.delete_notification(&ME, all[0].id).await.unwrap());
    assert_eq!(store.prune_notifications(all[3].created_at).await.unwrap(), 2);
    assert_eq!(store.unread_notifications(&owner(1)).await.unwrap(), 1);
}

pub async fn what_ended_badly_is_found(world: &World) {
    let store = &world.store;
    let start = world.now();
    assert_eq!(store.watched_until().await.unwrap(), 0);
    store.watch_until(start).await.unwrap();
    store.watch_until(start - 1).await.unwrap();
    assert_eq!(store.watched_until().await.unwrap(), start, "never back");
    let mut expected = Vec::new();
    for (status, who) in [
        (RunStatus::Error, ME),
        (RunStatus::Success, ME),
        (RunStatus::TimedOut, owner(1)),
        (RunStatus::Cancelled, ME),
        (RunStatus::Quarantined, ME),
        (RunStatus::NeedsDecision, ME),
    ] {
        world.pass(10);
        let run = world.ended_as(&world.header_of(who, plan_id(1)), status).await;
        if !matches!(status, RunStatus::Success | RunStatus::Cancelled) {
            expected.push((who.org, run, world.now()));
        }
    }
    world.held().await;
    let found = store.ended_badly(start, None, 10).await.unwrap();
    assert_eq!(found.iter().map(|ended| (ended.org, ended.run, ended.finished_at)).collect::<Vec<_>>(), expected);
    let first = store.ended_badly(start, None, 1).await.unwrap();
    let next = store.ended_badly(start, Some((first[0].finished_at, first[0].run)), 2).await.unwrap();
    assert_eq!(next, found[1..3]);
    assert_eq!(store.ended_badly(found[1].finished_at, None, 9).await.unwrap(), found[1..]);
}

pub async fn endings_of_a_schedule_go_backwards(world: &World) {
    let store = &world.store;
    let now = world.now();
    let schedules = vec![world.schedule("a", "* * * * *", Some(now))];
    let schedule = schedules[0].id;
    store.create_plan(plan_id(1), NewPlan { schedules, ..world.plan("Clock") }).await.unwrap();
    for (n, status) in [RunStatus::Success, RunStatus::Error, RunStatus::TimedOut].into_iter().enumerate() {
        let due_at = now + i64::try_from(n).unwrap() * 60_000;
        let slot = Some((Slot { schedule, due_at }, Some(due_at + 60_000)));
        let new = NewRun { header: world.header().into(), slot, key: None, flow: None, burst: None, priority: Priority::Normal };
        world.commit(world.creation_of(new, Standing::Ended(ending(status)))).await;
    }
    let statuses = async |until, limit| store.slot_endings(ME.org, schedule, until, limit).await.unwrap();
    assert_eq!(statuses(now + 120_000, 9).await, [RunStatus::TimedOut, RunStatus::Error, RunStatus::Success]);
    assert_eq!(statuses(now + 119_999, 1).await, [RunStatus::Error]);
    let found = store.ended_badly(now, None, 9).await.unwrap();
    assert_eq!(found.iter().map(|ended| ended.slot.map(|slot| slot.due_at - now)).collect::<Vec<_>>(), [Some(60_000), Some(120_000)]);
}

pub async fn credentials_that_expire_soon(world: &World) {
    for (name, who, expires_at) in
        [("gone", ME, Some(10)), ("soon", ME, Some(20)), ("theirs", owner(1), Some(25)), ("later", ME, Some(40)), ("never", ME, None)]
    {
        let (id, fields) = (CredentialId(world.uuid()), BTreeMap::new());
        let (provider, name) = ("github".to_owned(), name.to_owned());
        world.store.put_credential(&NewCredential { id, owner: who, provider, name, fields, expires_at, hosts: None }).await.unwrap();
    }
    let mut found = world.store.expiring_credentials(10, 30).await.unwrap();
    found.sort_by_key(|expiring| expiring.expires_at);
    let found: Vec<_> = found.iter().map(|expiring| (expiring.name.as_str(), expiring.owner, expiring.expires_at)).collect();
    assert_eq!(found, [("soon", ME, 20), ("theirs", owner(1), 25)]);
}
