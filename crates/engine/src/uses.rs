//! Who used which credential: told as it happens, to one listener at most, which keeps the audit log.

use std::sync::OnceLock;

use mainspring_model::clock::Millis;
use mainspring_model::credential::Credential;
use mainspring_model::id::{Owner, RunId};
use mainspring_model::run::RunHeader;
use uuid::Uuid;

use crate::engine::{Engine, Inner};

/// A credential was opened for one attempt of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialUse {
    pub id: Uuid,
    pub at: Millis,
    pub owner: Owner,
    pub run: RunId,
    pub provider: String,
    /// The credential's.
    pub name: String,
    /// The step's path.
    pub step: String,
}

type Listener = Box<dyn Fn(&CredentialUse) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Uses(OnceLock<Listener>);

impl Uses {
    pub(crate) fn tell(&self, inner: &Inner, header: &RunHeader, step: &str, credential: &Credential) {
        let Some(listener) = self.0.get() else { return };
        let at = inner.clock.now();
        listener(&CredentialUse {
            id: RunId::at(at, inner.random_10()).0,
            at,
            owner: header.owner,
            run: header.id,
            provider: credential.provider.clone(),
            name: credential.name.clone(),
            step: step.to_owned(),
        });
    }
}

impl Engine {
    /// Tells `listener` from now on; the first one stays. Called on the driving path: must not wait.
    pub fn on_credential_use(&self, listener: Listener) {
        if self.0.uses.0.set(listener).is_err() {
            tracing::debug!("somebody hears of uses of credentials already");
        }
    }
}
