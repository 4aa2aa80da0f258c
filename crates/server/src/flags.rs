//! Feature flags as the program asks for them: in memory, followed from the store, and the list of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use mainspring_model::clock::Millis;
use mainspring_model::flag::{DecidedBy, Flag, Judged};
use mainspring_model::id::Owner;
use mainspring_model::store::{FlagRecord, FlagStore, StoreError};

use crate::app::App;

/// Whether people may make accounts for themselves.
pub const USER_REGISTRATION: &str = "enable_user_registration";

/// A flag that the program itself asks for.
pub struct Declared {
    pub name: &'static str,
    pub description: &'static str,
    /// What holds while no operator has said anything.
    default: fn(dev: bool) -> bool,
}

/// All of them.
pub const DECLARED: &[Declared] = &[Declared {
    name: USER_REGISTRATION,
    description: "people may make accounts for themselves; by default only in dev mode",
    default: |dev| dev,
}];

/// How soon another node's change is seen here, in milliseconds.
const LOOK: Millis = 2_000;

/// The flags of the installation, as of a moment ago.
#[derive(Default)]
pub struct Flags {
    known: RwLock<Arc<Known>>,
    dev: bool,
}

#[derive(Default)]
struct Known {
    revision: i64,
    flags: BTreeMap<String, FlagRecord>,
}

impl Flags {
    pub fn new(dev: bool) -> Flags {
        Flags { known: RwLock::default(), dev }
    }

    /// Whether a flag is on for this caller. Asks nobody and waits for nothing.
    pub fn is_on(&self, name: &str, caller: Option<&Owner>) -> bool {
        self.judge(name, caller).on
    }

    /// The same with the rule that decided.
    pub fn judge(&self, name: &str, caller: Option<&Owner>) -> Judged {
        match self.known().flags.get(name) {
            Some(record) => record.flag.judge(name, caller),
            None => Judged { on: self.default_of(name), by: DecidedBy::Default },
        }
    }

    /// Every flag that an operator made or the program declares, by name; those nobody made are `None`.
    pub fn all(&self) -> BTreeMap<String, Option<FlagRecord>> {
        let declared = DECLARED.iter().map(|declared| (declared.name.to_owned(), None));
        let made = self.known().flags.clone().into_iter().map(|(name, record)| (name, Some(record)));
        declared.chain(made).collect()
    }

    pub fn get(&self, name: &str) -> Option<Flag> {
        self.known().flags.get(name).map(|record| record.flag.clone())
    }

    /// What the program does while nobody says anything: off for a flag that it does not know.
    pub fn default_of(&self, name: &str) -> bool {
        DECLARED.iter().find(|declared| declared.name == name).is_some_and(|declared| (declared.default)(self.dev))
    }

    /// Reads all flags anew.
    ///
    /// # Errors
    /// The store's; what was known stays.
    pub async fn reload(&self, store: &(impl FlagStore + ?Sized)) -> Result<(), StoreError> {
        // The revision first: a change in between is then seen as one more.
        let revision = store.flags_revision().await?;
        let flags = store.flags().await?.into_iter().map(|record| (record.name.clone(), record)).collect();
        let mut known = self.known.write().expect("no panic happens while the flags are held");
        // Two reloads may overtake each other: the one that saw more stays.
        if known.revision <= revision {
            *known = Arc::new(Known { revision, flags });
        }
        Ok(())
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().expect("no panic happens while the flags are held").clone()
    }
}

/// Follows the changes that other processes make. Never ends; drop it at shutdown.
pub async fn follow(app: Arc<App>) {
    loop {
        app.clock.sleep_until(app.clock.now() + LOOK).await;
        let followed = async {
            if app.store.flags_revision().await? != app.flags.known().revision {
                app.flags.reload(&*app.store).await?;
            }
            Ok::<(), StoreError>(())
        };
        match followed.await {
            Ok(()) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "changes of feature flags could not be looked for; trying again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_said_anything_of_is_off_but_for_declared_defaults() {
        for dev in [true, false] {
            let flags = Flags::new(dev);
            assert_eq!(flags.judge("no_such_flag", Some(&Owner::LOCAL)), Judged { on: false, by: DecidedBy::Default });
            assert_eq!(flags.judge(USER_REGISTRATION, None), Judged { on: dev, by: DecidedBy::Default });
        }
    }
}
