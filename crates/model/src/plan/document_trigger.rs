//! A trigger as its author writes it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::document_value::{Duration, Expression, Template};
use super::signature::SignatureSchema;
use super::trigger::{FolderEvent, FormAuth, PollFirst, PollPer, Respond, WebhookAuth};
use crate::burst::MOST_IN_BATCH;
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
    /// The name of the stored credential that `auth` compares with and that `signature` is checked by, and of the one that a service or mailbox is
    /// asked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Input name → template. Without it the plan's inputs are taken by name from the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, Template>>")]
    pub inputs: Option<Map<String, Value>>,
    /// Firings that come close together make one run, of the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debounce: Option<DebounceDoc>,
    /// Firings that come close together make one run that gets all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchDoc>,
}

/// When a trigger that is debounced starts its run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DebounceDoc {
    /// So long after the last firing: 100ms to 7d.
    #[serde(rename = "for")]
    #[schemars(with = "Duration")]
    pub quiet: Value,
    /// At most so long after the first one; for as long as more come unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Duration>")]
    pub max: Option<Value>,
    /// Firings belong together for each value of this template; sees `trigger` and `org`. All of the trigger's unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub key: Option<Value>,
}

/// When a trigger that is batched starts its run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct BatchDoc {
    /// When there are so many firings.
    #[schemars(range(min = 1, max = MOST_IN_BATCH))]
    pub size: u32,
    /// At most so long after the first one: 100ms to 7d.
    #[schemars(with = "Duration")]
    pub within: Value,
    /// Firings belong together for each value of this template; sees `trigger` and `org`. All of the trigger's unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Template>")]
    pub key: Option<Value>,
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
    /// By what an action gives that was not there before.
    Poll {
        /// `provider.action`.
        action: String,
        /// Its params; they see `trigger` (`last_at`: when it was last asked and answered) and `org`.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        #[schemars(with = "std::collections::BTreeMap<String, Template>")]
        params: Map<String, Value>,
        /// Again after each interval; this or `cron`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Duration>")]
        every: Option<Value>,
        /// At these times; this or `every`.
        #[serde(skip_serializing_if = "Option::is_none")]
        cron: Option<String>,
        /// IANA name, for `cron`; `UTC` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
        /// The list, from `output`; the output itself unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Expression>")]
        items: Option<Value>,
        /// What an item is known by, from `item`: each starts one run.
        #[schemars(with = "Expression")]
        dedupe_key: Value,
        /// A run for each new item, or one for all new ones; `item` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<PerName>")]
        per: Option<PollPer>,
        /// Whether what is there at the first time starts runs; `skip` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<FirstName>")]
        first: Option<PollFirst>,
    },
    /// By a page at `/api/forms/<path>`, made from the plan's inputs.
    Form {
        path: String,
        /// Who may see and send it; `none` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<FormAuthName>")]
        auth: Option<FormAuth>,
        /// The plan's name unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// What stands on the button.
        #[serde(skip_serializing_if = "Option::is_none")]
        submit: Option<String>,
        /// What is said when it was sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// By files that come into a folder of the server's machine, below one that the operator allows.
    Folder {
        /// From the root of the machine.
        path: String,
        /// Of names: `*` is any characters, `?` is one; `*` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
        /// `[created]` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Vec<FolderEventName>>")]
        events: Option<Vec<FolderEvent>>,
        /// From one look to the next; 10 s unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Duration>")]
        every: Option<Value>,
        /// For how long a file must have stayed as it is; 2 s unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Duration>")]
        settle: Option<Value>,
        /// Whether what is there at the first look starts runs; `skip` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<FirstName>")]
        first: Option<PollFirst>,
    },
    /// By mail that comes into a mailbox, which is read by IMAP.
    Email {
        /// As the mail server writes it; `INBOX` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        mailbox: Option<String>,
        /// From one look to the next; 1 min unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<Duration>")]
        every: Option<Value>,
        /// Whether what is there at the first look starts runs; `skip` unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<FirstName>")]
        first: Option<PollFirst>,
        /// Whether a message is marked as seen once its run is there; the mailbox stays as it is unless written.
        #[serde(skip_serializing_if = "Option::is_none")]
        mark_seen: Option<bool>,
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

/// How many items one run gets.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum PerName {
    Item,
    Batch,
}

/// What the first answer means.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum FirstName {
    Skip,
    All,
}

/// What happened to a file.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum FolderEventName {
    Created,
    Modified,
}

/// Who may see and send a form.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum FormAuthName {
    None,
    Basic,
}
