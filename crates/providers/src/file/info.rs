//! `file.info`: what is known of a file.

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction, schema_of};
use mainspring_model::file::FileValue;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Given;

pub(super) struct Info;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    file: Given,
}

impl TypedAction for Info {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            output: Some(schema_of::<FileValue>()),
            example: json!({"file": "${steps.download.output}"}),
            ..ActionSpec::of::<Params>("info", "File details", "Gives a file's name, media type, size and SHA-256.")
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let file = params.file.find(cx).await?;
        Ok(Outcome::Done(Output::new(json!(file)).message(format!("{} has {} bytes", file.name, file.size))))
    }
}
