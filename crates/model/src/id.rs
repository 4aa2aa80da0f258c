//! Identifiers: UUIDv7 newtypes, so that rows sort by age and a plan id is never passed where a run id is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id whose time part is `now_ms` (Unix milliseconds); the rest comes from `random`.
            pub fn at(now_ms: i64, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(now_ms.max(0) as u64, &random).into_uuid())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A plan, whatever its version.
    PlanId
);
id!(
    /// One run of one plan version.
    RunId
);
id!(
    /// A user. In dev mode the local owner has the fixed id [`UserId::LOCAL`].
    UserId
);
id!(
    /// An organization. Everything that can be owned belongs to one.
    OrgId
);
id!(
    /// A stored credential.
    CredentialId
);
id!(
    /// A schedule: one cron trigger of one plan.
    ScheduleId
);
id!(
    /// A user's own provider; its provider name is `custom_<id>`.
    IntegrationId
);
id!(
    /// An API key's record (never the key itself).
    ApiKeyId
);
id!(
    /// An entry of the audit log.
    AuditId
);
id!(
    /// An invitation to an organization (never the token of its link).
    InvitationId
);
id!(
    /// A variable of an organization; a secret is sealed for it.
    VariableId
);
id!(
    /// A login of a user that goes on.
    SessionId
);
id!(
    /// Something that happened and that runs may wait for. Whoever tells of it may choose the id: told twice, it is one.
    SignalId
);

id!(
    /// A message on its way out: a mail or a webhook.
    MessageId
);
id!(
    /// A rule of who is told of what.
    NotificationRuleId
);

id!(
    /// A file of an organization. Its bytes are kept under this name alone.
    FileId
);

impl UserId {
    /// Owns what is the whole organization's. Nobody logs in as it.
    pub const NOBODY: UserId = UserId(Uuid::nil());

    /// The local owner of `serve --dev` and of `mainspring run` in this process.
    pub const LOCAL: UserId = UserId(Uuid::from_u128(0x00000000_0000_7000_8000_000000000001));
}

impl OrgId {
    /// Owns what belongs to no organization: users. Nobody is a member of it.
    pub const INSTALLATION: OrgId = OrgId(Uuid::nil());

    /// The local owner's organization.
    pub const LOCAL: OrgId = OrgId(Uuid::from_u128(0x00000000_0000_7000_8000_000000000002));
}

/// On whose behalf something happens: the organization that owns the rows and the person in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    pub org: OrgId,
    pub user: UserId,
}

impl Owner {
    /// The local owner of dev mode and of in-process runs.
    pub const LOCAL: Owner = Owner { org: OrgId::LOCAL, user: UserId::LOCAL };
}
