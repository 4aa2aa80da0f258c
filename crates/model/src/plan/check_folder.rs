//! Checks a trigger that watches a folder.

use std::path::{Component, Path};
use std::time::Duration;

use super::check_trigger::LEAST_INTERVAL;
use super::document::TriggerKindDoc;
use super::problems::Problems;
use super::trigger::{Folder, FolderEvent, TriggerKind};
use super::{code, policy};
use crate::Problem;
use crate::watch::LONGEST_PATTERN;

const EVERY: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(2);
const LONGEST_SETTLE: Duration = Duration::from_secs(3_600);
const LONGEST_PATH: usize = 4_000;

/// `Manual` when something is wrong, which has been reported then.
pub(crate) fn compile(doc: &TriggerKindDoc, pointer: &str, problems: &mut Problems<'_>) -> TriggerKind {
    let TriggerKindDoc::Folder { path, pattern, events, every, settle, first } = doc else { return TriggerKind::Manual };
    let before = problems.count();
    let mut wrong = |field: &str, message: String, expected: &str| {
        problems.push(Problem::new(code::INVALID_VALUE, format!("{pointer}/{field}"), message).expected(expected.to_owned()));
    };
    // A missing one has been reported.
    if !path.is_empty() && !is_plain(path) {
        let message = format!("the folder \"{}\" is not written from the root of the machine", path.chars().take(200).collect::<String>());
        wrong("path", message, "a path such as /srv/inbox, without . and ..");
    }
    if let Some(pattern) = pattern
        && (pattern.is_empty() || pattern.len() > LONGEST_PATTERN || pattern.contains('/'))
    {
        let message = format!("\"pattern\" is for the names of files: 1 to {LONGEST_PATTERN} bytes, without /");
        wrong("pattern", message, "a pattern such as *.csv");
    }
    if events.as_ref().is_some_and(Vec::is_empty) {
        wrong("events", "\"events\" is empty; nothing would start a run".to_owned(), "created, modified");
    }
    let every = match every {
        Some(every) => policy::span(Some(every), LEAST_INTERVAL, &format!("{pointer}/every"), problems),
        None => Some(EVERY),
    };
    let settle = match settle {
        Some(settle) => policy::span(Some(settle), Duration::ZERO, &format!("{pointer}/settle"), problems),
        None => Some(SETTLE),
    };
    if settle.is_some_and(|settle| settle > LONGEST_SETTLE) {
        let message = "\"settle\" is longer than an hour; a file would start its run too late to be of use";
        problems.push(Problem::new(code::INVALID_VALUE, format!("{pointer}/settle"), message).expected("at most 1h"));
    }
    let (Some(every), Some(settle)) = (every, settle) else { return TriggerKind::Manual };
    if path.is_empty() || problems.count() > before {
        return TriggerKind::Manual;
    }
    let events = events.as_deref().unwrap_or(&[FolderEvent::Created]);
    TriggerKind::Folder(Folder {
        path: path.clone(),
        pattern: pattern.clone().unwrap_or_else(|| "*".to_owned()),
        created: events.contains(&FolderEvent::Created),
        modified: events.contains(&FolderEvent::Modified),
        every,
        settle,
        first: first.unwrap_or_default(),
    })
}

fn is_plain(path: &str) -> bool {
    let parts = Path::new(path).components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    // A dot in between is dropped by `components`.
    let dots = path.split('/').any(|part| part == ".");
    Path::new(path).is_absolute() && parts && !dots && path.len() <= LONGEST_PATH && !path.contains('\0')
}
