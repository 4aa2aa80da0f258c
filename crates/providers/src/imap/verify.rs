//! Whether a mail server takes a credential: somebody logs in and out again.

use std::sync::Arc;

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction};
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::limits::Limits;
use super::login::log_in;
use crate::egress::Egress;

/// The call. It is no action of the provider: plans do not see it.
pub(super) struct LogIn {
    pub(super) egress: Arc<Egress>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Nothing {}

impl TypedAction for LogIn {
    type Params = Nothing;

    fn spec(&self) -> ActionSpec {
        let mut spec = ActionSpec::of::<Nothing>("verify", "Verify", "Logs in.");
        spec.effect = Effect::Read;
        spec.needs_credential = true;
        spec
    }

    async fn call(&self, _: Nothing, cx: &Context) -> ActionResult {
        let Some(credential) = &cx.credential else {
            return Err(Fault::new(Code::MISSING_CREDENTIALS, "imap: there is no credential"));
        };
        let session = log_in(&self.egress, cx.owner.org, credential, &Limits::default()).await?;
        session.goodbye().await;
        Ok(Outcome::Done(Output::new(Value::Null).message("the mail server took the credential")))
    }
}
