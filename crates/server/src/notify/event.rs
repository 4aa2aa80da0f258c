//! What can be told of: kinds of events by their stable names, and one event as every channel gets it.

use mainspring_model::clock::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Kind {
    /// A run ended in an error, took too long, killed its process too often, or waits for somebody to decide.
    #[serde(rename = "run.failed")]
    RunFailed,
    /// So many runs of a schedule in a row ended badly, or so often in a row a trigger could not look for what is new.
    #[serde(rename = "schedule.failing")]
    ScheduleFailing,
    /// A schedule is due for five minutes, and nothing has started.
    #[serde(rename = "schedule.late")]
    ScheduleLate,
    /// A credential expires within seven days, and again within one.
    #[serde(rename = "credential.expiring")]
    CredentialExpiring,
    /// A service no longer takes a credential.
    #[serde(rename = "credential.needs_reconnect")]
    CredentialNeedsReconnect,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::RunFailed, Kind::ScheduleFailing, Kind::ScheduleLate, Kind::CredentialExpiring, Kind::CredentialNeedsReconnect];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::RunFailed => "run.failed",
            Kind::ScheduleFailing => "schedule.failing",
            Kind::ScheduleLate => "schedule.late",
            Kind::CredentialExpiring => "credential.expiring",
            Kind::CredentialNeedsReconnect => "credential.needs_reconnect",
        }
    }
}

/// An event. No secret and no input or output of a run is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub kind: Kind,
    pub at: Millis,
    /// Events about one subject are told at a distance: the plan, the schedule, the credential.
    pub subject: Uuid,
    /// One line.
    pub title: String,
    pub text: String,
    pub data: Value,
}
