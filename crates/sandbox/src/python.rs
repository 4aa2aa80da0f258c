//! Action `code.python`: as `javascript`, by the interpreter that the operator named; a new process for each call.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, ParamKind, TypedAction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::limits::TIMEOUT;
use crate::params::{Asked, outcome};
use crate::pool::Sandbox;

pub(crate) struct Python(pub(crate) Arc<Sandbox>);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// A function body: reads input, gives its result with return. What it prints goes to the step's log. Never scanned for ${}.
    #[schemars(extend("contentMediaType" = "text/x-python"))]
    code: String,
    /// What the code sees as input: any JSON, with ${} inside. None when it is not given.
    #[serde(default)]
    input: Value,
    /// How long the code may run: 500ms, 30s, 5m. The step's own timeout when it is not given.
    #[serde(default)]
    #[schemars(extend("type" = ["string", "number", "null"]))]
    timeout: Value,
    /// How much memory it may need: 32MB, 128MB, or a number of megabytes. 64MB when neither this nor the operator says.
    #[serde(default)]
    #[schemars(extend("type" = ["string", "number", "null"]))]
    memory: Value,
}

impl TypedAction for Python {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            apart: true,
            effect: Effect::Read,
            timeout: Some(TIMEOUT),
            param_kinds: BTreeMap::from([("code".to_owned(), ParamKind::Literal)]),
            example: json!({"code": "return {'total': sum(input)}", "input": [3, 4]}),
            ..ActionSpec::of::<Params>("python", "Python", "Runs Python on its input and gives what it returns.")
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let asked = Asked::read(&self.0, cx, params.code, &params.input, &params.timeout, &params.memory)?;
        drop(params.input);
        outcome(self.0.call_python(cx.owner.org, &asked.code, asked.input.as_bytes(), asked.limits).await?, asked.limits)
    }
}
