//! The plan document as its author writes it; the published JSON Schema is generated from these types.
//!
//! A document is read by `read`, which says more than serde can, and written through `Serialize`: what the author wrote, under
//! its current names.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

pub use super::document_step::{
    BackoffDoc, CacheDoc, DelayDoc, JoinDoc, OnErrorDoc, OnItemErrorDoc, RateDoc, RepeatDoc, RetryDoc, StepDoc,
};
pub use super::document_test::{ExpectDoc, ExpectStepDoc, TestDoc};
pub use super::document_trigger::{BatchDoc, DebounceDoc, TriggerDoc, TriggerKindDoc};
use super::document_value::{Duration, InputSchema, Template};
use crate::budget::Budget;
use crate::flow::{MOST_LIVE, Policy, Priority};

/// A plan: what runs, when, and with which inputs.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PlanDoc {
    /// Shown everywhere; unique per owner for plan files.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The sentence it was generated from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_prompt: Option<String>,
    /// Name → JSON Schema property with `required: true` and `default`; checked when a run starts.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(default, with = "std::collections::BTreeMap<String, InputSchema>")]
    pub inputs: Map<String, Value>,
    /// Name → template; constants, evaluated once at the start. Each sees `inputs`, `org` and the vars above it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(default, with = "std::collections::BTreeMap<String, Template>")]
    pub vars: Map<String, Value>,
    /// What starts it, beside starting it by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub triggers: Vec<TriggerDoc>,
    /// The top list; at most 1,000 steps in the document, 64 deep.
    pub steps: Vec<StepDoc>,
    /// The run's result; the output of the last step that succeeded unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub output: Option<Value>,
    /// Runs once when the run failed or timed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<Vec<StepDoc>>,
    /// Always runs last, cancellation included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finally: Option<Vec<StepDoc>>,
    /// Bounds the time spent working; waiting does not count. 1 h unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Duration>")]
    pub timeout: Option<Value>,
    /// Bounds the wall-clock time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Duration>")]
    pub deadline: Option<Value>,
    /// Limits how many runs of the plan, or of one key, live side by side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<ConcurrencyDoc>,
    /// What a run may spend on calls to language models; more is refused before it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Which of an organization's queued runs are taken up first; `normal` unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Its steps run on nodes that serve this tag, where they say nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_-]{0,63}$"))]
    pub tag: Option<String>,
    /// What it should do, run offline by `validate` and `plan test`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub tests: Vec<TestDoc>,
}

/// A limit on live runs.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ConcurrencyDoc {
    /// Runs that may live side by side.
    #[schemars(range(min = 1, max = MOST_LIVE))]
    pub limit: u32,
    /// The limit is for each value of this template; sees `inputs`, `trigger` and `org`. For all runs of the plan unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub key: Option<Value>,
    /// What becomes of a run that is one too many; `queue` unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}
