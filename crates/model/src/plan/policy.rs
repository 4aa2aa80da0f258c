//! Durations, retries and delays of a document, with their defaults.

use std::time::Duration;

use serde_json::Value;

use super::code;
use super::compiled::{Backoff, RetryPolicy};
use super::document::{BackoffDoc, DelayDoc, RetryDoc};
use super::near::{meant, nearest};
use super::problems::Problems;
use crate::fault::Code;
use crate::{Problem, duration};

const ATTEMPTS: u32 = 3;
const DELAY: Duration = Duration::from_secs(1);
const FACTOR: f64 = 2.0;
const MAX_DELAY: Duration = Duration::from_secs(60);
const CLASSES: [&str; 4] = ["transient", "auth", "input", "limit"];

/// A duration that may be zero.
pub(crate) fn duration(value: Option<&Value>, pointer: &str, problems: &mut Problems<'_>) -> Option<Duration> {
    match duration::parse(value?) {
        Ok(found) => Some(found),
        Err(message) => {
            problems.push(Problem::new(code::INVALID_DURATION, pointer, message).expected("500ms, 30s, 5m, 2h, 7d or a number of seconds"));
            None
        }
    }
}

/// A duration that bounds or separates something, and so is longer than zero.
pub(crate) fn span(value: Option<&Value>, least: Duration, pointer: &str, problems: &mut Problems<'_>) -> Option<Duration> {
    let found = duration(value, pointer, problems)?;
    if found >= least {
        return Some(found);
    }
    let message = format!("{} is too short; at least {} is needed", duration::format(found), duration::format(least));
    problems.push(Problem::new(code::INVALID_DURATION, pointer, message).expected(format!("at least {}", duration::format(least))));
    None
}

/// The shortest time limit.
pub(crate) const LEAST: Duration = Duration::from_millis(1);

fn backoff(doc: &BackoffDoc, pointer: &str, problems: &mut Problems<'_>) -> Backoff {
    let delay = duration(doc.delay.as_ref(), &format!("{pointer}/delay"), problems).unwrap_or(DELAY);
    let max_delay = duration(doc.max_delay.as_ref(), &format!("{pointer}/max_delay"), problems);
    if let Some(max_delay) = max_delay.filter(|max_delay| *max_delay < delay) {
        let message = format!("\"max_delay\" ({}) is shorter than \"delay\" ({})", duration::format(max_delay), duration::format(delay));
        problems.push(Problem::new(code::INVALID_VALUE, format!("{pointer}/max_delay"), message));
    }
    // A long delay without a bound of its own is what its author wants, not 60 s.
    Backoff {
        delay,
        factor: doc.factor.unwrap_or(FACTOR),
        max_delay: max_delay.unwrap_or(MAX_DELAY.max(delay)),
        jitter: doc.jitter.unwrap_or(true),
    }
}

pub(crate) fn delay(doc: &DelayDoc, pointer: &str, problems: &mut Problems<'_>) -> Backoff {
    match doc {
        DelayDoc::Growing(doc) => backoff(doc, pointer, problems),
        DelayDoc::Same(value) => {
            let delay = duration(Some(value), pointer, problems).unwrap_or(DELAY);
            Backoff { delay, factor: 1.0, max_delay: delay, jitter: false }
        }
    }
}

/// The retry policy of a step; a body is tried once unless `retry` is written.
pub(crate) fn retry(doc: Option<&RetryDoc>, is_body: bool, pointer: &str, problems: &mut Problems<'_>) -> RetryPolicy {
    let Some(doc) = doc else {
        let backoff = Backoff { delay: DELAY, factor: FACTOR, max_delay: MAX_DELAY, jitter: true };
        return RetryPolicy { max_attempts: if is_body { 1 } else { ATTEMPTS }, backoff, codes: Vec::new() };
    };
    for (place, text) in doc.codes.iter().enumerate() {
        if !is_code(text) {
            let known = || Code::ALL.iter().map(Code::as_str).chain(CLASSES);
            let near = nearest(text, known());
            let message = meant(format!("there is no error code or class \"{text}\""), near);
            let expected = format!("a code, HTTP_<status>, USER_…, or a class: {}", CLASSES.join(", "));
            let problem = Problem::new(code::INVALID_VALUE, format!("{pointer}/codes/{place}"), message).expected(expected);
            problems.push(near.map_or_else(|| problem.clone(), |near| problem.clone().fix(near)));
        }
    }
    RetryPolicy {
        max_attempts: doc.max_attempts.unwrap_or(ATTEMPTS),
        backoff: backoff(&doc.backoff, pointer, problems),
        codes: doc.codes.clone(),
    }
}

fn is_code(text: &str) -> bool {
    let status = |digits: &str| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    CLASSES.contains(&text)
        || Code::ALL.iter().any(|code| code.as_str() == text)
        || text.strip_prefix("HTTP_").is_some_and(status)
        || text.strip_prefix("USER_").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        })
}
