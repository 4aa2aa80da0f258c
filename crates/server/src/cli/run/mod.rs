//! `mainspring run`: runs a plan file, goes on with a run, and shows, lists and cancels runs.

mod again;
mod cancel;
pub(crate) mod dev;
mod drive;
mod failures;
mod follow;
mod interrupt;
mod line;
mod list;
mod logs;
mod outcome;
mod pause;
mod progress;
mod screen;
mod show;
mod start;
mod summary;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use interrupt::Interrupts;
pub(crate) use start::Place;

use clap::{Args, Subcommand};
use mainspring_model::id::RunId;
use serde_json::Value;

use super::api::Api;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;

#[derive(Args, Debug)]
#[command(subcommand_negates_reqs = true, subcommand_help_heading = "Subcommands", disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  mainspring run plans/newsletter.yaml -i topic=rust -i count=3
  mainspring run plan.yaml -i body=@letter.txt --json | jq .output
  cat plan.json | mainspring run - --inputs inputs.yaml
  mainspring run alert.yaml --priority high
  mainspring run --resume last
  mainspring run list --status error
  mainspring run ./list            (a plan file that is called list)

The plan is checked, saved under its name, and run in this process, recorded as a server records it. When a server holds
the data folder already, the run is handed to that server and shown from there. Ctrl-C asks the run to end (its `finally`
still runs); a second Ctrl-C leaves at once, and --resume goes on later.")]
pub(crate) struct Run {
    #[command(subcommand)]
    command: Option<RunCommand>,
    #[command(flatten)]
    start: start::Start,
}

#[derive(Subcommand, Debug)]
enum RunCommand {
    /// List runs, newest first.
    #[command(after_help = "\
Examples:
  mainspring run list
  mainspring run list --plan Payments --status error --limit 5
  mainspring run list -o json | jq '.runs[].id'")]
    List(list::List),
    /// Show a run: its steps, how it ended, and its output.
    #[command(after_help = "\
Examples:
  mainspring run show last
  mainspring run show 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10 -o json")]
    Show(Named),
    /// Show every attempt of a run, oldest first.
    #[command(after_help = "\
Examples:
  mainspring run logs last
  mainspring run logs 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10 --status error -o json")]
    Logs(logs::Logs),
    /// Ask a run to end, or many. Its `finally` still runs.
    #[command(after_help = "\
Examples:
  mainspring run cancel last
  mainspring run cancel --all --plan Payments --status waiting")]
    Cancel(cancel::Cancel),
    /// Make a run lie down: the step under way ends, and no further one starts until `resume`.
    #[command(after_help = "\
Examples:
  mainspring run pause last
  mainspring run pause 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    Pause(pause::Pause),
    /// Let a paused run go on, and show how it goes.
    #[command(after_help = "\
Examples:
  mainspring run resume last
  mainspring run resume 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    Resume(pause::Pause),
    /// Show what went wrong, and how often: failed runs by plan, step and kind of message.
    #[command(after_help = "\
Examples:
  mainspring run failures
  mainspring run failures --plan Payments -o json | jq -r '.failures[0].fingerprint'")]
    Failures(failures::Failures),
    /// Run again what failed in a run; what ended well is taken over.
    #[command(after_help = "\
Examples:
  mainspring run retry last
  mainspring run retry --all --plan Payments --status timed_out
  mainspring run retry --all --like 9f2c64a01b7de835

A run is retried once: a second call shows the same new run. Each item of a loop and each step of a body that ended well is kept.")]
    Retry(again::Retry),
    /// Run a run again, as a whole or from a step, with other inputs or the newest version of its plan.
    #[command(after_help = "\
Examples:
  mainspring run replay last
  mainspring run replay last --from send
  mainspring run replay last --from send --latest -i to=ada@example.org")]
    Replay(again::Replay),
    /// Say what became of a step that must not run twice, and go on: for runs in `needs_decision`.
    #[command(after_help = "\
Examples:
  mainspring run decide last --repeat
  mainspring run decide last --done --output '{\"id\": \"ch_123\"}'")]
    Decide(again::Decide),
}

/// A run by name.
#[derive(Args, Debug)]
struct Named {
    /// The run's id, or `last` for the newest.
    #[arg(value_name = "RUN")]
    run: String,
}

pub(crate) async fn run(cx: &mut Cx, run: &Run) -> Result<Exit, Failure> {
    if run.command.is_some() && run.start.is_given() {
        return Err(Failure::usage("a FILE or --resume starts a run and stands alone; `list`, `show`, `logs` and `cancel` take none"));
    }
    match &run.command {
        None => start::run(cx, &run.start).await,
        Some(RunCommand::List(list)) => list::run(cx, list).await,
        Some(RunCommand::Show(named)) => show::run(cx, named).await,
        Some(RunCommand::Logs(logs)) => logs::run(cx, logs).await,
        Some(RunCommand::Cancel(cancel)) => cancel::run(cx, cancel).await,
        Some(RunCommand::Pause(pause)) => pause::pause(cx, pause).await,
        Some(RunCommand::Resume(pause)) => pause::resume(cx, pause).await,
        Some(RunCommand::Failures(failures)) => failures::run(cx, failures).await,
        Some(RunCommand::Retry(retry)) => again::retry(cx, retry).await,
        Some(RunCommand::Replay(replay)) => again::replay(cx, replay).await,
        Some(RunCommand::Decide(decide)) => again::decide(cx, decide).await,
    }
}

/// The id that a text means.
async fn resolve(api: &Api, text: &str) -> Result<RunId, Failure> {
    if text != "last" {
        return parse(text);
    }
    let newest = api.list("/api/runs", "runs", &[], 1).await?;
    let id = newest.first().and_then(|run| run["id"].as_str()).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Failure::new(Exit::NotFound, "NOT_FOUND", "there is no run yet").next("`mainspring run FILE` makes one"))
}

fn parse(text: &str) -> Result<RunId, Failure> {
    let wrong = |_| Failure::usage(format!("{text:?} is no run id")).next("`mainspring run list` shows ids; `last` means the newest run");
    text.parse().map_err(wrong)
}

/// A run as `GET /api/runs/{id}` shows it.
async fn get(api: &Api, run: RunId) -> Result<Value, Failure> {
    let answer = api.get(&format!("/api/runs/{run}"), &[]).await;
    let mut answer = answer.map_err(|failure| match failure.exit {
        Exit::NotFound => failure.next("`mainspring run list` shows what is there; finished runs go after the retention time"),
        _ => failure,
    })?;
    Ok(answer.get_mut("run").map(Value::take).unwrap_or(answer))
}
