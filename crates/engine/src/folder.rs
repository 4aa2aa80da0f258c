//! Watching a folder: each file that is new or changed, and has settled, starts its one run.
//!
//! Looking is the truth: no notice of the machine's is needed, and none can be lost. A file is known by name, size and time; files that are gone
//! are remembered for 30 days, so that a share which was away starts nothing when it is back.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::time::Duration;

use mainspring_model::clock::Millis;
use mainspring_model::fault::{Code, Fault};
use mainspring_model::file::Files;
use mainspring_model::plan::trigger::{Folder, PollFirst};
use mainspring_model::store::StoreError;
use mainspring_model::watch::WatchedFile;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::looks::{Begun, Find, Look, Looked};
use crate::run::rfc3339;

/// Days for which a file is remembered that is gone.
const KEPT_DAYS: i64 = 30;
const DAY: Millis = 86_400_000;
/// Files that are remembered.
const MAX_KNOWN: usize = 20_000;
/// Time for one look into the folder, and for the copy of one file.
const PATIENCE: Millis = 60_000;
const COPYING: Millis = 30 * 60_000;
/// What was seen is noted after so many runs: a process that dies copies few files twice.
const NOTED: usize = 25;
/// Files of one look that may fail before the others are left for the next.
const MOST_FAILED: usize = 5;

/// What a trigger that watches has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    /// The folder, as the plan names it: another one is looked at for the first time.
    #[serde(rename = "of", default)]
    path: String,
    /// By the hash of their names.
    files: BTreeMap<String, Known>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    /// Of the last look that found it, since 1970.
    #[serde(rename = "d")]
    day: i64,
    /// Size and time of what had its run, or needed none.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Another one, and since when it is as it is.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pending: Option<(String, Millis)>,
    /// The last look did not find it.
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

/// A file that starts a run.
#[derive(Debug, PartialEq)]
struct Due {
    file: WatchedFile,
    hash: String,
    event: &'static str,
}

impl Seen {
    /// Takes in what a look found; what is due now, oldest first, and when to look again for what has not settled.
    fn take(&mut self, found: Vec<WatchedFile>, folder: &Folder, first: bool, now: Millis) -> (Vec<Due>, Option<Millis>) {
        let settle = Millis::try_from(folder.settle.as_millis()).unwrap_or(Millis::MAX);
        let (today, quiet) = (now / DAY, first && folder.first == PollFirst::Skip);
        let (mut due, mut again, mut here) = (Vec::new(), None::<Millis>, HashSet::with_capacity(found.len()));
        for file in found {
            let (hash, version) = (hash_of(&[&file.raw]), version_of(&file));
            let known = self.files.entry(hash.clone()).or_default();
            known.day = today;
            here.insert(hash.clone());
            let event = if known.version.is_some() && !known.gone { "modified" } else { "created" };
            let wanted = if event == "created" { folder.created } else { folder.modified };
            // A new file that nobody asks for is noted when it has settled: what is still written to it is no change.
            let settles = !wanted && event == "created" && folder.modified;
            if known.version.as_ref() == Some(&version) || quiet || (!wanted && !settles) {
                (known.version, known.pending, known.gone) = (Some(version), None, false);
                continue;
            }
            let since = match &known.pending {
                // A clock that went back waits anew.
                Some((pending, since)) if *pending == version && *since <= now => *since,
                _ => now,
            };
            if settles && now - since >= settle {
                (known.version, known.pending, known.gone) = (Some(version), None, false);
                continue;
            }
            known.pending = Some((version, since));
            if now - since >= settle {
                due.push(Due { file, hash, event });
            } else {
                again = Some(again.map_or(since + settle, |again| again.min(since + settle)));
            }
        }
        for (hash, known) in &mut self.files {
            if !here.contains(hash) {
                (known.gone, known.pending) = (true, None);
            }
        }
        self.forget(today);
        due.sort_by(|one, other| (one.file.modified_ns, &one.file.raw).cmp(&(other.file.modified_ns, &other.file.raw)));
        (due, again)
    }

    /// It has its run, or is passed over.
    fn done(&mut self, due: &Due) {
        if let Some(known) = self.files.get_mut(&due.hash) {
            (known.version, known.pending, known.gone) = (Some(version_of(&due.file)), None, false);
        }
    }

    fn forget(&mut self, today: i64) {
        self.files.retain(|_, known| today - known.day <= KEPT_DAYS && (known.version.is_some() || !known.gone));
        if self.files.len() > MAX_KNOWN {
            let mut gone: Vec<(i64, String)> =
                self.files.iter().filter(|(_, known)| known.gone).map(|(hash, known)| (known.day, hash.clone())).collect();
            gone.sort_unstable();
            for (_, hash) in gone.into_iter().take(self.files.len() - MAX_KNOWN) {
                self.files.remove(&hash);
            }
        }
    }

