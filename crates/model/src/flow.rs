//! Limits on live runs of one plan or key: who begins, who waits, and whom others make way for, as one pure rule.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::burst::Gathered;
use crate::id::{PlanId, RunId};

/// The most runs that one plan or key may let live side by side.
pub const MOST_LIVE: u32 = 1_000;

/// What becomes of a run that is one too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is not begun.
    Skip,
    /// The oldest live one is cancelled for it.
    CancelRunning,
    /// Its trigger is told to the oldest live one.
    Deliver,
}

impl Policy {
    pub const ALL: [Policy; 4] = [Policy::Queue, Policy::Skip, Policy::CancelRunning, Policy::Deliver];

    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Queue => "queue",
            Policy::Skip => "skip",
            Policy::CancelRunning => "cancel_running",
            Policy::Deliver => "deliver",
        }
    }

    pub fn parse(text: &str) -> Option<Policy> {
        Policy::ALL.into_iter().find(|policy| policy.as_str() == text)
    }
}

/// Which of an organization's queued runs are taken up first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

impl Priority {
    pub const ALL: [Priority; 3] = [Priority::Low, Priority::Normal, Priority::High];

    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
        }
    }

    pub fn parse(text: &str) -> Option<Priority> {
        Priority::ALL.into_iter().find(|priority| priority.as_str() == text)
    }

    /// As a store orders by it: the larger one first, 0 for normal.
    pub fn rank(self) -> i8 {
        match self {
            Priority::Low => -1,
            Priority::Normal => 0,
            Priority::High => 1,
        }
    }
}

/// What a run is born with when its plan limits live runs. It is held back until [`rule`] lets it begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Of the plan and what its `key` gave, as [`key_of`] writes it.
    pub key: String,
    pub limit: u32,
    pub policy: Policy,
}

/// A run that was let begin and has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveRun {
    pub id: RunId,
    /// Somebody asked for its end.
    pub cancelled: bool,
}

/// A run that was not let begin yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRun {
    pub id: RunId,
    pub limit: u32,
    pub policy: Policy,
}

/// What is to happen to the runs of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    pub begin: Vec<RunId>,
    /// Not to begin, each for the sake of another run.
    pub refused: Vec<(RunId, RunId)>,
    /// To be told of the trigger of the first: `(held, live)`. The held one does not begin.
    pub delivered: Vec<(RunId, RunId)>,
    /// Live ones to cancel, each for the sake of a held one: `(live, held)`.
    pub cancelled: Vec<(RunId, RunId)>,
}

impl Ruling {
    pub fn is_empty(&self) -> bool {
        self.begin.is_empty() && self.refused.is_empty() && self.delivered.is_empty() && self.cancelled.is_empty()
    }
}

/// Why a run that was held back will not begin, as its row says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    /// The run for whose sake; `None` when it was cancelled while it waited, or does not fit.
    pub by: Option<RunId>,
}

/// Why a run that was held back will not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was one too many, or was cancelled while it waited for its turn.
    Limit(Policy),
    /// Its firing belongs to a burst that another run was begun for.
    Gathered(Gathered),
    /// It was cancelled while it waited for other firings.
    Cancelled,
    /// It was begun for a batch, and what it would be born with does not fit its plan.
    Unfit,
}

/// Decides over all runs of one key: the live ones oldest first, the held ones in the order in which they begin. The limit that counts
/// is the newest run's: its plan was saved last.
///
/// `held` may be the first of more (`more`); the rest is decided when these are.
pub fn rule(live: &[LiveRun], held: &[HeldRun], more: bool) -> Ruling {
    let mut ruling = Ruling::default();
    let Some(newest) = held.iter().max_by_key(|run| run.id) else { return ruling };
    let limit = newest.limit as usize;
    let mut going: Vec<LiveRun> = live.to_vec();
    // Of those that others make way for, only the newest are wanted.
    let mut ousting: Vec<RunId> = held.iter().filter(|run| run.policy == Policy::CancelRunning).map(|run| run.id).collect();
    ousting.sort_unstable();
    let stay = if more { 1 } else { limit };
    let superseded = &ousting[..ousting.len().saturating_sub(stay)];
    let mut wanted = Vec::new();
    for run in held {
        if superseded.contains(&run.id) && run.id != newest.id {
            ruling.refused.push((run.id, newest.id));
        } else if going.len() < limit {
            going.push(LiveRun { id: run.id, cancelled: false });
            ruling.begin.push(run.id);
        } else {
            // A limit is at least one, so there is a live run.
            let Some(oldest) = going.first() else { continue };
            match run.policy {
                Policy::Queue => {}
                Policy::Skip => ruling.refused.push((run.id, oldest.id)),
                // To one that will read it: a cancelled run does not, and this one waits for its end.
                Policy::Deliver => ruling.delivered.extend(going.iter().find(|live| !live.cancelled).map(|live| (run.id, live.id))),
                Policy::CancelRunning => wanted.push(run.id),
            }
        }
    }
    let leaving = live.iter().filter(|run| run.cancelled).count();
    let places = going.len().saturating_sub(leaving) + wanted.len();
    let mut staying = live.iter().filter(|run| !run.cancelled);
    for held in wanted.iter().take(places.saturating_sub(limit)) {
        ruling.cancelled.extend(staying.next().map(|run| (run.id, *held)));
    }
    ruling
}

