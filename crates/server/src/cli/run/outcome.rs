//! How following a run ended, and what is shown and returned for it.

use mainspring_model::id::RunId;
use mainspring_model::run::RunStatus;

use super::start::Place;
use super::{get, summary};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Cx;

/// What this command asked of the run before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    /// Ctrl-C.
    Interrupted,
    /// `--timeout` passed.
    TimedOut,
}

/// The end of following.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) run: RunId,
    pub(super) asked: Asked,
    /// The run goes on or lies still; we left.
    pub(super) left: bool,
}

impl End {
    pub(super) fn of(run: RunId) -> End {
        End { run, asked: Asked::Nothing, left: false }
    }
}

/// Shows the run at its end and says with which number to exit.
pub(super) async fn show(cx: &Cx, place: &Place, end: &End) -> Result<Exit, Failure> {
    if end.left {
        let run = end.run;
        cx.note(&match place {
            Place::Here(_) => format!("left run {run} where it is; `mainspring run --resume {run}` goes on with it"),
            Place::Server(_) => format!("left run {run}, which the server ends; `mainspring run show {run}` tells how"),
        });
        return Ok(Exit::Interrupted);
    }
    let run = get(place.api(), end.run).await?;
    cx.show(&run, |style, width| {
        // Apart from the progress above it.
        let space = if cx.quiet { "" } else { "\n" };
        format!("{space}{}", summary::render(&run, style, width))
    })?;
    let status = run["status"].as_str().and_then(RunStatus::parse).unwrap_or(RunStatus::Error);
    Ok(exit(status, end.asked))
}

/// A run that we cancelled ended for our reason; one that was quicker than we ended for its own.
fn exit(status: RunStatus, asked: Asked) -> Exit {
    match (status, asked) {
        (RunStatus::Cancelled, Asked::Interrupted) => Exit::Interrupted,
        (RunStatus::Cancelled, Asked::TimedOut) => Exit::Timeout,
        _ => Exit::of_run(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_says_who_ended_the_run() {
        let of = |status, asked| exit(status, asked) as u8;
        assert_eq!(of(RunStatus::Cancelled, Asked::Interrupted), 130);
        assert_eq!(of(RunStatus::Cancelled, Asked::TimedOut), 7);
        assert_eq!(of(RunStatus::Cancelled, Asked::Nothing), 1);
        assert_eq!(of(RunStatus::Success, Asked::Interrupted), 0);
        assert_eq!(of(RunStatus::Error, Asked::TimedOut), 1);
    }
}
