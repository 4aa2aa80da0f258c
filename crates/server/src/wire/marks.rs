//! Crash marks in a file of fixed slots. Written without a flush: a killed process leaves them in the machine's cache, and
//! that is the only death they are for.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

use mainspring_engine::{CrashMarks, Found};
use mainspring_model::id::RunId;
use uuid::Uuid;

/// 16 bytes of run id, one of kind, the rest empty.
const SLOT: usize = 32;
const IN_FLIGHT: u8 = 1;
const ALONE: u8 = 2;

/// The marks of one data folder; only the process that holds the engine lock opens them.
pub struct FileMarks {
    file: File,
    found: Found,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    taken: HashMap<RunId, u64>,
    free: Vec<u64>,
    next: u64,
}

impl FileMarks {
    /// Reads what a dead process left, then begins anew.
    ///
    /// # Errors
    /// The file cannot be opened, read or emptied.
    pub fn open(path: &Path) -> std::io::Result<FileMarks> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut found = Found::default();
        for slot in bytes.chunks_exact(SLOT) {
            let run = RunId(Uuid::from_slice(&slot[..16]).unwrap_or_default());
            match slot[16] {
                IN_FLIGHT => found.in_flight.push(run),
                ALONE => {
                    found.in_flight.push(run);
                    found.alone = Some(run);
                }
                _ => {}
            }
        }
        file.set_len(0)?;
        Ok(FileMarks { file, found, slots: Mutex::default() })
    }

    fn write(&self, slot: u64, bytes: &[u8; SLOT]) {
        if let Err(error) = self.file.write_all_at(bytes, slot * SLOT as u64) {
            // Without the mark a step that kills the process is found later, not never.
            tracing::warn!(%error, "a crash mark could not be written");
        }
    }
}

impl CrashMarks for FileMarks {
    fn found(&self) -> Found {
        self.found.clone()
    }

    fn enter(&self, run: RunId, alone: bool) {
        let slot = {
            let mut slots = self.slots.lock().expect("no panic happens while the slots are held");
            if slots.taken.contains_key(&run) {
                return;
            }
            let slot = slots.free.pop().unwrap_or_else(|| {
                slots.next += 1;
                slots.next - 1
            });
            slots.taken.insert(run, slot);
            slot
        };
        let mut bytes = [0; SLOT];
        bytes[..16].copy_from_slice(run.0.as_bytes());
        bytes[16] = if alone { ALONE } else { IN_FLIGHT };
        self.write(slot, &bytes);
    }

    fn leave(&self, run: RunId) {
        let slot = {
            let mut slots = self.slots.lock().expect("no panic happens while the slots are held");
            let Some(slot) = slots.taken.remove(&run) else { return };
            slots.free.push(slot);
            slot
        };
        self.write(slot, &[0; SLOT]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_outlive_the_process_and_not_a_clean_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in-flight");
        let [a, b, c] = [1, 2, 3].map(|n| RunId(Uuid::from_u128(n)));
        let marks = FileMarks::open(&path).unwrap();
        assert_eq!(marks.found(), Found::default());
        marks.enter(a, false);
        marks.enter(b, false);
        marks.leave(a);
        marks.enter(c, true);
        drop(marks);
        let found = FileMarks::open(&path).unwrap().found();
        let mut in_flight = found.in_flight.clone();
        in_flight.sort();
        assert_eq!((in_flight, found.alone), (vec![b, c], Some(c)));
        assert_eq!(FileMarks::open(&path).unwrap().found(), Found::default());
    }
}
