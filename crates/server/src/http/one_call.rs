//! One call of an action outside of any run: for tests of integrations and credentials.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use mainspring_model::action::{Action, Context, Outcome, Output};
use mainspring_model::credential::Credential;
use mainspring_model::fault::{Code, Effected, Fault};
use mainspring_model::id::Owner;
use serde_json::Value;

use super::api::Api;

/// Milliseconds.
const WITHIN: i64 = 5_000;

/// Calls it with an opened credential, whose values are taken out of the answer.
///
/// # Errors
/// The action's fault, and `TIMEOUT` after five seconds.
pub async fn call_once(
    api: &Api,
    owner: Owner,
    action: &dyn Action,
    params: Value,
    credential: Option<Credential>,
) -> Result<Output, Fault> {
    let deadline = api.clock.now() + WITHIN;
    let cx = Context {
        idempotency_key: api.engine.new_id().to_string(),
        credential: credential.clone(),
        deadline,
        ..Context::apart(owner, "test", api.clock.clone(), Duration::ZERO)
    };
    let result = match select(pin!(action.call(params, &cx)), pin!(api.clock.sleep_until(deadline))).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => Err(Fault::new(Code::TIMEOUT, "the service did not answer within 5 s").effect(Effected::Unknown)),
    };
    let result = match credential {
        Some(credential) => api.engine.credentials().redact_result(&credential, result),
        None => result,
    };
    match result? {
        Outcome::Done(output) => Ok(output),
        _ => Err(Fault::internal("the request gave no output")),
    }
}
