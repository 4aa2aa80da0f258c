//! `cargo x chaos`: the long forms of the gates, on the release build.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::{postgres, sabotage};

/// A gate that has a long form: where it is, how long it is when nobody says, and what can be said. A test binary takes no
/// arguments of its own, so it is told by its environment.
struct Gate {
    name: &'static str,
    package: &'static str,
    test: &'static str,
    options: &'static [(&'static str, &'static str)],
    /// Of the first option.
    usual: &'static str,
    /// Over a private PostgreSQL.
    postgres: bool,
}

const SEED: (&str, &str) = ("--seed", "MAINSPRING_CHAOS_SEED");

/// A gate of several nodes; `cargo x test` runs it for about a minute on the debug build.
const fn of_nodes(name: &'static str, test: &'static str) -> Gate {
    let options = &[("--minutes", "MAINSPRING_CHAOS_MINUTES"), SEED];
    Gate { name, package: "mainspring-server", test, options, usual: "60", postgres: true }
}

const GATES: &[Gate] = &[
    // `cargo x test` runs it with 200 kills on the debug build.
    Gate {
        name: "r1",
        package: "mainspring-server",
        test: "gates::r1::two_hundred_kills_lose_nothing",
        options: &[("--kills", "MAINSPRING_CHAOS_KILLS"), SEED],
        usual: "20000",
        postgres: false,
    },
    // `cargo x test` runs one of each direction; this is from a data folder into another.
    Gate {
        name: "r17",
        package: "mainspring-server",
        test: "copies::drill::from_a_folder_into_a_folder",
        options: &[("--drills", "MAINSPRING_DRILLS")],
        usual: "20",
        postgres: false,
    },
    // `cargo x test` puts 60 texts into each place; the long form the whole corpus.
    Gate {
        name: "s6",
        package: "mainspring-server",
        test: "gates::s6::texts_break_nothing_wherever_they_go",
        options: &[("--inputs", "MAINSPRING_S6_INPUTS")],
        usual: "25000",
        postgres: false,
    },
    // `cargo x test` offers a few thousand deliveries to the debug build.
    Gate {
        name: "s7",
        package: "mainspring-server",
        test: "gates::s7::a_flood_of_webhooks_loses_and_doubles_nothing",
        options: &[("--seconds", "MAINSPRING_S7_SECONDS"), ("--rate", "MAINSPRING_S7_RATE")],
        usual: "30",
        postgres: false,
    },
    of_nodes("r2", "gates::nodes::r2::nodes_that_are_killed_and_stopped_lose_nothing"),
    of_nodes("r3", "gates::nodes::r3::a_database_that_crashes_strands_nothing"),
    of_nodes("r4", "gates::nodes::r4::every_slot_of_many_nodes_is_filled_once"),
    of_nodes("r14", "gates::nodes::r14::wrong_clocks_change_nothing"),
    of_nodes("r15", "gates::nodes::r15::rolling_restarts_are_not_noticed"),
    // `cargo x test` runs it with 300 seeds. `--seed` replays one world and prints its trace.
    Gate {
        name: "sim",
        package: "mainspring-engine",
        test: "simulation::three_hundred_worlds_keep_every_promise",
        options: &[("--seeds", "MAINSPRING_SIM_SEEDS"), ("--seed", "MAINSPRING_SIM_SEED")],
        usual: "20000",
        postgres: false,
    },
];
const USAGE: &str = "cargo x chaos r1 [--kills N] [--seed S] | r2|r3|r4|r14|r15 [--minutes N] [--seed S] | r17 [--drills N] | s6 [--inputs N] | s7 [--seconds N] [--rate N] | \
     sim [--seeds N] [--seed S] | sabotage [switch…]";

/// Runs one gate. Both what is tested and the checker are release builds.
pub(crate) fn chaos(project: &Project, args: &[String]) -> Result<ExitCode> {
    if let [command, switches @ ..] = args
        && command == "sabotage"
    {
        return sabotage::sabotage(project, switches);
    }
    let (gate, settings) = asked(args)?;
    let mut command = project.command(crate::project::cargo());
    command.args(["test", "--release", "--locked", "-p", gate.package, "--test", "main", "--", "--nocapture", "--exact", gate.test]);
    let server = if gate.postgres { Some(postgres::Server::start()?) } else { None };
    if let Some(server) = &server {
        postgres::provide_faketime();
        command.envs(server.variables());
    }
    let status = command.envs(settings).status().context("cannot start the gate")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The gate, and variables with their values, out of `r1 --kills 20000 --seed 7`.
fn asked(args: &[String]) -> Result<(&'static Gate, Vec<(&'static str, String)>)> {
    let Some((name, options)) = args.split_first() else { bail!("which gate? {USAGE}") };
    let Some(gate) = GATES.iter().find(|gate| gate.name == name) else { bail!("no gate `{name}`: {USAGE}") };
    let mut settings = vec![(gate.options[0].1, gate.usual.to_owned())];
    for pair in options.chunks(2) {
        let variable = gate.options.iter().find(|(option, _)| pair[0] == *option).map(|(_, variable)| *variable);
        let number = pair.get(1).filter(|text| text.parse::<u64>().is_ok());
        let (Some(variable), Some(number)) = (variable, number) else { bail!("`{}` is not understood: {USAGE}", pair.join(" ")) };
        settings.push((variable, number.clone()));
    }
    Ok((gate, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Vec<(&'static str, String)>> {
        asked(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>()).map(|(_, settings)| settings)
    }

    #[test]
    fn options_become_variables_and_the_last_wins() {
        let kills = |n: &str| ("MAINSPRING_CHAOS_KILLS", n.to_owned());
        assert_eq!(read(&["r1"]).unwrap(), [kills("20000")]);
        let both = read(&["r1", "--kills", "50", "--seed", "7"]).unwrap();
        assert_eq!(both, [kills("20000"), kills("50"), ("MAINSPRING_CHAOS_SEED", "7".to_owned())]);
        let seeds = |n: &str| ("MAINSPRING_SIM_SEEDS", n.to_owned());
        assert_eq!(read(&["sim", "--seeds", "9"]).unwrap(), [seeds("20000"), seeds("9")]);
        assert_eq!(read(&["r14", "--minutes", "2"]).unwrap().last(), Some(&("MAINSPRING_CHAOS_MINUTES", "2".to_owned())));
        for bad in [
            &[][..],
            &["r5"],
            &["r2", "--kills", "9"],
            &["sim", "--kills", "9"],
            &["r1", "--kills"],
            &["r1", "--kills", "many"],
            &["r1", "--speed", "9"],
        ] {
            assert!(read(bad).unwrap_err().to_string().contains(USAGE), "{bad:?}");
        }
    }
}
