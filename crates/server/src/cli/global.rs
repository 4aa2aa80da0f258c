//! Options that every command takes.

use std::path::PathBuf;

use clap::Args;
use mainspring_model::credential::Secret;

use super::output::Format;
use super::terminal::ColorChoice;

#[derive(Args, Debug, Default)]
pub(crate) struct Global {
    /// How results are printed.
    #[arg(short = 'o', long, global = true, value_enum, value_name = "FORMAT", help_heading = "Global options")]
    pub(crate) output: Option<Format>,
    /// The data folder. By default $XDG_DATA_HOME/mainspring, which is ~/.local/share/mainspring.
    #[arg(long, global = true, env = "MAINSPRING_DATA", value_name = "DIR", help_heading = "Global options")]
    pub(crate) data: Option<PathBuf>,
    /// The settings file. Else the first mainspring.toml of the working folder, the data folder, /etc/mainspring.
    #[arg(long, global = true, env = "MAINSPRING_CONFIG", value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// `--data` was written on the line: that folder is meant, whatever database the environment names.
    #[arg(skip)]
    pub(crate) folder_is_named: bool,
    /// Ask this server instead of opening the data folder.
    #[arg(long, global = true, env = "MAINSPRING_URL", value_name = "URL", help_heading = "Global options")]
    pub(crate) server: Option<String>,
    /// The API key for --server. Better set as MAINSPRING_API_KEY: others on this machine see arguments.
    #[arg(long, global = true, env = "MAINSPRING_API_KEY", hide_env_values = true, value_name = "KEY", value_parser = key, help_heading = "Global options")]
    pub(crate) api_key: Option<Secret>,
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", help_heading = "Global options")]
    pub(crate) color: ColorChoice,
    /// Print results only: no progress, no notes.
    #[arg(short = 'q', long, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
}

fn key(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text.trim()))
}
