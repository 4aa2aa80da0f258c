//! What the actions on state have in common: keys, whose state it is, when it is written and for how long.

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, Outcome};
use mainspring_model::clock::Millis;
use mainspring_model::duration;
use mainspring_model::state::{MAX_KEY, StateAsk, StateScope, StateWhat};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// When a change is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Commit {
    /// When the run succeeds; a run that fails, is cancelled or takes too long writes nothing.
    #[default]
    Success,
    /// At once, and once for this step, however often it is tried.
    Now,
}

/// A key, or the name of a set, checked.
pub(super) fn name(param: &str, text: String) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::invalid_params(format!("\"{param}\" is empty; give it a name such as \"last_sync\"")));
    }
    if text.len() > MAX_KEY {
        return Err(Fault::invalid_params(format!("\"{param}\" has {} bytes and at most {MAX_KEY} are taken", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::invalid_params(format!("\"{param}\" holds a control character; use letters, digits and punctuation")));
    }
    Ok(text)
}

/// How long something is kept; for ever when nothing is said.
pub(super) fn ttl(value: &Value) -> Result<Option<Millis>, Fault> {
    if value.is_null() {
        return Ok(None);
    }
    let length = duration::parse(value).map_err(|error| Fault::invalid_params(format!("\"ttl\": {error}")))?;
    if length.is_zero() {
        return Err(Fault::invalid_params("\"ttl\" is zero, and nothing would be kept; leave it away to keep it for ever"));
    }
    Ok(Some(Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX).max(1)))
}

pub(super) fn ask(scope: StateScope, key: String, commit: Commit, ttl: Option<Millis>, what: StateWhat) -> ActionResult {
    Ok(Outcome::State(Box::new(StateAsk { scope, key, now: commit == Commit::Now, ttl, what })))
}
