//! `file.list`: the organization's files.

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction, schema_of};
use mainspring_model::file::FileValue;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

pub(super) struct List;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The newest so many: 100 unless written, 1,000 at most.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

fn hundred() -> u32 {
    100
}

impl TypedAction for List {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            output: Some(json!({"type": "array", "items": schema_of::<FileValue>()})),
            example: json!({"limit": 20}),
            ..ActionSpec::of::<Params>("list", "List files", "Gives the organization's files, newest first.")
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let files = cx.files()?.list(params.limit.clamp(1, 1_000)).await?;
        let message = format!("{} files", files.len());
        Ok(Outcome::Done(Output::new(json!(files)).message(message)))
    }
}
