//! Who may write what: epochs, endings, keys, slots and the journal's order.

use futures_util::future::join_all;
use mainspring_model::flow::Priority;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::{RunStatus, Slot};
use mainspring_model::store::{Committed, NewRun, RunFilter, Standing};

use super::make::{World, code, ending, finished, owner, page, plan_id, rows, success};

pub async fn another_epoch_is_late(world: &World) {
    let run = world.held().await;
    for wrong in [-1, 1] {
        let mut write = world.write(run, &[success(1, world.now())], Standing::Ended(ending(RunStatus::Success)));
        write.epoch += wrong;
        assert_eq!(world.commit(write).await, Committed::Late);
    }
    assert_eq!(world.seqs(run).await, [0; 0]);
    assert_eq!(world.store.get_run(Owner::LOCAL.org, run).await.unwrap().unwrap().status, RunStatus::Running);
    let mut create = world.creation(&world.header(), Standing::Running);
    create.epoch -= 1;
    let id = create.run;
    assert_eq!(world.commit(create).await, Committed::Late);
    assert_eq!(world.store.header(id).await.unwrap(), None);
}

pub async fn an_unknown_run_is_late(world: &World) {
    let run = RunId(world.uuid());
    assert_eq!(world.commit(world.write(run, &[success(1, world.now())], Standing::Running)).await, Committed::Late);
    assert_eq!(world.seqs(run).await, [0; 0]);
}

pub async fn nothing_follows_the_end(world: &World) {
    for status in RunStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
        let run = world.ended(status).await;
        for standing in [Standing::Running, Standing::Queued, Standing::Waiting(None), Standing::Ended(ending(RunStatus::Success))] {
            assert_eq!(world.commit(world.write(run, &[success(3, world.now())], standing)).await, Committed::Late);
        }
        assert_eq!(world.seqs(run).await, [1, 2]);
        assert_eq!(world.store.ending(run).await.unwrap(), Some(ending(status)));
    }
    assert_eq!(world.store.claim(100).await.unwrap().len(), 0);
}

pub async fn a_key_gives_the_first_run(world: &World) {
    let keyed = |owner, key: &str| NewRun {
        header: world.header_of(owner, plan_id(1)).into(),
        slot: None,
        key: Some(key.to_owned()),
        flow: None,
        burst: None,
        priority: Priority::Normal,
    };
    let first = keyed(Owner::LOCAL, "order-17");
    let id = first.header.id;
    assert_eq!(world.commit(world.creation_of(first, Standing::Queued)).await, Committed::Done);
    let mut again = world.creation_of(keyed(Owner::LOCAL, "order-17"), Standing::Running);
    again.events = rows(&[success(1, world.now())]);
    let second = again.run;
    assert_eq!(world.commit(again).await, Committed::Exists(id));
    assert_eq!(world.store.header(second).await.unwrap(), None);
    assert_eq!(world.seqs(second).await, [0; 0]);
    assert_eq!(world.commit(world.creation_of(keyed(owner(1), "order-17"), Standing::Queued)).await, Committed::Done);
    assert_eq!(world.commit(world.creation_of(keyed(Owner::LOCAL, "order-18"), Standing::Queued)).await, Committed::Done);
    assert_eq!(world.store.monitoring(Owner::LOCAL.org).await.unwrap().total_executions, 2);
}

pub async fn a_slot_is_filled_once(world: &World) {
    let mut plan = world.plan("Nightly");
    plan.schedules = vec![world.schedule("cron", "0 2 * * *", Some(world.now()))];
    let schedule = plan.schedules[0].id;
    world.store.create_plan(plan_id(1), plan).await.unwrap();
    let due_at = world.now();
    let fill = |due_at, next| {
        let slot = Some((Slot { schedule, due_at }, next));
        world.creation_of(
            NewRun { header: world.header().into(), slot, key: None, flow: None, burst: None, priority: Priority::Normal },
            Standing::Queued,
        )
    };
    let first = fill(due_at, Some(due_at + 1_000));
    let id = first.run;
    assert_eq!(world.commit(first).await, Committed::Done);
    assert_eq!(world.commit(fill(due_at, Some(due_at + 99_000))).await, Committed::Exists(id));
    let found = world.store.list_schedules(Owner::LOCAL.org).await.unwrap();
    assert_eq!((found[0].last_due, found[0].next_due), (Some(due_at), Some(due_at + 1_000)));
    assert_eq!(world.commit(fill(due_at + 1_000, None)).await, Committed::Done);
    let found = world.store.list_schedules(Owner::LOCAL.org).await.unwrap();
    assert_eq!((found[0].last_due, found[0].next_due), (Some(due_at + 1_000), None));
}

pub async fn a_slot_of_a_removed_schedule_is_late(world: &World) {
    let mut plan = world.plan("Nightly");
    plan.schedules = vec![world.schedule("cron", "0 2 * * *", Some(world.now()))];
    let schedule = plan.schedules[0].id;
    world.store.create_plan(plan_id(1), plan).await.unwrap();
    world.store.delete_plan(Owner::LOCAL.org, plan_id(1)).await.unwrap();
    let slot = Some((Slot { schedule, due_at: world.now() }, None));
    let write = world.creation_of(
        NewRun { header: world.header().into(), slot, key: None, flow: None, burst: None, priority: Priority::Normal },
        Standing::Queued,
    );
    assert_eq!(world.commit(write).await, Committed::Late);
}

