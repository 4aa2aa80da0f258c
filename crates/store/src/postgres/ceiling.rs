//! What the database server gives a plain client: single-row commits by `pgbench`, to stand beside our own figures.

use std::io::{Error, Result};
use std::path::PathBuf;
use std::process::Command;

const SECONDS: &str = "3";
/// Into the one table of pgbench that only grows.
const INSERT: &str = "insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, 1, 1, now())";

/// Commits a second of `clients` connections that insert one row each time. The role of `url` makes pgbench's tables and drops
/// them again.
///
/// # Errors
/// There is no pgbench, or it failed.
pub fn commit_rate(url: &str, clients: u32) -> Result<f64> {
    let script = std::env::temp_dir().join(format!("mainspring-pgbench-{}.sql", std::process::id()));
    std::fs::write(&script, INSERT)?;
    let measured = (|| {
        pgbench(&["--initialize", "--init-steps=dtg", "--quiet", url])?;
        let clients = clients.to_string();
        let file = script.display().to_string();
        let said = pgbench(&["--no-vacuum", "--client", &clients, "--jobs", "2", "--time", SECONDS, "--file", &file, url])?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
        rate.ok_or_else(|| Error::other("pgbench told no rate"))
    })();
    drop(pgbench(&["--initialize", "--init-steps=d", "--quiet", url]));
    drop(std::fs::remove_file(&script));
    measured
}

fn pgbench(args: &[&str]) -> Result<String> {
    let done = Command::new(program()).args(args).output()?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Error::other(format!("pgbench: {}", said.lines().last().unwrap_or("no word"))))
}

/// Where packages put it, or by its name alone.
fn program() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin/pgbench")).filter(|program| program.exists()).max();
    found.unwrap_or_else(|| PathBuf::from("pgbench"))
}
