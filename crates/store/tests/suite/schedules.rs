//! Schedules: due times that survive a changed plan and are never filled twice.

use mainspring_model::id::Owner;
use mainspring_model::run::{RunStatus, Slot};
use mainspring_model::store::{Committed, NewPlan, NewRun, Standing};

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
        world.creation_of(NewRun { header: world.header().into(), slot, key: None }, Standing::Running)
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
