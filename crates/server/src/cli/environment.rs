//! The environment's one door into the command line.

use crate::settings::{BadSetting, Settings};

/// A variable; empty counts as not set.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment enters")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The settings as the environment has them.
pub(super) fn settings() -> Result<Settings, BadSetting> {
    Settings::from_environment(variable)
}

/// Whether colours are unwelcome (no-color.org).
pub(super) fn no_color() -> bool {
    variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|terminal| terminal == "dumb")
}
