//! Versions of plans: drafts, history, and waiting runs that get another one.

use mainspring_model::id::{Owner, UserId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{NewPlan, PlanRecord, SaveAs, Saving, Standing, WebhookRoute};
use uuid::Uuid;

use super::make::{World, code, owner, page, plan_id, success};

const ORG: mainspring_model::id::OrgId = Owner::LOCAL.org;

fn saved(world: &World, name: &str, as_what: SaveAs) -> NewPlan {
    let route = WebhookRoute {
        plan: plan_id(1),
        org: ORG,
        path: name.to_owned(),
        method: "POST".to_owned(),
        trigger: "hook".to_owned(),
        exclusive: true,
    };
    let schedules = vec![world.schedule("nightly", &format!("every {name}"), Some(world.now() + 1))];
    NewPlan { webhooks: vec![route], schedules, saving: Saving { as_what, ..Saving::default() }, ..world.plan(name) }
}

async fn save(world: &World, name: &str, as_what: SaveAs) -> PlanRecord {
    world.store.update_plan(plan_id(1), None, saved(world, name, as_what)).await.unwrap()
}

/// What is in force: paths of webhooks, and rules of schedules.
async fn in_force(world: &World) -> (Vec<String>, Vec<String>) {
    let paths = world.store.webhook_routes().await.unwrap().into_iter().map(|route| route.path).collect();
    (paths, world.store.list_schedules(ORG).await.unwrap().into_iter().map(|schedule| schedule.expression).collect())
}

fn force(name: &str) -> (Vec<String>, Vec<String>) {
    (vec![name.to_owned()], vec![format!("every {name}")])
}

pub async fn a_draft_stands_beside(world: &World) {
    world.store.create_plan(plan_id(1), saved(world, "a", SaveAs::Published)).await.unwrap();
    let drafted = save(world, "b", SaveAs::Draft).await;
    assert_eq!((drafted.version, drafted.draft, drafted.name.as_str()), (1, Some(2), "a"));
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap(), Some(drafted));
    assert_eq!(world.store.plan_version(plan_id(1), 2).await.unwrap().unwrap()["name"], "b");
    assert_eq!(in_force(world).await, force("a"));
    let stale = world.store.update_plan(plan_id(1), Some(1), saved(world, "c", SaveAs::Draft)).await;
    assert_eq!(code(stale), "STALE_VERSION", "somebody drafted meanwhile");
    assert_eq!(save(world, "c", SaveAs::Draft).await.draft, Some(3));
    let old = world.store.update_plan(plan_id(1), None, saved(world, "b", SaveAs::Publish(2))).await;
    assert_eq!(code(old), "STALE_VERSION", "the draft is another one by now");
    let published = save(world, "c", SaveAs::Publish(3)).await;
    assert_eq!((published.version, published.draft, published.name.as_str()), (3, None, "c"));
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap(), Some(published));
    assert_eq!(in_force(world).await, force("c"));
    save(world, "d", SaveAs::Draft).await;
    let given_up = save(world, "c", SaveAs::Discard).await;
    assert_eq!((given_up.version, given_up.draft), (3, None));
    assert_eq!(save(world, "e", SaveAs::Published).await.version, 5, "a number is used once");
    assert_eq!(code(world.store.update_plan(plan_id(1), None, saved(world, "e", SaveAs::Discard)).await), "CONFLICT");
}

pub async fn only_a_draft(world: &World) {
    let made = world.store.create_plan(plan_id(1), saved(world, "a", SaveAs::Draft)).await.unwrap();
    assert_eq!((made.version, made.draft), (0, Some(1)));
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap(), Some(made.clone()));
    assert_eq!(world.store.list_plans(ORG, &page(9)).await.unwrap().items[0].document, made.document);
    assert_eq!(in_force(world).await, (vec![], vec![]));
    let renamed = save(world, "b", SaveAs::Draft).await;
    assert_eq!((renamed.version, renamed.draft, renamed.name.as_str()), (0, Some(2), "b"));
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap(), Some(renamed));
    assert_eq!(code(world.store.update_plan(plan_id(1), None, saved(world, "b", SaveAs::Discard)).await), "CONFLICT");
    let published = save(world, "b", SaveAs::Publish(2)).await;
    assert_eq!((published.version, published.draft), (2, None));
    assert_eq!(in_force(world).await, force("b"));
}

