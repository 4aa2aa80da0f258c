//! The oracle of every gate: compares what clients were told and what the ledger saw with a dump of the journal.
//!
//! None of the three records is written by the server under test: acknowledgements by the clients, calls by the harness's
//! own HTTP server, kills by the parent process. The journal is read afterwards, twice, from a copy.

mod effects;
mod journal;
mod liveness;
mod records;
mod sabotage;
mod told;

pub use liveness::Floor;
pub use records::{Ack, Call, Kill, Records, Row, RowKind, RunDump, fingerprint};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which check, in a few words.
    pub rule: &'static str,
    pub text: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.rule, self.text)
    }
}

/// Every broken promise of safety and, against empty passes, of liveness.
pub fn judge(records: &Records, floor: &Floor) -> Vec<Broken> {
    let mut broken = told::check(records);
    broken.extend(journal::check(records));
    broken.extend(effects::check(records));
    broken.extend(liveness::check(records, floor));
    broken
}

fn broken(rule: &'static str, text: impl Into<String>) -> Broken {
    Broken { rule, text: text.into() }
}
