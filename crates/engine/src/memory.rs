//! State between runs: what a step of provider `state` sees, and what it leaves to be written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mainspring_model::action::{ActionResult, Outcome, Output};
use mainspring_model::clock::Millis;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::run::RunHeader;
use mainspring_model::state::{
    Digest, Digests, MAX_KEYS_OF_ORGANIZATION, MAX_KEYS_OF_PLAN, MAX_SEEN, MAX_VALUE, StateAsk, StateChange, StateScope, StateWhat,
    StateWrite, added,
};
use mainspring_model::store::{StateDone, StateSpace, StoreError};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::engine::Inner;
use crate::inner::passes;
use crate::run::{Call, Pending};

/// The result of the step, and what the run leaves behind when it succeeds.
pub(crate) type Remembered = (ActionResult, Option<StateWrite>);

/// One step's question, with what it is answered from.
struct Asked<'a> {
    inner: &'a Arc<Inner>,
    header: &'a RunHeader,
    epoch: i64,
    path: &'a str,
    pending: &'a Pending,
    space: StateSpace,
    scope: StateScope,
    key: String,
    until: Option<Millis>,
    now: bool,
}

/// Why there is no answer.
enum Refused {
    /// The run is somebody else's by now.
    Late,
    Fault(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Refused::Fault(fault)
    }
}

impl Inner {
    /// Answers a step of provider `state`. `None`: the run is somebody else's by now.
    pub(crate) async fn remember(self: &Arc<Self>, header: &RunHeader, epoch: i64, call: &Call, ask: StateAsk) -> Option<Remembered> {
        let plan = (ask.scope == StateScope::Plan).then_some(header.plan_id);
        let asked = Asked {
            inner: self,
            header,
            epoch,
            path: &call.path,
            pending: &call.pending,
            space: StateSpace { org: header.owner.org, plan },
            scope: ask.scope,
            until: ask.ttl.map(|ttl| self.clock.now().saturating_add(ttl)),
            // A step that is tried alone, without a run, leaves nothing behind.
            now: ask.now && header.plan_version > 0,
            key: ask.key,
        };
        let answer = match ask.what {
            StateWhat::Get { default } => asked.get(default).await,
            StateWhat::Set { value } => asked.set(value).await,
            StateWhat::Increment { by } => asked.increment(by).await,
            StateWhat::Delete => asked.delete().await,
            StateWhat::Unseen { items, digests } => asked.unseen(items, digests, ask.ttl).await,
        };
        match answer {
            Ok((output, write)) => Some((Ok(Outcome::Done(output)), write)),
            Err(Refused::Fault(fault)) => Some((Err(fault), None)),
            Err(Refused::Late) => None,
        }
    }
}

type Answer = Result<(Output, Option<StateWrite>), Refused>;

