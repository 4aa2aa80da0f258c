//! Steps that belong on another node: they stay ready, and the run is handed to one that serves their tag.

use std::sync::Arc;

use mainspring_model::run::UNTAGGED;

use super::Run;
use super::state::{Addr, UnitState};

/// What this process serves; every tag when `None`.
pub type Tags = Option<Arc<[String]>>;

/// Whether steps, or plans, with this tag belong here.
pub fn serves(tags: &Tags, tag: Option<&str>) -> bool {
    tags.as_ref().is_none_or(|tags| tags.iter().any(|served| served == tag.unwrap_or(UNTAGGED)))
}

impl Run {
    /// Begins only steps that the process serves from here on.
    pub fn set_tags(&mut self, tags: Tags) {
        self.tags = tags;
    }

    /// Begins no step from here on. What would have begun is found ready by whoever takes the run up.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether the ready unit may begin here. Nothing is recorded of one that may not: whoever takes the run finds it ready.
    pub(super) fn may_begin(&mut self, addr: Addr) -> bool {
        if self.paused {
            return false;
        }
        let served = self.step_ix(addr).is_none_or(|ix| serves(&self.tags, self.plan.step(ix).tag.as_deref()));
        if !served {
            self.foreign.push(addr);
        }
        served
    }

    /// The tag that the run has to be queued for: of a step that could begin elsewhere, and still is to.
    pub fn tag_wanted(&mut self) -> Option<&str> {
        let mut foreign = std::mem::take(&mut self.foreign);
        foreign.retain(|addr| self.is_ready(*addr));
        self.foreign = foreign;
        let ix = self.step_ix(*self.foreign.first()?)?;
        Some(self.plan.step(ix).tag.as_deref().unwrap_or(UNTAGGED))
    }

    fn is_ready(&mut self, addr: Addr) -> bool {
        let Some(stopped) = self.frame(addr.frame).map(|frame| frame.stopped) else { return false };
        let unit = self.active_mut(addr).and_then(|active| active.unit_mut(addr.index));
        unit.is_some_and(|unit| matches!(unit.state, UnitState::Ready) && (!stopped || unit.owed))
    }
}
