//! Schedules: due times that survive a changed plan and are never filled twice.

use mainspring_model::flow::Priority;
use mainspring_model::id::{Owner, SignalId};
use mainspring_model::run::{RunStatus, Slot};
use mainspring_model::store::{
    Committed, NewPlan, NewRun, NewSignal, ScheduleRecord, Standing, TriggerStanding, TriggerState, listening_to,
};

use super::make::{World, ending, plan_id};

const ORG: mainspring_model::id::OrgId = Owner::LOCAL.org;

pub async fn due_and_next(world: &World) {
    assert_eq!(world.store.next_due().await.unwrap(), None);
    let now = world.now();
    let schedules = vec![
        world.schedule("later", "0 5 * * *", Some(now + 50)),
        world.schedule("now", "0 4 * * *", Some(now)),
        world.schedule("never", "0 0 30 2 *", None),
        world.schedule("missed", "0 3 * * *", Some(now - 50)),
    ];
    world.store.create_plan(plan_id(1), NewPlan { schedules, ..world.plan("Clock") }).await.unwrap();
    let triggers = |found: Vec<mainspring_model::store::ScheduleRecord>| found.into_iter().map(|s| s.trigger).collect::<Vec<_>>();
    assert_eq!(triggers(world.store.due_schedules(now, 10).await.unwrap()), ["missed", "now"]);
    assert_eq!(triggers(world.store.due_schedules(now, 1).await.unwrap()), ["missed"]);
    assert_eq!(world.store.next_due().await.unwrap(), Some(now - 50));
    let all = world.store.list_schedules(ORG).await.unwrap();
    assert_eq!((all[0].plan, all[0].plan_name.as_str(), all[0].last_status), (plan_id(1), "Clock", None));
    assert_eq!(triggers(all), ["missed", "now", "later", "never"]);
}

pub async fn replacing_keeps_what_did_not_change(world: &World) {
    let now = world.now();
    let schedules = vec![world.schedule("same", "0 3 * * *", Some(now)), world.schedule("edited", "0 4 * * *", Some(now))];
    let ids: Vec<_> = schedules.iter().map(|schedule| schedule.id).collect();
    world.store.create_plan(plan_id(1), NewPlan { schedules, ..world.plan("Clock") }).await.unwrap();
    assert!(world.store.skip_slots(ids[0], now, Some(now), Some(now + 10)).await.unwrap());
    let schedules = vec![world.schedule("edited", "0 5 * * *", Some(now + 90)), world.schedule("same", "0 3 * * *", Some(now + 90))];
    let new_id = schedules[0].id;
    world.store.update_plan(plan_id(1), None, NewPlan { schedules, ..world.plan("Clock") }).await.unwrap();
    let found = world.store.list_schedules(ORG).await.unwrap();
    assert_eq!((found[0].id, found[0].last_due, found[0].next_due), (ids[0], Some(now), Some(now + 10)));
    assert_eq!((found[1].id, found[1].last_due, found[1].next_due), (new_id, None, Some(now + 90)));
    assert_eq!(found.len(), 2);
    world.store.delete_plan(ORG, plan_id(1)).await.unwrap();
    assert_eq!(world.store.list_schedules(ORG).await.unwrap(), []);
}

pub async fn skipping(world: &World) {
    let now = world.now();
    let schedules = vec![world.schedule("a", "* * * * *", Some(now))];
    let id = schedules[0].id;
    world.store.create_plan(plan_id(1), NewPlan { schedules, ..world.plan("Clock") }).await.unwrap();
    assert!(!world.store.skip_slots(id, now - 1, None, None).await.unwrap(), "somebody moved it on meanwhile");
    assert!(world.store.skip_slots(id, now, Some(now), Some(now + 60_000)).await.unwrap());
    assert!(!world.store.skip_slots(id, now, Some(now), Some(now + 120_000)).await.unwrap());
    assert!(world.store.skip_slots(id, now + 60_000, None, None).await.unwrap());
    let found = world.store.list_schedules(ORG).await.unwrap();
    assert_eq!((found[0].last_due, found[0].next_due), (Some(now), None));
}

