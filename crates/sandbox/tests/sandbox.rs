//! A sandbox for tests, and calls of its provider as the engine makes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mainspring_model::Fault;
use mainspring_model::action::{Context, Outcome, Output};
use mainspring_model::clock::FakeClock;
use mainspring_model::id::{OrgId, Owner};
use mainspring_sandbox::{Sandbox, Settings, provider};
use serde_json::{Value, json};

/// The settings of an installation, with this crate's child.
pub(crate) fn settings() -> Settings {
    Settings { program: PathBuf::from(env!("CARGO_BIN_EXE_code-child")), ..Settings::standard() }
}

pub(crate) fn sandbox() -> Arc<Sandbox> {
    Sandbox::new(settings())
}

/// Runs the action for an organization, with the engine's ten minutes.
pub(crate) async fn run_for(sandbox: &Arc<Sandbox>, org: OrgId, params: Value) -> Result<Output, Fault> {
    let provider = provider(sandbox.clone());
    let action = provider.action("javascript").unwrap();
    let clock = Arc::new(FakeClock::at(1_700_000_000_000));
    let owner = Owner { org, ..Owner::LOCAL };
    let cx = Context::apart(owner, "step", clock, Duration::from_secs(600));
    match action.call(params, &cx).await? {
        Outcome::Done(output) => Ok(output),
        other => panic!("code gave {other:?}"),
    }
}

pub(crate) async fn run(sandbox: &Arc<Sandbox>, code: &str) -> Result<Value, Fault> {
    run_for(sandbox, OrgId::LOCAL, json!({"code": code})).await.map(|output| output.value)
}
