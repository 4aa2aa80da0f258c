//! The request of a chat completion, in OpenAI's wire form.

use http::{HeaderValue, Method, header};
use mainspring_model::Fault;
use mainspring_model::value::{preview, type_name};
use serde_json::{Map, Value, json};

use super::Vendor;
use super::params::ChatParams;
use crate::egress::Request;

/// Tokens of the longest answer, where nothing else is asked for.
const DEFAULT_ANSWER: u64 = 1_000;

pub(super) struct Asked {
    pub request: Request,
    pub model: String,
}

pub(super) fn build(vendor: &Vendor, params: ChatParams, base_url: Option<&str>, key: &str) -> Result<Asked, Fault> {
    let base = base_url.unwrap_or(vendor.base_url).trim().trim_end_matches('/');
    let url = Request::parse_url(&format!("{base}/chat/completions"))
        .map_err(|fault| Fault { message: format!("the credential's base_url cannot be used: {}", fault.message), ..fault })?;
    let mut request = Request::new(Method::POST, url);
    request.secret_header("authorization", &format!("Bearer {key}"))?;
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = if params.stream { "text/event-stream, application/json" } else { "application/json" };
    request.headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    request.max_bytes = Some(usize::MAX);
    let (model, body) = body(vendor, params)?;
    request.body = Some(Value::Object(body).to_string().into());
    Ok(Asked { request, model })
}

pub(super) fn body(vendor: &Vendor, params: ChatParams) -> Result<(String, Map<String, Value>), Fault> {
    let model = params.model.clone().filter(|model| !model.is_empty()).unwrap_or_else(|| vendor.model.to_owned());
    let reasons = reasons(&model);
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), Value::Array(messages(&params)?));
    // The reasoning models refuse a temperature and the older name of the limit, which most other servers only know.
    let temperature = params.temperature.or((!reasons).then_some(0.7));
    let limit = if reasons { "max_completion_tokens" } else { "max_tokens" };
    let fields = [
        ("temperature", temperature.map(Value::from)),
        (limit, params.max_tokens.or((!reasons).then_some(DEFAULT_ANSWER)).map(Value::from)),
        ("top_p", params.top_p.map(Value::from)),
        ("stop", params.stop),
        ("seed", params.seed.map(Value::from)),
        ("response_format", params.response_format),
        ("stream", params.stream.then_some(Value::Bool(true))),
        ("stream_options", params.stream.then(|| json!({"include_usage": true}))),
    ];
    body.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    body.extend(params.extra.unwrap_or_default());
    Ok((model, body))
}

/// o1, o3-mini, o4-mini, gpt-5 and later: an unwritten limit would also cut their reasoning, so none is sent.
fn reasons(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let numbered = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.chars().next()).and_then(|digit| digit.to_digit(10));
    numbered("o").is_some() || numbered("gpt-").is_some_and(|version| version >= 5)
}

fn messages(params: &ChatParams) -> Result<Vec<Value>, Fault> {
    let mut out = Vec::new();
    if let Some(system) = params.system.as_ref().filter(|system| !system.is_empty()) {
        out.push(json!({"role": "system", "content": system}));
    }
    for (index, message) in params.messages.iter().flatten().enumerate() {
        if message.get("role").and_then(Value::as_str).is_none() {
            let shown = preview(message, 80);
            return Err(Fault::invalid_params(format!("messages[{index}] is no message {{role, content}}: {shown}")));
        }
        out.push(message.clone());
    }
    match &params.prompt {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.trim().is_empty() => {}
        Some(Value::String(text)) => out.push(json!({"role": "user", "content": text})),
        Some(other) => out.push(json!({"role": "user", "content": other.to_string()})),
    }
    if !out.iter().any(|message| message["role"] != "system") {
        let found = params.prompt.as_ref().map_or("nothing", type_name);
        return Err(Fault::invalid_params(format!(
            "prompt or messages is needed; prompt is {}",
            if found == "text" { "empty" } else { found }
        )));
    }
    Ok(out)
}
