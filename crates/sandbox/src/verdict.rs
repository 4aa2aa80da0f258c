//! What the author of a plan is told of a call that gave no result.

use mainspring_model::duration;
use mainspring_model::fault::{Code, Fault};
use nix::libc;
use serde_json::{Map, Value, json};

use crate::frame::{Cause, Failure};
use crate::limits::{Limits, MOST_JSON};
use crate::worker::{Verdict, signal};

/// The result, or the fault with the place in the code and what the code had logged.
pub(crate) fn judge(verdict: Verdict, limits: Limits, lines: &[String]) -> Result<Value, Fault> {
    let fault = match verdict {
        Verdict::Done(value) => return Ok(value),
        Verdict::Failed(failure) => failed(failure, limits),
        Verdict::Died(status) => match status.and_then(signal) {
            Some(libc::SIGSYS) => {
                Fault::new(Code::CODE_FAILED, "the code's process asked the kernel for something that code may not do, and was ended")
            }
            Some(libc::SIGKILL) => {
                over("memory", &format!("the machine had no memory left for it (limit {})", size(limits.memory)), "memory")
            }
            _ => Fault::new(Code::CODE_FAILED, "the code's process ended without an answer; the code met a fault of the interpreter"),
        },
        Verdict::Lied(what) => Fault::new(Code::CODE_FAILED, format!("the code's process was ended because it wrote {what}")),
    };
    Err(with_lines(fault, lines))
}

fn failed(failure: Failure, limits: Limits) -> Fault {
    match failure.cause {
        Cause::Thrown | Cause::Vague => {
            let place = failure.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let mut fault = Fault::new(Code::CODE_FAILED, format!("{place}{}", failure.message));
            if let Some(line) = failure.line {
                fault = fault.details(json!({"line": line, "column": failure.column}));
            }
            fault
        }
        Cause::Time => {
            let limit = duration::format(limits.timeout);
            let mut fault = Fault::new(
                Code::TIMEOUT,
                format!("the code did not end within {limit}; give it less to do, or more time with \"timeout\""),
            );
            // The same code with the same input would take the same time.
            fault.retryable = false;
            fault.details(json!({"limit": "time"}))
        }
        Cause::Memory => over("memory", &format!("the code needed more than {} of memory", size(limits.memory)), "memory"),
        Cause::Depth => over("depth", "the code's calls are nested too deep", ""),
        Cause::Output => over("output", &format!("the result is longer than {} of JSON", size(MOST_JSON as u64)), ""),
    }
}

fn over(limit: &str, message: &str, param: &str) -> Fault {
    let next = if param.is_empty() { String::new() } else { format!("; allow more with \"{param}\", or work in parts") };
    Fault::new(Code::LIMIT_EXCEEDED, format!("{message}{next}")).details(json!({"limit": limit}))
}

fn with_lines(mut fault: Fault, lines: &[String]) -> Fault {
    if !lines.is_empty() {
        let mut details = match fault.details.take() {
            Some(Value::Object(details)) => details,
            _ => Map::new(),
        };
        details.insert("console".to_owned(), json!(lines));
        fault.details = Some(Value::Object(details));
    }
    fault
}

/// `64 MiB`, or bytes where that is no round number.
pub(crate) fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}
