//! An error answer of a chat service as a fault whose message says what to do about it.

use mainspring_model::action::Context;
use mainspring_model::{Class, Fault};
use serde_json::Value;

use super::Vendor;
use crate::egress::{Answer, status_fault};

pub(super) async fn of(answer: &mut Answer, vendor: &Vendor, credential: &str, model: &str, cx: &Context) -> Fault {
    let mut fault = status_fault(answer, cx.clock.as_ref()).await;
    let body = fault.details.as_ref().and_then(|details| serde_json::from_str::<Value>(details["body"].as_str()?).ok()).unwrap_or_default();
    let code = body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default();
    let hint = match answer.status.as_u16() {
        401 => format!("the api_key of the credential \"{credential}\" is not accepted by {}; store a valid one", vendor.title),
        404 => format!("the model \"{model}\" or the base_url may be wrong"),
        // A used-up quota does not come back by waiting.
        429 if code == "insufficient_quota" => {
            fault.retryable = false;
            fault.class = Class::Limit;
            "the account's quota is used up; check its plan and billing".to_owned()
        }
        400 if code == "context_length_exceeded" => format!("the conversation is too long for \"{model}\""),
        _ => return fault,
    };
    fault.message = format!("{}; {hint}", fault.message);
    fault
}
