//! Crash marks: which runs had a step in flight when the process died, kept where a killed process leaves it.

use mainspring_model::id::RunId;

/// What the marks of a process that died say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub in_flight: Vec<RunId>,
    /// The run that was driven alone.
    pub alone: Option<RunId>,
}

/// Remembers runs with a step in flight across the death of the process (not of the machine): no flush is paid for.
pub trait CrashMarks: Send + Sync {
    /// What was left behind; read once, at start.
    fn found(&self) -> Found;
    fn enter(&self, run: RunId, alone: bool);
    fn leave(&self, run: RunId);
}

/// For processes whose crashes nobody counts.
pub struct NoMarks;

impl CrashMarks for NoMarks {
    fn found(&self) -> Found {
        Found::default()
    }
    fn enter(&self, _: RunId, _: bool) {}
    fn leave(&self, _: RunId) {}
}