pub async fn duplicates_inside_one_batch(world: &World) {
    let keyed = || NewRun {
        header: world.header().into(),
        slot: None,
        key: Some("once".to_owned()),
        flow: None,
        burst: None,
        priority: Priority::Normal,
    };
    let writes: Vec<_> = (0..40).map(|_| world.creation_of(keyed(), Standing::Queued)).collect();
    let answers = join_all(writes.into_iter().map(|write| world.commit(write))).await;
    let runs = world.store.list_runs(Owner::LOCAL.org, &RunFilter::default(), &page(50)).await.unwrap().items;
    assert_eq!(runs.len(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Committed::Done).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Committed::Exists(runs[0].id)).count(), 39);
    assert_eq!(world.store.claim(50).await.unwrap().len(), 1);
}

pub async fn writes_of_one_run_keep_their_order(world: &World) {
    // Polled in order, so queued in order; the first goes alone and the others gather behind it.
    let headers: Vec<_> = (0..20).map(|_| world.header()).collect();
    let mut writes = Vec::new();
    for header in &headers {
        writes.push(world.creation(header, Standing::Running));
        for seq in 1..=5 {
            writes.push(world.write(header.id, &[success(seq, world.now())], Standing::Running));
        }
        writes.push(world.write(header.id, &[], Standing::Waiting(Some(world.now() + 50))));
        writes.push(world.write(header.id, &[success(6, world.now())], Standing::Running));
        let end = [finished(7, world.now(), RunStatus::Success)];
        writes.push(world.write(header.id, &end, Standing::Ended(ending(RunStatus::Success))));
        writes.push(world.write(header.id, &[success(8, world.now())], Standing::Running));
    }
    let answers = join_all(writes.into_iter().map(|write| world.commit(write))).await;
    for (header, answers) in headers.iter().zip(answers.chunks(10)) {
        assert_eq!(answers[..9], [Committed::Done; 9]);
        assert_eq!(answers[9], Committed::Late);
        assert_eq!(world.seqs(header.id).await, [1, 2, 3, 4, 5, 6, 7]);
    }
}

pub async fn a_gap_is_refused_alone(world: &World) {
    let good: Vec<RunId> = vec![world.held().await, world.held().await];
    let bad = world.held().await;
    let writes = [
        world.write(good[0], &[success(1, world.now())], Standing::Running),
        world.write(bad, &[success(2, world.now())], Standing::Running),
        world.write(good[1], &[success(1, world.now())], Standing::Running),
        world.write(bad, &[success(1, world.now()), success(3, world.now())], Standing::Running),
        world.write(good[1], &[success(1, world.now())], Standing::Running),
    ];
    let answers = join_all(writes.into_iter().map(|write| world.store.commit(write))).await;
    let texts: Vec<&str> = answers.iter().map(|answer| answer.as_ref().map_or_else(|error| error.code(), |_| "done")).collect();
    assert_eq!(texts, ["done", "STORE_FAILED", "done", "STORE_FAILED", "STORE_FAILED"]);
    assert_eq!((world.seqs(good[0]).await, world.seqs(bad).await, world.seqs(good[1]).await), (vec![1], vec![], vec![1]));
    let mut create = world.creation(&world.header(), Standing::Running);
    create.events = rows(&[success(2, world.now())]);
    let id = create.run;
    let follow = world.write(id, &[success(1, world.now())], Standing::Running);
    let (created, followed) = tokio::join!(world.store.commit(create), world.store.commit(follow));
    assert_eq!(code(created), "STORE_FAILED");
    assert_eq!(followed.unwrap(), Committed::Late);
    assert_eq!(world.store.header(id).await.unwrap(), None);
}

pub async fn only_the_present_epoch_is_trusted(world: &World) {
    let epoch = world.store.epoch();
    assert!(world.store.trusts(epoch) && world.store.trusted(epoch).await);
    for other in [epoch - 1, epoch + 1] {
        assert!(!world.store.trusts(other) && !world.store.trusted(other).await, "{other} is not {epoch}");
    }
}

pub async fn a_second_create_of_the_same_run_exists(world: &World) {
    let header = world.header();
    let (create, append) =
        (world.creation(&header, Standing::Running), world.write(header.id, &[success(1, world.now())], Standing::Running));
    assert_eq!(world.commit(create.clone()).await, Committed::Done);
    let answers = join_all([world.commit(create.clone()), world.commit(append), world.commit(create)]).await;
    assert_eq!(answers, [Committed::Exists(header.id), Committed::Done, Committed::Exists(header.id)]);
    let fresh = world.creation(&world.header(), Standing::Running);
    let answers = join_all([world.commit(fresh.clone()), world.commit(fresh.clone())]).await;
    assert_eq!(answers, [Committed::Done, Committed::Exists(fresh.run)]);
    assert_eq!(world.store.monitoring(Owner::LOCAL.org).await.unwrap().total_executions, 2);
}
