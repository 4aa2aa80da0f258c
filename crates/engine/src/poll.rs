//! Polling: an action is asked again and again, and what it gives that was not there before starts runs.
//!
//! An item is known by its key's hash. Keys that the last answer has are kept; others go after 30 days, or before when there are more than
//! 50,000, those that were absent for longest first.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::time::Duration;

use mainspring_model::clock::Millis;
use mainspring_model::expr::Fuel;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::plan::trigger::{Poll, PollFirst, PollPer};
use mainspring_model::store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::looks::{Find, Look, Looked};
use crate::run::rfc3339;
use crate::triggers::{Sight, TriggerScope};

/// Items of one answer.
const MAX_ITEMS: usize = 10_000;
/// Keys that are remembered.
const MAX_KEYS: usize = 50_000;
/// Days for which a key is remembered that no answer has any more.
const KEPT_DAYS: i64 = 30;
const DAY: Millis = 86_400_000;
/// Time for one call.
const PATIENCE: Duration = Duration::from_secs(120);
/// How much of a key a run is shown.
const SHOWN_KEY: usize = 500;

/// What a trigger that polls has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    /// Hash of the key → the day on which an answer had it last.
    keys: BTreeMap<String, i64>,
    /// A batch whose run may not be there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Batch>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Batch {
    /// Its run's key: a number would be given again after the trigger was away.
    id: String,
    items: Vec<Value>,
    keys: Vec<String>,
}

/// An item of the answer, its key and the key's hash.
struct Item {
    value: Value,
    key: String,
    hash: String,
}

impl Engine {
    pub(crate) async fn poll(&self, look: &Look<'_>, poll: &Poll) -> Result<Looked, StoreError> {
        let mut seen = match &look.before.seen {
            Value::Null => None,
            // None where it is of another kind of trigger that had this id.
            kept => serde_json::from_value::<Seen>(kept.clone()).ok(),
        };
        if let Some(seen) = &mut seen
            && let Some(batch) = seen.pending.take()
        {
            self.start_batch(look, &batch).await?;
        }
        let items = match self.ask(look, poll).await {
            Ok(items) => items,
            Err(fault) => return Ok(Err(fault)),
        };
        let first = seen.is_none();
        let mut seen = seen.unwrap_or_default();
        let today = self.0.clock.now() / DAY;
        let starts = !first || poll.first == PollFirst::All;
        let (mut new, mut twice) = (Vec::new(), HashSet::new());
        for item in items {
            let known = seen.keys.insert(item.hash.clone(), today).is_some();
            // What stands twice in one answer is one.
            if twice.insert(item.hash.clone()) && !known && starts {
                new.push(item);
            }
        }
        forget(&mut seen.keys, today);
        if !new.is_empty() {
            match poll.per {
                PollPer::Item => {
                    let id = &look.trigger.id;
                    let find =
                        |item: Item| Find { key: item.hash, seen: json!({"id": id, "type": "poll", "item": item.value, "key": item.key}) };
                    self.start_finds(look, new.into_iter().map(find).collect()).await?;
                }
                PollPer::Batch => {
                    let (items, keys) = new.into_iter().map(|item| (item.value, item.key)).unzip();
                    let batch = Batch { id: self.new_id().to_string(), items, keys };
                    // Kept before its run is started: after a crash it is this batch again, whatever is new by then.
                    seen.pending = Some(batch.clone());
                    self.note(look, value_of(&seen)).await?;
                    self.start_batch(look, &batch).await?;
                    seen.pending = None;
                }
            }
        }
        Ok(Ok(value_of(&seen)))
    }

    async fn start_batch(&self, look: &Look<'_>, batch: &Batch) -> Result<(), StoreError> {
        let seen = json!({"id": look.trigger.id, "type": "poll", "items": batch.items, "keys": batch.keys});
        self.start_finds(look, vec![Find { key: format!("batch/{}", batch.id), seen }]).await
    }

