//! What an operator counts: told as it happens, to one listener at most.

use std::sync::{Arc, OnceLock};

use mainspring_model::event::{AttemptStatus, Attempted};
use mainspring_model::run::RunStatus;

use crate::engine::Engine;

/// Counts what the engine does. Called on the driving path: must not wait.
pub trait Meter: Send + Sync {
    /// A new run was asked for; `trigger` is its kind (`manual`, `schedule`, `webhook`, …).
    fn started(&self, trigger: &str);
    /// A run's end is on disk.
    fn ended(&self, status: RunStatus);
    /// An attempt of a step ended.
    fn attempted(&self, provider: &str, status: AttemptStatus, latency_us: u64);
    /// A write of a run was refused because the run is somebody else's by now.
    fn late(&self);
    /// An attempt did not begin, or not yet: this process was not sure that the run is still its own.
    fn withheld(&self);
}

#[derive(Default)]
pub(crate) struct Told(OnceLock<Arc<dyn Meter>>);

impl Told {
    pub(crate) fn started(&self, trigger: &str) {
        if let Some(meter) = self.0.get() {
            meter.started(trigger);
        }
    }

    pub(crate) fn ended(&self, status: RunStatus) {
        if let Some(meter) = self.0.get() {
            meter.ended(status);
        }
    }

    pub(crate) fn attempted(&self, attempt: &Attempted) {
        if let Some(meter) = self.0.get() {
            meter.attempted(&attempt.provider, attempt.status, attempt.latency_us);
        }
    }

    pub(crate) fn late(&self) {
        if let Some(meter) = self.0.get() {
            meter.late();
        }
    }

    pub(crate) fn withheld(&self) {
        if let Some(meter) = self.0.get() {
            meter.withheld();
        }
    }
}

impl Engine {
    /// Tells `meter` from now on; the first one stays.
    pub fn measure_with(&self, meter: Arc<dyn Meter>) {
        if self.0.meter.0.set(meter).is_err() {
            tracing::debug!("the engine is measured already");
        }
    }
}