/// The key of a plan's runs: a hash, so that it has a bound and shows nobody what is in it.
pub fn key_of(plan: PlanId, key: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(plan.0.as_bytes());
    match key {
        Value::Null => {}
        Value::String(text) => hash.update(text.as_bytes()),
        other => hash.update(other.to_string().as_bytes()),
    }
    hash.finalize().iter().take(20).fold(String::with_capacity(40), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> RunId {
        RunId(Uuid::from_u128(n))
    }

    fn live(ids: &[u128]) -> Vec<LiveRun> {
        ids.iter().map(|n| LiveRun { id: id(*n), cancelled: false }).collect()
    }

    fn held(ids: &[u128], limit: u32, policy: Policy) -> Vec<HeldRun> {
        ids.iter().map(|n| HeldRun { id: id(*n), limit, policy }).collect()
    }

    #[test]
    fn a_queue_lets_begin_as_many_as_there_is_room_for_in_order() {
        let ruling = rule(&live(&[1]), &held(&[2, 3, 4], 2, Policy::Queue), false);
        assert_eq!(ruling, Ruling { begin: vec![id(2)], ..Ruling::default() });
        assert!(rule(&live(&[1, 2]), &held(&[3, 4], 2, Policy::Queue), true).is_empty());
        assert!(rule(&live(&[1, 2]), &[], false).is_empty());
    }

    #[test]
    fn a_limit_that_was_lowered_lets_nobody_begin_until_enough_have_ended() {
        assert!(rule(&live(&[1, 2, 3]), &held(&[4], 2, Policy::Queue), false).is_empty());
        assert_eq!(rule(&live(&[1]), &held(&[4, 5], 3, Policy::Queue), false).begin, [id(4), id(5)]);
    }

    #[test]
    fn skip_and_deliver_name_the_oldest_live_run() {
        let ruling = rule(&live(&[1, 2]), &held(&[3, 4], 2, Policy::Skip), false);
        assert_eq!(ruling.refused, [(id(3), id(1)), (id(4), id(1))]);
        // Of two that come together the first begins, and the second is told to it.
        let ruling = rule(&[], &held(&[3, 4], 1, Policy::Deliver), false);
        assert_eq!((ruling.begin, ruling.delivered), (vec![id(3)], vec![(id(4), id(3))]));
    }

    #[test]
    fn the_oldest_is_cancelled_for_the_newest_and_what_waits_in_between_never_begins() {
        let ruling = rule(&live(&[1]), &held(&[2, 3], 1, Policy::CancelRunning), false);
        assert_eq!(ruling, Ruling { refused: vec![(id(2), id(3))], cancelled: vec![(id(1), id(3))], ..Ruling::default() });
        let leaving = [LiveRun { id: id(1), cancelled: true }];
        assert!(rule(&leaving, &held(&[3], 1, Policy::CancelRunning), false).is_empty(), "nobody is cancelled twice");
        let ruling = rule(&leaving, &held(&[3, 4], 1, Policy::CancelRunning), false);
        assert_eq!(ruling, Ruling { refused: vec![(id(3), id(4))], ..Ruling::default() });
        let ruling = rule(&live(&[1, 2]), &held(&[3], 2, Policy::CancelRunning), false);
        assert_eq!(ruling.cancelled, [(id(1), id(3))]);
        let ruling = rule(&live(&[1, 2]), &held(&[3, 4], 2, Policy::CancelRunning), false);
        assert_eq!(ruling.cancelled, [(id(1), id(3)), (id(2), id(4))]);
    }

    /// Whatever happens, never more than the limit are live, and every run is let begin or is refused in the end.
    #[test]
    fn no_course_of_events_has_too_many_live_or_leaves_one_behind() {
        let mut dice = 7_u64;
        let mut roll = |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        for course in 0..400 {
            let limit = 1 + u32::try_from(roll(3)).unwrap();
            let policy = Policy::ALL[(course % 4) as usize];
            let (mut live, mut held, mut next, mut left) = (Vec::<LiveRun>::new(), Vec::<HeldRun>::new(), 0_u128, 40);
            loop {
                if left > 0 && roll(2) == 0 {
                    next += 1;
                    left -= 1;
                    held.push(HeldRun { id: id(next), limit, policy });
                }
                if roll(3) == 0 && !live.is_empty() {
                    let at = usize::try_from(roll(live.len() as u64)).unwrap();
                    live.remove(at);
                }
                let page = held.len().min(1 + usize::try_from(roll(6)).unwrap());
                let ruling = rule(&live, &held[..page], page < held.len());
                for (run, _) in &ruling.cancelled {
                    live.iter_mut().find(|one| one.id == *run).expect("a live run").cancelled = true;
                }
                live.extend(ruling.begin.iter().map(|run| LiveRun { id: *run, cancelled: false }));
                let gone: Vec<RunId> =
                    ruling.begin.iter().copied().chain(ruling.refused.iter().chain(&ruling.delivered).map(|(run, _)| *run)).collect();
                held.retain(|run| !gone.contains(&run.id));
                assert!(live.len() <= limit as usize, "{policy:?}: {} live of {limit}", live.len());
                if left == 0 && live.is_empty() && held.is_empty() {
                    break;
                }
            }
        }
    }

    #[test]
    fn keys_differ_by_plan_and_value_and_have_one_length() {
        let (one, two) = (PlanId(Uuid::from_u128(1)), PlanId(Uuid::from_u128(2)));
        let keys = [key_of(one, &Value::Null), key_of(two, &Value::Null), key_of(one, &json!("a")), key_of(one, &json!({"a": 1}))];
        assert!(keys.iter().all(|key| key.len() == 40));
        assert_eq!(keys.iter().collect::<std::collections::HashSet<_>>().len(), keys.len());
    }
}
