//! The model store's tables and its one write: what PostgreSQL would keep for several nodes, with every write fenced.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_model::clock::Millis;
use mainspring_model::flow::{Flow, Refusal};
use mainspring_model::id::{PlanId, RunId, ScheduleId};
use mainspring_model::run::{Ending, RunHeader, RunStatus};
use mainspring_model::store::{Committed, DataKeyRecord, JournalRow, PlanRecord, RunWrite, ScheduleRecord, Standing, StoreError};

use super::bursts::Bursts;

/// A switch that breaks the model store, to show that the judge sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A write is accepted whoever holds the run.
    NoFencing,
    /// A slot can have several runs.
    NoSlotKey,
    /// `Done` is said before anything is written, and what is written is lost in a crash.
    EarlyDone,
    /// The sweep buries a node and forgets its runs.
    SweepLosesRuns,
    /// Leases begin and end by the clocks of the nodes.
    NodeClockLeases,
    /// The end of a child wakes nobody.
    NoWake,
    /// An idempotency key can have several runs.
    NoUniqueKey,
    /// A claim whose answer was lost is forgotten.
    ClaimsForgotten,
    /// The engine reads the machine's clock instead of the store's.
    MachineClock,
    /// A node trusts its lease for as long as it lives.
    NoSelfFencing,
}

/// A registration: its number is the epoch of all that the node writes.
#[derive(Clone, Debug)]
pub struct Registration {
    pub lease_until: Millis,
    pub swept: bool,
    pub signed_off: bool,
}

pub struct Row {
    pub header: Arc<RunHeader>,
    pub status: RunStatus,
    /// 0: nobody holds it.
    pub epoch: i64,
    pub due_at: Option<Millis>,
    pub signalled: bool,
    pub cancel_by: Option<String>,
    pub crashes: u32,
    pub begun: bool,
    pub journal: Vec<JournalRow>,
    pub ending: Option<Ending>,
    /// Under which limit, and whether it was let begin.
    pub flow: Option<(Flow, bool)>,
    pub refused: Option<Refusal>,
    /// The burst whose closing it waits for.
    pub waits_for: Option<String>,
}

#[derive(Default)]
pub struct Database {
    pub sabotage: Option<Sabotage>,
    pub registrations: BTreeMap<i64, Registration>,
    pub runs: BTreeMap<RunId, Row>,
    pub keys: BTreeMap<String, RunId>,
    pub slots: BTreeMap<(ScheduleId, Millis), RunId>,
    pub schedules: BTreeMap<ScheduleId, ScheduleRecord>,
    pub plans: BTreeMap<PlanId, PlanRecord>,
    pub data_keys: Vec<DataKeyRecord>,
    pub bursts: Bursts,
    /// There is something to claim: listeners are told.
    pub arrived: bool,
    /// A run was written or taken since this was last looked at.
    pub wrote: bool,
}

impl Database {
    pub fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    fn registered(&self, epoch: i64) -> bool {
        self.registrations.get(&epoch).is_some_and(|registration| !registration.swept)
    }

