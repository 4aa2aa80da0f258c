//! Moves: cut off anywhere they go on, a source that changed is noticed, and nobody serves half of one or an old one.

use async_trait::async_trait;
use mainspring_model::clock::FakeClock;
use mainspring_model::store::copy::{Arrived, Departure, Destination, Row, Sink, Source, TABLES, Table};
use mainspring_model::store::{Health, StoreError};
use mainspring_store::copy::{Filling, transfer};
use mainspring_store::postgres::{self, PostgresStore};
use mainspring_store::{SqliteDeparture, SqliteImport, reopen};

use super::filled::fill;
use super::{counted, of_database, of_folder};
use crate::postgres::database::Database;
use crate::sqlite::open;
use crate::suite::make::{START, World, code, plan_id};

/// Breaks off after so many batches.
struct Breaking {
    inner: Box<dyn Destination>,
    left: usize,
}

#[async_trait]
impl Sink for Breaking {
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        if self.left == 0 {
            return Err(StoreError::Closed);
        }
        self.left -= 1;
        self.inner.take(table, rows).await
    }
}

#[async_trait]
impl Destination for Breaking {
    fn arrived(&self) -> Arrived {
        self.inner.arrived()
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.inner.finish().await
    }
}

async fn source() -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::at(START);
    let world = World::new(open(folder.path(), &clock).await.unwrap(), clock, folder);
    fill(&world).await;
    world.store.close().await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_goes_on_where_it_was_cut_off() {
    let world = source().await;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::make().await;
    let options = database.options();
    for to_database in [true, false] {
        let begin = async |source: &dyn Source| {
            let begun: Box<dyn Destination> = if to_database {
                Box::new(postgres::Import::begin(&options, source.head(), Filling::Stepwise).await.unwrap())
            } else {
                Box::new(SqliteImport::begin(folder.path(), source.head(), Filling::Stepwise, START).await.unwrap())
            };
            begun
        };
        let mut before = 0;
        let sent = loop {
            let mut source = of_folder(world.folder.path()).await;
            let inner = begin(&source).await;
            assert!(before == 0 || inner.arrived().rows > before, "each part brings it further");
            before = inner.arrived().rows;
            let mut breaking = Breaking { inner, left: 3 };
            let done = transfer(&mut source, &mut breaking, &mut |_| {}).await;
            if !matches!(done, Err(StoreError::Closed)) {
                Box::new(breaking).finish().await.unwrap();
                break done.unwrap();
            }
            drop((breaking, source));
            // Nobody serves half of it, and no other source is mixed into it.
            let refused = match to_database {
                true => PostgresStore::open(options.clone()).await.map(|_| ()),
                false => open(folder.path(), &world.clock).await.map(|_| ()),
            };
            assert_eq!(code(refused), "STORE_INCOMPLETE");
        };
        let arrived = match to_database {
            true => counted(of_database(&options).await).await,
            false => counted(of_folder(folder.path()).await).await,
        };
        assert_eq!(sent.difference(&arrived), None);
    }
    PostgresStore::open(options).await.unwrap().close().await;
    open(folder.path(), &world.clock).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changed_in_between_is_noticed() {
    let world = source().await;
    let folder = tempfile::tempdir().unwrap();
    let begin = async |source: &dyn Source| {
        Box::new(SqliteImport::begin(folder.path(), source.head(), Filling::Stepwise, START).await.unwrap()) as Box<dyn Destination>
    };
    let mut first = of_folder(world.folder.path()).await;
    // Most of it has arrived, the plans of either organization among them.
    let mut breaking = Breaking { inner: begin(&first).await, left: 2 * TABLES.len() - 7 };
    assert_eq!(code(transfer(&mut first, &mut breaking, &mut |_| {}).await), "STORE_CLOSED");
    drop((breaking, first));
    let again = open(world.folder.path(), &world.clock).await.unwrap();
    let changed = World::new(again, world.clock.clone(), tempfile::tempdir().unwrap());
    changed.store.create_plan(plan_id(99), changed.plan("late")).await.unwrap();
    changed.store.close().await;
    let mut second = of_folder(world.folder.path()).await;
    let mut to = begin(&second).await;
    assert_eq!(code(transfer(&mut second, &mut *to, &mut |_| {}).await), "COPY_DIFFERS");
    let elsewhere = tempfile::tempdir().unwrap();
    open(elsewhere.path(), &world.clock).await.unwrap().close().await;
    drop(to);
    let other = of_folder(elsewhere.path()).await;
    let mixed = SqliteImport::begin(folder.path(), other.head(), Filling::Stepwise, START).await;
    assert_eq!(code(mixed.map(|_| ())), "STORE_INCOMPLETE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_moved_is_not_served_until_it_is_reopened() {
    let world = source().await;
    let folder = world.folder.path();
    let held = SqliteDeparture::begin(folder, "elsewhere", START).await.unwrap();
    assert_eq!(code(open(folder, &world.clock).await.map(|_| ())), "STORE_LOCKED");
    Box::new(held).leave("elsewhere").await.unwrap();
    let refused = open(folder, &world.clock).await.map(|_| ()).unwrap_err();
    assert!(refused.code() == "STORE_MOVED" && refused.to_string().contains("elsewhere"), "{refused}");
    assert_eq!(code(SqliteDeparture::begin(folder, "a third", START).await.map(|_| ())), "STORE_MOVED");
    drop(SqliteDeparture::begin(folder, "elsewhere", START).await.unwrap());
    assert!(reopen(folder, START).await.unwrap());
    open(folder, &world.clock).await.unwrap().close().await;

    let database = Database::make().await;
    let node = PostgresStore::open(database.options()).await.unwrap();
    assert_eq!(code(postgres::Departing::begin(&database.options(), "x").await.map(|_| ())), "STORE_IN_USE");
    node.close().await;
    let held = postgres::Departing::begin(&database.options(), "x").await.unwrap();
    Box::new(held).leave("x").await.unwrap();
    assert_eq!(code(PostgresStore::open(database.options()).await.map(|_| ())), "STORE_MOVED");
    assert!(postgres::reopen(&database.options()).await.unwrap());
    PostgresStore::open(database.options()).await.unwrap().close().await;
}
