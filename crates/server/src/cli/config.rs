//! `mainspring config`: what is set, where each value comes from, and empty files to fill in.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::environment;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::table::Rows;
use super::terminal;
use crate::settings::{self, SETTINGS};

#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Every setting with its value and where that comes from. Secrets are not shown.
    #[command(after_help = "\
Examples:
  mainspring config print
  mainspring --config staging.toml config print -o json | jq '.settings[] | select(.source.kind != \"default\")'

Shows what `mainspring serve` without flags would use. Exits with 3 when a setting cannot be used.")]
    Print,
    /// Write a settings file in which every setting stands as a comment.
    #[command(after_help = "\
Examples:
  mainspring config init                      writes mainspring.toml here
  mainspring config init /etc/mainspring/mainspring.toml
  mainspring config init --as env -           the same as variables, to standard output")]
    Init(Init),
}

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Where to write; `-` is standard output. By default mainspring.toml here.
    #[arg(value_name = "FILE", default_value = "mainspring.toml")]
    file: PathBuf,
    /// What to write.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value = "toml")]
    form: Form,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A settings file.
    Toml,
    /// Variables, as service managers and containers read them.
    Env,
    /// The page of the documentation.
    Page,
}

pub(crate) fn run(cx: &Cx, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Print => print(cx),
        ConfigCommand::Init(init) => write(cx, init),
    }
}

fn print(cx: &Cx) -> Result<Exit, Failure> {
    let (settings, file) = environment::settings_and_file(&cx.global, Vec::new())?;
    let path = file.as_ref().map(|file| file.path().display().to_string());
    let listed: Vec<_> = SETTINGS
        .iter()
        .map(|setting| {
            let (value, source) = (setting.shown(&settings), settings.source(setting.key));
            json!({ "name": setting.key, "value": value, "secret": setting.kind.is_secret(), "source": source })
        })
        .collect();
    cx.show(&json!({ "file": path, "settings": listed }), |style, width| {
        let mut rows = Rows::new(["setting", "source", "value"], "there are no settings");
        for setting in SETTINGS.iter() {
            let value = setting.shown(&settings).unwrap_or_else(|| "–".to_owned());
            rows.add([setting.key.to_owned(), settings.source(setting.key).to_string(), value]);
        }
        let file = path.as_deref().map_or_else(|| "No settings file was read.".to_owned(), |path| format!("Settings file: {path}"));
        format!("{}\n{file}\n", rows.render(width, style))
    })
}

fn write(cx: &Cx, init: &Init) -> Result<Exit, Failure> {
    let text = match init.form {
        Form::Toml => settings::toml_template(),
        Form::Env => settings::env_example(),
        Form::Page => settings::page(),
    };
    if init.file == Path::new("-") {
        terminal::out(&text);
        return Ok(Exit::Ok);
    }
    let shown = init.file.display();
    let mut options = OpenOptions::new();
    options.write(true);
    if init.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    if init.form != Form::Page {
        // Secrets will be written into it.
        options.mode(0o600);
    }
    let written = options.open(&init.file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(Exit::Conflict, "CONFLICT", format!("{shown} is there already"))
            .next("choose another name, or write over it with --force"),
        _ => mainspring_store::unwritable(&init.file, &error).into(),
    })?;
    cx.note(&format!("wrote {shown}; uncomment what you want to change, and `mainspring config print` shows what holds"));
    Ok(Exit::Ok)
}
