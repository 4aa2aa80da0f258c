//! The params of `chat_completion`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatParams {
    /// What to ask. Values other than text are sent as JSON.
    #[serde(default)]
    pub prompt: Option<Value>,
    /// The conversation so far, instead of prompt or before it: objects {role, content}.
    #[serde(default)]
    pub messages: Option<Vec<Value>>,
    /// Instructions that stand before the conversation.
    #[serde(default)]
    pub system: Option<String>,
    #[serde(default)]
    pub model: Option<String>,
    /// 0 for the likeliest words, up to 2. 0.7 unless written.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2))]
    pub temperature: Option<f64>,
    /// The longest answer. 1,000 unless written.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u64>,
    #[serde(default)]
    pub top_p: Option<f64>,
    /// Where to stop: a text or a list of up to four.
    #[serde(default)]
    pub stop: Option<Value>,
    #[serde(default)]
    pub seed: Option<i64>,
    /// `{type: json_object}`, or a JSON Schema as the service describes it.
    #[serde(default)]
    pub response_format: Option<Value>,
    /// Take the answer in pieces, which keeps slow models from running into idle time-outs. The output is the same.
    #[serde(default)]
    pub stream: bool,
    /// Further fields of the service's request, such as tools or reasoning_effort, sent as they are.
    #[serde(default)]
    pub extra: Option<Map<String, Value>>,
}
