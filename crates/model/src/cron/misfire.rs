//! What to do about slots that were missed while nothing ran; a pure function from times to slots.

use serde::{Deserialize, Serialize};

use super::Cron;
use crate::clock::Millis;

/// A slot this late is still on time, in milliseconds: a busy node, a restart or a failover is no reason to lose or merge slots.
pub const GRACE: Millis = 60_000;

/// What happens to slots that are later than [`GRACE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// They become one run, that of the newest missed slot; none when a slot that is on time fires anyway.
    #[default]
    FireOnce,
    /// They are dropped.
    Skip,
    /// Each of them fires, oldest first.
    FireAll,
}

/// What is due now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The slots to fire, oldest first.
    pub slots: Vec<Millis>,
    /// Everything up to here is settled: store it as the next `last_slot`. Equal to the given one when nothing was due.
    pub settled: Millis,
    /// `cap` cut the list; ask again at once.
    pub more: bool,
}

impl Cron {
    /// The slots to fire at `now` when everything up to `last_slot` (at first: when the schedule was made) is settled; at most
    /// `cap` (1 or more), the rest at the next call. Slots up to [`GRACE`] old fire whatever the policy says.
    pub fn due(&self, last_slot: Millis, now: Millis, misfire: Misfire, cap: usize) -> Due {
        let late_until = now - GRACE;
        let missed_until = if misfire == Misfire::FireAll { last_slot } else { last_slot.max(late_until) };
        let mut slots = self.slots_between(missed_until, now, cap.max(1) + 1);
        let more = slots.len() > cap.max(1);
        slots.truncate(cap.max(1));
        let newest_missed = || if last_slot < late_until { self.last_between(last_slot, late_until) } else { None };
        if slots.is_empty()
            && let Some(missed) = newest_missed()
        {
            if misfire == Misfire::FireOnce {
                slots.push(missed);
            }
            return Due { slots, settled: missed, more };
        }
        let settled = slots.last().copied().unwrap_or(last_slot);
        Due { slots, settled, more }
    }
}
