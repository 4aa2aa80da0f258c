//! What both languages read of their params: time, memory, code and input, and how an answer becomes an output.

use std::time::Duration;

use mainspring_model::Fault;
use mainspring_model::action::{ActionResult, Context, Outcome, Output};
use mainspring_model::duration;
use serde_json::{Value, json};

use crate::limits::{Limits, MOST_CODE, MOST_JSON};
use crate::pool::Sandbox;
use crate::verdict::{judge, size};
use crate::worker::Answer;

/// A call as its params say it.
pub(crate) struct Asked {
    pub code: String,
    /// JSON text.
    pub input: String,
    pub limits: Limits,
}

impl Asked {
    /// # Errors
    /// `INVALID_PARAMS`.
    pub(crate) fn read(
        sandbox: &Sandbox,
        cx: &Context,
        code: String,
        input: &Value,
        timeout: &Value,
        most: &Value,
    ) -> Result<Asked, Fault> {
        let limits = sandbox.limits(time(timeout)?, memory(most)?)?;
        let limits = Limits { timeout: limits.timeout.min(left(cx)), ..limits };
        if code.len() > MOST_CODE {
            return Err(Fault::invalid_params(format!("\"code\" is longer than {}", size(MOST_CODE as u64))));
        }
        let input = input.to_string();
        if input.len() > MOST_JSON {
            return Err(Fault::invalid_params(format!("\"input\" is longer than {} of JSON", size(MOST_JSON as u64))));
        }
        Ok(Asked { code, input, limits })
    }
}

/// The result with the lines of the console, or the fault.
pub(crate) fn outcome(Answer { verdict, lines }: Answer, limits: Limits) -> ActionResult {
    let mut output = Output::new(judge(verdict, limits, &lines)?);
    if !lines.is_empty() {
        output = output.metadata("console", json!(lines));
    }
    Ok(Outcome::Done(output))
}

/// Until shortly before the engine gives up on the attempt: what the code had logged comes with our own word only.
fn left(cx: &Context) -> Duration {
    let left = Duration::from_millis(u64::try_from(cx.deadline.saturating_sub(cx.clock.now())).unwrap_or(0));
    left.saturating_sub((left / 10).min(Duration::from_millis(150)))
}

fn time(given: &Value) -> Result<Option<Duration>, Fault> {
    if given.is_null() {
        return Ok(None);
    }
    match duration::parse(given) {
        Ok(time) if time.is_zero() => Err(Fault::invalid_params("\"timeout\": write more than 0")),
        Ok(time) => Ok(Some(time)),
        Err(reason) => Err(Fault::invalid_params(format!("\"timeout\": {reason}"))),
    }
}

/// Bytes. A megabyte is 1024 × 1024 of them, with or without its `i`.
fn memory(given: &Value) -> Result<Option<u64>, Fault> {
    let wrong = || Fault::invalid_params(format!("\"memory\": {given} is no amount; write 32MB, 128MB or a number of megabytes"));
    let number = match given {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64().ok_or_else(wrong)?,
        Value::String(text) => {
            let text = text.trim();
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
            match text[digits..].trim() {
                "MB" | "MiB" | "M" | "" => number,
                "GB" | "GiB" | "G" => number.saturating_mul(1024),
                _ => return Err(wrong()),
            }
        }
        _ => return Err(wrong()),
    };
    Ok(Some(number.saturating_mul(1 << 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_people_write_it() {
        for (given, megabytes) in [(json!("32MB"), 32), (json!("1 GiB"), 1_024), (json!(64), 64), (json!("8"), 8)] {
            assert_eq!(memory(&given).unwrap(), Some(megabytes << 20), "{given}");
        }
        assert_eq!(memory(&Value::Null).unwrap(), None);
        for given in [json!("much"), json!("1.5MB"), json!(-1), json!([]), json!("5 apples")] {
            assert!(memory(&given).is_err(), "{given}");
        }
    }
}