    /// One run's write: all of it happens, or none.
    pub fn commit(&mut self, write: &RunWrite, now: Millis) -> Result<Committed, StoreError> {
        let fenced = !self.is(Sabotage::NoFencing);
        if let Some(new) = &write.create {
            if fenced && !self.registered(write.epoch) {
                return Ok(Committed::Late);
            }
            if self.runs.contains_key(&write.run) {
                return Ok(Committed::Exists(write.run));
            }
            if let Some(first) = new.key.as_ref().and_then(|key| self.keys.get(key))
                && !self.is(Sabotage::NoUniqueKey)
            {
                return Ok(Committed::Exists(*first));
            }
            if let Some((slot, _)) = &new.slot {
                if !self.schedules.contains_key(&slot.schedule) {
                    return Ok(Committed::Late);
                }
                if let Some(first) = self.slots.get(&(slot.schedule, slot.due_at))
                    && !self.is(Sabotage::NoSlotKey)
                {
                    return Ok(Committed::Exists(*first));
                }
            }
            if write.events.first().is_some_and(|row| row.seq != 1) {
                return Err(gap(write, 0));
            }
            self.give_birth(write, now);
        }
        let Some(row) = self.runs.get_mut(&write.run) else { return Ok(Committed::Late) };
        if row.status.is_terminal() || (fenced && row.epoch != write.epoch) {
            return Ok(Committed::Late);
        }
        let last = row.journal.last().map_or(0, |row| row.seq);
        if write.events.first().is_some_and(|first| first.seq != last + 1) {
            return Err(gap(write, last));
        }
        self.wrote = true;
        row.journal.extend(write.events.iter().cloned());
        if write.events.iter().any(|row| row.progress) {
            row.crashes = 0;
        }
        match &write.standing {
            Standing::Queued | Standing::QueuedFor(_) => {
                let held = (row.flow.as_ref().is_some_and(|(_, live)| !live) && row.refused.is_none()) || row.waits_for.is_some();
                (row.status, row.due_at, row.epoch, row.signalled) = (RunStatus::Queued, (!held).then_some(now), 0, false);
                self.arrived = true;
            }
            Standing::Running => row.status = RunStatus::Running,
            // Nobody pauses here.
            Standing::Paused => (row.status, row.due_at, row.epoch) = (RunStatus::Queued, Some(now), 0),
            Standing::Waiting(until) => {
                row.status = RunStatus::Waiting;
                // What ended while the run was held counts now.
                row.due_at = if row.signalled { Some(now) } else { *until };
                self.arrived |= row.due_at.is_some();
                row.signalled = false;
            }
            Standing::Ended(ending) | Standing::EndedWith(ending, _) => {
                row.status = ending.status;
                row.ending = Some(ending.clone());
                row.due_at = None;
                let parent = row.header.parent.as_ref().map(|(parent, _)| *parent);
                if let Some(parent) = parent
                    && !self.is(Sabotage::NoWake)
                {
                    self.signal(parent, now);
                }
            }
        }
        Ok(Committed::Done)
    }

    fn give_birth(&mut self, write: &RunWrite, now: Millis) {
        let new = write.create.as_ref().expect("only a write that makes its run comes here");
        if let Some(key) = &new.key {
            self.keys.entry(key.clone()).or_insert(write.run);
        }
        if let Some((slot, next_due)) = &new.slot {
            self.slots.entry((slot.schedule, slot.due_at)).or_insert(write.run);
            if let Some(schedule) = self.schedules.get_mut(&slot.schedule)
                && schedule.last_due.is_none_or(|last| last <= slot.due_at)
            {
                schedule.last_due = Some(slot.due_at);
                schedule.next_due = *next_due;
            }
        }
        let waits_for = self.gather(new, now);
        let row = Row {
            header: new.header.clone(),
            status: RunStatus::Running,
            epoch: write.epoch,
            due_at: Some(now),
            signalled: false,
            cancel_by: None,
            crashes: 0,
            begun: write.standing != Standing::Queued,
            journal: Vec::new(),
            ending: None,
            flow: new.flow.clone().map(|flow| (flow, false)),
            refused: None,
            waits_for,
        };
        self.runs.insert(write.run, row);
    }

    /// A run that waits is due now; one that is held learns it when it lies down.
    pub fn signal(&mut self, run: RunId, now: Millis) {
        let Some(row) = self.runs.get_mut(&run) else { return };
        match row.status {
            RunStatus::Waiting => {
                row.due_at = Some(row.due_at.map_or(now, |due| due.min(now)));
                self.arrived = true;
            }
            RunStatus::Running => row.signalled = true,
            _ => {}
        }
    }
}

fn gap(write: &RunWrite, last: u32) -> StoreError {
    let first = write.events.first().map_or(0, |row| row.seq);
    StoreError::Failed(format!("the journal of {} ends at {last} and the write begins at {first}", write.run))
}