pub async fn the_last_status_is_that_of_the_last_slot(world: &World) {
    let now = world.now();
    let schedules = vec![world.schedule("a", "* * * * *", Some(now))];
    let schedule = schedules[0].id;
    world.store.create_plan(plan_id(1), NewPlan { schedules, ..world.plan("Clock") }).await.unwrap();
    let fill = |due_at| {
        let slot = Some((Slot { schedule, due_at }, Some(due_at + 1)));
        world.creation_of(
            NewRun { header: world.header().into(), slot, key: None, flow: None, burst: None, priority: Priority::Normal },
            Standing::Running,
        )
    };
    let (first, second) = (fill(now), fill(now + 1));
    let (first_run, second_run) = (first.run, second.run);
    let (a, b) = tokio::join!(world.commit(second), world.commit(first));
    assert_eq!((a, b), (Committed::Done, Committed::Done));
    world.commit(world.write(second_run, &[], Standing::Ended(ending(RunStatus::Error)))).await;
    world.commit(world.write(first_run, &[], Standing::Ended(ending(RunStatus::Success)))).await;
    let found = world.store.list_schedules(ORG).await.unwrap();
    assert_eq!((found[0].last_status, found[0].last_due, found[0].next_due), (Some(RunStatus::Error), Some(now + 1), Some(now + 2)));
}

/// A trigger that listens is due from the signal on until it has looked, and what comes while it looks makes it look again.
pub async fn who_listens_is_due_until_it_looked(world: &World) {
    let now = world.now();
    let listener =
        |trigger: &str, topic: &str| ScheduleRecord { last_due: Some(now), ..world.schedule(trigger, &listening_to(topic), None) };
    let schedules =
        vec![listener("paid", "event:paid"), listener("sent", "event:sent"), world.schedule("clock", "0 5 * * *", Some(now + 90_000))];
    let id = schedules[0].id;
    world.store.create_plan(plan_id(1), NewPlan { schedules, ..world.plan("Clock") }).await.unwrap();
    let listed = world.store.list_schedules(ORG).await.unwrap();
    assert_eq!(
        listed.iter().map(|schedule| schedule.trigger.as_str()).collect::<Vec<_>>(),
        ["clock"],
        "the others are no schedules to people"
    );
    assert_eq!(world.store.due_schedules(now, 10).await.unwrap(), []);
    let told = async |topic: &str, sole| {
        let signal = NewSignal { org: ORG, id: SignalId(world.uuid()), topic: topic.to_owned(), data: serde_json::json!(1), sole };
        world.store.put_signal(&signal).await.unwrap()
    };
    assert!(!told("event:other", false).await.heard);
    assert!(!told("event:paid", true).await.heard, "an answer is nobody's to listen to");
    assert!(world.store.listens(ORG, "event:paid").await.unwrap() && !world.store.listens(ORG, "event:other").await.unwrap());
    let foreign = mainspring_model::id::OrgId(world.uuid());
    assert!(!world.store.listens(foreign, "event:paid").await.unwrap());

    let first = told("event:paid", false).await;
    assert!(first.new && first.heard);
    let due = world.store.due_schedules(world.now(), 10).await.unwrap();
    assert_eq!(due.iter().map(|schedule| schedule.id).collect::<Vec<_>>(), [id]);
    let seen = due[0].next_due.unwrap();
    // Another one within the same millisecond, while the first is looked at.
    let second = told("event:paid", false).await;
    assert!(second.signal.received_at >= first.signal.received_at);
    assert!(!world.store.heard(id, seen, Some(first.signal.received_at)).await.unwrap());
    let due = world.store.due_schedules(world.now(), 10).await.unwrap();
    assert_eq!((due[0].id, due[0].last_due), (id, Some(first.signal.received_at)));
    assert!(world.store.heard(id, due[0].next_due.unwrap(), Some(second.signal.received_at)).await.unwrap());
    assert_eq!(world.store.due_schedules(world.now(), 10).await.unwrap(), []);
    // Where it has looked never goes back, nor does a later signal lie before it.
    assert!(world.store.heard(id, 1, Some(5)).await.unwrap());
    let third = told("event:paid", false).await;
    let due = world.store.due_schedules(world.now(), 10).await.unwrap();
    assert_eq!(due[0].last_due, Some(second.signal.received_at));
    assert!(third.signal.received_at >= second.signal.received_at);
    // A plan that is saved again goes on where it was.
    let again = vec![listener("paid", "event:paid")];
    world.store.update_plan(plan_id(1), None, NewPlan { schedules: again, ..world.plan("Clock") }).await.unwrap();
    let kept = world.store.due_schedules(world.now(), 10).await.unwrap();
    assert_eq!((kept[0].id, kept[0].last_due, kept[0].next_due), (id, due[0].last_due, due[0].next_due));
    assert!(world.store.heard(mainspring_model::id::ScheduleId(world.uuid()), 1, None).await.unwrap(), "one that is gone is due no more");
}

