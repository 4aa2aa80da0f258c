//! The corpus as cases.

use std::time::Duration;

use mainspring_model::Fault;
use serde_json::Value;

/// One attempt of user code.
#[derive(Debug)]
pub(crate) struct Case {
    pub name: &'static str,
    pub code: &'static str,
    /// Every end that is right.
    ends: Vec<End>,
}

#[derive(Debug)]
enum End {
    Value(Value),
    /// A code, and the limit that has to be named.
    Fault(&'static str, Option<&'static str>),
}

impl Case {
    /// What it is given: little where it is to run out of it, enough where it is to end by itself.
    pub(crate) fn timeout(&self) -> Duration {
        let short = self.ends.iter().any(|end| matches!(end, End::Fault("TIMEOUT", _)));
        Duration::from_millis(if short { 150 } else { 5_000 })
    }

    pub(crate) fn accepts(&self, end: &Result<Value, Fault>) -> bool {
        self.ends.iter().any(|wanted| match (wanted, end) {
            (End::Value(wanted), Ok(value)) => wanted == value,
            // An interpreter that finds no memory for its own needs ends its process, now and then before anybody looked at it.
            (End::Fault("LIMIT_EXCEEDED", Some("memory")), Err(fault)) if fault.code.as_str() == "CODE_FAILED" => {
                fault.message.contains("was ended") || fault.message.contains("ended without an answer")
            }
            (End::Fault(code, limit), Err(fault)) => {
                let named = fault.details.as_ref().and_then(|details| details["limit"].as_str());
                fault.code.as_str() == *code && limit.is_none_or(|limit| named == Some(limit))
            }
            _ => false,
        })
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let text = include_str!("corpus.txt");
    let cases = text.split("\n=== ").skip(1).map(|part| {
        let (head, code) = part.split_once('\n').unwrap();
        let at = head.rfind(" = ").or_else(|| head.rfind(" ! ")).or_else(|| head.rfind(" ? ")).unwrap_or_else(|| panic!("{head}"));
        let (name, verdict) = (&head[..at], &head[at + 3..]);
        Case { name, code, ends: verdict.split(" or ").map(end).collect() }
    });
    cases.collect()
}

fn end(text: &'static str) -> End {
    match serde_json::from_str(text) {
        Ok(value) => End::Value(value),
        Err(_) => {
            let mut words = text.split(' ');
            End::Fault(words.next().unwrap(), words.next())
        }
    }
}
