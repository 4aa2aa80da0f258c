//! `transform.regex_extract`: takes parts out of text by a pattern, in time linear in the text.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use regex::{Captures, Regex};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::regex_pattern::compile;
use crate::logic::bounds::{Weight, kind, within_items};
use crate::logic::pure::Pure;

pub(super) struct RegexExtract;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text.
    text: String,
    /// A regular expression, without slashes; (?i) at its start ignores case. Look-around and back references do not exist.
    #[schemars(length(min = 1, max = 4096))]
    pattern: String,
    /// Which group to give: a number (0 is the whole match) or a name. Without it: an object of the named groups if the pattern has
    /// any, else its first group, else the whole match.
    #[schemars(extend("type" = ["integer", "string"]))]
    #[serde(default)]
    group: Value,
    /// True: a list of every match. False: the first one, or null.
    #[serde(default)]
    all: bool,
}

impl Pure for RegexExtract {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            example: json!({"text": "Orders #1041 and #1042", "pattern": "#(\\d+)", "all": true}),
            ..ActionSpec::of::<Params>("regex_extract", "Extract by pattern", "Takes out of text what a regular expression finds.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let regex = compile(&params.pattern)?;
        let group = Wanted::of(&regex, &params.group)?;
        if !params.all {
            return Ok(regex.captures(&params.text).map_or(Value::Null, |found| group.value(&regex, &found)));
        }
        let mut weight = Weight::default();
        let mut list = Vec::new();
        for found in regex.captures_iter(&params.text) {
            within_items("the list of matches", list.len() + 1)?;
            let value = group.value(&regex, &found);
            weight.add(&value)?;
            list.push(value);
        }
        Ok(Value::Array(list))
    }
}

enum Wanted {
    Group(usize),
    Named,
}

impl Wanted {
    fn of(regex: &Regex, group: &Value) -> Result<Wanted, Fault> {
        let last = regex.captures_len() - 1;
        let missing = |group: &dyn std::fmt::Display| {
            let names: Vec<_> = regex.capture_names().flatten().collect();
            let names = if names.is_empty() { String::new() } else { format!(", named: {}", names.join(", ")) };
            Fault::invalid_params(format!("the pattern has no group {group}; it has 0 to {last}{names}"))
        };
        match group {
            Value::Null if regex.capture_names().flatten().next().is_some() => Ok(Wanted::Named),
            Value::Null => Ok(Wanted::Group(last.min(1))),
            Value::String(name) => regex.capture_names().position(|n| n == Some(name)).map(Wanted::Group).ok_or_else(|| missing(name)),
            Value::Number(number) => number
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n <= last)
                .map(Wanted::Group)
                .ok_or_else(|| missing(number)),
            other => Err(Fault::invalid_params(format!("\"group\" must be a number or a name; it is {}", kind(other)))),
        }
    }

    fn value(&self, regex: &Regex, found: &Captures<'_>) -> Value {
        let text = |found: Option<regex::Match<'_>>| found.map_or(Value::Null, |found| found.as_str().into());
        match self {
            Wanted::Group(index) => text(found.get(*index)),
            Wanted::Named => {
                regex.capture_names().flatten().map(|name| (name.to_owned(), text(found.name(name)))).collect::<Map<_, _>>().into()
            }
        }
    }
}
