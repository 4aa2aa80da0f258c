//! Which of the credentials that somebody may use is taken: one's own, then one that is shared, then the organization's.

use super::CredentialRecord;
use crate::id::{CredentialId, Owner, UserId};

/// The name that is taken when none is written.
pub const DEFAULT_NAME: &str = "default";

/// By what right somebody uses a credential. The order is the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Their own.
    Own,
    /// Another member's, who shared it with them.
    Shared,
    /// The organization's.
    Organization,
}

impl Access {
    const ALL: [Access; 3] = [Access::Own, Access::Shared, Access::Organization];
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    Found(Box<CredentialRecord>),
    /// There is none that they may use.
    Missing,
    /// Several of equal right fit. Their ids tell them apart.
    Several(Vec<CredentialId>),
}

impl Choice {
    pub fn found(self) -> Option<CredentialRecord> {
        match self {
            Choice::Found(record) => Some(*record),
            Choice::Missing | Choice::Several(_) => None,
        }
    }
}

impl CredentialRecord {
    /// The organization's own, which every member uses.
    pub fn is_organizations(&self) -> bool {
        self.owner.user == UserId::NOBODY
    }

    /// By what right `user` uses it now; `None`: they may not.
    pub fn access(&self, user: &Owner) -> Option<Access> {
        if self.owner.org != user.org {
            None
        } else if self.owner.user == user.user {
            Some(Access::Own)
        } else if self.is_organizations() {
            Some(Access::Organization)
        } else if self.shared_with.contains(&user.user) {
            Some(Access::Shared)
        } else {
            None
        }
    }
}

/// Chooses among one provider's credentials for a user. The first right under which anything fits decides: it is looked at
/// for the name, or without one for `default`; of one's own the only one will do as well. A name that nothing has may be an id.
/// What the user has no right to is as if it were not there, whatever the list holds.
pub fn choose(records: Vec<CredentialRecord>, user: &Owner, name: Option<&str>) -> Choice {
    for access in Access::ALL {
        let fitting: Vec<&CredentialRecord> = records.iter().filter(|record| record.access(user) == Some(access)).collect();
        let wanted = name.unwrap_or(DEFAULT_NAME);
        let named: Vec<&CredentialRecord> = fitting.iter().copied().filter(|record| record.name == wanted).collect();
        // What others gave is never taken unasked, but for what they called the default.
        let candidates = if named.is_empty() && name.is_none() && access == Access::Own { fitting } else { named };
        match candidates[..] {
            [] => {}
            [one] => return Choice::Found(Box::new(one.clone())),
            _ => return Choice::Several(candidates.iter().map(|record| record.id).collect()),
        }
    }
    let id: Option<CredentialId> = name.and_then(|name| name.parse().ok());
    match records.into_iter().find(|record| Some(record.id) == id && record.access(user).is_some()) {
        Some(record) => Choice::Found(Box::new(record)),
        None => Choice::Missing,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::OrgId;

    const ORG: OrgId = OrgId(Uuid::from_u128(1));

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn me() -> Owner {
        Owner { org: ORG, user: user(10) }
    }

    /// `own`, `shared`, `other` (another member's, not shared), `organization`, `foreign` (mine, in another organization).
    fn record(id: u128, whose: &str, name: &str) -> CredentialRecord {
        let (org, user_id, shared_with) = match whose {
            "own" => (ORG, user(10), vec![]),
            "shared" => (ORG, user(11), vec![user(12), user(10)]),
            "other" => (ORG, user(11), vec![user(12)]),
            "organization" => (ORG, UserId::NOBODY, vec![]),
            _ => (OrgId(Uuid::from_u128(2)), user(10), vec![user(10)]),
        };
        CredentialRecord {
            id: CredentialId(Uuid::from_u128(id)),
            owner: Owner { org, user: user_id },
            provider: "github".to_owned(),
            name: name.to_owned(),
            shared_with,
            fields: std::collections::BTreeMap::new(),
            expires_at: None,
            last_used_at: None,
            created_at: 0,
            hosts: None,
        }
    }

    fn chosen(records: &[(u128, &str, &str)], name: Option<&str>) -> String {
        match choose(records.iter().map(|(id, whose, name)| record(*id, whose, name)).collect(), &me(), name) {
            Choice::Found(record) => record.id.0.as_u128().to_string(),
            Choice::Missing => "missing".to_owned(),
            Choice::Several(ids) => format!("several of {}", ids.len()),
        }
    }

    /// Every set of rights under which a credential of that name is there.
    #[test]
    fn every_cell_of_the_rule() {
        let whose = ["own", "shared", "organization", "other", "foreign"];
        for name in [None, Some("default")] {
            for set in 0..1 << whose.len() {
                let there: Vec<(u128, &str, &str)> =
                    (0..whose.len()).filter(|bit| set >> bit & 1 == 1).map(|bit| (bit as u128 + 1, whose[bit], "default")).collect();
                let expected = match set & 0b111 {
                    0 => "missing",
                    set if set & 1 == 1 => "1",
                    set if set & 2 == 2 => "2",
                    _ => "3",
                };
                assert_eq!(chosen(&there, name), expected, "{there:?} by {name:?}");
                let backwards: Vec<_> = there.iter().rev().copied().collect();
                assert_eq!(chosen(&backwards, name), expected, "the order of the list decides nothing");
            }
        }
    }

    #[test]
    fn names_and_the_only_one() {
        let all = [(1, "own", "work"), (2, "own", "home"), (3, "shared", "team"), (4, "organization", "default"), (5, "other", "secret")];
        for (name, expected) in [
            (Some("work"), "1"),
            (Some("team"), "3"),
            (Some("default"), "4"),
            (Some("secret"), "missing"),
            (Some("nothing"), "missing"),
            // Never a guess among one's own, and never past them.
            (None, "several of 2"),
        ] {
            assert_eq!(chosen(&all, name), expected, "{name:?}");
        }
        assert_eq!(chosen(&all[1..], None), "2", "the only one of one's own");
        assert_eq!(chosen(&all[2..], None), "4", "the only one that is shared is not called the default");
        assert_eq!(chosen(&[(1, "organization", "team")], None), "missing", "nor is the organization's only one");
        assert_eq!(chosen(&[(1, "shared", "a"), (2, "shared", "a")], Some("a")), "several of 2", "two members' of the same name");
        assert_eq!(chosen(&[(1, "other", "a")], None), "missing", "never another person's");
    }

    #[test]
    fn an_id_is_a_name_for_those_who_may() {
        let id = |n: u128| CredentialId(Uuid::from_u128(n)).to_string();
        let all = [(1, "own", "a"), (2, "shared", "a"), (3, "other", "a"), (4, "organization", "a"), (5, "foreign", "a")];
        for (wanted, expected) in [(1, "1"), (2, "2"), (3, "missing"), (4, "4"), (5, "missing")] {
            assert_eq!(chosen(&all, Some(&id(wanted))), expected, "{wanted}");
        }
        let named = [(1, "own", id(2)), (2, "shared", "b".to_owned())];
        let named: Vec<(u128, &str, &str)> = named.iter().map(|(id, whose, name)| (*id, *whose, name.as_str())).collect();
        assert_eq!(chosen(&named, Some(&id(2))), "1", "a name comes before an id");
    }
}
