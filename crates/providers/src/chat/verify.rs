//! Whether a key works: the list of models, which costs nothing and needs the same key.

use std::sync::Arc;

use http::Method;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction};
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Vendor;
use crate::egress::{Egress, Request, status_fault};

/// The call. It is no action of the provider: plans do not see it.
pub(super) struct ListModels {
    pub(super) vendor: &'static Vendor,
    pub(super) egress: Arc<Egress>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Nothing {}

impl TypedAction for ListModels {
    type Params = Nothing;

    fn spec(&self) -> ActionSpec {
        let mut spec = ActionSpec::of::<Nothing>("verify", "Verify", "Asks for the list of models.");
        spec.effect = Effect::Read;
        spec.needs_credential = true;
        spec
    }

    async fn call(&self, _: Nothing, cx: &Context) -> ActionResult {
        let Some((credential, key)) = cx.credential.as_ref().and_then(|credential| Some((credential, credential.field("api_key")?))) else {
            return Err(Fault::new(Code::MISSING_CREDENTIALS, format!("{}: there is no API key", self.vendor.id)));
        };
        let base = credential.field("base_url").unwrap_or(self.vendor.base_url).trim().trim_end_matches('/');
        let mut request = Request::new(Method::GET, Request::parse_url(&format!("{base}/models"))?);
        request.secret_header("authorization", &format!("Bearer {key}"))?;
        let mut answer = self.egress.send(request, cx).await?;
        if !answer.status.is_success() {
            return Err(status_fault(&mut answer, &*cx.clock).await);
        }
        Ok(Outcome::Done(Output::new(Value::Null).message(format!("{} took the key", self.vendor.title))))
    }
}
