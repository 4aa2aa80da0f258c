//! `cargo x bench`: measures the release build.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::postgres;
use crate::project::Project;

const BENCH: &str = "mainspring-bench";

/// Runs the bench crate where the workspace has it, else the binary's own `bench` command.
pub(crate) fn bench(project: &Project, args: &[String]) -> Result<ExitCode> {
    // The server is built first in either case: the benchmarks start it as a program of its own.
    let binary = project.build_release()?;
    let mut command = if project.has(BENCH) {
        let mut command = project.command(crate::project::cargo());
        command.args(["run", "--release", "--locked", "-p", BENCH, "--"]);
        command
    } else {
        let mut command = project.command(&binary);
        command.arg("bench");
        command
    };
    // Over PostgreSQL: a private server, unless a database was named.
    let named = std::env::var_os("DATABASE_URL").is_some();
    let server = if args.iter().any(|arg| arg == "--postgres") && !named { Some(postgres::Server::start()?) } else { None };
    if let Some(server) = &server {
        command.envs(server.database("bench")?);
    }
    let status = command.args(args).env("MAINSPRING_BIN", &binary).status().context("cannot start the benchmark")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