pub async fn what_is_unpublished_rests(world: &World) {
    world.store.create_plan(plan_id(1), saved(world, "a", SaveAs::Published)).await.unwrap();
    let resting = NewPlan { webhooks: vec![], schedules: vec![], ..saved(world, "a", SaveAs::Unpublish) };
    let resting = world.store.update_plan(plan_id(1), None, resting).await.unwrap();
    assert_eq!((resting.version, resting.draft), (0, Some(1)));
    assert_eq!(world.store.get_plan(ORG, plan_id(1)).await.unwrap(), Some(resting));
    assert_eq!(in_force(world).await, (vec![], vec![]));
    let back = save(world, "a", SaveAs::Published).await;
    assert_eq!((back.version, back.draft), (1, None));
    assert_eq!(in_force(world).await, force("a"));
}

pub async fn history_says_who_and_why(world: &World) {
    let by = UserId(Uuid::from_u128(77));
    let noted = |name: &str, note: &str| {
        let saving = Saving { by: Some(by), note: Some(note.to_owned()), as_what: SaveAs::Published };
        NewPlan { saving, ..world.plan(name) }
    };
    world.store.create_plan(plan_id(1), noted("first", "begun")).await.unwrap();
    world.pass(7);
    world.store.update_plan(plan_id(1), None, noted("se\0cond", "a \0 and \u{241b}")).await.unwrap();
    save(world, "third", SaveAs::Draft).await;
    let all = world.store.plan_versions(ORG, plan_id(1), &page(9)).await.unwrap().items;
    let seen: Vec<_> = all.iter().map(|one| (one.version, one.name.as_str(), one.published_at.is_some(), one.note.as_deref())).collect();
    assert_eq!(seen, [(3, "third", false, None), (2, "se\0cond", true, Some("a \0 and \u{241b}")), (1, "first", true, Some("begun"))]);
    assert_eq!((all[1].by, all[0].by, all[1].created_at - all[2].created_at), (Some(by), None, 7));
    let first = world.store.plan_versions(ORG, plan_id(1), &page(2)).await.unwrap();
    let rest = mainspring_model::store::Paging { limit: 2, cursor: first.next_cursor };
    let rest = world.store.plan_versions(ORG, plan_id(1), &rest).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next_cursor), (2, 1, None));
    assert_eq!(world.store.plan_versions(owner(1).org, plan_id(1), &page(9)).await.unwrap().items, []);
}

pub async fn a_waiting_run_moves(world: &World) {
    world.store.create_plan(plan_id(1), world.plan("a")).await.unwrap();
    let run = world.held().await;
    let moves = async |org, from, to, seq| world.store.move_run(org, run, from, to, seq).await.unwrap();
    world.store.update_plan(plan_id(1), None, world.plan("b")).await.unwrap();
    assert!(!moves(ORG, 1, 2, 0).await, "it is under way");
    world.commit(world.write(run, &[success(1, world.now())], Standing::Waiting(None))).await;
    assert!(!moves(ORG, 1, 2, 0).await, "it went on since it was looked at");
    assert!(!moves(ORG, 1, 3, 1).await, "there is no such version");
    assert!(!moves(ORG, 2, 2, 1).await, "it is of another version");
    assert!(!moves(owner(1).org, 1, 2, 1).await, "it is not theirs");
    assert_eq!(world.store.header(run).await.unwrap().unwrap().plan_version, 1);
    assert!(moves(ORG, 1, 2, 1).await);
    assert_eq!(world.store.header(run).await.unwrap().unwrap().plan_version, 2);
    let ended = world.ended(RunStatus::Success).await;
    assert!(!world.store.move_run(ORG, ended, 1, 2, 2).await.unwrap(), "it has ended");
}
