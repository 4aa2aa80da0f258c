//! What every gate of many nodes begins and ends with: a seed, a folder that a broken promise keeps, and the judgement.

use std::path::Path;

use crate::gates::clock::{asked, wall_ms};
use crate::gates::dice::Dice;
use crate::gates::oracle::{Broken, Floor, Records, judge};

/// How long the long form is asked to last.
pub fn minutes() -> Option<u64> {
    asked("MAINSPRING_CHAOS_MINUTES")
}

/// A gate under load: what it noted is judged by the oracle beside what it found itself.
pub fn under_load(name: &str, floor: &Floor, body: impl AsyncFnOnce(&Path, &Dice) -> (Records, Vec<Broken>)) {
    run(name, async |folder, dice| {
        let (records, found) = body(folder, dice).await;
        let mut broken = judge(&records, floor);
        broken.extend(found);
        if !broken.is_empty() {
            std::fs::write(folder.join("records.json"), serde_json::to_vec_pretty(&records).unwrap()).unwrap();
        }
        broken
    });
}

/// Runs a gate, and panics with what was broken.
pub fn run(name: &str, body: impl AsyncFnOnce(&Path, &Dice) -> Vec<Broken>) {
    let seed = asked("MAINSPRING_CHAOS_SEED").unwrap_or_else(|| u64::try_from(wall_ms()).unwrap());
    println!("{name}: seed {seed}");
    let folder = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let broken = runtime.block_on(body(folder.path(), &Dice::new(seed)));
    if !broken.is_empty() {
        let kept = folder.keep();
        let shown: Vec<String> = broken.iter().take(20).map(ToString::to_string).collect();
        panic!("seed {seed}: {} broken promises; what was noted is kept in {}\n{}", broken.len(), kept.display(), shown.join("\n"));
    }
}
