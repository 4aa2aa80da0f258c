//! The two values that every answer shows: ids, and moments as RFC 3339 text in UTC.

use mainspring_model::clock::Millis;
use mainspring_model::id::{CredentialId, IntegrationId, MessageId, NotificationRuleId, PlanId, RunId, ScheduleId, SignalId, UserId};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// A UUIDv7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = "uuid")]
pub struct Id(Uuid);

impl Id {
    pub fn of(id: Uuid) -> Id {
        Id(id)
    }
}

macro_rules! from_ids {
    ($($id:ty),*) => {$(
        impl From<$id> for Id {
            fn from(id: $id) -> Id {
                Id(id.0)
            }
        }
    )*};
}

from_ids!(PlanId, RunId, ScheduleId, CredentialId, IntegrationId, UserId, MessageId, NotificationRuleId, SignalId);

/// A moment; RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Time(pub Millis);

impl Time {
    /// Stored times lie within the calendar; one that does not is shown as its nearest end.
    pub fn text(self) -> String {
        let bounded = self.0.clamp(jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_millisecond());
        jiff::Timestamp::from_millisecond(bounded).map(|at| at.to_string()).unwrap_or_default()
    }

    /// Reads RFC 3339.
    pub fn parse(text: &str) -> Option<Time> {
        text.trim().parse::<jiff::Timestamp>().ok().map(|at| Time(at.as_millisecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}
