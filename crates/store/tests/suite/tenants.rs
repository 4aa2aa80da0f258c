//! Nothing of one organization is reached through another.

use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{LogFilter, NewPlan, RunFilter};

use super::make::{World, code, owner, page, plan_id};

pub async fn ids_of_another_organization_lead_nowhere(world: &World) {
    let mine = world.ended(RunStatus::Success).await;
    let waiting = world.queued().await;
    let mut plan = world.plan("Mine");
    plan.schedules = vec![world.schedule("cron", "0 2 * * *", Some(world.now()))];
    world.store.create_plan(plan_id(1), plan).await.unwrap();
    // Somebody who has rows of their own, so that an empty organization is not what hides the others.
    let them = owner(1);
    world.ended_as(&world.header_of(them, plan_id(2)), RunStatus::Error).await;
    world.store.create_plan(plan_id(2), NewPlan { owner: them, ..world.plan("Theirs") }).await.unwrap();

    let store = &world.store;
    assert_eq!(store.get_run(them.org, mine).await.unwrap(), None);
    assert_eq!(code(store.request_cancel(them.org, waiting, "them").await), "NOT_FOUND");
    let filter = RunFilter { plan: Some(plan_id(1)), ..RunFilter::default() };
    assert_eq!(store.list_runs(them.org, &filter, &page(50)).await.unwrap().items, []);
    assert_eq!(store.list_runs(them.org, &RunFilter::default(), &page(50)).await.unwrap().items.len(), 1);
    for filter in [
        LogFilter { run: Some(mine), ..LogFilter::default() },
        LogFilter { plan: Some(plan_id(1)), ..LogFilter::default() },
        LogFilter { run: Some(mine), plan: Some(plan_id(1)), ..LogFilter::default() },
    ] {
        assert_eq!(store.list_logs(them.org, &filter, &page(50)).await.unwrap().items, []);
    }
    assert_eq!(store.list_logs(them.org, &LogFilter::default(), &page(50)).await.unwrap().items.len(), 1);
    assert_eq!(store.get_plan(them.org, plan_id(1)).await.unwrap(), None);
    assert_eq!(store.plan_by_name(them.org, "Mine").await.unwrap(), None);
    let theft = NewPlan { owner: them, ..world.plan("Stolen") };
    assert_eq!(code(store.update_plan(plan_id(1), None, theft).await), "NOT_FOUND");
    assert_eq!(code(store.delete_plan(them.org, plan_id(1)).await), "NOT_FOUND");
    assert_eq!(store.list_plans(them.org, &page(50)).await.unwrap().items.len(), 1);
    assert_eq!(store.list_schedules(them.org).await.unwrap(), []);
    let found = store.monitoring(them.org).await.unwrap();
    assert_eq!((found.total_executions, found.queued, found.recent.len(), found.providers.len()), (1, 0, 1, 1));
    assert_eq!(store.get_plan(Owner::LOCAL.org, plan_id(1)).await.unwrap().unwrap().name, "Mine");
    assert_eq!(store.list_schedules(Owner::LOCAL.org).await.unwrap().len(), 1);
}
