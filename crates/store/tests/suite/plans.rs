//! Plans, versions, routes and integrations.

use mainspring_model::id::{IntegrationId, Owner};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{IntegrationRecord, NewPlan, PlanSource, WebhookRoute};
use serde_json::json;

use super::make::{World, code, owner, page, plan_id};

const ORG: mainspring_model::id::OrgId = Owner::LOCAL.org;

pub async fn versions(world: &World) {
    let created = world.store.create_plan(plan_id(1), world.plan("Greeting")).await.unwrap();
    assert_eq!((created.version, created.created_at), (1, world.now()));
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap(), Some(created.clone()));
    world.pass(5);
    let mut changed = world.plan("Greeting");
    changed.document = json!({"name": "Greeting", "steps": [{"id": "a"}]});
    let updated = world.store.update_plan(plan_id(1), Some(1), changed.clone()).await.unwrap();
    assert_eq!((updated.version, updated.created_at, updated.updated_at), (2, created.created_at, world.now()));
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap(), Some(updated));
    let same = world.store.update_plan(plan_id(1), Some(2), changed.clone()).await.unwrap();
    assert_eq!(same.version, 2, "the same document is the same version");
    assert_eq!(world.store.plan_version(plan_id(1), 1).await.unwrap(), Some(created.document));
    assert_eq!(world.store.plan_version(plan_id(1), 2).await.unwrap(), Some(changed.document));
    assert_eq!(world.store.plan_version(plan_id(1), 3).await.unwrap(), None);
}

pub async fn stale_and_missing(world: &World) {
    assert_eq!(code(world.store.update_plan(plan_id(1), None, world.plan("a")).await), "NOT_FOUND");
    assert_eq!(code(world.store.delete_plan(ORG, plan_id(1)).await), "NOT_FOUND");
    world.store.create_plan(plan_id(1), world.plan("a")).await.unwrap();
    assert_eq!(code(world.store.update_plan(plan_id(1), Some(2), world.plan("b")).await), "STALE_VERSION");
    assert_eq!(code(world.store.create_plan(plan_id(1), world.plan("c")).await), "CONFLICT");
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap().unwrap().name, "a");
}

pub async fn file_names_are_unique(world: &World) {
    let file = |owner| NewPlan { owner, source: PlanSource::File, ..world.plan("nightly.yaml") };
    world.store.create_plan(plan_id(1), file(Owner::LOCAL)).await.unwrap();
    assert_eq!(code(world.store.create_plan(plan_id(2), file(Owner::LOCAL)).await), "CONFLICT");
    world.store.create_plan(plan_id(3), file(owner(1))).await.unwrap();
    world.store.create_plan(plan_id(4), world.plan("nightly.yaml")).await.unwrap();
    world.store.create_plan(plan_id(5), world.plan("nightly.yaml")).await.unwrap();
    assert_eq!(world.store.plan_by_name(ORG, "nightly.yaml").await.unwrap().unwrap().id, plan_id(5));
    assert_eq!(world.store.plan_by_name(ORG, "weekly.yaml").await.unwrap(), None);
}

pub async fn exclusive_routes(world: &World) {
    let with = |owner: Owner, n, path: &str, exclusive| {
        let method = "POST".to_owned();
        let route = WebhookRoute { plan: plan_id(n), org: owner.org, path: path.to_owned(), method, trigger: "hook".to_owned(), exclusive };
        NewPlan { owner, webhooks: vec![route], ..world.plan("Hook") }
    };
    world.store.create_plan(plan_id(1), with(Owner::LOCAL, 1, "orders", false)).await.unwrap();
    world.store.create_plan(plan_id(2), with(owner(1), 2, "orders", false)).await.unwrap();
    assert_eq!(code(world.store.create_plan(plan_id(3), with(Owner::LOCAL, 3, "orders", true)).await), "CONFLICT");
    assert_eq!(world.store.get_plan(ORG, plan_id(3)).await.unwrap(), None, "nothing of a refused plan stays");
    world.store.create_plan(plan_id(3), with(Owner::LOCAL, 3, "billing", true)).await.unwrap();
    assert_eq!(code(world.store.create_plan(plan_id(4), with(owner(1), 4, "billing", false)).await), "CONFLICT");
    world.store.update_plan(plan_id(3), None, with(Owner::LOCAL, 3, "billing", true)).await.unwrap();
    assert_eq!(code(world.store.update_plan(plan_id(1), None, with(Owner::LOCAL, 1, "billing", false)).await), "CONFLICT");
    let paths: Vec<_> =
        world.store.webhook_routes().await.unwrap().into_iter().map(|route| (route.plan, route.path, route.exclusive)).collect();
    let orders = "orders".to_owned();
    assert_eq!(paths, [(plan_id(1), orders.clone(), false), (plan_id(2), orders, false), (plan_id(3), "billing".to_owned(), true)]);
    world.store.delete_plan(ORG, plan_id(3)).await.unwrap();
    world.store.create_plan(plan_id(4), with(owner(1), 4, "billing", true)).await.unwrap();
}

