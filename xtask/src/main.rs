//! `cargo x …`: the few commands that build, run, check and measure the project.
#![expect(clippy::disallowed_methods, reason = "a developer's tool at the edge: it reads the environment and times its stages")]

mod advisories;
mod bench;
mod chaos;
mod conform;
mod dependencies;
mod deploy;
mod diamond;
mod docs;
mod finding;
mod fixtures;
mod fuzz;
mod house;
mod postgres;
mod project;
mod redis;
mod sabotage;
mod sbom;
mod spdx;
mod stage;
mod start;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::project::Project;

const HELP: &str = "\
cargo x <command>

  start [args…]   build the release binary and serve in dev mode on http://127.0.0.1:5000, data in .x/data;
                  further arguments go to `mainspring serve`
  test            every check and every test; `ci` is the same
  bench [args…]   build for release and measure; --postgres: over a private PostgreSQL
  chaos r1 [--kills N] [--seed S]
                  kill the release build N times (20000) under load, and judge what it kept
  chaos r2|r3|r4|r14|r15 [--minutes N] [--seed S]
                  three nodes of the release build over a private PostgreSQL: killed and stopped, without their database,
                  with schedules, with wrong clocks, restarted in turns; N minutes (60)
  chaos sabotage [switch…]
                  builds that break one promise each on purpose, and the gate that must turn red for it
  fuzz [target] [--seconds N]
                  libFuzzer over what strangers write (expr, plan, cron, journal, ciphertext, token, access, url, integration),
                  60 seconds each; needs cargo-fuzz
  chaos r17 [--drills N]
                  back up a server under load N times (20), and restore and serve each copy elsewhere
  chaos s6 [--inputs N]
                  N texts that break programs (25000) into every place of the interface that takes a text
  chaos sim [--seeds N] [--seed S]
                  simulate N worlds (20000) of three nodes and their faults; or replay one seed with its trace
  fmt             format the workspace
  lint            clippy over the workspace, warnings are errors
  diamond         the crate graph against its rule
  house           the rules of the house that a machine can check
  licences        licences, bans and known holes of all dependencies, offline
  sbom [file]     what the program is made of, as CycloneDX JSON
  docs [--write]  error pages, links and normative pages; --write renews docs/errors/README.md
  with-postgres <command…>
                  run a command with a private PostgreSQL beside it, as the tests are
  deploy [--prove]
                  what is in deploy/: our own rules, real linters, and each linter over something broken; --prove: only that
  conform [--seed S]
                  schemathesis over every operation, 6000 cases at least: each answer is documented, none a server error
  fixtures        fetch the data packages that some tests read, into .x/fixtures
  help            this text
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo x: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<ExitCode> {
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", args),
    };
    if matches!(command, "help" | "-h" | "--help") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let takes_arguments = matches!(command, "start" | "bench" | "chaos" | "conform" | "fuzz" | "sbom" | "with-postgres")
        || matches!((command, rest), ("docs", [flag]) if flag == "--write")
        || matches!((command, rest), ("deploy", [flag]) if flag == "--prove");
    if !takes_arguments && !rest.is_empty() {
        bail!("`{command}` takes no such argument: {}\n\n{HELP}", rest.join(" "));
    }
    let project = Project::find()?;
    match command {
        "start" => start::start(&project, rest),
        "bench" => bench::bench(&project, rest),
        "chaos" => chaos::chaos(&project, rest),
        "conform" => conform::conform(&project, rest),
        "sbom" => sbom::sbom(&project, rest),
        "fuzz" => fuzz::fuzz(&project, rest),
        "with-postgres" => postgres::with(&project, rest),
        "test" | "ci" => stage::all(&project),
        "fmt" => project.cargo(["fmt", "--all"]).and_then(exit),
        "lint" => stage::lint(&project).and_then(exit),
        "diamond" => report(diamond::check(&project)),
        "house" => report(house::check(&project)?),
        "licences" => report(dependencies::check(&project)?),
        "docs" if rest.is_empty() => report(docs::check(&project)?),
        "docs" => docs::write_index(&project).map(|()| ExitCode::SUCCESS),
        "deploy" if rest.is_empty() => deploy::check(&project).and_then(exit),
        "deploy" => deploy::prove_only(&project).and_then(exit),
        "fixtures" => {
            if let Some(folder) = fixtures::octokit(&project) {
                println!("{}={}", fixtures::OCTOKIT, folder.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("no command `{command}`\n\n{HELP}"),
    }
}

fn exit(held: bool) -> Result<ExitCode> {
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(findings: Vec<finding::Finding>) -> Result<ExitCode> {
    for finding in &findings {
        eprintln!("{finding}");
    }
    println!("{}", if findings.is_empty() { "nothing found".to_owned() } else { format!("{} found", findings.len()) });
    exit(findings.is_empty())
}
