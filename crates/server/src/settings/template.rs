//! Empty forms of the settings, made from the table: a settings file and a file of variables, with everything commented out.

use super::Setting;
use super::setting::Kind;
use super::table::SETTINGS;

/// A settings file in which every setting stands as a comment.
pub fn toml_template() -> String {
    let mut text = String::from(
        "# Settings of Mainspring. A flag wins over its variable, a variable over this file, this file over the default.\n\
         # `mainspring config print` shows what holds and where it comes from.\n",
    );
    let mut table = "";
    for setting in SETTINGS.iter().filter(|setting| !setting.variables.is_empty()) {
        let (above, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if above != table {
            text.push_str(&format!("\n[{above}]\n"));
            table = above;
        }
        text.push_str(&format!("\n{}\n#{name} = {}\n", about(setting), toml_value(setting)));
    }
    text
}

/// Variables as a service manager or a container reads them, every one commented out.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Variables of Mainspring, made from its table of settings. A flag wins over its variable, a variable over the settings file.\n\
         # Nothing here holds until its line is uncommented. Renewed by: mainspring config init --as env --force .env.example\n",
    );
    for setting in SETTINGS.iter() {
        let Some((ours, earlier)) = setting.variables.split_first() else { continue };
        let also = if earlier.is_empty() { String::new() } else { format!("\n# Also read as {}.", earlier.join(", ")) };
        text.push_str(&format!(
            "\n{}{also}\n#{ours}={}\n",
            about(setting),
            if setting.kind.is_secret() { "" } else { setting.examples[0] }
        ));
    }
    text
}

/// Comment lines: the meaning, and what holds without it.
fn about(setting: &Setting) -> String {
    let default = if setting.default.is_empty() { "Not set by default".to_owned() } else { format!("By default {}", setting.default) };
    let mut letters = setting.meaning.chars();
    let meaning: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    format!("# {}. {default}.", plain(&meaning)).replace("  ", " ")
}

/// Links stand for their words.
fn plain(text: &str) -> String {
    text.replace("[deployment](deployment.md)", "docs/deployment.md")
        .replace("[notifications](notifications.md#mail)", "docs/notifications.md")
        .replace("[operating over PostgreSQL](operations-postgres.md#redis)", "docs/operations-postgres.md")
}

/// An example as the file wants it; a secret stays empty, so that none is ever taken over from here.
fn toml_value(setting: &Setting) -> String {
    let example = setting.examples[0];
    match setting.kind {
        Kind::Secret | Kind::Address => "\"\"".to_owned(),
        Kind::Text => format!("\"{example}\""),
        Kind::Number | Kind::Switch => example.to_owned(),
        Kind::List => format!("[{}]", example.split(',').map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::{File, page};

    #[test]
    fn the_template_holds_with_and_without_its_comments() {
        let template = toml_template();
        assert!(File::parse(Path::new("m.toml"), &template).unwrap().entries().is_empty());
        let lines: Vec<&str> =
            template.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line)).collect();
        let file = File::parse(Path::new("m.toml"), &lines.join("\n")).unwrap();
        let expected = SETTINGS.iter().filter(|setting| !setting.variables.is_empty() && !setting.kind.is_secret()).count();
        assert_eq!(file.entries().len(), expected, "secrets are empty, everything else is there");
    }

    #[test]
    fn what_is_checked_in_is_what_the_table_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (file, form, text) in [(".env.example", "env", env_example()), ("docs/configuration.md", "page", page())] {
            let stands = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            assert!(
                stands == text,
                "{file} is not what the table of settings says; `mainspring config init --as {form} --force {file}` renews it"
            );
        }
    }
}
