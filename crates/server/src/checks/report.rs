//! Checks as people and programs read them.

use serde_json::{Value, json};

use super::{Check, State};
use crate::cli::table::Rows;
use crate::cli::terminal::Style;
use crate::cli::text::plain;

pub(crate) fn report(checks: &[Check]) -> Value {
    json!({ "healthy": checks.iter().all(|check| check.state != State::Failed), "checks": checks })
}

/// A table, and below it what to do.
pub(crate) fn table(checks: &[Check], style: Style, width: usize) -> String {
    let mut rows = Rows::new(["", "check", "found"], "nothing was checked");
    for check in checks {
        let mark = match check.state {
            State::Ok => "✓",
            State::Warning => "!",
            State::Failed => "✗",
            State::Skipped => "–",
        };
        rows.add([mark.to_owned(), check.name.to_owned(), check.found.clone()]);
    }
    let mut text = rows.render(width, style);
    let todo: Vec<&Check> = checks.iter().filter(|check| check.next.is_some()).collect();
    if !todo.is_empty() {
        text.push_str(&format!("\n{}\n", style.bold("What to do")));
    }
    for check in todo {
        let code = check.code.as_deref().map(|code| format!(" [{code}]")).unwrap_or_default();
        text.push_str(&format!("  {}{code}: {}\n", check.name, plain(check.next.as_deref().unwrap_or_default())));
    }
    text
}

/// One line for each check that refuses: what was found and what to do.
pub(crate) fn lines(checks: &[Check]) -> String {
    let line = |check: &Check| format!("{}: {}; {}", check.name, check.found, check.next.as_deref().unwrap_or("see `mainspring doctor`"));
    checks.iter().filter(|check| check.refuses()).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;
    use crate::cli::failure::Failure;

    #[test]
    fn findings_come_with_what_to_do() {
        let checks = [
            Check::ok("data folder", "d is writable"),
            Check::failed("key ring", Failure::new(Exit::Invalid, "VAULT_KEY_UNKNOWN", "the key is another").next("put it back")),
            Check::new("port", State::Warning, "in use").next("choose another with --listen"),
            Check::new("plan files", State::Skipped, "no folder was named"),
        ];
        insta::assert_snapshot!(table(&checks, Style::default(), 80), @r"
           CHECK        FOUND
        ✓  data folder  d is writable
        ✗  key ring     the key is another
        !  port         in use
        –  plan files   no folder was named

        What to do
          key ring [VAULT_KEY_UNKNOWN]: put it back
          port: choose another with --listen
        ");
        assert_eq!(report(&checks)["healthy"], false);
        assert_eq!(lines(&checks), "key ring: the key is another; put it back");
    }
}
