//! `transform.url_build`: a URL from its parts, each encoded, so that no part of it becomes another.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::invalid_input;
use crate::logic::bounds::{at_item, kind};
use crate::logic::pure::Pure;

pub(super) struct UrlBuild;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// An absolute URL that the others are added to: https://shop.example/api. Its own path and query stay.
    base: String,
    /// Parts of the path: text or numbers, each one part; a slash in it is encoded.
    #[serde(default)]
    #[schemars(with = "Vec<Value>", extend("items" = {"type": ["string", "number"]}))]
    path: Vec<Value>,
    /// Name → text, number, true or false, or a list of them for a name that is repeated; null leaves the name out.
    #[serde(default)]
    query: Map<String, Value>,
    /// What comes after #.
    fragment: Option<String>,
}

impl Pure for UrlBuild {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"base": "https://shop.example/api", "path": ["orders", "A/7"], "query": {"q": "café & more", "tag": ["a", "b"], "page": null}}),
            ..ActionSpec::of::<Params>("url_build", "Write URL", "Puts a URL together from base, path and query.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut url = Url::parse(params.base.trim()).map_err(|error| invalid_input(format!("\"base\" is not a URL: {error}")))?;
        if !params.path.is_empty() {
            let mut parts = Vec::with_capacity(params.path.len());
            for (index, part) in params.path.iter().enumerate() {
                parts.push(segment(part).map_err(|fault| at_item(index, fault))?);
            }
            let mut path = url.path_segments_mut().map_err(|()| invalid_input("\"base\" is a URL without a path, such as mailto:"))?;
            path.pop_if_empty().extend(parts);
        }
        for (name, value) in &params.query {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                let text = match value {
                    Value::Null => continue,
                    Value::String(text) => text.clone(),
                    Value::Bool(_) | Value::Number(_) => value.to_string(),
                    other => {
                        return Err(invalid_input(format!(
                            "\"query.{name}\" must be text, a number or a list of them; it is {}",
                            kind(other)
                        )));
                    }
                };
                url.query_pairs_mut().append_pair(name, &text);
            }
        }
        if params.fragment.is_some() {
            url.set_fragment(params.fragment.as_deref());
        }
        Ok(Value::String(url.into()))
    }
}

fn segment(part: &Value) -> Result<String, Fault> {
    let text = match part {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(invalid_input(format!("a part of the path must be text or a number; it is {}", kind(other)))),
    };
    // They would climb out of the base, and no encoding keeps a client from reading them so.
    if matches!(text.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".." | "") {
        return Err(invalid_input(format!("\"{text}\" cannot be a part of a path")));
    }
    Ok(text)
}
