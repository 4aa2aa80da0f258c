//! Retention: what leaves, what stays, and what follows.

use std::time::Duration;

use mainspring_model::event::{BlobRef, EventBody};
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{LogFilter, Retention, RunFilter, Standing, VERSIONS_KEPT};
use serde_json::json;

use super::make::{World, code, ending, finished, page, plan_id, success};

const ORG: mainspring_model::id::OrgId = Owner::LOCAL.org;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

async fn prune_all(world: &World, retention: &Retention) -> u64 {
    let mut all = 0;
    loop {
        match world.store.prune(retention, 3).await.unwrap() {
            0 => return all,
            some => all += some,
        }
    }
}

/// Runs that would leave.
async fn prunable(world: &World, retention: &Retention) -> u64 {
    let all = world.store.prunable(retention).await.unwrap();
    all.iter().find(|one| one.kind == "runs").unwrap().rows
}

async fn left(world: &World) -> Vec<RunId> {
    let page = world.store.list_runs(ORG, &RunFilter::default(), &page(200)).await.unwrap();
    page.items.into_iter().map(|run| run.id).collect()
}

pub async fn by_age_and_count(world: &World) {
    let mut old = Vec::new();
    for _ in 0..10 {
        old.push(world.ended(RunStatus::Success).await);
    }
    let held = world.held().await;
    world.pass(14 * DAY);
    assert_eq!(prune_all(world, &Retention::default()).await, 0, "not older than the limit, but as old");
    assert_eq!(prunable(world, &Retention::default()).await, 0);
    world.pass(1);
    assert_eq!(prunable(world, &Retention::default()).await, 10, "what would leave is told, and stays");
    assert_eq!(prunable(world, &Retention::default()).await, 10);
    let new = [world.ended(RunStatus::Error).await, world.ended(RunStatus::Success).await];
    assert_eq!(prune_all(world, &Retention::default()).await, 10);
    assert_eq!(left(world).await, [new[1], new[0], held]);
    for run in old {
        assert_eq!((world.seqs(run).await, world.store.ending(run).await.unwrap()), (vec![], None));
    }
    assert_eq!(world.store.list_logs(ORG, &LogFilter::default(), &page(50)).await.unwrap().items.len(), 2);
    world.pass(2 * HOUR);
    let keep = Retention { max_runs: 1, ..Retention::default() };
    assert_eq!(prune_all(world, &keep).await, 1);
    assert_eq!(left(world).await, [new[1], held]);
}

pub async fn never_too_young(world: &World) {
    let run = world.ended(RunStatus::Success).await;
    let nothing = Retention { max_age: Duration::ZERO, max_runs: 0, min_age: Duration::from_secs(3_600) };
    world.pass(HOUR - 1);
    assert_eq!(prune_all(world, &nothing).await, 0);
    assert_eq!(left(world).await, [run]);
    world.pass(1);
    assert_eq!(prune_all(world, &nothing).await, 1);
    assert_eq!(left(world).await, []);
}

pub async fn a_child_stays_for_its_parent(world: &World) {
    let parent = world.held().await;
    let mut header = world.header();
    header.parent = Some((parent, "call".to_owned()));
    let child = world.ended_as(&header, RunStatus::Success).await;
    world.pass(30 * DAY);
    assert_eq!(prune_all(world, &Retention::default()).await, 0);
    assert!(world.store.ending(child).await.unwrap().is_some());
    world.commit(world.write(parent, &[], Standing::Ended(ending(RunStatus::Success)))).await;
    assert_eq!(prune_all(world, &Retention::default()).await, 1);
    assert_eq!(left(world).await, [parent]);
}

async fn with_blob(world: &World, text: &str) -> (RunId, String) {
    let sha256 = world.store.put_blob(ORG, text.as_bytes().to_vec()).await.unwrap();
    let blob = Some(BlobRef { sha256: sha256.clone(), size: text.len() as u64, preview: String::new() });
    let run = world.held().await;
    let mut event = success(1, world.now());
    if let EventBody::Attempted(body) = &mut event.body {
        (body.output, body.blob) = (json!(null), blob.clone());
    }
    let mut last = ending(RunStatus::Success);
    last.blob = blob;
    world.commit(world.write(run, &[event, finished(2, world.now(), RunStatus::Success)], Standing::Ended(last))).await;
    (run, sha256)
}

pub async fn blobs_follow_their_last_run(world: &World) {
    let (_, alone) = with_blob(world, "\"alone\"").await;
    let (_, shared) = with_blob(world, "\"shared\"").await;
    world.pass(10 * DAY);
    with_blob(world, "\"shared\"").await;
    let stray = world.store.put_blob(ORG, b"\"never used\"".to_vec()).await.unwrap();
    world.pass(10 * DAY);
    assert_eq!(prune_all(world, &Retention::default()).await, 2);
    assert_eq!(code(world.store.get_blob(ORG, &alone).await), "NOT_FOUND");
    assert_eq!(world.store.get_blob(ORG, &shared).await.unwrap(), b"\"shared\"");
    let fresh = world.store.put_blob(ORG, b"\"in a write under way\"".to_vec()).await.unwrap();
    for _ in 0..256 {
        world.store.prune(&Retention::default(), 3).await.unwrap();
    }
    assert_eq!(code(world.store.get_blob(ORG, &stray).await), "NOT_FOUND");
    assert!(world.store.get_blob(ORG, &fresh).await.is_ok());
    assert!(world.store.get_blob(ORG, &shared).await.is_ok());
    world.pass(10 * DAY);
    assert_eq!(prune_all(world, &Retention::default()).await, 1);
    assert_eq!(code(world.store.get_blob(ORG, &shared).await), "NOT_FOUND");
}

pub async fn versions_follow_theirs(world: &World) {
    world.store.create_plan(plan_id(1), world.plan("a")).await.unwrap();
    world.ended(RunStatus::Success).await;
    // One more than history holds, beside the one that has a run.
    for n in 0..=VERSIONS_KEPT {
        world.store.update_plan(plan_id(1), None, world.plan(&n.to_string())).await.unwrap();
    }
    let versions = async || {
        let mut found = Vec::new();
        for version in 1..=3 {
            found.push(world.store.plan_version(plan_id(1), version).await.unwrap().is_some());
        }
        found
    };
    prune_all(world, &Retention::default()).await;
    assert_eq!(versions().await, [true, true, true], "somebody may be about to use it");
    world.pass(2 * HOUR);
    prune_all(world, &Retention::default()).await;
    assert_eq!(versions().await, [true, false, true], "the first has a run, the third is history");
    world.pass(15 * DAY);
    prune_all(world, &Retention::default()).await;
    assert_eq!(versions().await, [false, false, true]);
}

pub async fn totals_stay(world: &World) {
    world.ended(RunStatus::Success).await;
    world.ended(RunStatus::Error).await;
    world.pass(15 * DAY);
    assert_eq!(prune_all(world, &Retention::default()).await, 2);
    let found = world.store.monitoring(ORG).await.unwrap();
    assert_eq!((found.total_executions, found.successful, found.failed), (2, 1, 1));
    assert_eq!(found.recent, []);
}
