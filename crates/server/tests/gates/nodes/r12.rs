//! R12: a node with one connection of each kind does the same work; nobody waits for a connection that only the waiter could free.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainspring_engine::{NoMarks, StoreClock};
use mainspring_model::credential::Secret;
use mainspring_server::settings::{EgressMode, Settings};
use mainspring_server::wire::{self, SystemClock};
use mainspring_server::{http, webhooks};
use mainspring_store::postgres::{OpenOptions, PostgresStore, migrate};
use mainspring_vault::KeyRing;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinSet, block_in_place};

use super::{books, gate};
use crate::gates::client::Client;
use crate::gates::clock::pause;
use crate::gates::dice::Dice;
use crate::gates::last::last_operations;
use crate::gates::ledger::Ledger;
use crate::gates::load::{self, Load};
use crate::gates::oracle::{Broken, Floor, Records};
use crate::gates::plans;
use crate::postgres::database::Database;
use crate::postgres::node::KEY;

const LASTS: Duration = Duration::from_secs(8);
const STEPS: usize = 1_000;
const READERS: usize = 4;

#[test]
fn one_connection_of_each_kind_is_enough() {
    let floor = Floor { acked_steps: STEPS, kills: 0, hits: 0, settle_ms: 30_000 };
    gate::under_load("R12", &floor, async |_: &Path, dice| narrow(dice).await);
}

async fn narrow(dice: &Dice) -> (Records, Vec<Broken>) {
    let database = Database::make();
    let options = OpenOptions {
        migrate_url: Some(database.migrate_url()),
        writers: 1,
        api: 1,
        steps: 1,
        ..OpenOptions::new(books::address(&database.url(), "narrow"))
    };
    migrate(&options).await.unwrap();
    block_in_place(|| books::open(&database));
    let store = PostgresStore::open(options).await.unwrap();
    let clock = StoreClock::new(Arc::new(SystemClock::new()), |length| Box::pin(pause(length)));
    clock.correct(&*store).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings {
        listen: address,
        postgres: Some(Secret::new(database.url())),
        dev: true,
        egress: EgressMode::Dev,
        ..Settings::default()
    };
    let app = wire::join(&settings, store, KeyRing::parse(KEY).unwrap(), Arc::new(clock), Arc::new(NoMarks)).await.unwrap();
    let serving = tokio::spawn({
        let app = app.clone();
        async move {
            let engine = app.engine.clone();
            let never = std::future::pending();
            tokio::join!(engine.serve_claims(), engine.serve_schedules(), webhooks::follow(app.clone()), http::serve(app, listener, never));
        }
    });
    let ledger = Ledger::start(20).await;
    let load = Load::paced(address, Duration::from_millis(20), Duration::from_millis(20));
    load.announce(1);
    let watched = plans::keep(address, &ledger.url()).await;
    let mut clients = load::clients(&load, dice, "", &watched, &[("pure", 3), ("calls", 4)], 4);
    let found = readers(address).await;
    load.stop();
    let settled = tokio::time::timeout(Duration::from_secs(30), async {
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        while block_in_place(|| books::open_runs(&database)) > 0 {
            pause(Duration::from_millis(20)).await;
        }
    });
    let settled_ms = settled.await.ok().map(|()| 0);
    let last = last_operations(&load, dice, "last").await;
    let most: u32 = app.store.pools().iter().filter(|pool| pool.shared).map(|pool| pool.most).sum();
    println!("R12: {most} connections for callers, {} steps of {} runs acknowledged", load.acked_steps(), load.acks().len());
    app.engine.drain(8_000).await;
    serving.abort();
    app.store.close().await;
    let first = block_in_place(|| books::dump(&database)).0;
    let mut found = found;
    if load.turned_away() > 0 {
        found.push(Broken { rule: "turned away", text: format!("{} requests were answered with 503", load.turned_away()) });
    }
    let (acks, calls, refusals) = (load.acks(), ledger.take(), load.refusals());
    (Records { acks, calls, refusals, settled_ms, last, second: first.clone(), first, ..Records::default() }, found)
}

/// Many read at once beside the load, for as long as the gate lasts.
async fn readers(address: std::net::SocketAddr) -> Vec<Broken> {
    let mut readers = JoinSet::new();
    for n in 0..READERS {
        readers.spawn(async move {
            let mut client = Client::new(address);
            let path = ["/api/runs?limit=20", "/api/plans", "/api/monitoring/status", "/health/readiness"][n % 4];
            let mut bad = Vec::new();
            let over = crate::gates::clock::now() + LASTS;
            while crate::gates::clock::now() < over {
                match client.get(path).await {
                    Ok((200, _)) => {}
                    answer => bad.push(Broken { rule: "refused", text: format!("{path}: {:?}", answer.unwrap_or((0, Value::Null))) }),
                }
                pause(Duration::from_millis(50)).await;
            }
            bad
        });
    }
    readers.join_all().await.into_iter().flatten().collect()
}
