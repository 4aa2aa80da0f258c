//! Whether secrets are secret: not known, not short, not of little variety, and not in a file that others can read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use url::Url;

use super::{Check, unsafe_setting};
use crate::settings::{Kind, SETTINGS, Settings, Source};

const NAME: &str = "secrets";

/// Passwords that stand in documents, images and examples.
const KNOWN: &[&str] = &[
    "admin",
    "changeme",
    "default",
    "development",
    "docker",
    "example",
    "guest",
    "letmein",
    "mainspring",
    "owner",
    "pass",
    "password",
    "postgres",
    "root",
    "secret",
    "test",
    "user",
];

/// What only stands in a secret that was meant to be replaced.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "change-in-production",
    "change-this",
    "replace-me",
    "your-",
    "your_",
    "example",
    "insecure",
    "dev-secret",
];

/// 32 characters of 16 kinds are 128 bits.
const SHORTEST: usize = 32;

/// Fewer kinds of characters than random text of that length ever has: of 32 random hexadecimal digits fewer than 8 kinds come
/// up once in ten million.
const KINDS: usize = 8;

/// Each secret that is set, judged.
pub(super) fn kept(settings: &Settings) -> Vec<Check> {
    let mut found = Vec::new();
    let mut set = 0;
    for setting in SETTINGS.iter().filter(|setting| setting.kind.is_secret()) {
        let Some(value) = (setting.value)(settings) else { continue };
        set += 1;
        let place = format!("{} ({})", setting.key, settings.source(setting.key));
        let reason = match (setting.kind, setting.key) {
            (Kind::Address, _) => password(&value),
            // Its form and variety are the vault's to judge, which refuses it everywhere.
            // So is its of what signs, but for what stands in our own documents.
            (_, "encryption_key" | "auth.jwt_secret") => {
                value.split(',').any(|part| is_ours(part.trim())).then_some("it stands in our own documents")
            }
            // A list in which the issuer chose the secrets.
            (_, "auth.oidc") => None,
            // Given by others, who decide how long it is.
            (_, "smtp.password") => is_known(&value).then_some("it is known from documents and examples"),
            _ => weakness(&value),
        };
        if let Some(reason) = reason {
            let next = match setting.kind {
                Kind::Address => "give the role a password of its own, made with `openssl rand -hex 32`",
                _ => "make one with `openssl rand -hex 32`; a key with `openssl rand -base64 32`",
            };
            let mut check = unsafe_setting(settings, NAME, format!("{place}: {reason}"), next);
            if setting.key == "auth.jwt_secret" {
                // Whoever knows it is everybody, wherever that is.
                check.state = super::State::Failed;
            }
            found.push(check);
        }
    }
    found.extend(open_file(settings));
    if found.is_empty() {
        let what = if set == 0 { "none is set".to_owned() } else { format!("{set} set, none known, short or simple") };
        found.push(Check::ok(NAME, what));
    }
    found
}

/// What makes a token easy to guess.
fn weakness(text: &str) -> Option<&'static str> {
    if is_known(text) {
        return Some("it is known from documents and examples");
    }
    if text.chars().count() < SHORTEST {
        return Some("it is shorter than 32 characters");
    }
    let mut kinds: Vec<char> = text.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    let counts = |step: i16| text.as_bytes().windows(2).filter(|pair| i16::from(pair[1]) - i16::from(pair[0]) == step).count();
    if kinds.len() < KINDS || counts(1).max(counts(-1)) * 2 > text.len() {
        return Some("it has little variety, so it was not drawn at random");
    }
    None
}

fn is_known(text: &str) -> bool {
    let lower = text.to_lowercase();
    is_ours(text) || PLACEHOLDERS.iter().any(|word| lower.contains(word)) || KNOWN.contains(&lower.as_str())
}

/// Whether a text was meant to be replaced.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let lower = text.to_lowercase();
    PLACEHOLDERS.iter().any(|word| lower.contains(word)) || KNOWN.contains(&lower.as_str())
}

