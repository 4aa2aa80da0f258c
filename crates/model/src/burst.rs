//! Bursts: firings of a trigger that come close together and make one run, by `debounce` or `batch`, as pure rules.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::Millis;
use crate::id::{PlanId, RunId};

/// The most firings that one run gets by `batch`.
pub const MOST_IN_BATCH: u32 = 1_000;
/// The most bytes of firings that one run gets by `batch`, unless a single one has more.
pub const MOST_BATCH_BYTES: u64 = 1 << 20;
/// A burst that is debounced ends at so many firings, whatever comes after them.
pub const MOST_DEBOUNCED: u32 = 10_000;

/// How firings of one key are brought together. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gather {
    /// Until none came for `quiet`, at most for `most` after the first. The last one runs.
    Debounce { quiet: Millis, most: Option<Millis> },
    /// Until there are `size`, at most for `within` after the first. One run gets all.
    Batch { size: u32, within: Millis },
}

/// The burst that a firing belongs to. Its run is held back until the burst closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Of the plan, the trigger and what its `key` gave, as [`burst_key`] writes it.
    pub key: String,
    pub gather: Gather,
}

/// A burst that has not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub opened_at: Millis,
    /// When it closes unless more comes.
    pub due_at: Millis,
    pub firings: u32,
    /// Of the firings' triggers.
    pub bytes: u64,
}

/// A firing that is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    pub id: RunId,
    pub at: Millis,
    pub bytes: u64,
}

/// What becomes of the firings of a burst that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The run that begins.
    pub begins: RunId,
    /// Those that end without having begun, in the order of their arrival.
    pub merged: Vec<RunId>,
    /// The next burst, of those that found no room.
    pub left: Option<Open>,
}

/// What a reader is told of a run that is held back for others to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFor {
    pub by: Gathered,
    /// When it goes on unless more come.
    pub until: Millis,
}

/// A [`Gather`] by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gathered {
    Debounce,
    Batch,
}

impl Gathered {
    pub fn as_str(self) -> &'static str {
        match self {
            Gathered::Debounce => "debounce",
            Gathered::Batch => "batch",
        }
    }
}

impl fmt::Display for Gathered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Gather {
    pub fn by(self) -> Gathered {
        match self {
            Gather::Debounce { .. } => Gathered::Debounce,
            Gather::Batch { .. } => Gathered::Batch,
        }
    }

    /// The burst after one more firing. What the newest firing's plan says counts for all.
    pub fn arrive(self, open: Option<Open>, bytes: u64, now: Millis) -> Open {
        let before = open.unwrap_or(Open { opened_at: now, due_at: now, firings: 0, bytes: 0 });
        let after = Open { firings: before.firings.saturating_add(1), bytes: before.bytes.saturating_add(bytes), ..before };
        let due_at = match self {
            _ if self.is_full(after.firings, after.bytes) => now,
            Gather::Debounce { quiet, most } => {
                let last = most.map_or(Millis::MAX, |most| after.opened_at.saturating_add(most));
                now.saturating_add(quiet).min(last)
            }
            Gather::Batch { within, .. } => after.opened_at.saturating_add(within),
        };
        Open { due_at, ..after }
    }

    fn is_full(self, firings: u32, bytes: u64) -> bool {
        firings >= self.size() || (self.by() == Gathered::Batch && bytes >= MOST_BATCH_BYTES)
    }

    /// The most firings that come together.
    pub fn size(self) -> u32 {
        match self {
            Gather::Debounce { .. } => MOST_DEBOUNCED,
            Gather::Batch { size, .. } => size,
        }
    }

    /// Closes a burst that is due, over the firings that are held back, oldest first. `None`: all of them have gone.
    pub fn close(self, firings: &[Firing]) -> Option<Closing> {
        let mut taken = firings.len().min(self.size().max(1) as usize);
        if self.by() == Gathered::Batch {
            let mut bytes = 0_u64;
            let fits = firings[..taken].iter().take_while(|firing| {
                bytes = bytes.saturating_add(firing.bytes);
                bytes <= MOST_BATCH_BYTES
            });
            taken = fits.count().max(1).min(taken);
        }
        let (now, later) = firings.split_at(taken);
        let mut ids: Vec<RunId> = now.iter().map(|firing| firing.id).collect();
        let begins = match self {
            Gather::Debounce { .. } => ids.pop()?,
            Gather::Batch { .. } if ids.is_empty() => return None,
            Gather::Batch { .. } => ids.remove(0),
        };
        let left = later.iter().fold(None, |open, firing| Some(self.arrive(open, firing.bytes, firing.at)));
        Some(Closing { begins, merged: ids, left })
    }
}

/// The root `trigger` of a batch's run: the firings in the order of their arrival. `notes` are what is kept in the trigger of the run that
/// begins beside what its trigger saw; of the firings they are left out.
pub fn batch_trigger(firings: &[Value], notes: &[&str]) -> Value {
    let first = firings.first().unwrap_or(&Value::Null);
    let mut root = Map::new();
    for name in ["id", "type"].iter().chain(notes) {
        if let Some(value) = first.get(*name) {
            root.insert((*name).to_owned(), value.clone());
        }
    }
    // What a run goes back to, so that no plans start one another for ever.
    let mut chain: Vec<&Value> = Vec::new();
    for link in firings.iter().filter_map(|firing| firing.get(CHAIN)?.as_array()).flatten() {
        if !chain.contains(&link) {
            chain.push(link);
        }
    }
    if !chain.is_empty() {
        root.insert(CHAIN.to_owned(), json!(chain));
    }
    let plain = |firing: &Value| {
        let mut firing = firing.clone();
        if let Some(fields) = firing.as_object_mut() {
            fields.retain(|name, _| !notes.contains(&name.as_str()));
        }
        firing
    };
    root.insert("batch".to_owned(), firings.iter().map(plain).collect());
    Value::Object(root)
}

/// In the trigger of a run that another's end started: the plans that it goes back to.
const CHAIN: &str = "chain";

/// The key of a burst: a hash, so that it has a bound and shows nobody what is in it.
pub fn burst_key(plan: PlanId, trigger: &str, by: Gathered, key: &Value) -> String {
    crate::flow::key_of(plan, &json!([by, trigger, key]))
}

#[cfg(test)]
mod tests;
