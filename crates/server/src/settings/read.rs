//! Merging: what flags, variables and the file say, the nearest to the hand winning, and where each value came from.

use std::path::PathBuf;

use super::file::File;
use super::source::{BadSetting, BadSettings, Source};
use super::table::SETTINGS;
use super::{EgressMode, Setting, Settings};

/// What a flag of the command line says of a setting.
#[derive(Clone)]
pub struct Flag {
    pub key: &'static str,
    pub text: String,
}

impl Flag {
    pub fn new(key: &'static str, text: impl Into<String>) -> Flag {
        Flag { key, text: text.into() }
    }
}

/// One winning text.
struct Given {
    setting: &'static Setting,
    text: String,
    source: Source,
}

/// The defaults under the file under the variables under the flags. `get` reads one variable; an empty one counts as not set.
///
/// # Errors
/// Everything that does not read, by the place where it stands; never the value of a secret. In the file also what a variable
/// takes the place of, since it would surprise on another day.
pub fn read(flags: &[Flag], get: &impl Fn(&str) -> Option<String>, file: Option<&File>) -> Result<Settings, BadSettings> {
    let mut bad = file.map(wrong_in_file).unwrap_or_default();
    let mut given: Vec<Given> = SETTINGS.iter().filter_map(|setting| winner(setting, flags, get, file)).collect();
    // `data` and `sqlite:<folder>` mean the same place: the nearer one is taken last, and of two equals the address, as ever.
    given.sort_by_key(|given| (given.source.rank(), given.setting.key == "database.url"));
    let mut settings = Settings { data: default_data(get), ..Settings::default() };
    for Given { setting, text, source } in given {
        match (setting.take)(&mut settings, &text) {
            Ok(()) => {
                if setting.key == "database.url" && settings.postgres.is_none() {
                    settings.sources.set("data", source.clone());
                }
                settings.sources.set(setting.key, source);
            }
            // The file's own were found above.
            Err(_) if matches!(source, Source::File { .. }) => {}
            Err(reason) => bad.push(BadSetting { code: "BAD_SETTING", place: source.to_string(), reason }),
        }
    }
    if !bad.is_empty() {
        return Err(BadSettings(bad));
    }
    settle(&mut settings);
    Ok(settings)
}

fn winner(setting: &'static Setting, flags: &[Flag], get: &impl Fn(&str) -> Option<String>, file: Option<&File>) -> Option<Given> {
    if let (Some(flag), Some(name)) = (flags.iter().find(|flag| flag.key == setting.key), setting.flag) {
        return Some(Given { setting, text: flag.text.clone(), source: Source::Flag { name } });
    }
    for name in setting.variables {
        if let Some(text) = get(name).filter(|text| !text.is_empty()) {
            return Some(Given { setting, text, source: Source::Variable { name } });
        }
    }
    let entry = file?.entry(setting.key)?;
    Some(Given { setting, text: entry.text.clone(), source: entry.source.clone() })
}

fn wrong_in_file(file: &File) -> Vec<BadSetting> {
    let mut wrong = Vec::new();
    for entry in file.entries() {
        let mut scratch = Settings::default();
        if let Err(reason) = (entry.setting.take)(&mut scratch, &entry.text) {
            let reason = format!("{}: {reason}", entry.setting.key);
            wrong.push(BadSetting { code: "BAD_SETTING", place: entry.source.to_string(), reason });
        }
    }
    wrong
}

/// What follows from several of them together.
fn settle(settings: &mut Settings) {
    // A folder that was written on the line is meant, whatever database the environment or the file names.
    let named = settings.source("data").clone();
    if settings.postgres.is_some() && matches!(named, Source::Flag { .. }) && named.rank() > settings.source("database.url").rank() {
        settings.postgres = None;
        settings.sources.set("database.url", named);
    }
    // Whoever develops calls services on the same machine.
    if settings.dev && *settings.source("egress.mode") == Source::Default {
        settings.egress = EgressMode::Dev;
        settings.sources.set("egress.mode", settings.source("dev").clone());
    }
}

/// `$XDG_DATA_HOME/mainspring`, else `~/.local/share/mainspring`, else a folder here.
pub fn default_data(get: &impl Fn(&str) -> Option<String>) -> PathBuf {
    let home = |name: &str| get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    home("XDG_DATA_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".local/share")))
        .map_or_else(|| PathBuf::from("mainspring-data"), |base| base.join("mainspring"))
}

#[cfg(test)]
mod tests;
