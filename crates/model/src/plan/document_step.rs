//! A step as its author writes it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::document_value::{Duration, Expression, Items, Template};

/// One step: an action, or a list of steps as its body.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct StepDoc {
    /// Unique in the whole plan; `step_<n>` by its place unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]{0,63}$"))]
    pub id: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// `provider.action`; `slack@2.post_message` pins a major version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What the action is given.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(default, with = "std::collections::BTreeMap<String, Template>")]
    pub params: Map<String, Value>,
    /// The name of a stored credential; the owner's default for the provider unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// `step` or `step:port`, of the same list; the step before unless written. `[]` starts at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<String>>,
    /// How many of the edges must be live; `all` unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<JoinDoc>,
    /// When false, the step ends in `skipped`.
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Expression>")]
    pub condition: Option<Value>,
    /// Once per item of this list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Items>")]
    pub for_each: Option<Value>,
    /// The item's own name beside `item`.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]{0,63}$"))]
    pub item_name: Option<String>,
    /// Items at a time; 1 unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_parallel: Option<u32>,
    /// Makes `item` a list of up to this many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub batch: Option<u32>,
    /// `fail` unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_item_error: Option<OnItemErrorDoc>,
    /// Again and again until a condition holds; never with `for_each`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<RepeatDoc>,
    /// A body instead of `action`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepDoc>>,
    /// How often and when it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryDoc>,
    /// Bounds one attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Duration>")]
    pub timeout: Option<Value>,
    /// What becomes of a failure after the retries; `fail` unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnErrorDoc>,
    /// What takes the step's effect back when the run fails, times out or is cancelled. Read as a step with an action alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<UndoDoc>")]
    pub undo: Option<Box<StepDoc>>,
    /// Its output, instead of running: for trying the steps after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Value>,
    /// Never a second time, not even after a crash.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(default)]
    pub once: bool,
    /// Uses a result again that an earlier call of the same action with the same params gave; never with `once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheDoc>,
    /// How many calls may begin in some time, over all runs of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateDoc>,
    /// Runs on nodes that serve this tag; that of the enclosing step or of the plan unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_-]{0,63}$"))]
    pub tag: Option<String>,
    /// Where the canvas draws it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Value>,
}

/// The action that takes an effect back. Its params see the step as it was recorded.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "the form that the schema shows of an undo")]
pub struct UndoDoc {
    /// `provider.action`.
    pub action: String,
    /// What the action is given.
    #[schemars(default, with = "std::collections::BTreeMap<String, Template>")]
    pub params: Map<String, Value>,
}

/// How the edges of a step meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JoinDoc {
    /// At least one source is live and every other is live or not reached.
    All,
    /// At least one source is live.
    Any,
}

/// What an item's failure does to the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnItemErrorDoc {
    /// No more items start, and the step fails.
    Fail,
    /// The item's output is null, and the loop goes on.
    Continue,
}

/// What a step's failure leads to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OnErrorDoc {
    /// `fail` or `continue`.
    Word(OnItemErrorDoc),
    /// Steps that run with `error` in scope; if they end well, so does the step.
    Steps(Vec<StepDoc>),
}

/// A result that may be used again.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CacheDoc {
    /// What the result depends on beside the action and its params, such as the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub key: Option<Value>,
    /// How long after the call its result is used.
    #[schemars(with = "Duration")]
    pub ttl: Value,
}

/// How many calls may begin in some time.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RateDoc {
    /// Calls that may begin in any `per`; more wait for their turn.
    #[schemars(range(min = 1, max = 10_000))]
    pub limit: u32,
    /// From 100 ms to 31 days.
    #[schemars(with = "Duration")]
    pub per: Value,
    /// Calls with the same key count together; the credential unless written, or the provider where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub key: Option<Value>,
}

/// A loop that runs until a condition holds.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RepeatDoc {
    /// Ends the loop when true after a pass.
    #[schemars(with = "Expression")]
    pub until: Value,
    /// The first `loop.value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub start: Option<Value>,
    /// The next `loop.value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub next: Option<Value>,
    /// Passes at most; 100 unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: Option<u32>,
    /// Between two passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<DelayDoc>,
}

/// A delay: the same each time, or growing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum DelayDoc {
    /// The same each time.
    Same(#[schemars(with = "Duration")] Value),
    /// Growing.
    Growing(BackoffDoc),
}

/// A delay that grows.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct BackoffDoc {
    /// The first delay; 1 s unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Duration>")]
    pub delay: Option<Value>,
    /// What it is multiplied with each time; 2 unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1.0, max = 100.0))]
    pub factor: Option<f64>,
    /// It grows no further than this; 60 s unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Duration>")]
    pub max_delay: Option<Value>,
    /// Spreads the delay at random; true unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<bool>,
}

/// When a failed attempt is made again.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RetryDoc {
    /// Attempts in all, the first included; 3 unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: Option<u32>,
    /// The delay between two attempts.
    #[serde(flatten)]
    pub backoff: BackoffDoc,
    /// Codes, or the classes `transient`, `auth`, `input`, `limit`, that are retried beside those of the action's effect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub codes: Vec<String>,
}
