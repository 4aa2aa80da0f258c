//! Settings of files: how much of them is kept.

use std::path::{Component, Path, PathBuf};

use mainspring_model::duration;
use mainspring_providers::folders::WatchRoot;

use super::setting::{Kind, Setting};
use super::values::{joined, list, number, put, span};

pub(super) static ALL: &[Setting] = &[
    Setting {
        key: "files.size",
        variables: &["MAINSPRING_FILE_SIZE"],
        flag: None,
        kind: Kind::Number,
        default: "2147483648",
        meaning: "largest file, in bytes",
        examples: ["2147483648", "104857600"],
        take: |settings, text| put(&mut settings.files.most, number(text, "bytes")),
        value: |settings| Some(settings.files.most.to_string()),
    },
    Setting {
        key: "files.quota",
        variables: &["MAINSPRING_FILE_QUOTA", "FILE_QUOTA"],
        flag: None,
        kind: Kind::Number,
        default: "10737418240",
        meaning: "what an organization may keep in files, in bytes",
        examples: ["10737418240", "107374182400"],
        take: |settings, text| put(&mut settings.files.quota, number(text, "bytes")),
        value: |settings| Some(settings.files.quota.to_string()),
    },
    Setting {
        key: "files.keep_for",
        variables: &["MAINSPRING_KEEP_FILES_FOR"],
        flag: None,
        kind: Kind::Text,
        default: "30d",
        meaning: "how long files that steps write are kept when the step does not say",
        examples: ["30d", "7d"],
        take: |settings, text| put(&mut settings.files.kept, span(text)),
        value: |settings| Some(duration::format(settings.files.kept)),
    },
    Setting {
        key: "files.watch",
        variables: &["MAINSPRING_WATCH_FOLDERS"],
        flag: None,
        kind: Kind::List,
        default: "",
        meaning: "folders of this machine below which plans may [watch](triggers.md#folder), from its root; `<organization id>=/path` is for the plans of that organization alone",
        examples: ["/srv/inbox,/srv/scans", "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10=/srv/acme"],
        take: |settings, text| put(&mut settings.watch_folders, watched(text)),
        value: |settings| joined(&settings.watch_folders.iter().map(shown).collect::<Vec<_>>()),
    },
];

fn watched(text: &str) -> Result<Vec<WatchRoot>, String> {
    let one = |entry: String| {
        let (org, path) = match entry.split_once('=') {
            Some((org, path)) => {
                let org =
                    org.trim().parse().map_err(|_| format!("\"{org}\" is no id of an organization; `mainspring org list` shows them"))?;
                (Some(org), path.trim())
            }
            None => (None, entry.as_str()),
        };
        let plain = Path::new(path).components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if !Path::new(path).is_absolute() || !plain {
            return Err(format!("\"{path}\" is no folder from the root of the machine, such as /srv/inbox"));
        }
        Ok(WatchRoot { org, path: PathBuf::from(path) })
    };
    list(text).into_iter().map(one).collect()
}

fn shown(root: &WatchRoot) -> String {
    match root.org {
        Some(org) => format!("{org}={}", root.path.display()),
        None => root.path.display().to_string(),
    }
}
