//! `file.delete`: a file and its bytes go.

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Given;

pub(super) struct Delete;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    file: Given,
}

impl TypedAction for Delete {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Idempotent,
            output: Some(json!({"type": "object", "properties": {"deleted": {"type": "boolean"}}})),
            example: json!({"file": "${steps.download.output}"}),
            ..ActionSpec::of::<Params>("delete", "Delete a file", "Removes a file; deleted is false when it was gone already.")
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let deleted = cx.files()?.delete(params.file.id()).await?;
        Ok(Outcome::Done(Output::new(json!({ "deleted": deleted }))))
    }
}
