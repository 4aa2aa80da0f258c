//! What the tests of everything that sends need: a step's context, servers in the test's hand, names that mean what a test says.

mod names;
mod raw;
mod server;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainspring_model::Fault;
use mainspring_model::action::{Context, NoPerItem, Outcome, Output};
use mainspring_model::catalog::Provider;
use mainspring_model::clock::{FakeClock, Millis};
use mainspring_model::credential::{Credential, Secret};
use mainspring_model::id::Owner;
use mainspring_providers::apart::Apart;
use mainspring_providers::egress::{Egress, Mode, Policy};
use mainspring_providers::{Parts, built_ins};
use serde_json::Value;

pub use names::Names;
pub use raw::{Raw, reset};
pub use server::{Seen, Server, json, reply};
pub use tls::{TlsServer, unrelated_root};

/// Wed, 21 Oct 2015 07:28:00 GMT.
pub const NOW: Millis = 1_445_412_480_000;

pub fn dev() -> Arc<Egress> {
    Arc::new(Egress::new(Policy::new(Mode::Dev)))
}

/// One attempt and its clock.
pub struct Attempt {
    pub cx: Context,
    pub clock: FakeClock,
}

impl Attempt {
    pub fn new() -> Attempt {
        let clock = FakeClock::at(NOW);
        let cx = Context {
            owner: Owner::LOCAL,
            run: None,
            step: "step_1".to_owned(),
            attempt: 1,
            idempotency_key: "KEY234".to_owned(),
            credential: None,
            per_item: Arc::new(NoPerItem),
            clock: Arc::new(clock.clone()),
            deadline: NOW + 30_000,
            sent: Arc::new(AtomicBool::new(false)),
            holds: None,
            keeps: Default::default(),
            tracing: None,
            files: None,
        };
        Attempt { cx, clock }
    }

    pub fn with(fields: &[(&str, &str)]) -> Attempt {
        let mut attempt = Attempt::new();
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        attempt.cx.credential =
            Some(Credential { id: None, provider: "any".to_owned(), name: "main".to_owned(), fields, hosts: Vec::new() });
        attempt
    }

    pub fn sent(&self) -> bool {
        self.cx.sent.load(Ordering::Acquire)
    }

    /// Calls `provider.action` of the built-ins.
    pub async fn call(&self, egress: &Arc<Egress>, action: &str, params: Value) -> Result<Output, Fault> {
        let (provider, action) = action.split_once('.').expect("tests write provider.action");
        let providers = built_ins(&Parts { egress: egress.clone(), apart: Apart::here() });
        let provider = providers.iter().find(|other| other.id == provider).expect("tests name built-in providers");
        self.call_of(provider, action, params).await
    }

    pub async fn call_of(&self, provider: &Provider, action: &str, params: Value) -> Result<Output, Fault> {
        let action = provider.action(action).expect("tests name actions that exist");
        match action.call(params, &self.cx).await? {
            Outcome::Done(output) => Ok(output),
            other => panic!("{other:?} is no output"),
        }
    }
}
