//! The part of the table that says which secrets, kept elsewhere, credentials may name.

use mainspring_model::credential::Secret;

use super::setting::{Kind, Setting};
use super::values::{exposed, joined, list, public_url, put};
use crate::references;

pub(super) static ALL: &[Setting] = &[
    Setting {
        key: "secrets.env",
        variables: &["MAINSPRING_SECRET_ENV"],
        flag: None,
        kind: Kind::List,
        default: "",
        meaning: "variables that credentials may name as `env:NAME`, see [secrets kept elsewhere](credentials.md#secrets-kept-elsewhere): names, or a beginning with `*` behind it; never this table's own",
        examples: ["APP_*,CRM_TOKEN", "CRM_TOKEN"],
        take: |settings, text| put(&mut settings.references.env, references::variables(list(text))),
        value: |settings| joined(&settings.references.env),
    },
    Setting {
        key: "secrets.files",
        variables: &["MAINSPRING_SECRET_FILES"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "folder below which credentials may name files as `file:/path`",
        examples: ["/run/secrets", "/etc/mainspring/secrets"],
        take: |settings, text| put(&mut settings.references.files, references::folder(text).map(Some)),
        value: |settings| settings.references.files.as_ref().map(|folder| folder.display().to_string()),
    },
    Setting {
        key: "secrets.vault",
        variables: &["MAINSPRING_SECRET_VAULT"],
        flag: None,
        kind: Kind::List,
        default: "",
        meaning: "places in HashiCorp Vault, with what is below them, that credentials may name as `vault:MOUNT/PATH#FIELD`; a mount alone is all that is in it",
        examples: ["secret/automation,kv/shared", "secret/automation"],
        take: |settings, text| put(&mut settings.references.vault, references::places(list(text))),
        value: |settings| joined(&settings.references.vault),
    },
    Setting {
        key: "secrets.vault_url",
        variables: &["MAINSPRING_VAULT_ADDR", "VAULT_ADDR"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "where that Vault is; it may stand in a private network",
        examples: ["https://vault.example.org:8200", "http://127.0.0.1:8200"],
        take: |settings, text| put(&mut settings.references.vault_url, public_url(text).map(Some)),
        value: |settings| settings.references.vault_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
    },
    Setting {
        key: "secrets.vault_token",
        variables: &["MAINSPRING_VAULT_TOKEN", "VAULT_TOKEN"],
        flag: None,
        kind: Kind::Secret,
        default: "",
        meaning: "the token that reads there; one whose policy reads no more than the places listed",
        examples: ["hvs.Qm7Zc0fYw8h3xJ5uVb2kRt6sDg9aLe4o", "hvs.Pj3mTn6wYc9bRs4uHd7fLg2eAoQiXpKt"],
        take: |settings, text| put(&mut settings.references.vault_token, Ok(Some(Secret::new(text)))),
        value: |settings| exposed(settings.references.vault_token.as_ref()),
    },
    Setting {
        key: "secrets.organizations",
        variables: &["MAINSPRING_SECRET_ORGANIZATIONS"],
        flag: None,
        kind: Kind::List,
        default: "00000000-0000-7000-8000-000000000002",
        meaning: "ids of the organizations whose credentials may name all of these; unless written, the installation's first one; `*` is every one",
        examples: ["0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10", "*"],
        take: |settings, text| put(&mut settings.references.organizations, references::organizations(list(text))),
        value: |settings| joined(&settings.references.organizations),
    },
];
