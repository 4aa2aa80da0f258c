//! `transform.split_text`: cuts text at a separator.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::bounds::within_items;
use crate::logic::pure::Pure;

pub(super) struct SplitText;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The text.
    text: String,
    /// Where to cut; it is not part of the parts.
    #[serde(default = "comma")]
    #[schemars(length(min = 1))]
    separator: String,
    /// True: spaces around each part are taken away.
    #[serde(default = "yes")]
    trim: bool,
    /// True: empty parts stay in the list.
    #[serde(default = "yes")]
    keep_empty: bool,
    /// At most this many parts; the last one holds the rest.
    #[schemars(range(min = 1))]
    limit: Option<u32>,
}

fn comma() -> String {
    ",".to_owned()
}

fn yes() -> bool {
    true
}

impl Pure for SplitText {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array", "items": {"type": "string"}})),
            example: json!({"text": "red, green, blue"}),
            ..ActionSpec::of::<Params>("split_text", "Split text", "Cuts text at a separator and gives the parts as a list.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        if params.separator.is_empty() {
            return Err(Fault::invalid_params("\"separator\" is empty; text is cut at at least one character"));
        }
        let limit = params.limit.map_or(usize::MAX, |limit| limit as usize);
        if limit == 0 {
            return Err(Fault::invalid_params("\"limit\" must be at least 1; it is 0"));
        }
        let parts = params.text.splitn(limit, &params.separator);
        let parts = parts.map(|part| if params.trim { part.trim() } else { part });
        texts("the list of parts", parts.filter(|part| params.keep_empty || !part.is_empty()))
    }
}

/// A list of texts that stops growing at the bound.
pub(super) fn texts<'a>(what: &str, parts: impl Iterator<Item = &'a str>) -> Result<Value, Fault> {
    let mut list = Vec::new();
    for part in parts {
        within_items(what, list.len() + 1)?;
        list.push(Value::from(part));
    }
    Ok(Value::Array(list))
}
