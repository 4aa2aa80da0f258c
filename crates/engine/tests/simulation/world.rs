//! One simulated world: what its nodes, its database and its callers share, and what they do to one another.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard};

use mainspring_model::clock::Millis;
use mainspring_model::id::RunId;
use mainspring_model::store::{Committed, RunWrite, Standing, StoreError};

use super::agenda::{Agenda, BEGIN};
use super::database::{Database, Sabotage};
use super::dice::Dice;
use super::judge::{Call, Judge};
use super::node::Asked;
use super::scenario::Request;
use super::trace::Trace;
use super::weather::{Journey, Weather};

pub const NODES: usize = 3;
/// What the nodes, the database and the world outside share.
pub struct World {
    pub agenda: Agenda,
    pub sabotage: Option<Sabotage>,
    pub slots: [Slot; NODES],
    database: Mutex<Database>,
    judge: Mutex<Judge>,
    weather: Mutex<Weather>,
    pub trace: Mutex<Trace>,
    dice: Mutex<Dice>,
    /// Requests of callers that nobody has answered yet, by number.
    pub open: Mutex<Vec<Option<Request>>>,
}

/// A place for a node; lives come and go.
#[derive(Default)]
pub struct Slot {
    state: Mutex<SlotState>,
    pub skew: Arc<AtomicI64>,
}

#[derive(Default)]
pub struct SlotState {
    pub life: Option<u32>,
    pub lives: u32,
    pub epoch: i64,
    pub touched: bool,
    /// Its process is to end.
    pub doomed: bool,
    /// Its process is to begin.
    pub born: bool,
    paused_until: Millis,
    pub listener: Option<Arc<tokio::sync::Notify>>,
    pub callers: Option<Callers>,
}

type Callers = tokio::sync::mpsc::UnboundedSender<Asked>;

impl World {
    pub fn new(seed: u64, sabotage: Option<Sabotage>, print: bool) -> Arc<World> {
        Arc::new(World {
            agenda: Agenda::new(),
            sabotage,
            slots: Default::default(),
            database: Mutex::new(Database { sabotage, ..Database::default() }),
            judge: Mutex::default(),
            weather: Mutex::default(),
            trace: Mutex::new(Trace::new(print)),
            dice: Mutex::new(Dice::new(seed).fork("world")),
            open: Mutex::default(),
        })
    }

    /// A world in which nothing happens: for reading plans.
    pub fn bare() -> Arc<World> {
        World::new(0, None, false)
    }

