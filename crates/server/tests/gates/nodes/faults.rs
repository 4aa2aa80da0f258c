//! What is done to nodes: killed at once and started anew, or stopped for longer than their lease and let go on.

use std::time::Duration;

use tokio::task::block_in_place;

use super::books;
use super::cluster::{Cluster, LEASE, Member};
use crate::gates::clock::{now, pause, wall_ms};
use crate::gates::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Kill,
    /// SIGTERM.
    Stop,
    /// SIGSTOP, and SIGCONT after twice the lease.
    Pause,
    /// The database ended and came back.
    Database,
}

/// One of them, and what it met.
#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: Kind,
    /// The process.
    pub who: String,
    /// When it struck, in Unix milliseconds.
    pub at: i64,
    /// From when on another node is late to take over: the death, or the end of the lease of one that only was stopped.
    pub due: i64,
    /// Runs that the process held.
    pub held: Vec<String>,
    /// Requests of its own clients that were sent and not answered.
    pub requests_open: usize,
    /// Of a pause: when the process went on, when it had renewed its lease, and under which number it called from then on.
    pub resumed: Option<(i64, i64, u32)>,
}

/// SIGKILL, one look at what it met, and a fresh process.
pub async fn kill(cluster: &Cluster, member: &mut Member) {
    let fault = strike(cluster, member);
    cluster.faults.lock().unwrap().push(fault);
    cluster.start(member).await;
}

/// Without the fresh process.
pub fn strike(cluster: &Cluster, member: &mut Member) -> Fault {
    let (who, requests_open) = (member.who(), member.load.requests_open());
    let alive = member.server.kill();
    let at = wall_ms();
    if !alive {
        member.load.refuse(format!("the process {who} ended by itself"));
    }
    let held = block_in_place(|| books::held(&cluster.database, &who));
    Fault { kind: Kind::Kill, who, at, due: at, held, requests_open, resumed: None }
}

/// SIGTERM, the end in order, and a fresh process.
pub async fn stop(cluster: &Cluster, member: &mut Member) {
    let (who, requests_open, at) = (member.who(), member.load.requests_open(), wall_ms());
    let held = block_in_place(|| books::held(&cluster.database, &who));
    match member.server.stop().await {
        Some(0) => {}
        code => member.load.refuse(format!("the process {who} was told to end and ended with {code:?}")),
    }
    let fault = Fault { kind: Kind::Stop, who, at, due: wall_ms(), held, requests_open, resumed: None };
    cluster.faults.lock().unwrap().push(fault);
    cluster.start(member).await;
}

/// Kills nodes that nothing else is being done to, one every so often.
pub async fn kills(cluster: &Cluster, mut dice: Dice, count: u64, every: Duration) {
    let began = now();
    for n in 1..=count {
        pause((began + every * u32::try_from(n).unwrap()).saturating_duration_since(now())).await;
        let first = usize::try_from(dice.next() % cluster.members.len() as u64).unwrap();
        let mut free = (0..cluster.members.len()).filter_map(|n| cluster.members[(first + n) % cluster.members.len()].try_lock().ok());
        let mut member = free.next().expect("kills and pauses hold two of three");
        kill(cluster, &mut member).await;
    }
}

/// Stops nodes for twice the lease, evenly over this time.
pub async fn pauses(cluster: &Cluster, mut dice: Dice, count: u64, over: Duration) {
    let began = now();
    for n in 0..count {
        let when = over * u32::try_from(2 * n + 1).unwrap() / u32::try_from(2 * count).unwrap();
        pause((began + when).saturating_duration_since(now())).await;
        let place = usize::try_from(dice.next() % cluster.members.len() as u64).unwrap();
        let mut member = cluster.members[place].lock().await;
        stop_and_go(cluster, &mut member).await;
    }
}

async fn stop_and_go(cluster: &Cluster, member: &mut Member) {
    let (who, requests_open) = (member.who(), member.load.requests_open());
    member.server.signal("STOP");
    let at = wall_ms();
    let held = block_in_place(|| books::held(&cluster.database, &who));
    let before = block_in_place(|| books::lease_until(&cluster.database, &who)).unwrap_or(at);
    pause(2 * LEASE).await;
    let life = member.known(&cluster.ledger);
    let resumed = wall_ms();
    member.server.signal("CONT");
    let began = now();
    let renewed = loop {
        match block_in_place(|| books::renewed_after(&cluster.database, &who, resumed)) {
            Some(renewed) => break renewed,
            _ if began.elapsed() > Duration::from_secs(20) => {
                member.load.refuse(format!("the process {who} was stopped, went on, and did not renew its lease in 20 s"));
                break i64::MAX;
            }
            _ => pause(Duration::from_millis(10)).await,
        }
    };
    let fault = Fault { kind: Kind::Pause, who, at, due: before, held, requests_open, resumed: Some((resumed, renewed, life)) };
    cluster.faults.lock().unwrap().push(fault);
}
