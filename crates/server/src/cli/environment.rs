//! The environment's one door into the command line, and the settings as all their sources together have them.

use std::path::PathBuf;

use super::global::Global;
use crate::settings::{self, BadSettings, File, Flag, Settings};

/// A variable; empty counts as not set.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment enters")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The settings as these flags, those of every command, the environment and the file have them.
pub(super) fn settings(global: &Global, flags: Vec<Flag>) -> Result<Settings, BadSettings> {
    Ok(settings_and_file(global, flags)?.0)
}

/// The same, and the file that was read.
pub(super) fn settings_and_file(global: &Global, mut flags: Vec<Flag>) -> Result<(Settings, Option<File>), BadSettings> {
    // What clap read from the variable is the table's to read.
    if let Some(data) = global.data.as_ref().filter(|_| global.folder_is_named) {
        flags.push(Flag::new("data", data.display().to_string()));
    }
    let data = global.data.clone().or_else(|| variable("MAINSPRING_DATA").map(PathBuf::from));
    let data = data.unwrap_or_else(|| settings::default_data(&variable));
    let file = settings::find(global.config.as_deref(), &data)?;
    Ok((settings::read(&flags, &variable, file.as_ref())?, file))
}

/// Whether colours are unwelcome (no-color.org).
pub(super) fn no_color() -> bool {
    variable("NO_COLOR").is_some() || variable("TERM").is_some_and(|terminal| terminal == "dumb")
}
