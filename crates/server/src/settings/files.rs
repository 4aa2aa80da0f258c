//! Settings of files: how much of them is kept, and where.

use std::path::{Component, Path, PathBuf};

use mainspring_model::credential::Secret;
use mainspring_model::duration;
use mainspring_providers::folders::WatchRoot;

use super::setting::{Kind, Setting};
use super::values::{exposed, joined, list, number, public_url, put, span, switch};

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
        key: "files.bucket",
        variables: &["MAINSPRING_S3_BUCKET", "S3_BUCKET"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "a bucket of a store that speaks S3, in which the bytes of [files](files.md#in-a-bucket) are kept instead of here",
        examples: ["automation-files", "staging-files"],
        take: |settings, text| put(&mut settings.bucket.bucket, bucket(text)),
        value: |settings| Some(settings.bucket.bucket.clone()).filter(|name| !name.is_empty()),
    },
    Setting {
        key: "files.region",
        variables: &["MAINSPRING_S3_REGION", "AWS_REGION"],
        flag: None,
        kind: Kind::Text,
        default: "us-east-1",
        meaning: "the region of that bucket; most stores other than AWS take any",
        examples: ["eu-central-1", "auto"],
        take: |settings, text| put(&mut settings.bucket.region, Ok(Some(text.to_owned()))),
        value: |settings| Some(settings.bucket.region.clone().unwrap_or_else(|| "us-east-1".to_owned())),
    },
    Setting {
        key: "files.endpoint",
        variables: &["MAINSPRING_S3_ENDPOINT"],
        flag: None,
        kind: Kind::Text,
        default: "that of AWS in the region",
        meaning: "where that store is, if it is not AWS; it may stand in a private network",
        examples: ["https://minio.example.org:9000", "http://127.0.0.1:9000"],
        take: |settings, text| {
            let url = public_url(text).map(|url| Some(url.as_str().trim_end_matches('/').to_owned()));
            put(&mut settings.bucket.endpoint, url)
        },
        value: |settings| settings.bucket.endpoint.clone(),
    },
    Setting {
        key: "files.key_id",
        variables: &["MAINSPRING_S3_KEY_ID", "AWS_ACCESS_KEY_ID"],
        flag: None,
        kind: Kind::Text,
        default: "the role of the machine",
        meaning: "the key that may write, read and remove objects of that bucket, and abort uploads",
        examples: ["automation", "mainspring"],
        take: |settings, text| put(&mut settings.bucket.key_id, Ok(Some(text.to_owned()))),
        value: |settings| settings.bucket.key_id.clone(),
    },
    Setting {
        key: "files.secret",
        variables: &["MAINSPRING_S3_SECRET", "AWS_SECRET_ACCESS_KEY"],
        flag: None,
        kind: Kind::Secret,
        default: "",
        meaning: "the secret of that key",
        examples: ["u8Zq2LxV0cTn7Rk4WmYs9BdEf1GhJp3KaQoXtCvI", "h5Nw8PbM2sDz6Fk1RyUj4TcVg9LxQe7AoWiXnKtJ"],
        take: |settings, text| put(&mut settings.bucket.secret, Ok(Some(Secret::new(text)))),
        value: |settings| exposed(settings.bucket.secret.as_ref()),
    },
    Setting {
        key: "files.path_style",
        variables: &["MAINSPRING_S3_PATH_STYLE"],
        flag: None,
        kind: Kind::Switch,
        default: "true with `files.endpoint`, else false",
        meaning: "the bucket stands in the path (`https://store/bucket/…`) and not in the name (`https://bucket.store/…`)",
        examples: ["true", "false"],
        take: |settings, text| put(&mut settings.bucket.path_style, switch(text).map(Some)),
        value: |settings| settings.bucket.path_style.map(|style| style.to_string()),
    },
    Setting {
        key: "files.prefix",
        variables: &["MAINSPRING_S3_PREFIX"],
        flag: None,
        kind: Kind::Text,
        default: "mainspring",
        meaning: "what the names of all objects begin with; two installations in one bucket need two",
        examples: ["mainspring", "staging"],
        take: |settings, text| put(&mut settings.bucket.prefix, Ok(text.to_owned())),
        value: |settings| Some(if settings.bucket.prefix.is_empty() { "mainspring".to_owned() } else { settings.bucket.prefix.clone() }),
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

/// A name that fits into an address as it is.
fn bucket(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    if (3..=63).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is no name of a bucket: 3 to 63 small letters, digits, dots and hyphens"))
}
