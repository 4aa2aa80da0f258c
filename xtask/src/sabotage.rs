//! `cargo x chaos sabotage`: builds that break a promise on purpose, each of which must turn its gate red.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::postgres;
use crate::project::Project;

/// How such a build is told what to break; no other build has it.
const VARIABLE: &str = "MAINSPRING_SABOTAGE";

/// A broken promise, the gate that must find it, and the words of which its verdict has one.
struct Sabotage {
    switch: &'static str,
    package: &'static str,
    test: &'static str,
    found_as: &'static [&'static str],
}

const SERVER: &str = "mainspring-server";
const PROVIDERS: &str = "mainspring-providers";
const SANDBOX: &str = "mainspring-sandbox";

const ALL: &[Sabotage] = &[
    Sabotage {
        switch: "no-fencing",
        package: SERVER,
        test: "gates::nodes::r2::nodes_that_are_killed_and_stopped_lose_nothing",
        found_as: &["nothing refused", "journal row twice", "result twice", "two terminal states", "acked step changed"],
    },
    Sabotage {
        switch: "no-slot-key",
        package: SERVER,
        test: "gates::nodes::r4::every_slot_of_many_nodes_is_filled_once",
        found_as: &["slot twice"],
    },
    Sabotage {
        switch: "ack-before-commit",
        package: SERVER,
        test: "gates::promptness::what_was_answered_is_there_after_a_kill_at_once",
        found_as: &["was answered and is not there", "does not exist"],
    },
    Sabotage {
        switch: "sweep-drops-errors",
        package: SERVER,
        test: "gates::nodes::r2::nodes_that_are_killed_and_stopped_lose_nothing",
        found_as: &["not ended", "slow to settle"],
    },
    Sabotage {
        switch: "node-clock-leases",
        package: SERVER,
        test: "gates::nodes::r14::wrong_clocks_change_nothing",
        found_as: &["healthy node swept"],
    },
    Sabotage {
        switch: "alg-from-token",
        package: "mainspring-vault",
        test: "access_token::no_forged_token_is_accepted",
        found_as: &["forged token accepted"],
    },
    Sabotage {
        switch: "force-off",
        package: "mainspring-store",
        test: "postgres::catalogue::every_table_is_under_forced_row_level_security",
        found_as: &["forced false"],
    },
    Sabotage {
        switch: "empty-aad",
        package: "mainspring-vault",
        test: "attacks::nothing_that_was_changed_or_moved_opens",
        found_as: &["opened at another place"],
    },
    Sabotage {
        switch: "redactor-off",
        package: SERVER,
        test: "gates::leaks::no_secret_is_anywhere_but_where_it_belongs",
        found_as: &["leaked into"],
    },
    Sabotage {
        switch: "redirect-keeps-headers",
        package: PROVIDERS,
        test: "egress::s4::nothing_secret_reaches_a_second_origin",
        found_as: &["leaked to a second origin"],
    },
    Sabotage {
        switch: "check-before-resolve-only",
        package: PROVIDERS,
        test: "egress::s4::no_spelling_reaches_a_canary",
        found_as: &["reached a canary", "was not refused"],
    },
    Sabotage {
        switch: "decompressed-size-unchecked",
        package: SERVER,
        test: "gates::s8::bombs_cost_little",
        found_as: &["was taken in", "MiB more"],
    },
    Sabotage {
        switch: "code-unconfined",
        package: SANDBOX,
        test: "s10::probes::whatever_asks_the_kernel_for_more_is_ended",
        found_as: &["not ended by the filter"],
    },
    Sabotage {
        switch: "code-memory-unchecked",
        package: SANDBOX,
        test: "s10::nothing_gets_out_and_no_limit_is_overshot",
        found_as: &["a child held"],
    },
];

/// All of them, or those that are named.
pub(crate) fn sabotage(project: &Project, args: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = args.iter().find(|arg| !ALL.iter().any(|sabotage| sabotage.switch == **arg)) {
        let known: Vec<&str> = ALL.iter().map(|sabotage| sabotage.switch).collect();
        bail!("no switch `{unknown}`; there are {}", known.join(", "));
    }
    let server = postgres::Server::start()?;
    postgres::provide_faketime();
    let mut missed = Vec::new();
    for sabotage in ALL.iter().filter(|sabotage| args.is_empty() || args.iter().any(|arg| arg == sabotage.switch)) {
        println!("── {}: {}", sabotage.switch, sabotage.test);
        let said = run(project, &server, sabotage)?;
        match found(&said, sabotage) {
            Some(line) => println!("── {}: found: {line}", sabotage.switch),
            None => {
                // Green, or red for another reason: which, is in its last lines.
                let last: Vec<&str> = said.lines().rev().take(40).collect();
                println!(
                    "── {}: NOT FOUND; the gate ended with\n{}",
                    sabotage.switch,
                    last.into_iter().rev().collect::<Vec<_>>().join("\n")
                );
                missed.push(sabotage.switch);
            }
        }
    }
    if missed.is_empty() {
        println!("every sabotage was found");
        return Ok(ExitCode::SUCCESS);
    }
    println!("not found: {}", missed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// What the gate said; a build of its own in a folder of its own, so that no other build ever has the switches.
fn run(project: &Project, server: &postgres::Server, sabotage: &Sabotage) -> Result<String> {
    let folder = project.target.join("sabotage");
    let cargo = |more: &[&str]| {
        let mut command: Command = project.command(crate::project::cargo());
        command.args(["test", "--locked", "-p", sabotage.package, "--features", "sabotage", "--test", "main"]).args(more);
        command.env("CARGO_TARGET_DIR", &folder);
        command
    };
    if !cargo(&["--no-run"]).status().context("cannot start cargo")?.success() {
        bail!("the sabotaged build failed");
    }
    let mut gate = cargo(&["--", "--nocapture", "--exact", sabotage.test]);
    gate.envs(server.variables()).env(VARIABLE, sabotage.switch).stdin(Stdio::null());
    let output = gate.output().context("cannot start the gate")?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    if said.contains("running 0 tests") {
        bail!("there is no test {}", sabotage.test);
    }
    Ok(if output.status.success() { String::new() } else { said })
}

/// The first line of a red gate that names what was broken.
fn found<'a>(said: &'a str, sabotage: &Sabotage) -> Option<&'a str> {
    said.lines().map(str::trim).find(|line| sabotage.found_as.iter().any(|word| line.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_green_gate_and_a_gate_that_is_red_for_another_reason_find_nothing() {
        let keyless = ALL.iter().find(|sabotage| sabotage.switch == "no-slot-key").unwrap();
        assert_eq!(found("", keyless), None);
        assert_eq!(found("seed 1: 2 broken promises\nslot missing: 5 of x has no run", keyless), None);
        let said = "seed 1: 2 broken promises\n  slot twice: 5 of x has 2 runs\n";
        assert_eq!(found(said, keyless), Some("slot twice: 5 of x has 2 runs"));
    }
}
