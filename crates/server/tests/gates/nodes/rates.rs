//! The `rate` of steps over three nodes that are killed: what they call together keeps to it.

use std::path::Path;
use std::time::Duration;

use tokio::task::block_in_place;

use super::cluster::Cluster;
use super::{books, faults, gate, verdict};
use crate::gates::client::Client;
use crate::gates::clock::{now, pause};
use crate::gates::dice::Dice;
use crate::gates::oracle::Broken;
use crate::gates::rates::{CALLS, Called, KILLS, LIMIT, PER, PLANS, SETTLE, event, plan};
use crate::postgres::database::Database;

const KILL_EVERY: Duration = Duration::from_millis(2_500);

#[test]
fn the_rate_holds_over_nodes_that_are_killed() {
    gate::run("rates", async |folder, dice| rates(folder, dice).await);
}

async fn rates(folder: &Path, dice: &Dice) -> Vec<Broken> {
    let called = Called::start().await;
    let cluster = Cluster::new(folder, Database::make(), dice, Duration::ZERO, |_| Vec::new()).await;
    for member in &cluster.members {
        cluster.start(&mut *member.lock().await).await;
    }
    let mut clients: Vec<Client> = cluster.loads.iter().map(|load| Client::new(load.address())).collect();
    for which in 0..PLANS {
        let (status, answer) = clients[0].post("/api/plans", &plan(which, &called.outside.url("/call"))).await.unwrap();
        assert_eq!(status, 201, "{answer}");
    }
    for n in 0..CALLS {
        let node = n % clients.len();
        let (status, answer) = clients[node].post("/api/events", &event(n)).await.unwrap();
        assert_eq!(status, 202, "{answer}");
    }
    let began = now();
    faults::kills(&cluster, dice.fork("kills"), KILLS.into(), KILL_EVERY).await;
    while block_in_place(|| books::open_runs(&cluster.database)) > 0 && began.elapsed() < SETTLE {
        pause(Duration::from_millis(50)).await;
    }
    let mut client = Client::new(cluster.loads[0].address());
    let (_, status) = client.get("/api/monitoring/status").await.unwrap();
    let mut found = Vec::new();
    if status["successful"] != CALLS {
        found.push(Broken { rule: "wrong ending", text: status.to_string() });
    }
    let (broken, fullest, again) = called.judge();
    found.extend(broken.into_iter().map(|text| Broken { rule: "too many calls", text }));
    if fullest <= LIMIT / 2 {
        found.push(Broken { rule: "too little work", text: format!("at most {fullest} within {PER:?}") });
    }
    let faults = cluster.faults.lock().unwrap().clone();
    found.extend(verdict::healthy(&cluster, &faults));
    println!(
        "rates: {CALLS} calls over three nodes, {again} of them again after {} kills, in {:?}, at most {fullest} within {PER:?}",
        faults.len(),
        began.elapsed()
    );
    found
}