    fn value(&self) -> Value {
        serde_json::to_value(self).expect("its keys are text")
    }
}

impl Engine {
    /// `again`: when to look before it is due, for what has not settled.
    pub(crate) async fn watch(&self, look: &Look<'_>, folder: &Folder, again: &mut Option<Millis>) -> Result<Looked, StoreError> {
        let inner = &self.0;
        let org = look.record.owner.org;
        let before = match &look.before.seen {
            Value::Null => None,
            // None where it is of another kind of trigger that had this id.
            kept => serde_json::from_value::<Seen>(kept.clone()).ok().filter(|seen| seen.path == folder.path),
        };
        let listing = inner.settings.folders.0.list(org, &folder.path, &folder.pattern);
        let found = match self.in_time(PATIENCE, "looking into the folder", listing).await {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        let first = before.is_none();
        let mut seen = before.unwrap_or_else(|| Seen { path: folder.path.clone(), ..Seen::default() });
        let (due, sooner) = seen.take(found, folder, first, inner.clock.now());
        *again = sooner;
        let mut failed = Vec::new();
        for some in due.chunks(NOTED) {
            for one in some {
                match self.start_file(look, folder, one).await? {
                    Ok(true) => seen.done(one),
                    // It changed meanwhile: the next look sees what it has become.
                    Ok(false) => {}
                    // One file that cannot be read holds up no other; a folder that is away holds up all.
                    Err(fault) => {
                        failed.push(fault);
                        if failed.len() > MOST_FAILED {
                            self.note(look, seen.value()).await?;
                            return Ok(Err(failed.swap_remove(0)));
                        }
                    }
                }
            }
            if due.len() > NOTED {
                self.note(look, seen.value()).await?;
            }
        }
        if !failed.is_empty() {
            self.note(look, seen.value()).await?;
            return Ok(Err(failed.swap_remove(0)));
        }
        Ok(Ok(seen.value()))
    }

    /// `false`: it is not any more what was found.
    async fn start_file(&self, look: &Look<'_>, folder: &Folder, due: &Due) -> Result<Result<bool, Fault>, StoreError> {
        let file = &due.file;
        let files = self.files(look.record.owner);
        let keep = u64::try_from(self.0.settings.files.kept.as_millis()).unwrap_or(u64::MAX);
        let copying = self.0.settings.folders.0.copy(look.record.owner.org, &folder.path, file, &files, keep);
        let (copy, why) = match self.in_time(COPYING, "copying the file", copying).await {
            Ok(Some(copy)) => (Some(copy), None),
            Ok(None) => return Ok(Ok(false)),
            // The plan has its place and can say what to do.
            Err(fault) if matches!(fault.code.as_str(), "FILE_TOO_LARGE" | "FILE_QUOTA" | "FILE_UNREADABLE") => (None, Some(fault)),
            Err(fault) => return Ok(Err(fault)),
        };
        let modified = Millis::try_from(file.modified_ns.div_euclid(1_000_000)).unwrap_or_default();
        let seen = json!({
            "id": look.trigger.id, "type": "folder", "event": due.event, "name": file.name,
            "path": format!("{}/{}", folder.path.trim_end_matches('/'), file.name), "size": file.size, "modified": rfc3339(modified),
            "file": copy, "file_error": why.map(|fault| json!({"code": fault.code, "message": fault.message})),
        });
        let key = hash_of(&[folder.path.as_bytes(), &file.raw, version_of(file).as_bytes()]);
        let begun = self.start_find(look, Find { key, seen }).await?;
        if let (true, Some(copy)) = (begun != Begun::Made, copy) {
            // Passed over, or it has its run and its copy already. What this does not reach expires.
            drop(files.delete(copy.file).await);
        }
        Ok(Ok(true))
    }

    pub(crate) async fn in_time<T>(&self, patience: Millis, what: &str, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let clock = &self.0.clock;
        let late = clock.now().saturating_add(patience);
        tokio::select! {
            done = work => done,
            () = clock.sleep_until(late) => {
                let span = Duration::from_millis(u64::try_from(patience).unwrap_or_default());
                Err(Fault::new(Code::TIMEOUT, format!("{what} took longer than {}", mainspring_model::duration::format(span))))
            }
        }
    }
}

fn version_of(file: &WatchedFile) -> String {
    format!("{}:{}", file.size, file.modified_ns)
}

/// A hash of several parts, in 32 hex digits.
pub(crate) fn hash_of(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()[..16].iter().fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(first: PollFirst, modified: bool) -> Folder {
        Folder {
            path: "/in".to_owned(),
            pattern: "*".to_owned(),
            created: true,
            modified,
            every: Duration::from_secs(10),
            settle: Duration::from_secs(2),
            first,
        }
    }

    fn file(name: &str, size: u64, modified_ns: i128) -> WatchedFile {
        WatchedFile { name: name.to_owned(), raw: name.as_bytes().to_vec(), size, modified_ns }
    }

    /// What is due, all of which has its run then.
    fn look(seen: &mut Seen, found: Vec<WatchedFile>, folder: &Folder, now: Millis) -> Vec<String> {
        let first = seen.files.is_empty() && now == 0;
        // As it is kept between looks.
        let mut kept: Seen = serde_json::from_value(seen.value()).unwrap();
        let (due, _) = kept.take(found, folder, first, now);
        due.iter().for_each(|due| kept.done(due));
        *seen = kept;
        due.into_iter().map(|due| format!("{} {}", due.event, due.file.name)).collect()
    }

    #[test]
    fn a_file_starts_its_run_when_it_has_settled() {
        let (mut seen, folder) = (Seen::default(), folder(PollFirst::Skip, true));
        assert_eq!(look(&mut seen, vec![file("old", 1, 1)], &folder, 0), [""; 0]);
        let growing = |size| vec![file("old", 1, 1), file("new", size, i128::from(size))];
        assert_eq!(look(&mut seen, growing(1), &folder, 1_000), [""; 0]);
        assert_eq!(look(&mut seen, growing(2), &folder, 3_000), [""; 0], "it grows");
        assert_eq!(look(&mut seen, growing(2), &folder, 4_999), [""; 0]);
        assert_eq!(look(&mut seen, growing(2), &folder, 5_000), ["created new"]);
        assert_eq!(look(&mut seen, growing(2), &folder, 9_000), [""; 0], "once");
        assert_eq!(look(&mut seen, growing(3), &folder, 10_000), [""; 0]);
        assert_eq!(look(&mut seen, growing(3), &folder, 12_000), ["modified new"]);
        assert_eq!(look(&mut seen, vec![], &folder, 13_000), [""; 0], "the share is away");
        assert_eq!(look(&mut seen, growing(3), &folder, 14_000), [""; 0], "and back");
        assert_eq!(look(&mut seen, growing(3), &folder, 20_000), [""; 0]);
        assert_eq!(look(&mut seen, vec![file("old", 1, 1)], &folder, 21_000), [""; 0]);
        look(&mut seen, growing(4), &folder, 22_000);
        assert_eq!(look(&mut seen, growing(4), &folder, 24_000), ["created new"], "another one of its name");
    }

    #[test]
    fn what_is_not_wanted_is_known_all_the_same() {
        let (mut seen, folder) = (Seen::default(), folder(PollFirst::All, false));
        assert_eq!(look(&mut seen, vec![file("a", 1, 1)], &folder, 0), [""; 0]);
        assert_eq!(look(&mut seen, vec![file("a", 1, 1)], &folder, 2_000), ["created a"], "first: all");
        look(&mut seen, vec![file("a", 2, 2)], &folder, 3_000);
        assert_eq!(look(&mut seen, vec![file("a", 2, 2)], &folder, 9_000), [""; 0], "changes start nothing");
    }

    #[test]
    fn what_waits_says_when_to_look_again_and_old_files_are_forgotten() {
        let (mut seen, folder) = (Seen::default(), folder(PollFirst::All, false));
        let (due, again) = seen.take(vec![file("a", 1, 1), file("b", 1, 1)], &folder, true, 500);
        assert_eq!((due.len(), again), (0, Some(2_500)));
        let (due, again) = seen.take(vec![file("b", 1, 1), file("a", 1, 0)], &folder, false, 2_500);
        assert_eq!(
            (due.iter().map(|due| due.file.name.as_str()).collect::<Vec<_>>(), again),
            (vec!["b"], Some(4_500)),
            "a is another one now"
        );
        seen.done(&due[0]);
        seen.take(vec![], &folder, false, 31 * DAY);
        assert_eq!(seen, Seen::default());
        let many = (0..=MAX_KNOWN).map(|n| file(&n.to_string(), 1, 1)).collect();
        seen.take(many, &Folder { first: PollFirst::Skip, ..folder }, true, 0);
        assert_eq!(seen.files.len(), MAX_KNOWN + 1, "what is there is known");
        seen.take(vec![], &self::folder(PollFirst::Skip, false), false, DAY);
        assert_eq!(seen.files.len(), MAX_KNOWN);
    }
}
