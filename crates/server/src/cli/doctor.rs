//! `mainspring doctor`: the checks of the server's start, made by hand, each with what to do.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::environment;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::serve::reads;
use crate::checks::{self, State};
use crate::settings::Flag;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring doctor
  mainspring doctor --fix --data /var/lib/mainspring
  mainspring doctor --data /var/lib/mainspring --plans /etc/mainspring/plans
  mainspring doctor -o json | jq '.checks[] | select(.state == \"failed\")'

Exits with 3 when a check failed; a critical one would keep the server from starting. Without --fix nothing is changed or
made. With it the data folder is made, others' rights to files with secrets are taken away, and migrations are applied;
everything else is left to you.")]
pub(crate) struct Doctor {
    /// The address that the server would listen on.
    #[arg(long, value_name = "ADDR", value_parser = reads("listen"))]
    listen: Option<String>,
    /// Also check every plan file of this folder.
    #[arg(long, value_name = "DIR")]
    plans: Option<PathBuf>,
    /// Put right what can be without a choice or a loss, and say what was.
    #[arg(long)]
    fix: bool,
}

pub(crate) async fn run(cx: &Cx, doctor: &Doctor) -> Result<Exit, Failure> {
    let mut flags = Vec::new();
    flags.extend(doctor.listen.as_ref().map(|listen| Flag::new("listen", listen)));
    flags.extend(doctor.plans.as_ref().map(|plans| Flag::new("plans", plans.display().to_string())));
    // As the server would be: a command's own trust in its caller is no finding.
    let settings = environment::settings(&cx.global, flags)?;
    let fixed = if doctor.fix { checks::mend(&settings).await? } else { Vec::new() };
    let checks = checks::all(&settings, async || place::catalog(cx).await, settings.plans.as_deref()).await;
    let failed = checks.iter().any(|check| check.state == State::Failed);
    let mut report = checks::report(&checks);
    if doctor.fix {
        report["fixed"] = json!(fixed);
    }
    cx.show(&report, |style, width| {
        let mut text: String = fixed.iter().map(|line| format!("fixed: {line}\n")).collect();
        if doctor.fix && fixed.is_empty() {
            text.push_str("nothing could be fixed without a choice of yours\n");
        }
        if doctor.fix {
            text.push('\n');
        }
        text + &checks::table(&checks, style, width)
    })?;
    Ok(if failed { Exit::Invalid } else { Exit::Ok })
}
