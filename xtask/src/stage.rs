//! The stages of `cargo x test`: quick checks first, then what compiles, each timed; the first failure is named at the end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::finding::Finding;
use crate::project::Project;
use crate::{conform, dependencies, deploy, diamond, docs, fixtures, house, postgres, redis};

type Run = fn(&Project) -> Result<bool>;

/// Name, whether it takes seconds only, and what it does. Quick stages all run, so that one call shows all of them; a stage
/// that compiles runs only while nothing has failed. The tests come last: their own summary is what one wants to read.
const STAGES: &[(&str, bool, Run)] = &[
    ("format", true, format),
    ("diamond", true, |project| report(Ok(diamond::check(project)))),
    ("house", true, |project| report(house::check(project))),
    ("docs", true, |project| report(docs::check(project))),
    ("dependencies", true, foreign_code),
    ("deploy", true, deploy::check),
    ("clippy", false, lint),
    ("build", false, |project| project.cargo(["build", "--workspace", "--locked"])),
    ("doc tests", false, |project| project.cargo(["test", "--workspace", "--locked", "--doc", "--quiet"])),
    ("interface", false, conform::quick),
    ("tests", false, tests),
];

/// Runs every stage and sums up.
pub(crate) fn all(project: &Project) -> Result<ExitCode> {
    let started = Instant::now();
    let mut failed: Vec<&str> = Vec::new();
    let mut left_out: Vec<&str> = Vec::new();
    tell_what_is_missing(project);
    for (name, quick, run) in STAGES {
        if !failed.is_empty() && !quick {
            left_out.push(name);
            continue;
        }
        println!("── {name}");
        let stage = Instant::now();
        let held = run(project).unwrap_or_else(|error| {
            eprintln!("{error:#}");
            false
        });
        println!("── {name}: {} in {}", if held { "ok" } else { "FAILED" }, seconds(stage.elapsed()));
        if !held {
            failed.push(name);
        }
    }
    println!("\n{}", summary(&failed, &left_out, started.elapsed()));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Clippy over everything that compiles, with warnings as errors.
pub(crate) fn lint(project: &Project) -> Result<bool> {
    provide(project, "clippy")?;
    project.cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
}

fn format(project: &Project) -> Result<bool> {
    provide(project, "fmt")?;
    project.cargo(["fmt", "--all", "--", "--check"])
}

/// Our own look at licences and bans, and `cargo-deny`'s as well where it is installed. Advisories need the network and
/// change under our feet; `cargo deny check advisories` is asked for by hand.
fn foreign_code(project: &Project) -> Result<bool> {
    let held = report(dependencies::check(project))?;
    Ok(held && (!project.has_cargo("deny") || project.cargo(["deny", "check", "bans", "licenses", "sources"])?))
}

/// `cargo-nextest` where it is installed (a process per test, one summary), else cargo's own runner; a PostgreSQL beside it.
fn tests(project: &Project) -> Result<bool> {
    redis::provide();
    let server = postgres::Server::start()?;
    let mut command = project.command(crate::project::cargo());
    postgres::provide_faketime();
    command.envs(server.variables());
    if project.has_cargo("nextest") {
        command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    } else {
        command.args(["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    match fixtures::octokit(project) {
        Some(folder) => command.env(fixtures::OCTOKIT, folder),
        None => command.env_remove(fixtures::OCTOKIT),
    };
    Ok(command.status().context("cannot start the tests")?.success())
}

/// `fmt` and `clippy` are parts of the toolchain that a minimal installation leaves out.
fn provide(project: &Project, part: &str) -> Result<()> {
    if !project.has_cargo(part) {
        let component = if part == "fmt" { "rustfmt" } else { part };
        println!("note: cargo {part} is missing; adding the toolchain's component {component}");
        project.command("rustup").args(["component", "add", component]).status().context("cannot start rustup")?;
    }
    Ok(())
}

fn tell_what_is_missing(project: &Project) {
    if !project.has_cargo("nextest") {
        println!("note: cargo-nextest is not installed; `cargo test` runs the tests instead");
    }
    if !project.has_cargo("deny") {
        println!("note: cargo-deny is not installed; licences and bans are checked by our own reading of deny.toml");
    }
}

fn report(findings: Result<Vec<Finding>>) -> Result<bool> {
    let findings = findings?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    Ok(findings.is_empty())
}

fn summary(failed: &[&str], left_out: &[&str], took: Duration) -> String {
    if failed.is_empty() {
        return format!("all {} stages ok in {}", STAGES.len(), seconds(took));
    }
    let rest = if left_out.is_empty() { String::new() } else { format!("; not run: {}", left_out.join(", ")) };
    format!("FAILED: {}{rest} (after {})", failed.join(", "), seconds(took))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_failed() {
        let second = Duration::from_secs(1);
        assert_eq!(summary(&["house"], &["clippy", "tests"], second), "FAILED: house; not run: clippy, tests (after 1.0 s)");
        assert_eq!(summary(&[], &[], second), format!("all {} stages ok in 1.0 s", STAGES.len()));
    }
}
