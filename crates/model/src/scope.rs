//! What an API key is bounded to: permissions by name, or the groups `read` and `write`. Never more than its user's role.

use crate::role::Permission;

/// A set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope(u64);

/// All that only looks.
pub const READ: &str = "read";
/// All there is.
pub const WRITE: &str = "write";

const _: () = assert!(Permission::ALL.len() <= 64, "a set of permissions fits into 64 bits");

impl Scope {
    /// Whatever the role may.
    pub const ALL: Scope = Scope(u64::MAX);

    /// Reads names.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Scope, &'a str> {
        let mut scope = Scope(0);
        for name in names {
            match name {
                READ => Permission::ALL.iter().filter(|one| one.as_str().ends_with(":view")).for_each(|one| scope.add(*one)),
                WRITE => scope = Scope::ALL,
                name => scope.add(*Permission::ALL.iter().find(|one| one.as_str() == name).ok_or(name)?),
            }
        }
        Ok(scope)
    }

    /// As it is stored. A name that this version does not know gives nothing: the key was made by a later one, which knew more.
    pub fn stored(names: Option<&[String]>) -> Scope {
        let Some(names) = names else { return Scope::ALL };
        names.iter().fold(Scope(0), |scope, name| Scope(scope.0 | Scope::of([name.as_str()]).map_or(0, |one| one.0)))
    }

    pub fn has(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }

    pub fn is_all(self) -> bool {
        self == Scope::ALL
    }

    fn add(&mut self, permission: Permission) {
        self.0 |= bit(permission);
    }
}

fn bit(permission: Permission) -> u64 {
    1 << (permission as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_names() {
        let read = Scope::of([READ]).unwrap();
        assert!(read.has(Permission::PlanView) && read.has(Permission::AuditView));
        assert!(!read.has(Permission::PlanWrite) && !read.has(Permission::RunStart));
        let two = Scope::of(["run:start", "plan:view"]).unwrap();
        let has: Vec<_> = Permission::ALL.iter().filter(|one| two.has(**one)).collect();
        assert_eq!(has, [&Permission::PlanView, &Permission::RunStart]);
        assert!(Scope::of([READ, WRITE]).unwrap().is_all());
        assert_eq!(Scope::of(["plan:view", "everything"]), Err("everything"));
        assert!(Permission::ALL.iter().all(|one| !Scope::of([]).unwrap().has(*one)));
    }

    #[test]
    fn an_unknown_name_gives_nothing() {
        assert!(Scope::stored(None).is_all());
        let stored = Scope::stored(Some(&["plan:view".to_owned(), "plan:teleport".to_owned()]));
        assert_eq!(stored, Scope::of(["plan:view"]).unwrap());
        assert_eq!(Scope::stored(Some(&[])), Scope::of([]).unwrap());
    }
}