    pub fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap()
    }

    pub fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap()
    }

    pub fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap()
    }

    pub fn between(&self, low: i64, high: i64) -> i64 {
        self.dice.lock().unwrap().between(low, high)
    }

    pub fn percent(&self, chance: i64) -> bool {
        self.dice.lock().unwrap().percent(chance)
    }

    pub fn note(&self, line: String) {
        let at = self.agenda.now() - BEGIN;
        self.trace.lock().unwrap().line(format!("{at} {line}"));
    }

    pub fn slot(&self, node: usize) -> MutexGuard<'_, SlotState> {
        self.slots[node].state.lock().unwrap()
    }

    /// Something for this node happened: its tasks run before time goes on.
    pub fn touch(&self, node: usize) {
        self.slot(node).touched = true;
    }

    pub fn is_life(&self, node: usize, life: u32) -> bool {
        let slot = self.slot(node);
        slot.life == Some(life) && !slot.doomed
    }

    pub fn set_epoch(&self, node: usize, epoch: i64) {
        self.slot(node).epoch = epoch;
    }

    /// How a request will travel; `None` when its process is dead.
    pub fn depart(&self, node: usize, life: u32, commits: bool) -> Option<Journey> {
        let now = self.agenda.now();
        self.is_life(node, life).then(|| self.weather().journey(node, commits, now, &mut self.dice.lock().unwrap()))
    }

    /// The process of this life ends here and now; another begins a while later.
    pub fn kill(self: &Arc<World>, node: usize, life: u32, why: &str) {
        if !self.is_life(node, life) {
            return;
        }
        self.note(format!("node {node} life {life} dies {why}"));
        self.slot(node).doomed = true;
        self.touch(node);
        let back = self.agenda.now() + self.between(100, 15_000);
        self.disturb(Some(node), back + 2_000);
        self.agenda.at(back, move |world| world.slot(node).born = true);
    }

    pub fn life(&self, node: usize) -> Option<u32> {
        let slot = self.slot(node);
        slot.life.filter(|_| !slot.doomed)
    }

    pub fn pause(&self, node: usize, until: Millis) {
        self.slot(node).paused_until = until;
    }

    pub fn is_paused(&self, node: usize) -> bool {
        self.slot(node).paused_until > self.agenda.now()
    }

    /// Until then, `who` (or everybody) may be kept from its work.
    pub fn disturb(&self, who: Option<usize>, until: Millis) {
        let mut judge = self.judge();
        let last = judge.trouble.entry(who).or_default();
        *last = (*last).max(until);
    }

    pub fn listen(&self, node: usize, arrived: Arc<tokio::sync::Notify>, callers: Callers) {
        let mut slot = self.slot(node);
        (slot.listener, slot.callers) = (Some(arrived), Some(callers));
    }

    /// Announces work to claim, as a notification does: soon, not to everybody, and never as a promise.
    pub fn after_write(self: &Arc<World>) {
        // Called while the database is held by the one who wrote: the flag is looked at when it is free again.
        let now = self.agenda.now();
        self.agenda.at(now, |world| {
            if !std::mem::take(&mut world.database().arrived) {
                return;
            }
            for node in 0..NODES {
                if world.percent(10) || world.weather().is_cut(node, world.agenda.now()) {
                    continue;
                }
                let when = world.agenda.now() + world.between(1, 5);
                world.agenda.at(when, move |world| {
                    if let Some(listener) = world.slot(node).listener.clone() {
                        listener.notify_one();
                    }
                    world.touch(node);
                });
            }
        });
    }

    /// A write reached the database.
    pub fn committed(&self, node: usize, write: &RunWrite, done: &Result<Committed, StoreError>, now: Millis) {
        let kinds: Vec<&str> = write.events.iter().map(|row| row.kind).collect();
        let first = write.events.first().map_or(0, |row| row.seq);
        let standing = match &write.standing {
            Standing::Ended(ending) | Standing::EndedWith(ending, _) => ending.status.as_str().to_owned(),
            Standing::Waiting(until) => format!("waiting {:?}", until.map(|until| until - BEGIN)),
            other => format!("{other:?}"),
        };
        let made = if write.create.is_some() { " made" } else { "" };
        self.note(format!("node {node} writes {}{made} {first} {kinds:?} {standing} as {}: {done:?}", write.run, write.epoch));
        let mut judge = self.judge();
        match done {
            Ok(Committed::Done) => judge.committed(write, now),
            Ok(Committed::Late) => judge.count.late += 1,
            Ok(Committed::Exists(_)) => {}
            Err(error) => judge.broke(format!("refused: node {node} wrote what cannot be: {error}")),
        }
    }

    /// A call reached the world outside.
    pub fn called(&self, node: usize, life: u32, call: Call) {
        if !self.is_life(node, life) {
            return;
        }
        self.note(format!("node {node} calls {} {} attempt {} key {}", call.run, call.path, call.attempt, call.key));
        let epoch = self.slot(node).epoch;
        self.judge().called(epoch, call, self.agenda.now());
    }

    /// Asks a node something; whether there is one that hears it.
    pub fn tell(&self, node: usize, asked: Asked) -> bool {
        let heard = self.life(node).is_some() && self.slot(node).callers.as_ref().is_some_and(|to| to.send(asked).is_ok());
        if heard {
            self.touch(node);
        }
        heard
    }

    /// A caller asks some node, and asks another one when nobody answers.
    pub fn ask(self: &Arc<World>, no: usize) {
        let Some(request) = self.open.lock().unwrap()[no].clone() else { return };
        let node = usize::try_from(self.between(0, NODES as i64 - 1)).unwrap();
        let heard = self.tell(node, Asked::Start(request.clone()));
        if !heard || request.key.is_some() {
            let again = self.agenda.now() + self.between(8_000, 12_000);
            self.agenda.at(again, move |world| world.ask(no));
        }
    }

    /// A caller is told that its run is accepted.
    pub fn acknowledge(self: &Arc<World>, request: &Request, run: RunId) {
        self.note(format!("request {} is acknowledged as {run}", request.no));
        self.judge().acks.push((run, request.key.clone()));
        let first = self.open.lock().unwrap()[request.no].take().is_some();
        if let Some(after) = request.cancel_after.filter(|_| first) {
            let when = self.agenda.now() + after;
            self.agenda.at(when, move |world| world.ask_cancel(run));
        }
    }

    fn ask_cancel(self: &Arc<World>, run: RunId) {
        let node = usize::try_from(self.between(0, NODES as i64 - 1)).unwrap();
        self.tell(node, Asked::Cancel(run));
        // A cancellation may come although nobody was told that it will.
        self.judge().cancels.insert(run);
        let again = self.agenda.now() + 7_000;
        self.agenda.at(again, move |world| {
            if world.judge().runs.get(&run).is_some_and(|seen| seen.ended.is_none()) {
                world.ask_cancel(run);
            }
        });
    }

    /// Whether everything asked for was answered and has ended.
    pub fn is_settled(&self) -> bool {
        self.database().runs.values().all(|row| row.status.is_terminal())
    }
}
