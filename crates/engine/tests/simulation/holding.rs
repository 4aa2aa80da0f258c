//! The model store's holding of runs: registrations with leases, claims, the sweep, cancellations, schedules.

use mainspring_model::clock::Millis;
use mainspring_model::flow::{HeldRun, LiveRun, Reason, Refusal, rule};
use mainspring_model::id::{RunId, ScheduleId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{Admitted, Claimed, ScheduleRecord, StoreError};

use super::database::{Database, Registration, Sabotage};

/// How long a registration holds after it was renewed.
pub const LEASE: Millis = 10_000;
/// A node trusts its registration for so much less, from when it asked for it.
pub const MARGIN: Millis = 2_000;

impl Database {
    pub fn register(&mut self, now: Millis) -> i64 {
        let epoch = self.registrations.last_key_value().map_or(1, |(last, _)| last + 1);
        self.registrations.insert(epoch, Registration { lease_until: now + LEASE, swept: false, signed_off: false });
        epoch
    }

    /// `false`: the registration was swept, and the node writes nothing more under it.
    pub fn renew(&mut self, epoch: i64, now: Millis) -> bool {
        match self.registrations.get_mut(&epoch) {
            Some(registration) if !registration.swept => {
                registration.lease_until = now + LEASE;
                true
            }
            _ => false,
        }
    }

    /// A node that goes in order: its runs count no crash.
    pub fn sign_off(&mut self, epoch: i64, now: Millis) {
        if let Some(registration) = self.registrations.get_mut(&epoch) {
            registration.signed_off = true;
            registration.lease_until = now - 1;
        }
    }

    /// Queues the runs of nodes whose lease is over; which registrations those were.
    pub fn sweep(&mut self, now: Millis) -> Vec<i64> {
        let mut swept = Vec::new();
        for (epoch, registration) in &mut self.registrations {
            if !registration.swept && registration.lease_until < now {
                registration.swept = true;
                swept.push((*epoch, registration.signed_off));
            }
        }
        if self.is(Sabotage::SweepLosesRuns) {
            return swept.into_iter().map(|(epoch, _)| epoch).collect();
        }
        for (epoch, signed_off) in &swept {
            for row in self.runs.values_mut().filter(|row| row.status == RunStatus::Running && row.epoch == *epoch) {
                (row.status, row.due_at, row.epoch) = (RunStatus::Queued, Some(now), 0);
                row.crashes += u32::from(!signed_off);
                self.arrived = true;
            }
        }
        swept.into_iter().map(|(epoch, _)| epoch).collect()
    }

    /// Takes runs for a registration that still stands, oldest due first.
    pub fn claim(&mut self, epoch: i64, max: usize, now: Millis) -> Vec<Claimed> {
        if self.registrations.get(&epoch).is_none_or(|registration| registration.swept) {
            return Vec::new();
        }
        let mut due: Vec<(Millis, RunId)> = self
            .runs
            .iter()
            .filter_map(|(id, row)| match (row.status, row.due_at) {
                (RunStatus::Queued, Some(at)) => Some((at, *id)),
                (RunStatus::Waiting, Some(at)) if at <= now => Some((at, *id)),
                _ => None,
            })
            .collect();
        due.sort_unstable();
        due.truncate(max);
        self.wrote |= !due.is_empty();
        due.into_iter()
            .map(|(_, id)| {
                let row = self.runs.get_mut(&id).expect("found just above");
                let begun = row.begun;
                (row.status, row.epoch, row.due_at, row.signalled, row.begun) = (RunStatus::Running, epoch, None, false, true);
                Claimed {
                    header: (*row.header).clone(),
                    epoch,
                    cancel_requested: row.cancel_by.is_some(),
                    crashes: row.crashes,
                    crashes_alone: 0,
                    begun,
                    pause_requested: false,
                    refused: row.refused,
                }
            })
            .collect()
    }

    /// Gives runs back that a claim took whose answer nobody got.
    pub fn untake(&mut self, epoch: i64, runs: &[RunId], now: Millis) {
        for run in runs {
            if let Some(row) = self.runs.get_mut(run)
                && row.epoch == epoch
                && row.status == RunStatus::Running
            {
                (row.status, row.due_at, row.epoch) = (RunStatus::Queued, Some(now), 0);
                self.arrived = true;
            }
        }
    }

    pub fn next_wake(&self) -> Option<Millis> {
        self.runs.values().filter(|row| row.status == RunStatus::Waiting).filter_map(|row| row.due_at).min()
    }

    pub fn request_cancel(&mut self, run: RunId, by: &str, now: Millis) -> Result<bool, StoreError> {
        let Some(row) = self.runs.get_mut(&run) else { return Err(StoreError::NotFound { what: format!("the run {run}") }) };
        if row.status.is_terminal() {
            return Ok(false);
        }
        row.cancel_by.get_or_insert_with(|| by.to_owned());
        if let (Some((flow, false)), None) = (&row.flow, row.refused) {
            (row.refused, row.due_at) = (Some(Refusal { reason: Reason::Limit(flow.policy), by: None }), Some(now));
            self.arrived = true;
        }
        if row.waits_for.take().is_some() {
            (row.refused, row.due_at) = (Some(Refusal { reason: Reason::Cancelled, by: None }), Some(now));
            self.arrived = true;
        }
        self.signal(run, now);
        Ok(true)
    }

    /// By the same rule as the stores: whom it lets begin, refuses, and cancels.
    pub fn admit(&mut self, key: &str, now: Millis) -> Admitted {
        let (mut live, mut held) = (Vec::new(), Vec::new());
        for (id, row) in self.runs.iter().filter(|(_, row)| !row.status.is_terminal() && row.refused.is_none()) {
            match &row.flow {
                Some((flow, true)) if flow.key == key => live.push(LiveRun { id: *id, cancelled: row.cancel_by.is_some() }),
                Some((flow, false)) if flow.key == key => held.push(HeldRun { id: *id, limit: flow.limit, policy: flow.policy }),
                _ => {}
            }
        }
        let ruling = rule(&live, &held, false);
        for id in &ruling.begin {
            let row = self.runs.get_mut(id).expect("found just above");
            row.due_at = Some(now);
            if let Some((_, live)) = &mut row.flow {
                *live = true;
            }
            (self.arrived, self.wrote) = (true, true);
        }
        for (id, by) in ruling.refused.iter().chain(&ruling.delivered) {
            let row = self.runs.get_mut(id).expect("found just above");
            let policy = row.flow.as_ref().map(|(flow, _)| flow.policy).unwrap_or_default();
            (row.refused, row.due_at) = (Some(Refusal { reason: Reason::Limit(policy), by: Some(*by) }), Some(now));
            (self.arrived, self.wrote) = (true, true);
        }
        let cancelled: Vec<RunId> = ruling.cancelled.iter().map(|(live, _)| *live).collect();
        for run in &cancelled {
            // It is there: it was found just above.
            let _ = self.request_cancel(*run, "the plan's concurrency", now);
        }
        Admitted { cancelled, ..Admitted::default() }
    }

    pub fn held_keys(&self) -> Vec<String> {
        let held = self.runs.values().filter(|row| !row.status.is_terminal() && row.refused.is_none());
        let mut keys: Vec<String> =
            held.filter_map(|row| row.flow.as_ref().filter(|(_, live)| !live).map(|(flow, _)| flow.key.clone())).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    pub fn cancel_requests(&self, epoch: i64) -> Vec<(RunId, String)> {
        let held = self.runs.iter().filter(|(_, row)| row.status == RunStatus::Running && row.epoch == epoch);
        held.filter_map(|(id, row)| Some((*id, row.cancel_by.clone()?))).collect()
    }

    pub fn due_schedules(&self, now: Millis, limit: usize) -> Vec<ScheduleRecord> {
        let mut due: Vec<ScheduleRecord> =
            self.schedules.values().filter(|schedule| schedule.next_due.is_some_and(|due| due <= now)).cloned().collect();
        due.sort_by_key(|schedule| (schedule.next_due, schedule.id));
        due.truncate(limit);
        due
    }

    pub fn skip_slots(&mut self, id: ScheduleId, seen: Millis, last_due: Option<Millis>, next_due: Option<Millis>) -> bool {
        match self.schedules.get_mut(&id) {
            Some(schedule) if schedule.next_due == Some(seen) => {
                schedule.last_due = last_due.or(schedule.last_due);
                schedule.next_due = next_due;
                true
            }
            _ => false,
        }
    }
}
