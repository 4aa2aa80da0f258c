//! Provider `code`, and its action `javascript`: a function body, what it is given, what it returns.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, ParamKind, TypedAction, erase};
use mainspring_model::catalog::Provider;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::limits::TIMEOUT;
use crate::params::{Asked, outcome};
use crate::pool::Sandbox;
use crate::python::Python;

/// The provider of user code.
pub fn provider(sandbox: Arc<Sandbox>) -> Provider {
    let mut actions = vec![erase(JavaScript(sandbox.clone()))];
    if sandbox.python().is_some() {
        actions.push(erase(Python(sandbox)));
    }
    Provider {
        id: "code".to_owned(),
        title: "Code".to_owned(),
        category: "Data".to_owned(),
        version: 1,
        description: "Runs your own code on data, in a process without keys, files and network.".to_owned(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions,
        aliases: BTreeMap::new(),
    }
}

struct JavaScript(Arc<Sandbox>);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// A function body: reads input, gives its result with return, may await. console.log goes to the step's log. Never scanned for ${}.
    #[schemars(extend("contentMediaType" = "text/javascript"))]
    code: String,
    /// What the code sees as input: any JSON, with ${} inside. Null when it is not given.
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

impl TypedAction for JavaScript {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            apart: true,
            effect: Effect::Read,
            timeout: Some(TIMEOUT),
            param_kinds: BTreeMap::from([("code".to_owned(), ParamKind::Literal)]),
            example: json!({
                "code": "const total = input.items.reduce((sum, item) => sum + item.price, 0);\nreturn { total };",
                "input": {"items": [{"price": 3}, {"price": 4}]},
            }),
            ..ActionSpec::of::<Params>("javascript", "JavaScript", "Runs JavaScript on its input and gives what it returns.")
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let asked = Asked::read(&self.0, cx, params.code, &params.input, &params.timeout, &params.memory)?;
        drop(params.input);
        outcome(self.0.call(cx.owner.org, &asked.code, asked.input.as_bytes(), asked.limits).await?, asked.limits)
    }
}
