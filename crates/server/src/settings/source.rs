//! Where a setting's value came from, and what is said when it cannot be used.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// The later ones win over the earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    #[default]
    Default,
    /// A settings file; both numbers from 1, in characters.
    File { path: PathBuf, line: usize, column: usize },
    /// An environment variable.
    Variable { name: &'static str },
    /// On the command line.
    Flag { name: &'static str },
}

impl Source {
    /// How far to the front it stands: the higher wins, and the default is lowest.
    pub fn rank(&self) -> u8 {
        match self {
            Source::Default => 0,
            Source::File { .. } => 1,
            Source::Variable { .. } => 2,
            Source::Flag { .. } => 3,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Source::Variable { name } | Source::Flag { name } => f.write_str(name),
        }
    }
}

/// Where each setting came from; what is not in it has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<&'static str, Source>);

impl Sources {
    pub fn of(&self, key: &str) -> &Source {
        self.0.get(key).unwrap_or(&Source::Default)
    }

    pub fn set(&mut self, key: &'static str, source: Source) {
        self.0.insert(key, source);
    }
}

/// Why one setting cannot be used. No part of it has the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting {
    /// `BAD_SETTING`, or `BAD_SETTINGS_FILE` when it is the file that does not read.
    pub code: &'static str,
    /// The variable, the flag, or the place in the file.
    pub place: String,
    pub reason: String,
}

impl fmt::Display for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// Everything that is wrong with the settings, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSettings(pub Vec<BadSetting>);

impl BadSettings {
    /// Of the first.
    pub fn code(&self) -> &'static str {
        self.0.first().map_or("BAD_SETTING", |bad| bad.code)
    }
}

impl From<BadSetting> for BadSettings {
    fn from(bad: BadSetting) -> BadSettings {
        BadSettings(vec![bad])
    }
}

impl fmt::Display for BadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for BadSettings {}