pub async fn removal_keeps_versions(world: &World) {
    world.store.create_plan(plan_id(1), world.plan("Gone soon")).await.unwrap();
    let run = world.ended(RunStatus::Success).await;
    world.store.delete_plan(ORG, plan_id(1)).await.unwrap();
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap(), None);
    assert!(world.store.plan_version(plan_id(1), 1).await.unwrap().is_some());
    assert_eq!(world.store.history(run).await.unwrap().len(), 2);
    assert_eq!(code(world.store.delete_plan(ORG, plan_id(1)).await), "NOT_FOUND");
}

pub async fn the_revision_moves(world: &World) {
    let mut last = world.store.plans_revision().await.unwrap();
    let mut moved = async |moves: bool| {
        let now = world.store.plans_revision().await.unwrap();
        assert_eq!(now > last, moves);
        last = now;
    };
    world.store.create_plan(plan_id(1), world.plan("a")).await.unwrap();
    moved(true).await;
    world.store.update_plan(plan_id(1), None, world.plan("b")).await.unwrap();
    moved(true).await;
    world.ended(RunStatus::Success).await;
    moved(false).await;
    world.store.delete_plan(ORG, plan_id(1)).await.unwrap();
    moved(true).await;
}

pub async fn listing(world: &World) {
    for n in 0..7 {
        world.store.create_plan(plan_id(n), world.plan(&format!("plan {n}"))).await.unwrap();
    }
    world.store.create_plan(plan_id(99), NewPlan { owner: owner(1), ..world.plan("theirs") }).await.unwrap();
    let mut names = Vec::new();
    let mut paging = page(3);
    loop {
        let page = world.store.list_plans(ORG, &paging).await.unwrap();
        names.extend(page.items.into_iter().map(|plan| plan.name));
        let Some(cursor) = page.next_cursor else { break };
        paging.cursor = Some(cursor);
    }
    assert_eq!(names, ["plan 6", "plan 5", "plan 4", "plan 3", "plan 2", "plan 1", "plan 0"]);
}

pub async fn integrations(world: &World) {
    let record = |owner, name: &str| IntegrationRecord {
        id: IntegrationId(world.uuid()),
        owner,
        name: name.to_owned(),
        definition: json!({"base_url": "https://api.example"}),
        created_at: world.now(),
        updated_at: world.now(),
    };
    let before = world.store.plans_revision().await.unwrap();
    let mut first = record(Owner::LOCAL, "crm");
    world.store.put_integration(&first).await.unwrap();
    assert!(world.store.plans_revision().await.unwrap() > before);
    assert_eq!(code(world.store.put_integration(&record(Owner::LOCAL, "crm")).await), "CONFLICT");
    let theirs = record(owner(1), "crm");
    world.store.put_integration(&theirs).await.unwrap();
    first.definition = json!({"base_url": "https://new.example"});
    world.store.put_integration(&first).await.unwrap();
    assert_eq!(world.store.list_integrations(ORG).await.unwrap(), [first.clone()]);
    assert_eq!(world.store.all_integrations().await.unwrap(), [theirs.clone(), first.clone()]);
    let stolen = IntegrationRecord { id: theirs.id, ..record(Owner::LOCAL, "stolen") };
    assert_eq!(code(world.store.put_integration(&stolen).await), "NOT_FOUND");
    assert!(!world.store.delete_integration(ORG, theirs.id).await.unwrap());
    assert!(world.store.delete_integration(ORG, first.id).await.unwrap());
    assert_eq!(world.store.list_integrations(ORG).await.unwrap(), []);
}
