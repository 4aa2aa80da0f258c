//! The records that the oracle compares, as plain data: a test can make them up.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::gates::dice::hash;

/// Everything that is known at the end of a gate.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Records {
    pub acks: Vec<Ack>,
    pub calls: Vec<Call>,
    pub kills: Vec<Kill>,
    /// The journal after the last run ended.
    pub first: Vec<RunDump>,
    /// The journal after one more start and kill.
    pub second: Vec<RunDump>,
    /// Answers that no client should get.
    pub refusals: Vec<String>,
    /// From the last kill until no run was open; `None` when some still were.
    pub settled_ms: Option<u64>,
    /// The operations after the last kill, by name, and whether they did what they should.
    pub last: Vec<(String, bool)>,
}

/// What one client was told about one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ack {
    /// The client's own name for its request; it stands in the run's inputs.
    pub token: String,
    pub run: String,
    /// Steps that the client saw succeed: path → fingerprint of the output.
    pub steps: BTreeMap<String, u64>,
    /// The terminal status that it saw.
    pub ended: Option<String>,
}

/// One call that the ledger received whole.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    pub key: String,
    pub run: String,
    pub token: String,
    /// The step's path, `fan[3]`.
    pub path: String,
    /// How often this key had been seen, from 1.
    pub nth: u32,
    /// Fingerprint of the body.
    pub body: u64,
    /// Unix milliseconds.
    pub at: i64,
    /// Which process called: its number, from 1. One that was paused is another one afterwards.
    pub life: u32,
    /// The step is `once`.
    pub once: bool,
    /// Method, address and body without the run: the same for the same step of another run.
    pub what: String,
}

/// One SIGKILL.
#[derive(Clone, Debug, Serialize)]
pub struct Kill {
    /// Unix milliseconds.
    pub at: i64,
    /// Ledger calls that were received and not answered.
    pub calls_open: usize,
    /// Requests for a run that were sent and not answered.
    pub requests_open: usize,
}

/// One run of the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunDump {
    pub id: String,
    /// From its inputs; empty for a run that no client asked for.
    pub token: String,
    pub plan: String,
    /// The status column.
    pub status: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// For a schedule's run: when it was due, and by which schedule's plan.
    pub due_at: Option<String>,
    pub rows: Vec<Row>,
}

/// One journal row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub seq: u32,
    /// When it happened, by the process that wrote it.
    pub at: i64,
    /// When it was written: by the database's clock where that stands beside it, else `at`.
    pub written: i64,
    pub kind: RowKind,
}

/// What of a row the oracle looks at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum RowKind {
    /// One attempt ended. `keys`: idempotency keys that the plan wrote into its output, by step.
    Attempted {
        path: String,
        attempt: u32,
        status: String,
        output: u64,
        keys: BTreeMap<String, String>,
    },
    Waiting {
        path: String,
        until: i64,
    },
    Finished {
        status: String,
    },
    Other,
}

/// A value's fingerprint; the order of an object's keys does not count.
pub fn fingerprint(value: &Value) -> u64 {
    let mut text = String::new();
    write(value, &mut text);
    hash(text.as_bytes())
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            text.push('{');
            for (name, value) in sorted {
                text.push_str(&format!("{name:?}:"));
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}
