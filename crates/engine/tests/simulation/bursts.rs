//! The model store's bursts, and what the judge asks of them at the end: each firing is in exactly one, and each has one run that ran.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use mainspring_model::burst::{Firing, Gather, Open};
use mainspring_model::clock::Millis;
use mainspring_model::flow::{Reason, Refusal};
use mainspring_model::id::{OrgId, RunId};
use mainspring_model::run::RunStatus;
use mainspring_model::store::{BurstEnd, BurstStore, DueBursts, NewRun, Ripe, StoreError};
use serde_json::Value;

use super::database::Database;
use super::judge::Judge;
use super::store::NodeStore;

#[async_trait]
impl BurstStore for NodeStore {
    async fn due_bursts(&self, limit: u32) -> Result<DueBursts, StoreError> {
        self.ask(false, move |_, database, now| Ok(database.due_bursts(limit as usize, now))).await
    }
    async fn ripe_burst(&self, _: OrgId, key: &str) -> Result<Option<Ripe>, StoreError> {
        let key = key.to_owned();
        self.ask(false, move |_, database, now| Ok(database.ripe(&key, now))).await
    }
    async fn close_burst(&self, end: &BurstEnd) -> Result<bool, StoreError> {
        let end = end.clone();
        self.ask(true, move |_, database, now| Ok(database.close(&end, now))).await
    }
}

impl Database {
    /// A firing's run is being made.
    pub fn gather(&mut self, new: &NewRun, now: Millis) -> Option<String> {
        let burst = new.burst.as_ref()?;
        let open = self.bursts.get(&burst.key).map(|(_, open)| *open);
        let open = burst.gather.arrive(open, size(&new.header.trigger), now);
        self.bursts.insert(burst.key.clone(), (burst.gather, open));
        Some(burst.key.clone())
    }

    fn due_bursts(&self, limit: usize, now: Millis) -> DueBursts {
        let mut all: Vec<(Millis, &String)> = self.bursts.iter().map(|(key, (_, open))| (open.due_at, key)).collect();
        all.sort_unstable();
        let due: Vec<_> = all.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, key)| (OrgId::LOCAL, (*key).clone())).collect();
        let next = all.get(due.len()).map(|(at, _)| *at);
        DueBursts { due, next }
    }

    fn firings(&self, key: &str) -> Vec<Firing> {
        let waiting = self.runs.iter().filter(|(_, row)| row.waits_for.as_deref() == Some(key));
        let mut found: Vec<Firing> =
            waiting.map(|(id, row)| Firing { id: *id, at: row.header.created_at, bytes: size(&row.header.trigger) }).collect();
        found.sort_by_key(|firing| (firing.at, firing.id));
        found
    }

    fn ripe(&self, key: &str, now: Millis) -> Option<Ripe> {
        let (gather, _) = self.bursts.get(key).filter(|(_, open)| open.due_at <= now)?;
        let Some(closing) = gather.close(&self.firings(key)) else {
            return Some(Ripe { gather: *gather, begins: None, merged: Vec::new(), triggers: Vec::new() });
        };
        let header = |run: &RunId| self.runs[run].header.clone();
        let all = [closing.begins].into_iter().chain(closing.merged.iter().copied());
        let triggers = match gather {
            Gather::Batch { .. } => all.map(|run| header(&run).trigger.clone()).collect(),
            Gather::Debounce { .. } => Vec::new(),
        };
        Some(Ripe { gather: *gather, begins: Some((*header(&closing.begins)).clone()), merged: closing.merged, triggers })
    }

    fn close(&mut self, end: &BurstEnd, now: Millis) -> bool {
        let Some((gather, _)) = self.bursts.get(&end.key).filter(|(_, open)| open.due_at <= now).copied() else { return false };
        let closing = gather.close(&self.firings(&end.key));
        let same = closing.as_ref().map(|closing| (Some(closing.begins), &closing.merged)).unwrap_or((None, &end.merged));
        if same != (end.begins, &end.merged) {
            return false;
        }
        (self.arrived, self.wrote) = (true, true);
        if let Some(begins) = end.begins {
            let row = self.runs.get_mut(&begins).expect("one of the firings");
            let mut header = (*row.header).clone();
            header.trigger = end.trigger.clone().unwrap_or(header.trigger);
            header.inputs = end.inputs.clone().unwrap_or(header.inputs);
            row.header = Arc::new(header);
            row.waits_for = None;
            row.flow = end.flow.clone().map(|flow| (flow, false));
            row.due_at = if row.flow.is_some() { None } else { Some(now) };
            if end.unfit {
                (row.refused, row.due_at) = (Some(Refusal { reason: Reason::Unfit, by: None }), Some(now));
            }
            for run in &end.merged {
                let row = self.runs.get_mut(run).expect("one of the firings");
                let reason = Reason::Gathered(gather.by());
                (row.waits_for, row.refused, row.due_at) = (None, Some(Refusal { reason, by: Some(begins) }), Some(now));
            }
        }
        match closing.and_then(|closing| closing.left) {
            Some(left) => self.bursts.insert(end.key.clone(), (gather, left)),
            None => self.bursts.remove(&end.key),
        };
        true
    }
}

fn size(trigger: &Value) -> u64 {
    trigger.to_string().len() as u64
}

/// Of the model store: bursts that have not closed.
pub type Bursts = BTreeMap<String, (Gather, Open)>;

impl Judge {
    /// From the rows alone: whatever a firing ended with, the run that it names ran for it, and a batch had all of its firings.
    pub fn bursts(&mut self, database: &Database) {
        let mut merged: BTreeMap<RunId, BTreeSet<RunId>> = BTreeMap::new();
        let mut broken = Vec::new();
        for (id, row) in &database.runs {
            let output = row.ending.as_ref().map(|ending| &ending.output).unwrap_or(&Value::Null);
            let into = output.get("debounced_into").or_else(|| output.get("batched_into"));
            let Some(into) = into.and_then(|into| into.as_str()?.parse::<RunId>().ok()) else { continue };
            merged.entry(into).or_default().insert(*id);
            if !row.header.trigger["batch"].is_null() || row.journal.len() > 1 {
                broken.push(format!("merged run worked: {id} ended for {into} and has a journal"));
            }
        }
        for (run, firings) in &merged {
            let Some(row) = database.runs.get(run) else {
                broken.push(format!("merged into nothing: {run} is not there, and {} ended for it", firings.len()));
                continue;
            };
            if merged.values().any(|others| others.contains(run)) {
                broken.push(format!("merged in a chain: {run} was merged, and {} ended for it", firings.len()));
            }
            let begun = row.status == RunStatus::Cancelled || row.status == RunStatus::Quarantined || row.journal.len() > 1;
            if !begun {
                broken.push(format!("nobody ran: {run} did not, and {} ended for it", firings.len()));
            }
        }
        for (id, row) in &database.runs {
            let Some(batch) = row.header.trigger["batch"].as_array() else { continue };
            let others = merged.get(id).map_or(0, BTreeSet::len);
            if batch.len() != others + 1 {
                broken.push(format!("batch differs: {id} got {} firings, and {others} ended for it", batch.len()));
            }
        }
        self.count.merged += u32::try_from(merged.values().map(BTreeSet::len).sum::<usize>()).unwrap_or(u32::MAX);
        if !database.bursts.is_empty() {
            broken.push(format!("burst left open: {:?}", database.bursts.keys().collect::<Vec<_>>()));
        }
        broken.into_iter().for_each(|what| self.broke(what));
    }
}