impl Asked<'_> {
    async fn get(&self, default: Value) -> Answer {
        let found = self.current().await?;
        let message = if found.is_some() { "found" } else { "not there; the default" };
        let is_there = found.is_some();
        Ok((Output::new(found.unwrap_or(default)).message(message).metadata("found", is_there), None))
    }

    async fn set(&self, value: Value) -> Answer {
        let size = value.to_string().len();
        if size > MAX_VALUE {
            let message = format!(
                "the value of \"{}\" has {size} bytes and at most {MAX_VALUE} are kept; keep large data in a file or a service",
                self.key
            );
            return Err(limit(message).into());
        }
        self.room_for_key().await?;
        let (write, _) = self.write(StateChange::Set(value.clone())).await?;
        Ok((Output::new(value), write))
    }

    async fn increment(&self, by: serde_json::Number) -> Answer {
        let current = self.current().await?;
        if let Some(other) = current.as_ref().filter(|value| !value.is_number()) {
            let message =
                format!("\"{}\" holds {}, and only a number can be incremented; set it or delete it first", self.key, kind(other));
            return Err(Fault::new(Code::INVALID_INPUT, message).into());
        }
        self.room_for_key().await?;
        let sum = Value::Number(added(current.as_ref(), &by));
        let (write, done) = self.write(StateChange::Add(by)).await?;
        let sum = done.and_then(|done| done.get("value").cloned()).unwrap_or(sum);
        Ok((Output::new(sum), write))
    }

    async fn delete(&self) -> Answer {
        let existed = self.current().await?.is_some();
        let (write, done) = self.write(StateChange::Delete).await?;
        let existed = done.and_then(|done| done["existed"].as_bool()).unwrap_or(existed);
        Ok((Output::new(json!({"existed": existed})), write))
    }

    /// An item is forgotten a while after it was last seen, so one that is seen again late is noted again.
    async fn unseen(&self, items: Vec<Value>, digests: Vec<Digest>, ttl: Option<Millis>) -> Answer {
        let mut places: HashMap<Digest, usize> = HashMap::new();
        let mut unique = Vec::new();
        for (place, digest) in digests.iter().enumerate() {
            places.entry(*digest).or_insert_with(|| {
                unique.push(*digest);
                place
            });
        }
        let (space, key) = (self.space, self.key.as_str());
        let known = self.ask(|| self.inner.store.seen(space, key, &unique)).await?;
        let own = self.pending.seen();
        let late = self.inner.clock.now().saturating_add(ttl.unwrap_or_default() / 2);
        let (mut new, mut to_write) = (Vec::new(), Vec::new());
        for (digest, until) in unique.iter().zip(&known) {
            if until.is_none() && !own.contains(digest) {
                new.push(*digest);
            }
            let short = match (until, ttl) {
                (None, _) => true,
                (Some(until), Some(_)) => *until < late,
                (Some(until), None) => *until != Millis::MAX,
            };
            // At once, all of them: a step that is made again after a crash asks for the same, and is told what the first time gave.
            if (short || self.now) && !own.contains(digest) {
                to_write.push(*digest);
            }
        }
        if !new.is_empty() {
            let count = self.ask(|| self.inner.store.count_seen(space, key, MAX_SEEN)).await?;
            if count + (new.len() + own.len()) as u64 > MAX_SEEN {
                return Err(self.full_set().into());
            }
        }
        let all = items.len();
        let mut write = None;
        if !to_write.is_empty() {
            let (left, done) = self.write(StateChange::Remember(Digests(to_write.clone()))).await?;
            write = left;
            // Another run may have seen some of them first: what was applied says which were new.
            if let Some(places) = done.as_ref().and_then(|done| done["new"].as_array()) {
                let applied = places.iter().filter_map(|place| to_write.get(usize::try_from(place.as_u64()?).ok()?)).copied();
                new = applied.filter(|digest| !own.contains(digest)).collect();
            }
        }
        let new: HashSet<usize> = new.iter().filter_map(|digest| places.get(digest)).copied().collect();
        let items: Vec<Value> = items.into_iter().enumerate().filter(|(place, _)| new.contains(place)).map(|(_, item)| item).collect();
        let message = format!("{} of {all} are new", items.len());
        let count = items.len();
        Ok((Output::new(Value::Array(items)).message(message).metadata("new", count).metadata("items", all), write))
    }

    /// What stands under the key, with what this run did to it.
    async fn current(&self) -> Result<Option<Value>, Refused> {
        let (space, key) = (self.space, self.key.as_str());
        let stored = self.ask(|| self.inner.store.state(space, key)).await?;
        Ok(self.pending.value(stored.map(|record| record.value)))
    }

    async fn room_for_key(&self) -> Result<(), Refused> {
        let most = match self.scope {
            StateScope::Plan => MAX_KEYS_OF_PLAN,
            StateScope::Organization => MAX_KEYS_OF_ORGANIZATION,
        };
        let (space, key) = (self.space, self.key.as_str());
        if !self.pending.changes.is_empty() || self.ask(|| self.inner.store.state(space, key)).await?.is_some() {
            return Ok(());
        }
        let count = self.ask(|| self.inner.store.count_state(space, most)).await?;
        if count + self.pending.keys < most { Ok(()) } else { Err(self.full_space(most).into()) }
    }

    /// Leaves the change to the run's end, or applies it: then with what came of it.
    async fn write(&self, change: StateChange) -> Result<(Option<StateWrite>, Option<Value>), Refused> {
        let write = StateWrite { scope: self.scope, key: self.key.clone(), until: self.until, change };
        if !self.now {
            if self.pending.room {
                return Ok((Some(write), None));
            }
            let message = "this run changes more state than one may: 10,000 changes and 16 MiB; split it, or write commit: now";
            return Err(limit(message).into());
        }
        let key = self.inner.keys.idempotency_key(self.header, self.path);
        // A body that begins again may change something else under the same path; an increment is the same whatever its sum.
        let what = if matches!(write.change, StateChange::Add(_)) { Value::Null } else { json!([write.scope, write.key, write.change]) };
        let id = Uuid::from_slice(&Sha256::digest(format!("{key} {what}").as_bytes())[..16]).expect("sixteen bytes are an id");
        match self.ask(|| self.inner.store.apply_state(self.space, self.header.id, id, &write)).await? {
            StateDone::Applied(value) => Ok((None, Some(value))),
            StateDone::Full { .. } if matches!(write.change, StateChange::Remember(_)) => Err(self.full_set().into()),
            StateDone::Full { most } => Err(self.full_space(most).into()),
        }
    }

    /// Asks the store until it answers: that it was away for a while is no failure of the step.
    async fn ask<T, F: Future<Output = Result<T, StoreError>>>(&self, question: impl Fn() -> F) -> Result<T, Refused> {
        loop {
            if !self.inner.store.trusted(self.epoch).await {
                return Err(Refused::Late);
            }
            match question().await {
                Ok(answer) => return Ok(answer),
                Err(StoreError::Closed) => return Err(Refused::Late),
                Err(error) if passes(&error) => self.inner.hold(self.header, self.path, &error).await,
                Err(error) => return Err(Fault::internal(error.to_string()).into()),
            }
        }
    }

    fn full_set(&self) -> Fault {
        limit(format!("the set \"{}\" would remember more than {MAX_SEEN} items; give it a ttl, or use a set for each month", self.key))
    }

    fn full_space(&self, most: u64) -> Fault {
        let whose = if self.scope == StateScope::Plan { "the plan" } else { "the organization" };
        limit(format!("{whose} has {most} keys already; delete some (mainspring state list), or give them a ttl"))
    }
}

fn limit(message: impl Into<String>) -> Fault {
    Fault::new(Code::LIMIT_EXCEEDED, message)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
