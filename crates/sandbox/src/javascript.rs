//! Provider `code`, and its action `javascript`: a function body, what it is given, what it returns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, ParamKind, TypedAction, erase};
use mainspring_model::catalog::Provider;
use mainspring_model::duration;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::limits::{Limits, MOST_CODE, MOST_JSON, TIMEOUT};
use crate::pool::Sandbox;
use crate::verdict::{judge, size};
use crate::worker::Answer;

/// The provider of user code.
pub fn provider(sandbox: Arc<Sandbox>) -> Provider {
    Provider {
        id: "code".to_owned(),
        title: "Code".to_owned(),
        category: "Data".to_owned(),
        version: 1,
        description: "Runs your own code on data, in a process without keys, files and network.".to_owned(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![erase(JavaScript(sandbox))],
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
        let limits = self.0.limits(time(&params.timeout)?, memory(&params.memory)?)?;
        let limits = Limits { timeout: limits.timeout.min(left(cx)), ..limits };
        if params.code.len() > MOST_CODE {
            return Err(Fault::invalid_params(format!("\"code\" is longer than {}", size(MOST_CODE as u64))));
        }
        let input = params.input.to_string();
        if input.len() > MOST_JSON {
            return Err(Fault::invalid_params(format!("\"input\" is longer than {} of JSON", size(MOST_JSON as u64))));
        }
        drop(params.input);
        let Answer { verdict, lines } = self.0.call(cx.owner.org, &params.code, input.as_bytes(), limits).await?;
        let mut output = Output::new(judge(verdict, limits, &lines)?);
        if !lines.is_empty() {
            output = output.metadata("console", json!(lines));
        }
        Ok(Outcome::Done(output))
    }
}

/// Until shortly before the engine gives up on the attempt: what the code had logged comes with our own word only.
fn left(cx: &Context) -> Duration {
    let left = Duration::from_millis(u64::try_from(cx.deadline.saturating_sub(cx.clock.now())).unwrap_or(0));
    left.saturating_sub((left / 10).min(Duration::from_millis(150)))
}

fn time(given: &Value) -> Result<Option<Duration>, Fault> {
    if given.is_null() {
        return Ok(None);
    }
    match duration::parse(given) {
        Ok(time) if time.is_zero() => Err(Fault::invalid_params("\"timeout\": write more than 0")),
        Ok(time) => Ok(Some(time)),
        Err(reason) => Err(Fault::invalid_params(format!("\"timeout\": {reason}"))),
    }
}

/// Bytes. A megabyte is 1024 × 1024 of them, with or without its `i`.
fn memory(given: &Value) -> Result<Option<u64>, Fault> {
    let wrong = || Fault::invalid_params(format!("\"memory\": {given} is no amount; write 32MB, 128MB or a number of megabytes"));
    let number = match given {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64().ok_or_else(wrong)?,
        Value::String(text) => {
            let text = text.trim();
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
            match text[digits..].trim() {
                "MB" | "MiB" | "M" | "" => number,
                "GB" | "GiB" | "G" => number.saturating_mul(1024),
                _ => return Err(wrong()),
            }
        }
        _ => return Err(wrong()),
    };
    Ok(Some(number.saturating_mul(1 << 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_people_write_it() {
        for (given, megabytes) in [(json!("32MB"), 32), (json!("1 GiB"), 1_024), (json!(64), 64), (json!("8"), 8)] {
            assert_eq!(memory(&given).unwrap(), Some(megabytes << 20), "{given}");
        }
        assert_eq!(memory(&Value::Null).unwrap(), None);
        for given in [json!("much"), json!("1.5MB"), json!(-1), json!([]), json!("5 apples")] {
            assert!(memory(&given).is_err(), "{given}");
        }
    }
}
