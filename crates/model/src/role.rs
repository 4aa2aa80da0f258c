//! Roles in an organization, and the one table of what each of them may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What somebody is in an organization. Ordered: each may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Member,
    Admin,
    Owner,
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident $text:literal $least:ident),+ $(,)?) => {
        /// Something that a role may allow, written `resource:verb`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $($(#[$doc])* $name,)+
        }

        impl Permission {
            /// In the order of the table.
            pub const ALL: &[Permission] = &[$(Permission::$name),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Permission::$name => $text,)+
                }
            }

            /// The least role that has it.
            pub const fn least(self) -> Role {
                match self {
                    $(Permission::$name => Role::$least,)+
                }
            }
        }
    };
}

// The table: who views, who works, who manages, who owns.
permissions! {
    PlanView "plan:view" Viewer,
    PlanWrite "plan:write" Member,
    PlanDelete "plan:delete" Admin,
    RunView "run:view" Viewer,
    RunStart "run:start" Member,
    /// Cancel, retry, replay.
    RunControl "run:control" Member,
    CredentialView "credential:view" Viewer,
    /// One's own; those of the organization need `CredentialManage` as well.
    CredentialWrite "credential:write" Member,
    CredentialManage "credential:manage" Admin,
    IntegrationView "integration:view" Viewer,
    IntegrationWrite "integration:write" Member,
    IntegrationDelete "integration:delete" Admin,
    OrganizationView "organization:view" Viewer,
    OrganizationUpdate "organization:update" Admin,
    OrganizationDelete "organization:delete" Owner,
    MemberView "member:view" Viewer,
    MemberManage "member:manage" Admin,
    VariableView "variable:view" Viewer,
    VariableWrite "variable:write" Admin,
    EgressView "egress:view" Viewer,
    EgressWrite "egress:write" Admin,
    NotificationView "notification:view" Viewer,
    NotificationWrite "notification:write" Member,
    AuditView "audit:view" Admin,
    FlagView "flag:view" Viewer,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];

    /// Whether somebody with this role may do that.
    pub fn may(self, permission: Permission) -> bool {
        self >= permission.least()
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No role has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role is viewer, member, admin or owner")
    }
}

impl std::error::Error for UnknownRole {}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Role, UnknownRole> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_only_looks_and_an_owner_may_all() {
        let of = |role: Role| Permission::ALL.iter().filter(|permission| role.may(**permission)).count();
        assert_eq!(of(Role::Owner), Permission::ALL.len());
        assert!(of(Role::Viewer) < of(Role::Member) && of(Role::Member) < of(Role::Admin) && of(Role::Admin) < of(Role::Owner));
        for permission in Permission::ALL.iter().filter(|permission| Role::Viewer.may(**permission)) {
            assert!(permission.as_str().ends_with(":view"), "{permission} writes");
        }
        assert!(!Role::Member.may(Permission::PlanDelete) && !Role::Admin.may(Permission::OrganizationDelete));
    }

    #[test]
    fn names_come_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(UnknownRole));
    }
}