    /// The items of an answer, with their keys.
    async fn ask(&self, look: &Look<'_>, poll: &Poll) -> Result<Vec<Item>, Fault> {
        let trigger = json!({"id": look.trigger.id, "type": "poll", "last_at": look.before.standing.worked_at.map(rfc3339)});
        let call = self.call_alone(look.record.owner, poll.call.clone(), json!({}), trigger.clone(), Vec::new());
        let clock = &self.0.clock;
        let late = clock.now().saturating_add(Millis::try_from(PATIENCE.as_millis()).unwrap_or(Millis::MAX));
        let result = tokio::select! {
            result = call => result?,
            () = clock.sleep_until(late) => {
                return Err(Fault::new(Code::TIMEOUT, format!("the call took longer than {} s", PATIENCE.as_secs())));
            }
        };
        if let Some(fault) = result.error {
            return Err(fault);
        }
        if result.skipped {
            return Err(Fault::invalid_params(format!("the action gives no answer by itself: {}", result.message)));
        }
        let org = self.org_of_triggers(look.record.owner.org).await.map_err(|error| Fault::internal(error.to_string()))?;
        items_of(poll, Sight { trigger: &trigger, org: &org, now: clock.now() }, &result.output)
    }
}

fn items_of(poll: &Poll, sight: Sight<'_>, output: &Value) -> Result<Vec<Item>, Fault> {
    let list = match &poll.items {
        Some(items) => items.eval(&TriggerScope { sight, more: &[("output", output)] }, &mut Fuel::default())?,
        None => output.clone(),
    };
    let Value::Array(list) = list else {
        let message =
            format!("items is {}, and must be a list: write where it stands in output", mainspring_model::value::type_name(&list));
        return Err(Fault::new(Code::INVALID_INPUT, message));
    };
    if list.len() > MAX_ITEMS {
        let message = format!(
            "the answer has {} items; at most {MAX_ITEMS} are taken: ask for fewer, such as those since trigger.last_at",
            list.len()
        );
        return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
    }
    let mut found = Vec::with_capacity(list.len());
    for (index, item) in list.into_iter().enumerate() {
        let place = json!(index);
        let more = [("output", output), ("item", &item), ("index", &place)];
        let key = poll
            .dedupe_key
            .eval(&TriggerScope { sight, more: &more }, &mut Fuel::default())
            .map_err(|fault| Fault { message: format!("dedupe_key of item {index}: {}", fault.message), ..fault })?;
        let key = match key {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        if key.is_empty() {
            let message = format!("dedupe_key of item {index} is empty: without a key it cannot be known whether it is new");
            return Err(Fault::new(Code::INVALID_INPUT, message));
        }
        let hash = hash_of(&key);
        found.push(Item { value: item, key: key.chars().take(SHOWN_KEY).collect(), hash });
    }
    Ok(found)
}

fn hash_of(key: &str) -> String {
    Sha256::digest(key.as_bytes())[..16].iter().fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Lets keys go that no answer had for long.
fn forget(keys: &mut BTreeMap<String, i64>, today: i64) {
    keys.retain(|_, last| today - *last <= KEPT_DAYS);
    if keys.len() > MAX_KEYS {
        let over = keys.len() - MAX_KEYS;
        // What an answer had today stays in any case.
        let mut absent: Vec<(i64, String)> =
            keys.iter().filter(|(_, last)| **last < today).map(|(key, last)| (*last, key.clone())).collect();
        absent.sort_unstable();
        for (_, key) in absent.into_iter().take(over) {
            keys.remove(&key);
        }
    }
}

fn value_of(seen: &Seen) -> Value {
    serde_json::to_value(seen).expect("its keys are text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_when_no_answer_has_them() {
        let mut keys: BTreeMap<String, i64> = [("old", 69), ("month", 70), ("now", 100)].map(|(key, day)| (key.to_owned(), day)).into();
        forget(&mut keys, 100);
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["month", "now"]);
        let mut many: BTreeMap<String, i64> = (0..MAX_KEYS).map(|n| (format!("now {n:06}"), 100)).collect();
        many.extend((0..10).map(|n| (format!("before {n}"), 99)));
        forget(&mut many, 100);
        assert_eq!(many.len(), MAX_KEYS);
        assert!(many.values().all(|day| *day == 100));
    }

    #[test]
    fn a_key_is_known_by_its_whole_text() {
        assert_eq!(hash_of("a").len(), 32);
        assert_ne!(hash_of("a"), hash_of("b"));
        assert_ne!(hash_of(&format!("{}1", "x".repeat(SHOWN_KEY))), hash_of(&format!("{}2", "x".repeat(SHOWN_KEY))));
    }
}
