//! A small catalogue: enough of the real actions' shapes to check plans against, none of their work.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use mainspring_model::action::{Action, ActionResult, ActionSpec, Context, Effect, Outcome, Output, ParamKind, Port};
use mainspring_model::catalog::{BuiltIns, Provider};
use serde_json::{Map, Value, json};

struct Fake {
    spec: ActionSpec,
    ports: fn(&Value) -> Vec<Port>,
}

impl Action for Fake {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn ports(&self, params: &Value) -> Vec<Port> {
        (self.ports)(params)
    }

    fn call<'a>(&'a self, params: Value, _: &'a Context) -> BoxFuture<'a, ActionResult> {
        Box::pin(std::future::ready(Ok(Outcome::Done(Output::new(params)))))
    }
}

fn success(_: &Value) -> Vec<Port> {
    vec![Port::main("success")]
}

fn branches(_: &Value) -> Vec<Port> {
    vec![Port::main("success"), Port::main("true"), Port::side("false")]
}

fn cases(params: &Value) -> Vec<Port> {
    let labels = params.get("cases").and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned();
    let default = params.get("default").and_then(Value::as_str).map(str::to_owned);
    [Port::main("success")].into_iter().chain(labels.chain(default).map(Port::main)).collect()
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn action(name: &str, params: Value) -> Fake {
    let spec = ActionSpec {
        name: name.to_owned(),
        title: name.to_owned(),
        description: String::new(),
        effect: Effect::Read,
        computes: false,
        apart: false,
        needs_credential: false,
        params,
        output: None,
        model: None,
        param_kinds: BTreeMap::new(),
        timeout: None,
        example: json!({}),
    };
    Fake { spec, ports: success }
}

fn kinds<const N: usize>(kinds: [(&str, ParamKind); N]) -> BTreeMap<String, ParamKind> {
    kinds.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect()
}

fn provider<const N: usize>(id: &str, actions: [Fake; N]) -> Provider {
    Provider {
        id: id.to_owned(),
        title: id.to_owned(),
        category: "test".to_owned(),
        version: 2,
        description: String::new(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: actions.into_iter().map(|action| Arc::new(action) as Arc<dyn Action>).collect(),
        aliases: BTreeMap::new(),
    }
}

pub fn catalog() -> BuiltIns {
    let any = || json!({"type": "object"});
    let mut request = action(
        "request",
        object(
            json!({
                "method": {"enum": ["GET", "POST", "PUT"]},
                "url": {"type": "string"},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                "timeout": {"type": ["number", "null"], "minimum": 0},
                "retries": {"type": "integer"},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
                "body": {},
            }),
            &["url"],
        ),
    );
    request.spec.effect = Effect::Write;
    let mut branch = action("if", object(json!({"condition": {}}), &["condition"]));
    (branch.ports, branch.spec.computes) = (branches, true);
    let mut switch = action(
        "switch",
        object(
            json!({"value": {}, "default": {"type": "string"}, "cases": {"type": "object", "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"}}}),
            &["value", "cases"],
        ),
    );
    (switch.ports, switch.spec.param_kinds) = (cases, kinds([("cases", ParamKind::PerItem)]));
    let mut set = action("set", any());
    set.spec.computes = true;
    let mut filter =
        action("filter", object(json!({"items": {"type": "array"}, "where": {"type": ["string", "boolean"]}}), &["items", "where"]));
    filter.spec.param_kinds = kinds([("where", ParamKind::PerItem)]);
    let mut map = action("map", object(json!({"items": {}, "value": {}}), &["items", "value"]));
    map.spec.param_kinds = kinds([("value", ParamKind::PerItemTemplate)]);
    let mut read = action("read", any());
    read.spec.output = Some(json!({
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "url": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            "more": {"type": "object", "additionalProperties": true},
        },
    }));
    let mut sql = action("sql", object(json!({"sql": {"type": "string"}, "args": {}}), &["sql"]));
    sql.spec.param_kinds = kinds([("sql", ParamKind::Literal)]);
    let code = json!({"code": {"type": "string", "contentMediaType": "text/javascript"}, "input": {}});
    let mut javascript = action("javascript", object(code, &["code"]));
    javascript.spec.param_kinds = kinds([("code", ParamKind::Literal)]);
    BuiltIns::new([
        provider("code", [javascript]),
        provider("http", [request]),
        provider(
            "logic",
            [branch, switch, set, filter, map, action("call", object(json!({"plan": {"type": "string"}, "inputs": {}}), &["plan"]))],
        ),
        provider("test", [read, sql, action("write", any()), action("fail", any())]),
        provider("webhook", [action("post_request", object(json!({"url": {"type": "string"}, "payload": {}}), &["url"]))]),
        provider("openai", [action("chat_completion", object(json!({"prompt": {"type": "string"}}), &["prompt"]))]),
    ])
}