fn is_ours(text: &str) -> bool {
    SETTINGS.iter().filter(|setting| setting.kind == Kind::Secret).any(|setting| setting.examples.contains(&text))
}

/// Of an address; one without a password is asked for none, or proves itself otherwise.
fn password(address: &str) -> Option<&'static str> {
    let url = Url::parse(address).ok()?;
    let in_query = url.query_pairs().find(|(name, _)| name == "password").map(|(_, value)| value.to_lowercase());
    let password = url.password().map(str::to_lowercase).or(in_query)?;
    let known = KNOWN.contains(&password.as_str()) || PLACEHOLDERS.iter().any(|word| password.contains(word));
    (known || password == url.username().to_lowercase())
        .then_some("its password is known from documents and examples, or is the role's name")
}

/// A settings file with a secret that other users of the machine can read.
fn open_file(settings: &Settings) -> Option<Check> {
    let path = file_with_secrets(settings)?;
    let mode = fs::metadata(&path).ok()?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return None;
    }
    let found = format!("{} has secrets and can be read by others (mode {mode:04o})", path.display());
    Some(unsafe_setting(settings, NAME, found, "`mainspring doctor --fix`, or chmod 600; consider what is in it as seen"))
}

pub(super) fn file_with_secrets(settings: &Settings) -> Option<PathBuf> {
    SETTINGS.iter().filter(|setting| setting.kind.is_secret()).find_map(|setting| match settings.source(setting.key) {
        Source::File { path, .. } => Some(path.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::checks::State;

    fn judged(variables: &[(&str, &str)]) -> Vec<(State, String)> {
        let map: HashMap<&str, &str> = variables.iter().copied().collect();
        let settings = Settings::from_environment(|name| map.get(name).map(|text| (*text).to_owned())).unwrap();
        kept(&settings).into_iter().map(|check| (check.state, check.found)).collect()
    }

    #[test]
    fn what_can_be_guessed_is_warned_of_and_refused_in_production() {
        let weak = [
            ("MAINSPRING_METRICS_TOKEN", "a1b2c3d4e5f60718293a"),
            ("MAINSPRING_METRICS_TOKEN", "your-metrics-token-change-in-production"),
            ("MAINSPRING_METRICS_TOKEN", "abababababababababababababababababab"),
            ("MAINSPRING_METRICS_TOKEN", "abcdefghijklmnopqrstuvwxyz0123456789"),
            ("MAINSPRING_METRICS_TOKEN", "4f0c9a7be1d25386a9f07c3e8b146d52"),
            ("ENCRYPTION_KEY", "q7mZ0cNf1Yw8h3xJ5uVb2kRt6sDg9aLe4oPiWnXyTzE="),
            ("DATABASE_URL", "postgres://node:changeme@db/x"),
            ("DATABASE_URL", "postgres://node:NODE@db/x"),
            ("DATABASE_URL", "postgres://db/x?user=u&password=postgres"),
            ("MIGRATE_DATABASE_URL", "postgres://owner:password@db/x"),
        ];
        for (name, value) in weak {
            for (environment, state) in [("production", State::Failed), ("development", State::Warning)] {
                let found = judged(&[(name, value), ("ENVIRONMENT", environment)]);
                assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
                assert!(found[0].0 == state && found[0].1.contains(name) && !found[0].1.contains(value), "{found:?}");
            }
        }
    }

    #[test]
    fn what_was_drawn_at_random_is_fine() {
        let drawn = [
            ("MAINSPRING_METRICS_TOKEN", "c39e07a15fb82d64c39e17a05fb82d6f"),
            ("MAINSPRING_METRICS_TOKEN", "kP3vQ9xLr7TzWm2YbN5cHd8JfS4gAe6U"),
            ("DATABASE_URL", "postgres://node:7c1fbe0a94@db/x"),
            ("DATABASE_URL", "postgres://node@db/x"),
            ("ENVIRONMENT", "production"),
        ];
        for pair in drawn {
            let found = judged(&[pair, ("ENVIRONMENT", "production")]);
            assert!(found.iter().all(|(state, _)| *state == State::Ok), "{found:?}");
        }
    }
}
