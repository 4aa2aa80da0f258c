//! The judge at each step: what the database accepted, what the world outside saw, what callers were told. It knows the
//! rules of the journal and of holding, and asks neither the engine's fold nor the model store's fence.

use std::collections::{BTreeMap, BTreeSet};

use mainspring_model::clock::Millis;
use mainspring_model::id::{RunId, ScheduleId};
use mainspring_model::store::{RunWrite, Standing};
use serde_json::Value;

use super::database::Database;
use super::holding::LEASE;

/// One call as the world outside saw it.
#[derive(Clone, Debug)]
pub struct Call {
    pub run: RunId,
    pub path: String,
    pub attempt: u32,
    pub key: String,
    pub once: bool,
    pub params: String,
}

/// What is known of one run by watching.
#[derive(Default)]
pub struct Seen {
    /// The registration that holds it; 0 for none.
    pub holder: i64,
    seq: u32,
    /// Steps with a result.
    results: BTreeMap<String, String>,
    /// Moments before which a path does not go on.
    not_before: BTreeMap<String, Millis>,
    pub ended: Option<String>,
    pub ended_at: Millis,
    pub error: Option<String>,
    /// Times that it changed hands without being given back.
    pub taken_over: u32,
    pub slot: Option<(ScheduleId, Millis)>,
    pub plan: String,
}

#[derive(Clone, Copy)]
struct Registered {
    node: usize,
    life: u32,
    at: Millis,
    swept: bool,
}

#[derive(Default)]
pub struct Judge {
    pub broken: Vec<String>,
    pub runs: BTreeMap<RunId, Seen>,
    registered: BTreeMap<i64, Registered>,
    /// By path of a run: its calls.
    calls: BTreeMap<(RunId, String), Vec<Call>>,
    keys: BTreeMap<String, (RunId, String)>,
    /// Runs by the key that they were started with.
    by_key: BTreeMap<String, RunId>,
    /// What callers were told: the run, by the request's key when it had one.
    pub acks: Vec<(RunId, Option<String>)>,
    pub cancels: BTreeSet<RunId>,
    /// When each schedule moved on, and to which slot.
    pub moves: Vec<(ScheduleId, Option<Millis>, Millis)>,
    /// The last moment at which something kept a node, or any (the database), from its work.
    pub trouble: BTreeMap<Option<usize>, Millis>,
    pub count: Count,
}

/// Against empty passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub faults: u32,
    pub commits: u32,
    pub late: u32,
    pub calls: u32,
    pub sweeps: u32,
    pub takeovers: u32,
    /// Firings that ended for another one's run.
    pub merged: u32,
}

impl Judge {
    pub fn broke(&mut self, what: String) {
        self.broken.push(what);
    }

    pub fn registered(&mut self, epoch: i64, node: usize, life: u32, at: Millis) {
        self.registered.insert(epoch, Registered { node, life, at, swept: false });
    }

    /// Somebody, or nobody (0), holds the run now.
    pub fn held(&mut self, run: RunId, by: i64) {
        self.runs.entry(run).or_default().holder = by;
    }

    pub fn calm_since(&self, node: usize, now: Millis) -> Millis {
        let last = |who: Option<usize>| self.trouble.get(&who).copied().unwrap_or(0);
        now - last(None).max(last(Some(node)))
    }

    pub fn swept(&mut self, epochs: &[i64], database: &Database, now: Millis) {
        for epoch in epochs {
            self.count.sweeps += 1;
            let Some(known) = self.registered.get_mut(epoch) else { continue };
            known.swept = true;
            let known = *known;
            let signed_off = database.registrations.get(epoch).is_some_and(|registration| registration.signed_off);
            let calm = self.calm_since(known.node, now).min(now - known.at);
            if calm > LEASE + 5_000 && !signed_off {
                self.broke(format!("healthy node swept: node {} has been well for {calm} ms and lost registration {epoch}", known.node));
            }
        }
        for (id, row) in &database.runs {
            let Some(seen) = self.runs.get_mut(id) else { continue };
            if epochs.contains(&seen.holder) && row.epoch == 0 {
                seen.holder = 0;
                seen.taken_over += 1;
                self.count.takeovers += 1;
            }
        }
    }

