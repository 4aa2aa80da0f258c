//! Provider `webhook`, by its earlier name and params: posts a payload to an address.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, TypedAction, erase};
use mainspring_model::catalog::Provider;
use mainspring_model::credential::CredentialField;
use mainspring_model::duration;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::egress::{Egress, Request};
use crate::http::auth;
use crate::http::body::encode;
use crate::http::exchange::{Reading, exchange};
use crate::http::output::output;
use crate::http::params::{BodyType, Time};
use crate::http::request::{TEN_SECONDS, attach, merge};

/// The provider.
pub fn provider(egress: Arc<Egress>) -> Provider {
    Provider {
        id: "webhook".to_owned(),
        title: "Webhook".to_owned(),
        category: "Web".to_owned(),
        version: 1,
        description: "Posts JSON to another system's webhook.".to_owned(),
        credential: fields(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![erase(PostRequest { egress })],
        aliases: BTreeMap::new(),
    }
}

/// Those of a request that leaves, and the secret of deliveries that come in.
fn fields() -> Vec<CredentialField> {
    let mut fields = auth::fields();
    fields.push(CredentialField {
        name: "signing_secret".to_owned(),
        title: "Signing secret".to_owned(),
        required: false,
        secret: true,
        help: Some(
            "Checks the signature of deliveries to a webhook trigger. One a line: the new one beside the old while it is replaced."
                .to_owned(),
        ),
    });
    fields
}

struct PostRequest {
    egress: Arc<Egress>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The whole address, with http:// or https://.
    url: String,
    /// Sent as JSON.
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    /// 10 s unless written.
    #[serde(default, with = "duration::option")]
    #[schemars(with = "Option<Time>")]
    timeout: Option<Duration>,
}

impl TypedAction for PostRequest {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Write,
            example: json!({"url": "https://hooks.example.com/orders", "payload": {"order": 17, "state": "paid"}}),
            ..ActionSpec::of::<Params>(
                "post_request",
                "Post a payload",
                "Posts JSON and gives the answer's JSON, or {status: \"ok\"} when it has none.",
            )
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let mut request = Request::new(Method::POST, Request::parse_url(&params.url)?);
        // The earlier system sent an empty object when there was no payload.
        let payload = if params.payload.is_null() { json!({}) } else { params.payload };
        attach(&mut request, encode(&payload, Some(BodyType::Json))?)?;
        merge(&mut request.headers, params.headers.as_ref())?;
        auth::apply(&mut request, cx.credential.as_ref())?;
        request.timeout = Some(params.timeout.unwrap_or(TEN_SECONDS));
        let (answer, value) = exchange(&self.egress, request, Reading::default(), cx).await?;
        // What is no JSON was not looked at by the earlier system; plans test `.status == "ok"`.
        let declared_json = answer.media_type().ends_with("json");
        let value = if declared_json && !value.is_null() { value } else { json!({"status": "ok"}) };
        Ok(Outcome::Done(output(&answer, value)))
    }
}