/// What a trigger has seen is kept in the transaction that moves its schedule on, by whoever holds the look.
pub async fn what_a_trigger_remembers_moves_with_its_schedule(world: &World) {
    let now = world.now();
    let schedules = vec![world.schedule("feed", "poll every 5m", Some(now)), world.schedule("other", "poll every 1h", Some(now))];
    let (id, other) = (schedules[0].id, schedules[1].id);
    let plan = plan_id(1);
    world.store.create_plan(plan, NewPlan { schedules, ..world.plan("Feed") }).await.unwrap();
    let state = async |org| world.store.trigger_state(org, plan, "feed").await.unwrap();
    assert_eq!(state(ORG).await, None);
    let well = TriggerState {
        seen: serde_json::json!({"keys": ["\0", "ü"]}),
        standing: TriggerStanding { worked_at: Some(now), ..TriggerStanding::default() },
    };
    assert!(world.store.settle_trigger(id, now, Some(now), Some(now + 5), &well).await.unwrap());
    assert!(!world.store.settle_trigger(id, now, Some(now), Some(now + 9), &TriggerState::default()).await.unwrap(), "somebody else's");
    assert_eq!(state(ORG).await.as_ref(), Some(&well));
    assert_eq!(state(mainspring_model::id::OrgId(world.uuid())).await, None, "of another organization");
    let error = Some(serde_json::json!({"code": "TIMEOUT", "message": "no answer"}));
    let standing = TriggerStanding { failures: 3, failing_since: Some(now + 5), error, worked_at: Some(now) };
    let badly = TriggerState { standing: standing.clone(), ..well.clone() };
    assert!(world.store.settle_trigger(id, now + 5, None, None, &badly).await.unwrap());
    assert!(world.store.settle_trigger(other, now, None, Some(now + 7), &well).await.unwrap());
    let mut standings = world.store.trigger_standings(ORG).await.unwrap();
    standings.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(standings, [(plan, "feed".to_owned(), standing.clone()), (plan, "other".to_owned(), well.standing.clone())]);
    assert_eq!(world.store.failing_triggers(4, 10).await.unwrap(), []);
    let failing = world.store.failing_triggers(3, 10).await.unwrap();
    assert_eq!(
        failing.iter().map(|one| (one.schedule, one.plan_name.as_str(), &one.standing)).collect::<Vec<_>>(),
        [(id, "Feed", &standing)]
    );
    // With another rule the trigger goes on from what it has seen; one that the plan has no more is forgotten.
    let again = vec![world.schedule("feed", "poll every 6m", Some(now))];
    world.store.update_plan(plan, None, NewPlan { schedules: again, ..world.plan("Feed") }).await.unwrap();
    assert_eq!(state(ORG).await, Some(badly));
    assert_eq!(world.store.trigger_standings(ORG).await.unwrap().len(), 1);
    world.store.delete_plan(ORG, plan).await.unwrap();
    assert_eq!(world.store.trigger_standings(ORG).await.unwrap(), []);
}
