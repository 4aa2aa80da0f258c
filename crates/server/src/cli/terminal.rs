//! The terminal: how wide it is, whether it is one, colours, and writing to it without minding that the reader left.

use std::io::{self, IsTerminal, Write};

use clap::{Command, ValueEnum};

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// Colours, or none. Every method leaves the text alone when there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) color: bool,
}

impl Style {
    pub(crate) fn new(choice: ColorChoice, no_color: bool, is_terminal: bool) -> Style {
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !no_color,
        };
        Style { color }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
    pub(crate) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }
    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }
    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }
    pub(crate) fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }
}

/// Columns that a line may take. clap asks the terminal (and `COLUMNS`) already to fold its help, so the width is read off a
/// folded text instead of asking a second time by another crate. 100 when nobody knows.
pub(crate) fn width() -> usize {
    let folded =
        Command::new("w").disable_help_flag(true).max_term_width(WIDEST).about("x ".repeat(WIDEST)).help_template("{about}").render_help();
    let longest = folded.to_string().lines().map(|line| line.trim_end().len()).max().unwrap_or(0);
    // Words of one letter end at odd columns, so an even width shows one less than it is.
    if longest < 20 { 100 } else { longest }
}

const WIDEST: usize = 240;

pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

pub(crate) fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Writes to standard output. A reader that went away (`| head`) is no error: there is nobody to tell.
pub(crate) fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    drop(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// Writes to standard error.
pub(crate) fn err(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_somebody_sees_them() {
        assert!(Style::new(ColorChoice::Auto, false, true).color);
        assert!(!Style::new(ColorChoice::Auto, true, true).color);
        assert!(!Style::new(ColorChoice::Auto, false, false).color);
        assert!(Style::new(ColorChoice::Always, true, false).color);
        assert_eq!(Style { color: false }.red("x"), "x");
        assert_eq!(Style { color: true }.red("x"), "\u{1b}[31mx\u{1b}[0m");
    }

    #[test]
    fn a_width_is_always_known() {
        assert!((20..=WIDEST).contains(&width()));
    }
}
