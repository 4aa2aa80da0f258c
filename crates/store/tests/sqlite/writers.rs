//! One writer for many: nobody is refused for being busy, and nobody fails for a neighbour.

use std::sync::Arc;

use futures_util::future::join_all;
use mainspring_model::event::AttemptStatus;
use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Committed, NewPlan, PlanSource, Standing, StoreError};
use mainspring_store::{OpenOptions, SqliteStore};
use serde_json::json;
use sqlx::Executor;

use super::{beside, fresh};
use crate::suite::make::{World, attempt, ending, plan_id, success};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_are_never_busy() {
    let world = Arc::new(fresh().await);
    let options = OpenOptions { hold_engine_lock: false, ..OpenOptions::new(world.folder.path(), Arc::new(world.clock.clone())) };
    let other = SqliteStore::open(options).await.unwrap();
    let command = Arc::new(World::new(other, world.clock.clone(), tempfile::tempdir().unwrap()));
    let drivers = (0..64).map(|n| {
        let (world, command) = (Arc::clone(&world), Arc::clone(&command));
        tokio::spawn(async move {
            let run = world.held().await;
            for seq in 1..=20 {
                assert_eq!(world.commit(world.write(run, &[success(seq, 1)], Standing::Running)).await, Committed::Done);
                if seq % 10 == 0 {
                    // Another process writes to the same file, and other small writes share the transactions.
                    command.queued().await;
                    world.store.put_canary(&[n]).await.unwrap();
                }
            }
            world.commit(world.write(run, &[], Standing::Ended(ending(RunStatus::Success)))).await;
            assert_eq!(world.seqs(run).await, (1..=20).collect::<Vec<_>>());
        })
    });
    for driver in join_all(drivers).await {
        driver.unwrap();
    }
    let totals = world.store.monitoring(Owner::LOCAL.org).await.unwrap();
    assert_eq!((totals.total_executions, totals.successful, totals.queued), (64 + 128, 64, 128));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_write_fails_alone() {
    let world = fresh().await;
    // What no check foresees: the database itself refuses one row.
    let trap = "create trigger trap before insert on journal when new.body like '%poison%' begin select raise(abort, 'poison'); end";
    beside(world.folder.path()).await.execute(trap).await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..30 {
        runs.push(world.held().await);
    }
    let writes = runs.iter().enumerate().map(|(n, run)| {
        let path = if n == 13 { "poison" } else { "step" };
        let event = attempt(1, world.now(), path, "http", AttemptStatus::Success, json!(1));
        world.store.commit(world.write(*run, &[event], Standing::Running))
    });
    let file = NewPlan { source: PlanSource::File, ..world.plan("same name") };
    let plans = (1..=2).map(|n| world.store.create_plan(plan_id(n), file.clone()));
    let (answers, plans) = tokio::join!(join_all(writes), join_all(plans));
    for (n, (answer, run)) in answers.iter().zip(&runs).enumerate() {
        if n == 13 {
            assert!(matches!(answer, Err(StoreError::Failed(text)) if text == "poison"), "{answer:?}");
            assert_eq!(world.seqs(*run).await, [0; 0]);
        } else {
            assert_eq!(answer.as_ref().unwrap(), &Committed::Done);
            assert_eq!(world.seqs(*run).await, [1]);
        }
    }
    assert_eq!(plans.iter().filter(|plan| plan.is_ok()).count(), 1);
    assert!(plans.iter().any(|plan| matches!(plan, Err(StoreError::Conflict(_)))));
    // The refused run is still ours and its journal goes on where it was.
    assert_eq!(world.commit(world.write(runs[13], &[success(1, 1)], Standing::Running)).await, Committed::Done);
}