    pub fn committed(&mut self, write: &RunWrite, now: Millis) {
        self.count.commits += 1;
        if let Some(new) = &write.create {
            if self.registered.get(&write.epoch).is_none_or(|known| known.swept) {
                self.broken.push(format!("stale write: {} was made under registration {}, which was swept", write.run, write.epoch));
            }
            if let Some(key) = &new.key
                && let Some(first) = self.by_key.insert(key.clone(), write.run)
            {
                self.broken.push(format!("key twice: {key} made {first} and {}", write.run));
            }
            let seen = self.runs.entry(write.run).or_default();
            seen.holder = write.epoch;
            seen.slot = new.slot.map(|(slot, _)| (slot.schedule, slot.due_at));
            seen.plan = new.header.plan_name.clone();
            if let Some((slot, next)) = new.slot {
                if slot.due_at > now {
                    self.broken.push(format!("early: slot {} of {} was filled {} ms early", slot.due_at, slot.schedule, slot.due_at - now));
                }
                self.moves.push((slot.schedule, next, now));
            }
        }
        let Some(seen) = self.runs.get_mut(&write.run) else {
            return self.broke(format!("unknown run: {} was written and never made", write.run));
        };
        let mut broken = Vec::new();
        if seen.holder != write.epoch {
            broken.push(format!("stale write: {} is held by {} and registration {} wrote", write.run, seen.holder, write.epoch));
        }
        if let Some(status) = &seen.ended {
            broken.push(format!("after the end: {} ended in {status} and was written again", write.run));
        }
        for row in write.events.iter() {
            if row.seq != seen.seq + 1 {
                broken.push(format!("journal gap: {} has row {} after {}", write.run, row.seq, seen.seq));
            }
            seen.seq = row.seq;
            let body: Value = serde_json::from_str(&row.body).expect("rows are JSON");
            seen.row(write.run, row.kind, &body, now, &mut broken);
        }
        match &write.standing {
            Standing::Queued | Standing::QueuedFor(_) | Standing::Paused => seen.holder = 0,
            Standing::Ended(ending) | Standing::EndedWith(ending, _) => {
                seen.ended_at = now;
                let status = ending.status.as_str();
                if seen.ended.as_deref() != Some(status) {
                    broken.push(format!("two terminal states: {} is {status} and its journal says {:?}", write.run, seen.ended));
                }
            }
            Standing::Running | Standing::Waiting(_) => {}
        }
        self.broken.extend(broken);
    }

    pub fn schedule_moved(&mut self, id: ScheduleId, next: Option<Millis>, now: Millis) {
        self.moves.push((id, next, now));
    }

    /// A call reached the world outside.
    pub fn called(&mut self, epoch: i64, call: Call, now: Millis) {
        self.count.calls += 1;
        let Some(seen) = self.runs.get(&call.run) else {
            return self.broke(format!("effect before its grounds: {} of {} was called and the run is not on disk", call.path, call.run));
        };
        let mut broken = Vec::new();
        // Whoever took the run calls it by itself: a node that was stopped or cut off must know that it may be too late.
        if seen.holder != epoch {
            broken.push(format!(
                "effect of a stranger: {} of {} was called by registration {epoch} and {} holds it",
                call.path, call.run, seen.holder
            ));
        }
        // Who holds the run no more cannot know what the holder has recorded since.
        if let Some(until) = seen.not_before.get(&call.path)
            && now < *until
            && seen.holder == epoch
        {
            broken.push(format!("early: {} of {} was called {} ms too early", call.path, call.run, until - now));
        }
        if seen.holder == epoch && seen.results.contains_key(&call.path) {
            broken.push(format!("extra call: {} of {} was called by its holder after its result was recorded", call.path, call.run));
        }
        let place = (call.run, call.path.clone());
        let first = self.keys.entry(call.key.clone()).or_insert_with(|| place.clone());
        if *first != place || call.key.is_empty() {
            broken.push(format!("key differs: {:?} stands for {} of {} and {} of {}", call.key, first.1, first.0, call.path, call.run));
        }
        let calls = self.calls.entry(place).or_default();
        if let Some(first) = calls.first() {
            if first.key != call.key {
                broken.push(format!("key differs: {} of {} came under two keys", call.path, call.run));
            }
            if first.params != call.params {
                broken.push(format!("body differs: {} of {} came with other params", call.path, call.run));
            }
            if call.once {
                broken.push(format!("once twice: {} of {} was called again", call.path, call.run));
            }
        }
        calls.push(call);
        self.broken.extend(broken);
    }

