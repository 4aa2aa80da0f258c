//! What a chat completion may use at most, for plans with a budget; and what models cost by their vendors' price lists.

use mainspring_model::budget::{ModelCall, Price};
use serde_json::Value;

use super::request::body;
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

pub(super) fn of_openai(params: &Value) -> ModelCall {
    most(&OPENAI, params)
}

pub(super) fn of_groq(params: &Value) -> ModelCall {
    most(&GROQ, params)
}

fn most(vendor: &Vendor, params: &Value) -> ModelCall {
    // By the request itself: what `extra` says stands over the rest.
    let Ok((_, body)) = serde_json::from_value(params.clone()).map_err(|_| ()).and_then(|params| body(vendor, params).map_err(|_| ()))
    else {
        // The call fails by itself before anything is sent.
        return ModelCall { model: vendor.model.to_owned(), sent: 0, answered: Some(0), price: price(vendor.model) };
    };
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    let limits = ["max_completion_tokens", "max_tokens"].into_iter().filter_map(|name| body.get(name)).filter(|limit| !limit.is_null());
    let answers = body.get("n").and_then(Value::as_u64).unwrap_or(1).max(1);
    // A limit that is no whole number may be read as none.
    let longest = limits.map(Value::as_u64).reduce(|one, other| Some(one?.max(other?))).flatten();
    let price = price(&model);
    ModelCall {
        sent: (Value::Object(body).to_string().len() as u64).div_ceil(BYTES_PER_TOKEN),
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
        for extra in [json!({"max_tokens": null}), json!({"max_tokens": 1e5}), json!({"max_tokens": "many"})] {
            assert_eq!(of_groq(&json!({"prompt": "a", "extra": extra})).answered, None, "{extra}");
        }
        assert_eq!(of_openai(&json!({"model": "o3-mini", "prompt": "a", "extra": {"model": "gpt-4o"}})).answered, None, "no limit is sent");
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
