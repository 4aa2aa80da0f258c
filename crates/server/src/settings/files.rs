//! Settings of files: how much of them is kept.

use mainspring_model::duration;

use super::setting::{Kind, Setting};
use super::values::{number, put, span};

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
];
