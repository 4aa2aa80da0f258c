//! `mainspring doctor`: the first checks of a machine and its data folder, each with what to do.

mod folder;
mod machine;
mod plans;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::terminal::Style;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring doctor
  mainspring doctor --data /var/lib/mainspring --plans /etc/mainspring/plans
  mainspring doctor -o json | jq '.checks[] | select(.state == \"failed\")'

Exits with 3 when a check failed that keeps Mainspring from working. Nothing is changed or made.")]
pub(crate) struct Doctor {
    /// The address that the server would listen on.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Also check every plan file of this folder.
    #[arg(long, value_name = "DIR")]
    plans: Option<PathBuf>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// Works, but look at it.
    Warning,
    /// Mainspring cannot work like this.
    Failed,
    /// There is nothing to check yet.
    Skipped,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The stable code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

impl Check {
    fn new(name: &'static str, state: State, found: impl Into<String>) -> Check {
        Check { name, state, found: found.into(), next: None, code: None }
    }

    fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check::new(name, State::Ok, found)
    }

    fn next(mut self, next: impl Into<String>) -> Check {
        self.next = Some(next.into());
        self
    }

    fn failed(name: &'static str, failure: Failure) -> Check {
        Check { next: failure.next, code: Some(failure.code.into_owned()), ..Check::new(name, State::Failed, failure.message) }
    }
}

pub(crate) async fn run(cx: &Cx, doctor: &Doctor) -> Result<Exit, Failure> {
    let mut settings = place::settings(cx)?;
    settings.listen = doctor.listen.unwrap_or(settings.listen);
    let plans = doctor.plans.clone().or_else(|| settings.plans.clone());
    let mut checks = match settings.postgres {
        None => vec![folder::writable(&settings.data), machine::disk(&settings.data), folder::engine(&settings.data)],
        // What is kept lies in the database.
        Some(_) => Vec::new(),
    };
    let (opened, app) = folder::open(&settings).await;
    checks.extend(opened);
    checks.push(machine::clock(app.as_deref()).await);
    let catalog = match &app {
        Some(app) => app.catalog.clone(),
        None => place::catalog(cx).await,
    };
    checks.push(machine::providers(&*catalog));
    checks.push(machine::port(&settings));
    checks.push(plans::readable(plans.as_deref(), &*catalog));
    if let Some(app) = app {
        app.store.close().await;
    }
    let failed = checks.iter().any(|check| check.state == State::Failed);
    cx.show(&report(&checks), |style, width| table(&checks, style, width))?;
    Ok(if failed { Exit::Invalid } else { Exit::Ok })
}

fn report(checks: &[Check]) -> Value {
    json!({ "healthy": checks.iter().all(|check| check.state != State::Failed), "checks": checks })
}

fn table(checks: &[Check], style: Style, width: usize) -> String {
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
        text.push_str(&format!("  {}{code}: {}\n", check.name, check.next.as_deref().unwrap_or_default()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
