//! `transform.url_parse`: the parts of a URL, decoded. A password in it is left out: outputs are shown and logged.

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct UrlParse;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// An absolute URL.
    url: String,
}

impl Pure for UrlParse {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({
                "type": "object",
                "properties": {
                    "scheme": {"type": "string"}, "username": {"type": "string"}, "host": {"type": ["string", "null"]},
                    "port": {"type": ["integer", "null"]}, "path": {"type": "string"},
                    "query": {"type": "object", "description": "Name → text; a list of texts where a name is repeated."},
                    "fragment": {"type": ["string", "null"]}, "origin": {"type": "string"},
                },
            })),
            example: json!({"url": "https://shop.example:8443/orders/7?tag=a&tag=b&q=caf%C3%A9#top"}),
            ..ActionSpec::of::<Params>("url_parse", "Read URL", "Takes a URL apart: host, path, query and the rest.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let url = Url::parse(params.url.trim()).map_err(|error| invalid_input(format!("the text is not a URL: {error}")))?;
        let mut query = Map::new();
        for (name, value) in url.query_pairs() {
            match query.get_mut(&*name) {
                None => _ = query.insert(name.into_owned(), value.into_owned().into()),
                Some(Value::Array(values)) => values.push(value.into_owned().into()),
                Some(one) => *one = json!([one.take(), value]),
            }
        }
        Ok(json!({
            "scheme": url.scheme(), "username": url.username(), "host": url.host_str(), "port": url.port_or_known_default(),
            "path": url.path(), "query": query, "fragment": url.fragment(), "origin": url.origin().ascii_serialization(),
        }))
    }
}
