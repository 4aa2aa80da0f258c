//! `logic.switch`: ends in the label of the first case that holds for a value.

use std::future::{Future, ready};

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, ParamKind, Port, TypedAction};
use mainspring_model::value::preview;
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::list::per_item;
use mainspring_model::expr::truthy;

pub(super) struct Switch;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// What the cases look at; they read it as `item`.
    value: Value,
    /// The label to end in when no case holds.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]*$"))]
    default: Option<String>,
}

impl TypedAction for Switch {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        let cases = json!({
            "type": "object",
            "description": "Label → condition on item, tried in written order: {\"large\": \"item > 1000\"}. The label is the port to end in.",
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$", "not": {"enum": ["error", "skipped"]}},
            "additionalProperties": {"type": ["string", "boolean"]},
        });
        let spec = ActionSpec {
            effect: Effect::Read,
            computes: true,
            example: json!({"cases": {"large": "item > 1000", "small": "item > 0"}, "value": 1500, "default": "nothing"}),
            ..ActionSpec::of::<Params>("switch", "Switch", "Goes the way of the first case that holds for a value.")
        };
        per_item(spec, "cases", ParamKind::PerItem, cases)
    }

    fn ports(&self, params: &Value) -> Vec<Port> {
        let cases = params.get("cases").and_then(Value::as_object);
        let labels = cases.into_iter().flat_map(|cases| cases.keys().map(String::as_str));
        let default = params.get("default").and_then(Value::as_str);
        let mut ports = vec![Port::main("success")];
        for label in labels.chain(default).filter(|label| check_label(label).is_ok()) {
            if ports.iter().all(|port| port.name != label) {
                ports.push(Port::main(label));
            }
        }
        ports
    }

    fn call(&self, params: Params, cx: &Context) -> impl Future<Output = ActionResult> + Send {
        ready(choose(&params, cx).map(|label| Outcome::Done(Output::new(params.value).port(label))))
    }
}

fn choose(params: &Params, cx: &Context) -> Result<String, Fault> {
    if !cx.per_item.has("cases") {
        return Err(Fault::invalid_params("\"cases\" is missing; it must be an object of label and condition"));
    }
    let labels = cx.per_item.labels("cases");
    labels.iter().chain(&params.default).try_for_each(|label| check_label(label))?;
    for label in &labels {
        let holds = cx.per_item.eval(&format!("cases.{label}"), &[("item", &params.value)]).map_err(|mut fault| {
            fault.message = format!("case \"{label}\": {}", fault.message);
            fault
        })?;
        if truthy(&holds) {
            return Ok(label.clone());
        }
    }
    params.default.clone().ok_or_else(|| {
        let value = preview(&params.value, 100);
        let message = format!("no case holds for {value} and there is no \"default\"; the cases are {}", labels.join(", "));
        Fault::new(Code::INVALID_INPUT, message)
    })
}

/// `error` and `skipped` are how every step can end; a label of that name could not be told apart.
fn check_label(label: &str) -> Result<(), Fault> {
    let well_formed = label.starts_with(|c: char| c.is_ascii_lowercase())
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match label {
        "error" | "skipped" => Err(Fault::invalid_params(format!("a case cannot be labelled \"{label}\": every step has that port"))),
        _ if well_formed => Ok(()),
        _ => Err(Fault::invalid_params(format!(
            "\"{label}\" is not a label: it starts with a small letter and has only small letters, digits and _"
        ))),
    }
}
