//! Gate S10: no code gets out, and no code takes more than 200 ms or 16 MiB beyond its limits.

mod corpus;
pub(crate) mod eye;
mod inside;
mod probes;

use std::time::{Duration, Instant};

use mainspring_model::id::OrgId;
use mainspring_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

use crate::sandbox::{run, run_for, settings};
use corpus::{Case, cases};
use eye::Eye;

/// What a case may use, and how far beyond it any process was ever seen.
const MEMORY_MIB: u64 = 16;
const BEYOND_MIB: u64 = 16;
const BEYOND: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_out_and_no_limit_is_overshot() {
    let cases = cases();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let sandbox = Sandbox::new(Settings { children: 2, ..settings() });
    let eye = Eye::open();
    assert_eq!(run(&sandbox, "return 1").await, Ok(json!(1)));
    let base = eye.highest();
    let mut wrong = Vec::new();
    let mut most = (base, "");
    let mut latest = (Duration::ZERO, "");
    for case in &cases {
        eye.begin();
        let (mut end, mut late) = attempt(&sandbox, case).await;
        if late > BEYOND {
            // The machine may have been busy with somebody else; not twice in the same place.
            (end, late) = attempt(&sandbox, case).await;
        }
        let held = eye.highest();
        if held > most.0 {
            most = (held, case.name);
        }
        if held > base + ((MEMORY_MIB + BEYOND_MIB) << 20) {
            wrong.push(format!("{}: a child held {held} bytes; a new one {base}", case.name));
        }
        if late > latest.0 {
            latest = (late, case.name);
        }
        if late > BEYOND {
            wrong.push(format!("{}: {late:?} beyond its time", case.name));
        }
        if !case.accepts(&end) {
            wrong.push(format!("{}: {}", case.name, short(&format!("{end:?}"))));
        }
        let shown = format!("{end:?}");
        if let Some(canary) = canaries().iter().find(|canary| shown.contains(canary.as_str())) {
            wrong.push(format!("{}: shows {canary} of the host", case.name));
        }
        // Whatever it did, the next call of anybody works and finds nothing of it.
        let after = run(&sandbox, "return [typeof leaked, ({}).leaked === undefined, typeof console.log, JSON.stringify([1])]").await;
        if after != Ok(json!(["undefined", true, "function", "[1]"])) {
            wrong.push(format!("{}: the call after it gave {after:?}", case.name));
        }
    }
    println!(
        "S10: {} cases; latest {:?} beyond its time ({}); most memory {} MiB ({}), {} before any, limit {MEMORY_MIB}",
        cases.len(),
        latest.0,
        latest.1,
        most.0 >> 20,
        most.1,
        base >> 20
    );
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// How a case ended, and how long after its time.
async fn attempt(sandbox: &std::sync::Arc<Sandbox>, case: &Case) -> (Result<Value, mainspring_model::Fault>, Duration) {
    let timeout = case.timeout();
    let params = json!({"code": case.code, "memory": MEMORY_MIB, "timeout": format!("{}ms", timeout.as_millis())});
    #[expect(clippy::disallowed_methods, reason = "it measures")]
    let began = Instant::now();
    let end = run_for(sandbox, OrgId::LOCAL, params).await;
    (end.map(|output| output.value), began.elapsed().saturating_sub(timeout))
}

/// What only this process and this machine know.
fn canaries() -> Vec<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let mut canaries = vec![env!("CARGO_MANIFEST_DIR").to_owned(), env!("CARGO_BIN_EXE_code-child").to_owned()];
    if name.len() > 3 {
        canaries.push(name);
    }
    canaries
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
