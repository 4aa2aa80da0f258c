//! A plan's triggers in checked form.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::compiled::Plan;
use super::signature::Signature;
use crate::burst::Gather;
use crate::cron::{Cron, Misfire};
use crate::expr::{Expr, Template};

#[derive(Clone, Debug)]
pub struct Trigger {
    /// Written, or `trigger_<n>` counted from 1.
    pub id: String,
    pub kind: TriggerKind,
    pub condition: Option<Expr>,
    /// Evaluated with `trigger` in scope; without it the plan's inputs are taken by name from the body.
    pub inputs: Option<Vec<(String, Template)>>,
    pub key: Option<Template>,
    pub credential: Option<String>,
    /// Gives what a delivery is known by: a second one of the same starts no run.
    pub dedupe: Option<Template>,
    /// Firings that come close together make one run.
    pub burst: Option<TriggerBurst>,
}

/// What brings a trigger's firings together.
#[derive(Clone, Debug)]
pub struct TriggerBurst {
    pub gather: Gather,
    /// They belong together for each value of it.
    pub key: Option<Template>,
}

#[derive(Clone, Debug)]
pub enum TriggerKind {
    Manual,
    Cron {
        cron: Box<Cron>,
        expression: String,
        timezone: Option<String>,
        misfire: Misfire,
    },
    Interval {
        every: Duration,
    },
    Webhook(Webhook),
    /// By an event of this type.
    Event {
        event_type: String,
    },
    /// By the end of another plan's run.
    PlanEnd(PlanEnd),
    /// By what an action gives that was not there before.
    Poll(Box<Poll>),
    /// By somebody who fills in a page made from the plan's inputs.
    Form(Form),
    /// By files that come into a folder of the server's machine, or change there.
    Folder(Folder),
    /// By mail that comes into a mailbox.
    Email(Email),
}

#[derive(Clone, Debug)]
pub struct Poll {
    /// One step, the call; its params see `trigger` (`id`, `type`, `last_at`) and `org`.
    pub call: Arc<Plan>,
    /// A cron expression, or `every <duration>`.
    pub rule: String,
    pub timezone: Option<String>,
    /// A list, from `output`; the output itself without it.
    pub items: Option<Expr>,
    /// What an item is known by, from `item` and `index`.
    pub dedupe_key: Expr,
    pub per: PollPer,
    pub first: PollFirst,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// From the root of the machine.
    pub path: String,
    /// Of names; `*` unless written.
    pub pattern: String,
    pub created: bool,
    pub modified: bool,
    pub every: Duration,
    /// For how long a file must have stayed as it is.
    pub settle: Duration,
    pub first: PollFirst,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// As the mail server writes it; `INBOX` unless written.
    pub mailbox: String,
    pub every: Duration,
    pub first: PollFirst,
    /// Whether a message is marked as seen once its run is durable.
    pub mark_seen: bool,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FolderEvent {
    Created,
    Modified,
}

/// How many items one run gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollPer {
    #[default]
    Item,
    /// All that are new.
    Batch,
}

/// What the first answer means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollFirst {
    /// Everything in it was there before.
    #[default]
    Skip,
    /// Everything in it is new.
    All,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Behind `/api/forms/`.
    pub path: String,
    pub auth: FormAuth,
    /// The plan's name unless written.
    pub title: Option<String>,
    pub description: Option<String>,
    /// What stands on the button.
    pub submit: Option<String>,
    /// What is said when it was sent.
    pub message: Option<String>,
}

/// Who may see and send a form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormAuth {
    #[default]
    None,
    /// Who has the credential's `username` and `password`.
    Basic,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanEnd {
    /// Its name or id; any but the own one when `None`.
    pub plan: Option<String>,
    /// Ends that are neither success nor a cancellation.
    pub failed_only: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Without leading slash.
    pub path: String,
    /// Upper case; `POST` unless written.
    pub methods: Vec<String>,
    pub auth: WebhookAuth,
    /// What each delivery must be signed by.
    pub signature: Option<Signature>,
    pub respond: Respond,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookAuth {
    #[default]
    None,
    Basic,
    Header,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Respond {
    #[default]
    Immediately,
    LastStep,
    Step,
}
