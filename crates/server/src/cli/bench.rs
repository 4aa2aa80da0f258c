//! `mainspring bench`: the figures that Mainspring promises, measured on this machine.

use std::path::PathBuf;

use clap::Args;

use super::environment;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use crate::bench::{self, NAMES, Options};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mainspring bench
  mainspring bench steps webhook
  mainspring bench --quick --folder /mnt/fast/bench

Each figure stands beside the ceiling of this machine, measured in the same run. Use a release build on a quiet machine.
Exits with 1 when a figure was missed.")]
pub(crate) struct Bench {
    /// What to measure; everything unless named.
    #[arg(value_name = "NAME", value_parser = NAMES)]
    only: Vec<String>,
    /// Where databases are made: on the disk whose speed counts.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Over the PostgreSQL database of DATABASE_URL, which should be empty, instead of the embedded store.
    #[arg(long)]
    postgres: bool,
    /// Smaller workloads, to see that the bench works. Its figures are not the promised ones.
    #[arg(long)]
    quick: bool,
}

pub(crate) async fn run(cx: &Cx, bench: Bench) -> Result<Exit, Failure> {
    let folder = bench.folder.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("mainspring-bench-{}", std::process::id())));
    let postgres = if bench.postgres { Some(environment::settings(&cx.global, Vec::new())?) } else { None };
    if postgres.as_ref().is_some_and(|settings| settings.postgres.is_none()) {
        return Err(Failure::usage("--postgres measures over the database that DATABASE_URL names, and it names none"));
    }
    let options = Options { only: bench.only.clone(), folder: folder.clone(), quick: bench.quick, postgres };
    // It brings threads of its own, which must not begin on one of ours.
    let measured = tokio::task::spawn_blocking(move || bench::run(&options)).await;
    if bench.folder.is_none() {
        // Ours alone; what cannot be removed is the machine's to clean.
        drop(std::fs::remove_dir_all(&folder));
    }
    match measured {
        Ok(Ok(true)) => Ok(Exit::Ok),
        Ok(Ok(false)) => Ok(Exit::RunFailed),
        Ok(Err(error)) => Err(Failure::internal(format!("the bench could not be made: {error:#}"))),
        Err(error) => Err(Failure::internal(format!("the bench broke off: {error}"))),
    }
}
