//! `transform.regex_replace`: replaces what a pattern finds, in time linear in the text.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::regex_pattern::compile;
use crate::logic::bounds::Weight;
use crate::logic::pure::Pure;

pub(super) struct RegexReplace;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text.
    text: String,
    /// A regular expression, without slashes; (?i) at its start ignores case. Look-around and back references do not exist.
    #[schemars(length(min = 1, max = 4096))]
    pattern: String,
    /// What takes its place: $1 or ${name} is that group, $0 the whole match, $$ a dollar sign.
    replacement: String,
    /// False: only the first match.
    #[serde(default = "yes")]
    all: bool,
}

fn yes() -> bool {
    true
}

impl Pure for RegexReplace {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"text": "2026-03-01 and 2026-04-01", "pattern": "(\\d+)-(\\d+)-(\\d+)", "replacement": "$3.$2.$1"}),
            ..ActionSpec::of::<Params>("regex_replace", "Replace by pattern", "Replaces what a regular expression finds in text.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let regex = compile(&params.pattern)?;
        let mut weight = Weight::default();
        let (mut text, mut from) = (String::new(), 0);
        // By hand: a replacement may be longer than what it replaces, and the bound has to hold while it grows.
        for found in regex.captures_iter(&params.text).take(if params.all { usize::MAX } else { 1 }) {
            let Some(whole) = found.get(0) else { continue };
            let before = text.len();
            text.push_str(&params.text[from..whole.start()]);
            found.expand(&params.replacement, &mut text);
            weight.add_bytes(text.len() - before)?;
            from = whole.end();
        }
        text.push_str(&params.text[from..]);
        Ok(Value::String(text))
    }
}
