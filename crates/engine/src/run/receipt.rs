//! Receipts: what became of each effect outside, from the journal alone.

use std::collections::{HashMap, HashSet};

use mainspring_model::action::Effect;
use mainspring_model::event::{AttemptStatus, Attempted, Event, EventBody};
use mainspring_model::fault::Effected;
use mainspring_model::plan::{Plan, StepKind};
use mainspring_model::run::RunHeader;
use serde::Serialize;

use super::RunKeys;

/// How far an effect came, as far as anybody here knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Nothing left this program.
    NotSent,
    /// It was sent, and the service answered that it refused.
    Sent,
    /// The service answered that it is done.
    Confirmed,
    /// It may have been sent, and nobody heard what came of it.
    Unknown,
}

impl Reached {
    pub fn as_str(self) -> &'static str {
        match self {
            Reached::NotSent => "not_sent",
            Reached::Sent => "sent",
            Reached::Confirmed => "confirmed",
            Reached::Unknown => "unknown",
        }
    }
}

/// What became of the effect of one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    pub reached: Reached,
    /// What the action declares of a repetition: `idempotent`, `keyed` or `write`.
    pub kind: Effect,
    /// The key that the service was sent with every attempt, where it takes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// An earlier attempt may have had the effect too: its process died, or nobody heard of it.
    pub maybe_repeated: bool,
    /// Whether it was taken back; `None` where nobody tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone: Option<bool>,
}

/// By path, the receipts of all units with an effect of which an attempt began.
pub fn of(plan: &Plan, header: &RunHeader, keys: &dyn RunKeys, history: &[Event]) -> HashMap<String, Receipt> {
    let mut receipts: HashMap<String, Receipt> = HashMap::new();
    // Paths of which an attempt ended without word.
    let mut unheard: HashSet<&str> = HashSet::new();
    // Of marks, what was known before them.
    let mut marked: HashMap<&str, Option<Receipt>> = HashMap::new();
    for event in history {
        match &event.body {
            EventBody::Started(started) if started.once || started.undo => {
                let kind = plan.ids.get(last_id(&started.path)).and_then(|ix| match &plan.step(*ix).kind {
                    StepKind::Action(action) if action.effect != Effect::Read => Some(action.effect),
                    _ => None,
                });
                if let Some(kind) = kind {
                    marked.insert(&started.path, receipts.get(&started.path).cloned());
                    note(&mut receipts, &started.path, kind, Reached::Unknown, false);
                }
            }
            // What was marked has not begun.
            EventBody::Held { path, again: false, .. } => match marked.remove(path.as_str()) {
                Some(Some(before)) => drop(receipts.insert(path.clone(), before)),
                Some(None) => drop(receipts.remove(path)),
                None => {}
            },
            EventBody::Attempted(attempted) => {
                if let Some(kind) = attempted.effect {
                    let again = attempted.again || unheard.contains(attempted.path.as_str());
                    note(&mut receipts, &attempted.path, kind, reached(attempted), again);
                    if reached(attempted) == Reached::Unknown {
                        unheard.insert(&attempted.path);
                    }
                }
                if let Some(of) = undone(plan, &attempted.path)
                    && attempted.status != AttemptStatus::Retrying
                    && let Some(receipt) = receipts.get_mut(of)
                {
                    let done = attempted.status == AttemptStatus::Success;
                    receipt.undone = Some(receipt.undone.unwrap_or(true) && done);
                }
            }
            _ => {}
        }
    }
    for (path, receipt) in &mut receipts {
        if receipt.kind == Effect::Keyed && receipt.reached != Reached::NotSent {
            receipt.idempotency_key = Some(keys.idempotency_key(header, path));
        }
    }
    receipts
}

/// One more word on the effect of a unit.
fn note(receipts: &mut HashMap<String, Receipt>, path: &str, kind: Effect, reached: Reached, again: bool) {
    let new = || Receipt { reached, kind, idempotency_key: None, maybe_repeated: false, undone: None };
    let receipt = receipts.entry(path.to_owned()).or_insert_with(new);
    // What nobody heard of stays possible, whatever a later attempt says.
    receipt.maybe_repeated |= again;
    receipt.reached = reached;
    receipt.kind = kind;
    receipt.undone = None;
}

fn reached(attempted: &Attempted) -> Reached {
    match (&attempted.error, attempted.status) {
        (_, AttemptStatus::Success) => Reached::Confirmed,
        (Some(error), _) => match error.effect {
            Effected::Unsent => Reached::NotSent,
            Effected::Sent => Reached::Sent,
            Effected::Unknown => Reached::Unknown,
        },
        (None, _) => Reached::Unknown,
    }
}

/// The path of what an undo takes back.
pub(super) fn undone<'p>(plan: &Plan, path: &'p str) -> Option<&'p str> {
    let (of, id) = path.rsplit_once('.')?;
    let step = plan.undone_by(id)?;
    // The second of several effects of one unit stands under `again_<n>`.
    if last_id(of) == plan.step(step).id { Some(of) } else { Some(of.rsplit_once('.')?.0) }
}

fn last_id(path: &str) -> &str {
    let last = path.rsplit('.').next().unwrap_or(path);
    last.split('[').next().unwrap_or(last)
}
