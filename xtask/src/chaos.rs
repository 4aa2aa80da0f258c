//! `cargo x chaos`: the long forms of the gates, on the release build.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::project::Project;

/// The kill gate among the server's tests; `cargo x test` runs it with 200 kills on the debug build.
const R1: &str = "gates::r1::two_hundred_kills_lose_nothing";
const USAGE: &str = "cargo x chaos r1 [--kills N] [--seed S]";

/// What the gate is told by its environment: a test binary takes no arguments of its own.
const OPTIONS: &[(&str, &str)] = &[("--kills", "MAINSPRING_CHAOS_KILLS"), ("--seed", "MAINSPRING_CHAOS_SEED")];

/// Runs one gate. Both the program that is killed and the checker are release builds.
pub(crate) fn chaos(project: &Project, args: &[String]) -> Result<ExitCode> {
    let settings = settings(args)?;
    let mut command = project.command(crate::project::cargo());
    command.args(["test", "--release", "--locked", "-p", "mainspring-server", "--test", "main", "--", "--nocapture", "--exact", R1]);
    let status = command.envs(settings).status().context("cannot start the gate")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Variables and their values, out of `r1 --kills 20000 --seed 7`.
fn settings(args: &[String]) -> Result<Vec<(&'static str, String)>> {
    let Some((gate, options)) = args.split_first() else { bail!("which gate? {USAGE}") };
    if gate != "r1" {
        bail!("no gate `{gate}`: {USAGE}");
    }
    let mut settings = vec![(OPTIONS[0].1, "20000".to_owned())];
    for pair in options.chunks(2) {
        let variable = OPTIONS.iter().find(|(option, _)| pair[0] == *option).map(|(_, variable)| *variable);
        let number = pair.get(1).filter(|text| text.parse::<u64>().is_ok());
        let (Some(variable), Some(number)) = (variable, number) else { bail!("`{}` is not understood: {USAGE}", pair.join(" ")) };
        settings.push((variable, number.clone()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Vec<(&'static str, String)>> {
        settings(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_become_variables_and_the_last_wins() {
        let kills = |n: &str| ("MAINSPRING_CHAOS_KILLS", n.to_owned());
        assert_eq!(read(&["r1"]).unwrap(), [kills("20000")]);
        let asked = read(&["r1", "--kills", "50", "--seed", "7"]).unwrap();
        assert_eq!(asked, [kills("20000"), kills("50"), ("MAINSPRING_CHAOS_SEED", "7".to_owned())]);
        for bad in [&[][..], &["r2"], &["r1", "--kills"], &["r1", "--kills", "many"], &["r1", "--speed", "9"]] {
            assert!(read(bad).unwrap_err().to_string().contains(USAGE), "{bad:?}");
        }
    }
}
