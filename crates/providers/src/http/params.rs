//! The params of `http.request`.

use std::borrow::Cow;
use std::time::Duration;

use mainspring_model::duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::logic::path::Path;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestParams {
    /// GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE.
    #[serde(default)]
    #[schemars(extend("default" = "GET"))]
    pub method: Option<String>,
    /// The whole address, with http:// or https://.
    pub url: String,
    /// Added to the address. A list repeats its name; null leaves it out.
    #[serde(default)]
    pub query: Option<Map<String, Value>>,
    /// Keys and tokens belong in the credential.
    #[serde(default)]
    pub headers: Option<Map<String, Value>>,
    /// Objects and lists are sent as JSON, text as text, unless body_type says otherwise.
    #[serde(default)]
    pub body: Option<Value>,
    #[serde(default)]
    pub body_type: Option<BodyType>,
    /// For the whole call, redirects included; at most the step's own timeout.
    #[serde(default, with = "duration::option")]
    #[schemars(with = "Option<Time>")]
    pub timeout: Option<Duration>,
    /// How to read the answer.
    #[serde(default)]
    pub response: ResponseType,
    /// Up to 5 hops. When false, a redirect is the answer.
    #[serde(default = "yes")]
    pub follow_redirects: bool,
    /// The largest answer accepted, in bytes after decompression: 10 MiB unless written, 16 MiB at most. Of `response: file` the limits of files hold instead.
    #[serde(default)]
    pub max_bytes: Option<usize>,
    /// When false, an answer outside 2xx is a success whose status_code tells.
    #[serde(default = "yes")]
    pub fail_on_status: bool,
    /// Go on with further pages and collect their items.
    #[serde(default)]
    pub pagination: Option<Pagination>,
    /// The header in which this service takes an idempotency key, such as Idempotency-Key. The step's key is sent in it,
    /// and the step may then be repeated.
    #[serde(default)]
    pub idempotency_header: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BodyType {
    Json,
    /// application/x-www-form-urlencoded; the body is an object.
    Form,
    /// multipart/form-data; the body is an object of values and of files {filename, content_type, text | base64}, or as a file step gives them.
    Multipart,
    Text,
    /// The body is base64 text, an object {base64, media_type}, or a file as a file step gives it.
    Binary,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResponseType {
    /// By the answer's content type.
    #[default]
    Auto,
    Json,
    Text,
    /// An object {base64, media_type, size}.
    Base64,
    /// Written to a file, however large; the output is the file.
    File,
}

/// Where the next page is: either `next` (with `cursor`, if what stands there is no address) or `page`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pagination {
    /// `link` for the Link header, or a path into the body, such as paging.next.
    #[serde(default)]
    pub next: Option<String>,
    /// The query parameter that takes what stands at `next`.
    #[serde(default)]
    pub cursor: Option<String>,
    /// The query parameter that is counted up until a page has no items.
    #[serde(default)]
    pub page: Option<String>,
    /// The first value of `page`.
    #[serde(default = "one")]
    pub start: i64,
    /// What `page` grows by: the page size, when it is an offset.
    #[serde(default = "one")]
    pub step: i64,
    /// The path of the list of items in the body; the body itself when absent.
    #[serde(default)]
    pub items: Option<Path>,
    /// 10 unless written, 1,000 at most.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_pages: u32,
}

/// A duration in a schema.
pub(crate) struct Time;

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"], "description": "500ms, 30s, 5m, or a number of seconds."})
    }
}

fn yes() -> bool {
    true
}

fn one() -> i64 {
    1
}

fn ten() -> u32 {
    10
}
