//! What one call of user code may use, and how much more the parent allows before it ends the process.

use std::time::Duration;

/// Time of a call when neither the step nor its params say.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(600);

/// Memory of a call when the step does not say, bytes.
pub(crate) const MEMORY: u64 = 64 << 20;

/// The least that a call can be given: below it the engine itself does not start, bytes.
pub(crate) const LEAST_MEMORY: u64 = 4 << 20;

/// The longest input and the longest result, bytes of JSON.
pub(crate) const MOST_JSON: usize = 8 << 20;

/// The longest text of code, bytes.
pub(crate) const MOST_CODE: usize = 1 << 20;

/// How many lines of `console` are kept of one call, and how much of each and of all, bytes.
pub(crate) const MOST_LINES: usize = 200;
pub(crate) const MOST_LINE: usize = 4 << 10;
pub(crate) const MOST_LOG: usize = 64 << 10;

/// How long after its time a child may still be busy saying so, before the parent ends it.
pub(crate) const GRACE: Duration = Duration::from_millis(60);

/// How much more than its limit a child may hold, bytes: its own program's part grows a little while it works.
pub(crate) const SLACK: u64 = 8 << 20;

/// The limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub timeout: Duration,
    /// Bytes, of everything that the code's values need.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { timeout: TIMEOUT, memory: MEMORY }
    }
}