    /// Counts from the rows alone, whoever let them begin.
    pub fn limits(&mut self, database: &Database) {
        let mut live: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for row in database.runs.values().filter(|row| !row.status.is_terminal() && row.refused.is_none()) {
            if let Some((flow, true)) = &row.flow {
                let (count, limit) = live.entry(&flow.key).or_insert((0, flow.limit));
                (*count, *limit) = (*count + 1, flow.limit.max(*limit));
            }
        }
        let over: Vec<String> = live
            .into_iter()
            .filter(|(_, (count, limit))| count > limit)
            .map(|(key, (count, limit))| format!("too many live: {count} of {limit} of key {key}"))
            .collect();
        self.broken.extend(over);
    }

    pub fn was_called(&self, run: RunId, path: &str) -> bool {
        self.calls.contains_key(&(run, path.to_owned()))
    }

    /// Runs that a dead life still holds long after its lease: nobody took them up.
    pub fn check_orphans(&mut self, database: &Database, lives: &[Option<u32>], now: Millis) {
        let calm = (0..lives.len()).map(|node| self.calm_since(node, now)).min().unwrap_or(0);
        if calm < 2 * LEASE {
            return;
        }
        let mut broken = Vec::new();
        for (id, row) in database.runs.iter().filter(|(_, row)| row.status == mainspring_model::run::RunStatus::Running) {
            let Some(known) = self.registered.get(&row.epoch) else { continue };
            if known.swept || lives[known.node] != Some(known.life) {
                broken.push(format!("orphan: {id} is held by registration {}, which is gone, after {calm} calm ms", row.epoch));
            }
        }
        self.broken.extend(broken);
    }
}

impl Seen {
    fn row(&mut self, run: RunId, kind: &str, body: &Value, now: Millis, broken: &mut Vec<String>) {
        if let Some(status) = &self.ended {
            broken.push(format!("after the end: {run} has a {kind} row after it ended in {status}"));
        }
        let path = body["path"].as_str().unwrap_or_default();
        match kind {
            "attempted" => {
                let status = body["status"].as_str().unwrap_or_default();
                if let Some(first) = self.results.get(path) {
                    broken.push(format!("result twice: {path} of {run} is {status} and was {first}"));
                }
                if status == "success" || status == "error" {
                    self.results.insert(path.to_owned(), status.to_owned());
                }
                if status != "cancelled"
                    && let Some(until) = self.not_before.remove(path)
                    && now < until
                {
                    broken.push(format!("early: {path} of {run} went on {} ms before it was due", until - now));
                }
                if let Some(at) = body["retry_at"].as_i64() {
                    self.not_before.insert(path.to_owned(), at);
                }
            }
            "waiting" => drop(self.not_before.insert(path.to_owned(), body["until"].as_i64().expect("a wait has its moment"))),
            "finished" => {
                self.ended = body["status"].as_str().map(str::to_owned);
                self.error = body["error"]["code"].as_str().map(|code| format!("{code} ({})", body["error"]["message"]));
            }
            _ => {}
        }
    }
}
