//! `logic.jq`: a jq query over data, done apart with limits on time and memory.

use std::time::Duration;

use mainspring_model::action::{ActionSpec, ParamKind};
use mainspring_model::{Code, Fault, duration};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bounds::{Weight, within_items};
use super::jq_program::Program;
use super::jq_value::{of_json, to_json};
use crate::apart::{Bounded, WITHIN};

pub(super) struct Jq;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// What the query sees as `.`.
    input: Value,
    /// The query in the language of jq, never scanned for `${…}`: data reaches it through input alone. Without env, now, input and modules.
    #[schemars(length(min = 1, max = 65_536))]
    query: String,
    /// False: the one value that the query gives, null when it gives none, and a fault when it gives several. True: the list of all.
    #[serde(default)]
    all: bool,
    /// For how long it may go on, at most 30s; 5s unless written.
    #[schemars(extend("type" = ["string", "number"]))]
    #[serde(default, rename = "timeout")]
    _timeout: Value,
}

const LONGEST: Duration = Duration::from_secs(30);
const LONGEST_QUERY: usize = 65_536;

impl Bounded for Jq {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            param_kinds: [("query".to_owned(), ParamKind::Literal), ("timeout".to_owned(), ParamKind::Literal)].into(),
            example: json!({"input": {"items": [{"n": 1, "tags": ["a", "b"]}, {"n": 2, "tags": []}]}, "query": "[.items[] | {n, tag: .tags[]}]"}),
            ..ActionSpec::of::<Params>("jq", "Query with jq", "Reshapes data with a jq query.")
        }
    }

    fn within(&self, params: &Value) -> Result<Duration, Fault> {
        match params.get("timeout") {
            None | Some(Value::Null) => Ok(WITHIN),
            Some(written) => {
                let time = duration::parse(written).map_err(|error| Fault::invalid_params(format!("\"timeout\": {error}")))?;
                if time > LONGEST {
                    return Err(Fault::invalid_params(format!("\"timeout\" is {}; it is at most 30s", duration::format(time))));
                }
                Ok(time)
            }
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        if params.query.len() > LONGEST_QUERY {
            return Err(Fault::invalid_params(format!("\"query\" is longer than {LONGEST_QUERY} bytes")));
        }
        let program = Program::compile(&params.query).map_err(|error| Fault::invalid_params(format!("\"query\": {error}")))?;
        let mut weight = Weight::default();
        let mut values = Vec::new();
        for value in program.run(of_json(params.input)) {
            let value = value.map_err(|error| Fault::new(Code::INVALID_INPUT, error))?;
            within_items("the list of results", values.len() + 1)?;
            values.push(to_json(&value, &mut weight)?);
            if !params.all && values.len() > 1 {
                let message = "the query gives more than one value; put it in [ ] for a list, or set \"all\"";
                return Err(Fault::new(Code::INVALID_INPUT, message));
            }
        }
        Ok(if params.all { Value::Array(values) } else { values.pop().unwrap_or_default() })
    }
}
