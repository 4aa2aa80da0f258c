//! The suite over PostgreSQL, and what only a store of many nodes has to prove.

mod bypass;
mod catalogue;
mod database;
mod nodes;
mod opening;

use std::sync::Arc;

use mainspring_model::clock::FakeClock;
use mainspring_store::postgres::{OpenOptions, PostgresStore};

use crate::suite::make::{START, World};
use database::Database;

async fn fresh() -> World {
    let database = Database::make().await;
    let clock = FakeClock::at(START);
    let options = OpenOptions { clock: Some(Arc::new(clock.clone())), ..database.options() };
    let store = PostgresStore::open(options).await.unwrap();
    let mut world = World::new(store, clock, tempfile::tempdir().unwrap());
    world.keep.push(Box::new(database));
    world
}

mod suite {
    crate::suite::suite!(super::super::fresh);
}
