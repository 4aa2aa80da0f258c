//! An answer outside 2xx as a fault: the code by status, the body's beginning, the asked-for wait.

use http::StatusCode;
use mainspring_model::clock::Clock;
use mainspring_model::duration;
use mainspring_model::{Code, Fault};
use serde_json::{Value, json};

use super::answer::{Answer, text};
use super::retry_after::retry_after;

/// Characters of the answer's body that a fault keeps.
const KEPT: usize = 2_000;

/// Reads the body's beginning and makes `HTTP_<status>` or `RATE_LIMITED` of the answer.
pub async fn status_fault(answer: &mut Answer, clock: &dyn Clock) -> Fault {
    let bytes = answer.beginning(KEPT * 4).await;
    let body: String = text(&answer.headers, bytes).chars().take(KEPT).collect();
    let wait = retry_after(&answer.headers, clock.now());
    let status = answer.status;
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let said = said(&body).map(|said| format!(": {said}")).unwrap_or_default();
    let next = match wait {
        // Whether it is asked again is the step's retry to decide.
        Some(wait) if !wait.is_zero() && (status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()) => {
            format!("; the service asks for a wait of {} first", duration::format(wait))
        }
        _ => next_step(status, answer.stripped).to_owned(),
    };
    let mut details = json!({"status": status.as_u16(), "body": body});
    if let Some(wait) = wait {
        details["retry_after"] = json!(wait.as_secs_f64());
    }
    let fault = answer.fault(Code::http(status.as_u16()), format!("answered {}{reason}{said}{next}", status.as_u16())).details(details);
    match wait {
        Some(wait) => fault.retry_after(wait),
        None => fault,
    }
}

/// The one line of an error body that says what is wrong, in the places where services put it.
pub fn said(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    let line = ["/error/message", "/error_description", "/message", "/error", "/detail", "/title", "/errors/0/message", "/errors/0"]
        .iter()
        .find_map(|pointer| value.pointer(pointer)?.as_str().filter(|line| !line.trim().is_empty()))?;
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    Some(line.trim().trim_end_matches('.').to_owned())
}

fn next_step(status: StatusCode, stripped: bool) -> &'static str {
    match status.as_u16() {
        300..=399 => "; the answer is a redirect that is not followed",
        401 | 403 if stripped => {
            "; a redirect led to another origin, where credentials are not sent: write the final address into the step"
        }
        401 => "; check the step's credential",
        403 => "; check what the credential is allowed to do",
        404 | 410 => "; check the address",
        429 => "; the service limits how often it may be asked",
        400..=499 => "; check the step's params",
        _ => "; the service itself failed",
    }
}
