//! The end of an organization, told by a copy of everything: no table has a row of it, and the other organization has all of its own.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mainspring_model::clock::FakeClock;
use mainspring_model::id::{OrgId, Owner};
use mainspring_model::run::RunStatus;
use mainspring_model::store::copy::{Cell, Row, Sink, Source, TABLES, Table};
use mainspring_model::store::{Erasure, Health, OrganizationStore, RunFilter, SecretStore, Standing, StoreError};
use mainspring_store::postgres::PostgresStore;

use super::filled::{blob, fill};
use super::{archived, of_database, of_folder};
use crate::postgres::database::Database;
use crate::sqlite::open;
use crate::suite::make::{START, World, code, ending, owner, page, plan_id};

/// Rows of one organization, by table.
struct Of {
    org: Cell,
    found: BTreeMap<&'static str, usize>,
}

#[async_trait]
impl Sink for Of {
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        let own = rows.iter().filter(|row| row[0] == self.org).count();
        if own > 0 {
            *self.found.entry(table.name).or_default() += own;
        }
        Ok(())
    }
}

async fn rows_of(org: OrgId, mut source: impl Source) -> BTreeMap<&'static str, usize> {
    let mut of = Of { org: Cell::Bytes(org.0.as_bytes().to_vec()), found: BTreeMap::new() };
    source.read(&mut of).await.unwrap();
    of.found
}

/// All of it; a process that dies between two batches is what each call begins with.
async fn erase(store: &PostgresStore, org: OrgId) {
    store.set_erasure(org, Some(0)).await.unwrap();
    assert_eq!(store.erasures_due().await.unwrap(), [org]);
    let mut batches = 0;
    loop {
        match store.erase(org, 3).await.unwrap() {
            Erasure::Gone => break,
            Erasure::Removed(removed) => assert!(removed > 0),
            Erasure::Held(left) => panic!("{left} are held"),
        }
        batches += 1;
        assert!(batches < 1_000, "it does not come to an end");
        // The keys are the first to go.
        assert!(store.data_keys().await.unwrap().iter().all(|key| key.org != org), "after {batches}");
    }
    assert!(batches > 10, "in small batches: {batches}");
    assert_eq!(store.erase(org, 3).await.unwrap(), Erasure::Gone);
    assert_eq!(store.erasures_due().await.unwrap(), []);
}

/// Every table of an organization has rows before, so that the emptiness after says something.
fn is_filled(found: &BTreeMap<&'static str, usize>) {
    let lacking: Vec<_> = TABLES
        .iter()
        .map(|table| table.name)
        .filter(|name| {
            !["users", "feature_flags", "second_factors", "recovery_codes", "outside_identities"].contains(name)
                && !found.contains_key(name)
        })
        .collect();
    assert_eq!(lacking, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_it_is_left_in_either_database() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), FakeClock::at(START));
    let world = World::new(open(folder.path(), &clock).await.unwrap(), clock, folder);
    fill(&world).await;
    let (gone, stays) = (owner(1).org, Owner::LOCAL.org);
    let running = RunFilter { status: Some(RunStatus::Running), ..RunFilter::default() };
    for org in [gone, stays] {
        for run in world.store.list_runs(org, &running, &page(50)).await.unwrap().items {
            world.commit(world.write(run.id, &[], Standing::Ended(ending(RunStatus::Cancelled)))).await;
        }
        world.store.set_erasure(org, None).await.unwrap();
    }
    // Blobs are one file for all who have the same bytes: these are its alone.
    let bytes = b"only theirs".to_vec();
    blob(gone, bytes.clone(), &world.header_of(owner(1), plan_id(11)), &world).await;
    let address = world.store.put_blob(gone, bytes).await.unwrap();
    let before = rows_of(gone, of_folder(world.folder.path()).await).await;
    is_filled(&before);
    let others = rows_of(stays, of_folder(world.folder.path()).await).await;
    let (bytes, _) = archived(&mut of_folder(world.folder.path()).await).await;

    // Blobs may be younger than another organization's write of the same bytes.
    assert!(matches!(erase_until_held(&world, gone).await, Erasure::Held(_)));
    world.pass(61_000);
    let last = loop {
        match world.store.erase(gone, 100).await.unwrap() {
            Erasure::Removed(_) => {}
            last => break last,
        }
    };
    assert_eq!(last, Erasure::Gone);
    assert_eq!(rows_of(gone, of_folder(world.folder.path()).await).await, BTreeMap::new());
    assert_eq!(code(world.store.get_blob(gone, &address).await), "NOT_FOUND");
    assert_eq!(rows_of(stays, of_folder(world.folder.path()).await).await, others);

    let database = Database::make().await;
    super::into_database(&database.options(), &bytes).await.unwrap();
    let store = PostgresStore::open(database.options()).await.unwrap();
    is_filled(&rows_of(gone, of_database(&database.options()).await).await);
    erase(&store, gone).await;
    assert_eq!(rows_of(gone, of_database(&database.options()).await).await, BTreeMap::new());
    assert_eq!(rows_of(stays, of_database(&database.options()).await).await, others);
    store.close().await;
}

async fn erase_until_held(world: &World, org: OrgId) -> Erasure {
    world.store.set_erasure(org, Some(0)).await.unwrap();
    loop {
        let done = world.store.erase(org, 100).await.unwrap();
        if !matches!(done, Erasure::Removed(_)) {
            return done;
        }
    }
}
