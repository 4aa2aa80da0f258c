//! Three nodes of one database, their clients, and the one ledger that all of them call.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinSet, block_in_place};

use super::books;
use super::faults::Fault;
use crate::gates::clock::{now, pause};
use crate::gates::dice::Dice;
use crate::gates::last::last_operations;
use crate::gates::ledger::Ledger;
use crate::gates::load::{self, Load};
use crate::gates::oracle::{Kill, Records};
use crate::gates::plans;
use crate::gates::process::Server;
use crate::postgres::database::Database;
use crate::postgres::node::KEY;

pub const NODES: usize = 3;
pub const LEASE: Duration = Duration::from_secs(2);
/// All runs end within this after the last fault.
const SETTLE: Duration = Duration::from_secs(30);

/// One place for a node: its processes follow one another on one address.
pub struct Member {
    pub index: usize,
    pub server: Server,
    pub load: Arc<Load>,
    url: String,
    processes: u32,
    /// Numbers under which the ledger knows its processes.
    pub lives: Vec<(u32, String)>,
}

pub struct Cluster {
    pub database: Database,
    pub ledger: Ledger,
    /// Whoever does something to a node holds it meanwhile.
    pub members: Vec<Mutex<Member>>,
    pub loads: Vec<Arc<Load>>,
    pub faults: std::sync::Mutex<Vec<Fault>>,
    /// What each start took until the node was ready.
    pub starts: std::sync::Mutex<Vec<Duration>>,
    dice: Dice,
}

/// How hard each node's clients press it.
pub struct Pressure {
    pub hooks: &'static [(&'static str, usize)],
    pub watchers: usize,
    pub pace: Duration,
}

impl Member {
    /// The name of its present process.
    pub fn who(&self) -> String {
        format!("n{}.{}", self.index, self.processes)
    }

    pub fn spawn(&mut self, ledger: &Ledger) {
        self.processes += 1;
        let url = books::address(&self.url, &self.who());
        self.server.tell("DATABASE_URL", &url);
        self.server.spawn();
        self.known(ledger);
    }

    /// Its calls count under a new number from here on.
    pub fn known(&mut self, ledger: &Ledger) -> u32 {
        let life = ledger.know(self.server.id().expect("it runs"));
        self.lives.push((life, self.who()));
        life
    }

    /// Its clients go on when it is.
    pub async fn ready(&mut self) -> Duration {
        let took = self.server.ready().await;
        self.load.announce(self.processes);
        took
    }
}

impl Cluster {
    /// Migrated and noted, and no node started yet. `tell`: what the processes of one place are told beside the usual.
    pub async fn new(
        folder: &Path,
        database: Database,
        dice: &Dice,
        pace: Duration,
        tell: impl Fn(usize) -> Vec<(String, String)>,
    ) -> Cluster {
        let ledger = Ledger::start(20).await;
        let (mut members, mut loads) = (Vec::new(), Vec::new());
        for index in 0..NODES {
            let home = folder.join(format!("n{index}"));
            std::fs::create_dir_all(&home).unwrap();
            let mut server = Server::new(&home, &mut dice.fork(&format!("port {index}")));
            server.tell("MIGRATE_DATABASE_URL", &database.migrate_url());
            server.tell("ENCRYPTION_KEY", KEY);
            server.tell("MAINSPRING_LEASE", &format!("{}s", LEASE.as_secs()));
            for (name, value) in tell(index) {
                server.tell(&name, &value);
            }
            let load = Load::paced(server.address, pace, pace.max(Duration::from_millis(5)));
            loads.push(load.clone());
            members.push(Mutex::new(Member { index, server, load, url: database.url(), processes: 0, lives: Vec::new() }));
        }
        let cluster = Cluster {
            database,
            ledger,
            members,
            loads,
            faults: std::sync::Mutex::default(),
            starts: std::sync::Mutex::default(),
            dice: dice.clone(),
        };
        cluster.migrate().await;
        cluster
    }

    async fn migrate(&self) {
        let member = self.members[0].lock().await;
        block_in_place(|| {
            member.server.run(&["migrate", "up"], &self.database.url());
            books::open(&self.database);
        });
    }

    /// Starts one process and waits until it is ready.
    pub async fn start(&self, member: &mut Member) {
        member.spawn(&self.ledger);
        let took = member.ready().await;
        self.starts.lock().unwrap().push(took);
    }

    /// The first node makes the plans, so that the others know their webhooks when they start; then come the clients of all.
    pub async fn open(&self, pressure: &Pressure) -> JoinSet<()> {
        self.start(&mut *self.members[0].lock().await).await;
        let watched = plans::keep(self.loads[0].address(), &self.ledger.url()).await;
        for member in &self.members[1..] {
            self.start(&mut *member.lock().await).await;
        }
        let mut all = JoinSet::new();
        for (index, load) in self.loads.iter().enumerate() {
            let mut clients = load::clients(load, &self.dice, &format!("n{index}/"), &watched, pressure.hooks, pressure.watchers);
            all.spawn(async move {
                while let Some(client) = clients.join_next().await {
                    client.unwrap();
                }
            });
        }
        all
    }

    /// After the last fault: the clients see their runs end, one of each operation works on every node, and the journal is read
    /// twice, with a restart of all nodes between. Everything that was noted.
    pub async fn close(&self, mut clients: JoinSet<()>) -> (Records, Vec<books::Signed>) {
        let over = now();
        self.loads.iter().for_each(|load| load.stop());
        let all_ended = async {
            while let Some(client) = clients.join_next().await {
                client.unwrap();
            }
            while block_in_place(|| books::open_runs(&self.database)) > 0 {
                pause(Duration::from_millis(50)).await;
            }
        };
        let ended = tokio::time::timeout(SETTLE, all_ended).await;
        let mut records =
            Records { settled_ms: ended.ok().map(|()| u64::try_from(over.elapsed().as_millis()).unwrap()), ..Records::default() };
        for (index, load) in self.loads.iter().enumerate() {
            records.last.extend(last_operations(load, &self.dice, &format!("last n{index}")).await);
        }
        self.kill_all().await;
        let signed;
        (records.first, signed) = block_in_place(|| books::dump(&self.database));
        for member in &self.members {
            self.start(&mut *member.lock().await).await;
        }
        self.kill_all().await;
        records.second = block_in_place(|| books::dump(&self.database)).0;
        for load in &self.loads {
            records.acks.extend(load.acks());
            records.refusals.extend(load.refusals());
        }
        records.calls = self.ledger.take();
        let faults = self.faults.lock().unwrap();
        let kill = |fault: &Fault| Kill { at: fault.at, calls_open: fault.held.len(), requests_open: fault.requests_open };
        records.kills = faults.iter().map(kill).collect();
        (records, signed)
    }

    async fn kill_all(&self) {
        for member in &self.members {
            member.lock().await.server.kill();
        }
        self.ledger.drained().await;
    }

    /// What all processes of all nodes said.
    pub async fn logs(&self) -> Vec<String> {
        let mut logs = Vec::new();
        for member in &self.members {
            logs.push(member.lock().await.server.log());
        }
        logs
    }
}
