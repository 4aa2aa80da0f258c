//! A trigger as its author writes it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::document_value::{Duration, Expression, Template};
use super::signature::SignatureSchema;
use super::trigger::{Respond, WebhookAuth};
use crate::cron::Misfire;

/// What starts a run. Starting by hand always works.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TriggerDoc {
    /// `trigger_<n>` by its place unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]{0,63}$"))]
    pub id: Option<String>,
    #[serde(flatten)]
    pub kind: TriggerKindDoc,
    /// Starts a run only when true.
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Expression>")]
    pub condition: Option<Value>,
    /// What the run belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub key: Option<Value>,
    /// The name of the stored credential that `auth` compares with and that `signature` is checked by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Input name → template. Without it the plan's inputs are taken by name from the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, Template>>")]
    pub inputs: Option<Map<String, Value>>,
}

/// The kinds of triggers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TriggerKindDoc {
    /// By hand.
    Manual,
    /// At the times of a cron expression.
    Cron {
        /// 5 fields, or 6 with seconds first, or `@daily` and the like.
        cron: String,
        /// IANA name; `UTC` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
        /// What happens to times that passed while nothing ran; `fire_once` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<MisfireName>")]
        misfire: Option<Misfire>,
    },
    /// Again after each interval.
    Interval {
        #[schemars(with = "Duration")]
        every: Value,
    },
    /// By an event: one that was posted to `/api/events`, or that a step emitted.
    Event {
        /// Its type, such as `invoice.paid`.
        event_type: String,
    },
    /// When a run of another plan ended neither in success nor by a cancellation.
    PlanFailed {
        /// Its name or id; any other plan unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        plan: Option<String>,
    },
    /// When a run of another plan ended, however.
    PlanFinished {
        /// Its name or id; any other plan unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        plan: Option<String>,
    },
    /// By a call to `/api/webhook/<path>`.
    Webhook {
        path: String,
        /// `[POST]` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        methods: Option<Vec<String>>,
        /// How a caller proves itself; `none` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<AuthName>")]
        auth: Option<WebhookAuth>,
        /// How each delivery is signed; checked over the bytes as they came.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<SignatureSchema>")]
        signature: Option<Value>,
        /// What answers the caller; `immediately` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<RespondName>")]
        respond: Option<Respond>,
        /// What a delivery is known by: a second one of the same gets the answer of the first and starts no run. The message's own id
        /// for a service that sends one, unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Template>")]
        dedupe: Option<Value>,
    },
}

/// How times that passed while nothing ran are made up for.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum MisfireName {
    FireOnce,
    Skip,
    FireAll,
}

/// How a webhook's caller proves itself.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum AuthName {
    None,
    Basic,
    Header,
}

/// What answers a webhook's caller.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum RespondName {
    Immediately,
    LastStep,
    Step,
}
