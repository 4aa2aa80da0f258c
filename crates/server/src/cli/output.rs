//! How results are shown: as tables for people, as JSON or YAML for programs, and what every command knows of its caller.

use clap::ValueEnum;
use serde_json::Value;

use super::environment;
use super::exit::Exit;
use super::failure::Failure;
use super::global::Global;
use super::terminal::{self, Style};

/// `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// What every command is given.
pub(crate) struct Cx {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
    /// Of standard output.
    pub(crate) style: Style,
    /// Of standard error.
    pub(crate) err_style: Style,
    pub(crate) width: usize,
    pub(crate) global: Global,
}

impl Cx {
    pub(crate) fn new(global: Global) -> Cx {
        let no_color = environment::no_color();
        let is_terminal = terminal::stdout_is_terminal();
        Cx {
            format: global.output.unwrap_or_default(),
            quiet: global.quiet,
            style: Style::new(global.color, no_color, is_terminal),
            err_style: Style::new(global.color, no_color, terminal::stderr_is_terminal()),
            // A reader that is no terminal has no width to keep to, but a preview has to end somewhere.
            width: if is_terminal { terminal::width() } else { 160 },
            global,
        }
    }

    /// The result: the table for people, the value for programs.
    pub(crate) fn show(&self, value: &Value, table: impl FnOnce(Style, usize) -> String) -> Result<Exit, Failure> {
        match self.format {
            Format::Table => terminal::out(&table(self.style, self.width)),
            Format::Json => terminal::out(&format!("{}\n", pretty(value))),
            Format::Yaml => terminal::out(&yaml(value)?),
        }
        Ok(Exit::Ok)
    }

    /// A line for people that is no result: to standard error, and not with `-q`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            terminal::err(&format!("{text}\n"));
        }
    }

    /// Says a failure, in the form that was asked for.
    pub(crate) fn fail(&self, failure: &Failure) -> Exit {
        match self.format {
            Format::Table => terminal::err(&failure.render(self)),
            _ => terminal::err(&format!("{}\n", failure.to_value())),
        }
        failure.exit
    }
}

/// JSON as people read it.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// The value as a YAML document, strings quoted where YAML would read something else.
pub(crate) fn yaml(value: &Value) -> Result<String, Failure> {
    let text = serde_saphyr::to_string(value)
        .map_err(|error| Failure::internal(format!("the result cannot be written as YAML: {error}; use -o json")))?;
    Ok(if text.ends_with('\n') { text } else { format!("{text}\n") })
}

#[cfg(test)]
mod tests {
    use mainspring_model::plan;
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_reads_back_as_the_same_value() {
        let value = json!({
            "name": "007", "yes": "true", "no": "no", "empty": "", "null": null, "text": "two\nlines\n", "colon": "a: b # c",
            "big": 9_007_199_254_740_993_i64, "half": 0.5, "list": [1, [], {}, {"a": ["~", "null", "1e3", "- x", "  lead", "tail "]}], "key: odd": "\u{1b}",
        });
        let text = yaml(&value).unwrap();
        assert_eq!(plan::parse(&text, plan::Format::Yaml).unwrap().value, value, "{text}");
    }
}
