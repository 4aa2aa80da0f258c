//! The suite over PostgreSQL, and what only a store of many nodes has to prove.

mod bypass;
mod catalogue;
pub mod database;
mod days;
mod leases;
mod nodes;
mod opening;
mod outages;
mod pooler;
mod proxy;
mod settled;
mod tags;
mod view;
mod writers;

use std::sync::Arc;

use mainspring_model::clock::FakeClock;
use mainspring_store::postgres::{OpenOptions, PostgresStore};

use crate::suite::make::{START, World};
use database::Database;

async fn fresh() -> World {
    let database = Database::make().await;
    let (_, mut world) = world_of(&database).await;
    world.keep.push(Box::new(database));
    world
}

/// A store with its world, which ends before the database does.
async fn world_of(database: &Database) -> (Arc<PostgresStore>, World) {
    world_with(database.options()).await
}

async fn world_with(options: OpenOptions) -> (Arc<PostgresStore>, World) {
    let clock = FakeClock::at(START);
    let store = PostgresStore::open(OpenOptions { clock: Some(Arc::new(clock.clone())), ..options }).await.unwrap();
    let world = World::new(store.clone(), clock, tempfile::tempdir().unwrap());
    (store, world)
}

mod suite {
    crate::suite::suite!(super::super::fresh);
}

/// The suite once more with one connection of each kind: nothing may take a second one while it holds the first.
mod narrow {
    async fn fresh() -> super::World {
        let database = super::Database::make().await;
        let options = super::OpenOptions { writers: 1, api: 1, steps: 1, ..database.options() };
        let (_, mut world) = super::world_with(options).await;
        world.keep.push(Box::new(database));
        world
    }

    crate::suite::suite!(super::fresh);
}
