//! Places for live runs: how many the process has, and who gets the last ones.

use std::sync::atomic::Ordering;

use mainspring_model::id::OrgId;

use crate::engine::{Engine, Inner};
use crate::settings::Settings;

/// The part of the places kept free that one organization may take.
const FEW: usize = 8;

impl Settings {
    /// Places that claims leave free, and that only organizations with few live runs get.
    fn kept_free(&self) -> usize {
        self.max_live / 8
    }
}

impl Engine {
    /// Runs that claims may still take up.
    pub(crate) fn room(&self) -> usize {
        let settings = &self.0.settings;
        (settings.max_live - settings.kept_free()).saturating_sub(self.live())
    }
}

impl Inner {
    /// Whether a run of this organization may begin here at once. The last places are kept for those who have few runs here: a
    /// process full of one organization's runs starts another's without the way through the queue.
    pub(crate) fn has_room_for(&self, org: OrgId) -> bool {
        let (live, most) = (self.live_count.load(Ordering::Acquire), self.settings.max_live);
        let kept = self.settings.kept_free();
        // Counted only when the process is nearly full: as many runs as there are, for one that may begin.
        live + kept < most || (live < most && self.lock_live().values().filter(|run| run.org == org).count() <= kept / FEW)
    }
}
