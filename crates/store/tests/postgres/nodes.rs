//! Several nodes on one database: who is declared dead writes nothing more, and its runs go on elsewhere.

use std::sync::Arc;

use mainspring_model::clock::FakeClock;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::{HeldBy, RunStatus};
use mainspring_model::store::{Committed, Health, OrganizationRecord, PlaceStore, RunStore, Standing};
use mainspring_store::postgres::{OpenOptions, PostgresStore};
use sqlx::{Executor, PgConnection};

use super::database::Database;
use crate::suite::make::{START, World, ending, success};

/// Two nodes with one clock. The second ends with the first's database.
struct Two {
    first: World,
    first_store: Arc<PostgresStore>,
    second: World,
    second_store: Arc<PostgresStore>,
    database: Database,
}

async fn two() -> Two {
    let database = Database::make().await;
    let clock = FakeClock::at(START);
    let options = OpenOptions { clock: Some(Arc::new(clock.clone())), sweep: None, ..database.options() };
    let open = async || PostgresStore::open(options.clone()).await.unwrap();
    let (first, second) = (open().await, open().await);
    let world = |store: &Arc<PostgresStore>| World::new(store.clone(), clock.clone(), tempfile::tempdir().unwrap());
    Two { first: world(&first), second: world(&second), first_store: first, second_store: second, database }
}

async fn expire(epoch: i64, server: &mut PgConnection) {
    sqlx::query("update nodes set lease_until = clock_timestamp() - interval '1 hour' where no = $1")
        .bind(epoch)
        .execute(server)
        .await
        .unwrap();
}

