//! Feature flags: one order of judgement, the same for the same caller every time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{OrgId, Owner, UserId};

/// What an operator says of a flag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    #[serde(default)]
    pub description: String,
    /// Off for everybody, whatever else is said.
    #[serde(default)]
    pub killed: bool,
    /// For whom nothing below is said.
    #[serde(default)]
    pub enabled: bool,
    /// On for this share of users, 0–100; without it `enabled` decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_percentage: Option<u8>,
    /// On or off for one user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<UserId, bool>,
    /// On or off for one organization.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub organizations: BTreeMap<OrgId, bool>,
    /// On for these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub target_users: BTreeSet<UserId>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub target_organizations: BTreeSet<OrgId>,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    KillSwitch,
    User,
    Organization,
    TargetUser,
    TargetOrganization,
    Rollout,
    Global,
    /// Nobody said anything of the flag: the program's own default, off for one that it does not know.
    Default,
}

/// A judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    pub on: bool,
    pub by: DecidedBy,
}

impl Flag {
    /// Kill switch → user → organization → targets → percentage → global. Without a caller only the first and the last apply.
    pub fn judge(&self, name: &str, caller: Option<&Owner>) -> Judged {
        let judged = |on, by| Judged { on, by };
        if self.killed {
            return judged(false, DecidedBy::KillSwitch);
        }
        if let Some(caller) = caller {
            if let Some(on) = self.users.get(&caller.user) {
                return judged(*on, DecidedBy::User);
            }
            if let Some(on) = self.organizations.get(&caller.org) {
                return judged(*on, DecidedBy::Organization);
            }
            if self.target_users.contains(&caller.user) {
                return judged(true, DecidedBy::TargetUser);
            }
            if self.target_organizations.contains(&caller.org) {
                return judged(true, DecidedBy::TargetOrganization);
            }
            if let Some(percentage) = self.rollout_percentage {
                return judged(share(name, caller.user) < u64::from(percentage) * 100, DecidedBy::Rollout);
            }
        }
        judged(self.enabled, DecidedBy::Global)
    }
}

/// Where a user stands among ten thousand, for this flag: the same on every node and for ever.
fn share(name: &str, user: UserId) -> u64 {
    let hash = Sha256::digest(format!("{name}:{user}"));
    let head: [u8; 8] = hash[..8].try_into().expect("a hash has 32 bytes");
    u64::from_be_bytes(head) % 10_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn owner(user: u128, org: u128) -> Owner {
        Owner { org: OrgId(Uuid::from_u128(org)), user: UserId(Uuid::from_u128(user)) }
    }

    #[test]
    fn each_rule_wins_over_those_behind_it() {
        let (ada, flag) = (owner(1, 9), Flag::default());
        type Change = fn(&mut Flag);
        let order: [(DecidedBy, bool, Change); 7] = [
            (DecidedBy::Global, true, |flag| flag.enabled = true),
            (DecidedBy::Rollout, false, |flag| flag.rollout_percentage = Some(0)),
            (DecidedBy::TargetOrganization, true, |flag| {
                let _ = flag.target_organizations.insert(OrgId(Uuid::from_u128(9)));
            }),
            (DecidedBy::TargetUser, true, |flag| {
                let _ = flag.target_users.insert(UserId(Uuid::from_u128(1)));
            }),
            (DecidedBy::Organization, false, |flag| {
                let _ = flag.organizations.insert(OrgId(Uuid::from_u128(9)), false);
            }),
            (DecidedBy::User, true, |flag| {
                let _ = flag.users.insert(UserId(Uuid::from_u128(1)), true);
            }),
            (DecidedBy::KillSwitch, false, |flag| flag.killed = true),
        ];
        assert_eq!(flag.judge("new_editor", Some(&ada)), Judged { on: false, by: DecidedBy::Global });
        let mut flag = flag;
        for (by, on, add) in order {
            add(&mut flag);
            assert_eq!(flag.judge("new_editor", Some(&ada)), Judged { on, by });
        }
    }

    #[test]
    fn without_a_caller_only_the_kill_switch_and_the_global_value_apply() {
        let flag = Flag { enabled: true, rollout_percentage: Some(0), ..Flag::default() };
        assert_eq!(flag.judge("x", None), Judged { on: true, by: DecidedBy::Global });
        assert!(!Flag { killed: true, ..flag }.judge("x", None).on);
    }

    #[test]
    fn a_share_of_users_is_that_share() {
        for percentage in [0, 1, 10, 50, 99, 100] {
            let flag = Flag { rollout_percentage: Some(percentage), ..Flag::default() };
            let on = (0..20_000).filter(|user| flag.judge("share", Some(&owner(*user, 1))).on).count();
            let found = on as f64 / 200.0;
            // Six standard deviations of 20,000 draws at most.
            assert!((found - f64::from(percentage)).abs() < 2.2, "{percentage} %: {found}");
            assert!(!matches!(percentage, 0 | 100) || found == f64::from(percentage), "{percentage} %: {found}");
        }
    }

    #[test]
    fn the_place_of_a_user_never_changes() {
        let places: Vec<u64> = (1..=4).map(|user| share("enable_user_registration", owner(user, 1).user)).collect();
        assert_eq!(places, [4117, 388, 6861, 7723], "by SHA-256 of `<flag>:<user>`, its first eight bytes");
    }

    proptest! {
        #[test]
        fn raising_the_percentage_switches_nobody_off(user: u128, name in "[a-z_]{1,20}", low in 0_u8..=100, high in 0_u8..=100) {
            let (low, high) = (low.min(high), low.max(high));
            let at = |percentage| Flag { rollout_percentage: Some(percentage), ..Flag::default() }.judge(&name, Some(&owner(user, 1))).on;
            prop_assert!(!at(low) || at(high));
            prop_assert_eq!(at(low), at(low));
        }
    }
}
