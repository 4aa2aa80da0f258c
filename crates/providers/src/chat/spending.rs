//! What a chat completion may use at most, for plans with a budget; and what models cost by their vendors' price lists.

use mainspring_model::budget::{ModelCall, Price};
use serde_json::Value;

use super::request::{DEFAULT_ANSWER, reasons};
use super::{GROQ, OPENAI, Vendor};

/// US dollars for a million tokens sent and answered. A model is priced by the longest name that its own begins with: services
/// add dates. From the vendors' public lists of 2026.
const PRICES: [(&str, f64, f64); 19] = [
    ("gpt-5.4", 2.5, 15.0),
    ("gpt-5.1", 1.25, 10.0),
    ("gpt-5-pro", 15.0, 120.0),
    ("gpt-5-mini", 0.25, 2.0),
    ("gpt-5-nano", 0.05, 0.4),
    ("gpt-5", 1.25, 10.0),
    ("gpt-4.1-mini", 0.4, 1.6),
    ("gpt-4.1-nano", 0.1, 0.4),
    ("gpt-4.1", 2.0, 8.0),
    ("gpt-4o-mini", 0.15, 0.6),
    ("gpt-4o", 2.5, 10.0),
    ("gpt-3.5-turbo", 0.5, 1.5),
    ("o4-mini", 1.1, 4.4),
    ("o3-mini", 1.1, 4.4),
    ("o3", 2.0, 8.0),
    ("llama-3.3-70b-versatile", 0.59, 0.79),
    ("llama-3.1-8b-instant", 0.05, 0.08),
    ("openai/gpt-oss-120b", 0.15, 0.75),
    ("openai/gpt-oss-20b", 0.1, 0.5),
];

/// Bytes of text for a token, fewer than any language has on average: what is reserved is seldom too little.
const BYTES_PER_TOKEN: u64 = 2;
/// Tokens that stand around the messages of a request.
const AROUND: u64 = 64;

pub(super) fn of_openai(params: &Value) -> ModelCall {
    most(&OPENAI, params)
}

pub(super) fn of_groq(params: &Value) -> ModelCall {
    most(&GROQ, params)
}

fn most(vendor: &Vendor, params: &Value) -> ModelCall {
    // `extra` is sent as it is, over what the other params say.
    let said = |name: &str| [&params["extra"][name], &params[name]].into_iter().find(|value| !value.is_null());
    let model = said("model").and_then(Value::as_str).filter(|model| !model.is_empty()).unwrap_or(vendor.model).to_owned();
    let limit = ["max_completion_tokens", "max_tokens"].into_iter().filter_map(|name| said(name)?.as_u64()).max();
    let answers = said("n").and_then(Value::as_u64).unwrap_or(1).max(1);
    let longest = limit.or((!reasons(&model)).then_some(DEFAULT_ANSWER));
    let bytes: usize =
        ["system", "messages", "prompt", "response_format", "extra"].iter().map(|name| params[*name].to_string().len()).sum();
    let price = price(&model);
    ModelCall {
        sent: (bytes as u64).div_ceil(BYTES_PER_TOKEN) + AROUND,
        answered: longest.map(|longest| longest.saturating_mul(answers)),
        price,
        model,
    }
}

fn price(model: &str) -> Option<Price> {
    let found = PRICES.iter().filter(|(name, ..)| starts(model, name)).max_by_key(|(name, ..)| name.len());
    found.map(|(_, sent, answered)| Price { sent: *sent, answered: *answered })
}

/// `gpt-4o-2024-08-06` is a `gpt-4o`; `gpt-4o-mini` and `gpt-4omni` are models of their own.
fn starts(model: &str, name: &str) -> bool {
    let Some(rest) = model.strip_prefix(name) else { return false };
    rest.is_empty() || rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()) || rest == "latest")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_request_may_use_is_bounded() {
        let call = of_openai(&json!({"prompt": "x".repeat(2_000)}));
        assert_eq!((call.model.as_str(), call.answered), ("gpt-4o-mini", Some(1_000)));
        assert!((1_000..1_200).contains(&call.sent), "{}", call.sent);
        let call = of_groq(&json!({"prompt": "a", "max_tokens": 50, "extra": {"n": 3, "max_completion_tokens": 70}}));
        assert_eq!((call.model.as_str(), call.answered), ("llama-3.3-70b-versatile", Some(210)));
        assert_eq!(of_openai(&json!({"model": "o3-mini", "prompt": "a"})).answered, None, "nothing is sent that bounds it");
        assert_eq!(of_openai(&json!({"model": "o3-mini", "prompt": "a", "max_tokens": 9})).answered, Some(9));
    }

    #[test]
    fn a_model_is_priced_by_its_name_and_no_other_s() {
        let sent = |model| price(model).map(|price| price.sent);
        assert_eq!(sent("gpt-4o-mini-2024-07-18"), Some(0.15));
        assert_eq!(sent("gpt-4o-2024-08-06"), Some(2.5));
        assert_eq!(sent("gpt-4o-audio-preview"), None);
        assert_eq!(sent("gpt-50"), None);
        assert_eq!(sent("my-own-model"), None);
    }
}