async fn status_of(world: &World, run: RunId) -> RunStatus {
    world.store.get_run(Owner::LOCAL.org, run).await.unwrap().unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_declared_dead_is_late_and_begins_anew() {
    let two = two().await;
    let mut server = two.database.beside().await;
    let epoch = two.first.store.epoch();
    let run = two.first.held().await;
    assert_eq!(two.first.commit(two.first.write(run, &[success(1, 1)], Standing::Running)).await, Committed::Done);
    let kept = two.first.write(run, &[success(2, 2)], Standing::Running);
    // The row goes as a sweep takes it; the node's own heartbeat has not noticed yet.
    server.execute(sqlx::query("delete from nodes where no = $1").bind(epoch)).await.unwrap();
    assert_eq!(two.first.commit(kept.clone()).await, Committed::Late);
    assert_ne!(two.first.store.epoch(), epoch, "it registered anew");
    assert_eq!(two.first.commit(kept).await, Committed::Late, "and what it held is not its own any more");
    assert_eq!(two.first.seqs(run).await, [1]);

    assert_eq!(two.second_store.sweep().await.unwrap(), 1);
    let claimed = two.second.store.claim(5).await.unwrap();
    assert_eq!(claimed.iter().map(|claim| (claim.header.id, claim.crashes, claim.begun)).collect::<Vec<_>>(), [(run, 1, true)]);
    assert_eq!(two.second.commit(two.second.write(run, &[success(2, 2)], Standing::Running)).await, Committed::Done);
    let fresh = two.first.held().await;
    assert_eq!(two.first.commit(two.first.write(fresh, &[success(1, 1)], Standing::Running)).await, Committed::Done);
    two.first_store.close().await;
    two.second_store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_over_ends_a_node_and_one_that_signs_off_is_no_crash() {
    let two = two().await;
    let mut server = two.database.beside().await;
    let (died, closed) = (two.first.held().await, two.second.held().await);
    assert_eq!(two.second_store.sweep().await.unwrap(), 0, "both live");
    // As after a kill: nobody renews. Dropping the store does not sign off.
    let epoch = two.first.store.epoch();
    let Two { first, first_store, second, second_store, database } = two;
    drop((first, first_store));
    expire(epoch, &mut server).await;
    assert_eq!(second_store.sweep().await.unwrap(), 1);
    assert_eq!(second_store.sweep().await.unwrap(), 0);
    assert_eq!(status_of(&second, died).await, RunStatus::Queued);
    let (second_epoch, clock) = (second.store.epoch(), second.clock.clone());
    second_store.close().await;
    drop((second, second_store));
    let options = OpenOptions { clock: Some(Arc::new(clock.clone())), sweep: None, ..database.options() };
    let third = PostgresStore::open(options).await.unwrap();
    assert!(third.epoch() > second_epoch, "an epoch is never used twice");
    let claimed = third.claim(10).await.unwrap();
    let mut crashes: Vec<_> = claimed.iter().map(|claim| (claim.header.id, claim.crashes)).collect();
    crashes.sort_unstable();
    let mut expected = [(died, 1), (closed, 0)];
    expected.sort_unstable();
    assert_eq!(crashes, expected);
    third.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_died_halfway_is_finished_by_the_next() {
    let two = two().await;
    let mut server = two.database.beside().await;
    let epoch = two.first.store.epoch();
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(two.first.held().await);
    }
    let alone = runs[1];
    two.first_store.drives_alone(Some(alone)).await.unwrap();
    // The row went and one run was queued; then the sweeper died.
    sqlx::query("delete from nodes where no = $1").bind(epoch).execute(&mut server).await.unwrap();
    let half = "update runs set status = 'queued', epoch = 0, due_at = clock_timestamp(), crashes = crashes + 1 where id = $1";
    sqlx::query(half).bind(runs[0].0).execute(&mut server).await.unwrap();
    assert_eq!(two.second_store.sweep().await.unwrap(), 2);
    for run in runs {
        assert_eq!(status_of(&two.second, run).await, RunStatus::Queued);
    }
    two.first_store.close().await;
    two.second_store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_run_that_was_driven_alone_is_counted_so() {
    let two = two().await;
    let (alone, other) = (two.first.held().await, two.first.held().await);
    two.first_store.drives_alone(Some(alone)).await.unwrap();
    expire(two.first.store.epoch(), &mut two.database.beside().await).await;
    assert_eq!(two.second_store.sweep().await.unwrap(), 2);
    let mut claimed = two.second.store.claim(5).await.unwrap();
    claimed.sort_by_key(|claim| claim.header.id);
    let counts: Vec<_> = claimed.iter().map(|claim| (claim.header.id, claim.crashes, claim.crashes_alone)).collect();
    assert_eq!(counts, [(alone, 1, 1), (other, 1, 0)]);
    two.first_store.close().await;
    two.second_store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_writer_keeps_its_node_until_it_lets_go_and_no_longer() {
    let two = two().await;
    let mut server = two.database.beside().await;
    let epoch = two.first.store.epoch();
    let run = two.first.held().await;
    // A transaction of the node that stands still: stopped between its fence and its commit.
    let mut stopped = two.database.beside().await;
    stopped.execute(sqlx::query("begin")).await.unwrap();
    stopped.execute(sqlx::query("select 1 from nodes where no = $1 for key share").bind(epoch)).await.unwrap();
    expire(epoch, &mut server).await;
    assert_eq!(two.second_store.sweep().await.unwrap(), 0, "what it writes may still be committed");
    assert_eq!(status_of(&two.second, run).await, RunStatus::Running);
    stopped.execute(sqlx::query("commit")).await.unwrap();
    expire(epoch, &mut server).await;
    assert_eq!(two.second_store.sweep().await.unwrap(), 1);
    // The node's own transactions carry the timeout that makes the server let go of it.
    let idle: String =
        sqlx::query_scalar("select current_setting('idle_in_transaction_session_timeout')").fetch_one(&mut stopped).await.unwrap();
    assert_eq!(idle, "0", "it is set by each transaction, not by the session");
    two.first_store.close().await;
    two.second_store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_lives_renews_a_lease_that_ran_out_unseen() {
    let two = two().await;
    let mut server = two.database.beside().await;
    let epoch = two.first.store.epoch();
    let run = two.first.held().await;
    expire(epoch, &mut server).await;
    assert_eq!(two.first.commit(two.first.write(run, &[success(1, 1)], Standing::Running)).await, Committed::Done);
    assert_eq!(two.second_store.sweep().await.unwrap(), 0, "it is alive");
    assert_eq!(two.first.store.epoch(), epoch);
    expire(epoch, &mut server).await;
    let queued = two.second.queued().await;
    assert_eq!(two.first.store.claim(1).await.unwrap()[0].header.id, queued, "a claim is a write");
    assert_eq!(two.second_store.sweep().await.unwrap(), 0);
    two.first_store.close().await;
    two.second_store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_claim_each_run_once_and_write_no_run_of_the_other() {
    let two = two().await;
    let mut made = Vec::new();
    for _ in 0..120 {
        made.push(two.first.queued().await);
    }
    let (a, b) = tokio::join!(drain(&two.first), drain(&two.second));
    let mut claimed = [&a[..], &b[..]].concat();
    claimed.sort_unstable();
    made.sort_unstable();
    assert_eq!(claimed, made);
    for (mine, theirs, runs) in [(&two.first, &two.second, a), (&two.second, &two.first, b)] {
        for run in runs {
            let end = |world: &World| world.write(run, &[], Standing::Ended(ending(RunStatus::Success)));
            assert_eq!(theirs.commit(end(theirs)).await, Committed::Late);
            assert_eq!(mine.commit(end(mine)).await, Committed::Done);
        }
    }
    two.first_store.close().await;
    two.second_store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_fire_and_close_bursts_lose_no_firing() {
    let two = two().await;
    crate::suite::bursts::all_at_once(&[&two.first, &two.second]).await;
    two.first_store.close().await;
    two.second_store.close().await;
}

async fn drain(world: &World) -> Vec<RunId> {
    let mut all = Vec::new();
    loop {
        let some = world.store.claim(7).await.unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some.into_iter().map(|claim| claim.header.id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parents_and_children_on_different_writers_wake_each_other_without_a_circle() {
    let two = two().await;
    // Each of many parents waits for a child that another writer ends, both ways at once.
    let mut tasks = Vec::new();
    for _ in 0..40 {
        let parent = two.first.held().await;
        let mut header = two.first.header();
        header.parent = Some((parent, "call".to_owned()));
        two.first.commit(two.first.creation(&header, Standing::Running)).await;
        let wait = two.first.write(parent, &[], Standing::Waiting(None));
        let end = two.first.write(header.id, &[], Standing::Ended(ending(RunStatus::Success)));
        tasks.push((wait, end));
    }
    let all = tasks.into_iter().map(|(wait, end)| async {
        let (a, b) = tokio::join!(two.first.commit(wait), two.first.commit(end));
        assert_eq!((a, b), (Committed::Done, Committed::Done));
    });
    futures_util::future::join_all(all).await;
    assert_eq!(drain(&two.second).await.len(), 40, "no wake-up was missed");
    two.first_store.close().await;
    two.second_store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_one_node_is_heard_by_another() {
    let two = two().await;
    // The second listens from some moment on: until then nothing is heard, and nothing is owed.
    let mut heard = false;
    for _ in 0..200 {
        two.first.queued().await;
        heard = tokio::time::timeout(std::time::Duration::from_millis(50), two.second.store.work_arrived()).await.is_ok();
        if heard {
            break;
        }
    }
    assert!(heard, "a queued run is told to the other nodes");
    two.first_store.close().await;
    two.second_store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_hold_over_nodes_and_come_back_from_a_dead_one() {
    let two = two().await;
    let mut server = two.database.beside().await;
    let org = Owner::LOCAL.org;
    let record = OrganizationRecord { id: org, name: "Local".into(), slug: "local".into(), created_at: START, updated_at: START };
    two.first.store.put_organization(&record).await.unwrap();
    two.first.store.set_own_places(org, Some(3)).await.unwrap();
    let mut left = 30;
    for _ in 0..left {
        two.first.queued().await;
    }
    let mut busy: Vec<(bool, RunId)> = Vec::new();
    let mut most = 0;
    while left > 3 || !busy.is_empty() {
        let claims = [(true, &two.first_store), (false, &two.second_store)].map(|(first, store)| {
            let store = store.clone();
            tokio::spawn(async move {
                while !store.offer_place(org).await.unwrap() {}
                let claimed = store.claim(10).await.unwrap();
                claimed.into_iter().map(|run| (first, run.header.id)).collect::<Vec<_>>()
            })
        });
        for claims in claims {
            busy.extend(claims.await.unwrap());
        }
        assert!(busy.len() <= 3, "{} at work", busy.len());
        most = most.max(busy.len());
        for (first, run) in busy.drain(..) {
            let world = if first { &two.first } else { &two.second };
            assert_eq!(world.commit(world.write(run, &[], Standing::Ended(ending(RunStatus::Success)))).await, Committed::Done);
            left -= 1;
            if left == 3 {
                break;
            }
        }
    }
    assert_eq!(most, 3);
    // What a node that died had counts until its lease is over, and is taken up by others then.
    two.first_store.offer_place(org).await.unwrap();
    let held: Vec<RunId> = two.first.store.claim(10).await.unwrap().iter().map(|run| run.header.id).collect();
    assert_eq!(held.len(), 3);
    let late = two.second.queued().await;
    assert_eq!(two.second.store.claim(10).await.unwrap().len(), 0);
    expire(two.first.store.epoch(), &mut server).await;
    assert_eq!(two.second_store.sweep().await.unwrap(), 3);
    let again: Vec<RunId> = two.second.store.claim(10).await.unwrap().iter().map(|run| run.header.id).collect();
    assert_eq!(again, held, "those that had begun go first");
    assert_eq!(two.second.store.get_run(org, late).await.unwrap().unwrap().held_by, Some(HeldBy::OrganizationLimit));
    two.second_store.close().await;
}
