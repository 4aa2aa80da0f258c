//! A sandbox for tests, and calls of its provider as the engine makes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mainspring_model::Fault;
use mainspring_model::action::{Context, Outcome, Output};
use mainspring_model::clock::FakeClock;
use mainspring_model::id::{OrgId, Owner};
use mainspring_sandbox::{Isolation, Sandbox, Settings, provider};
use serde_json::{Value, json};

/// The settings of an installation, with this crate's child. Machines that give no namespaces build and test as well.
pub(crate) fn settings() -> Settings {
    Settings { program: PathBuf::from(env!("CARGO_BIN_EXE_code-child")), isolation: Isolation::Filter, ..Settings::standard() }
}

/// Whether the kernel gives namespaces here; says what is skipped where it does not.
pub(crate) async fn has_namespaces() -> bool {
    match Sandbox::new(Settings { isolation: Isolation::Full, ..settings() }).probe().await {
        Ok(()) => true,
        Err(reason) => {
            println!("skipped: {reason}");
            false
        }
    }
}

pub(crate) fn sandbox() -> Arc<Sandbox> {
    Sandbox::new(settings())
}

/// Runs the action for an organization, with the engine's ten minutes.
pub(crate) async fn run_for(sandbox: &Arc<Sandbox>, org: OrgId, params: Value) -> Result<Output, Fault> {
    call(sandbox, "javascript", org, params).await
}

/// The same for any action of the provider.
pub(crate) async fn call(sandbox: &Arc<Sandbox>, action: &str, org: OrgId, params: Value) -> Result<Output, Fault> {
    let provider = provider(sandbox.clone());
    let action = provider.action(action).unwrap();
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
