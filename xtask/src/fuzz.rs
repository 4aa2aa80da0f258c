//! `cargo x fuzz`: what reads texts and bytes of strangers under libFuzzer, with bounds on memory and time that end the process.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::project::Project;

#[path = "../../crates/model/tests/fuzz/seeds.rs"]
mod seeds;

#[path = "../../crates/vault/tests/fuzz/deliveries.rs"]
mod deliveries;

/// Where the targets lie; `cargo fuzz` wants it below the folder that it is called in.
const MODEL: &str = "crates/model";
const VAULT: &str = "crates/vault";
const PROVIDERS: &str = "crates/providers";
const USAGE: &str = "cargo x fuzz [expr|plan|cron|journal|ciphertext|token|access|webhook|url|integration] [--seconds N]";
const SECONDS: u64 = 60;

/// A target, its crate, how to make its seeds, and the longest text that it is given, in bytes: beyond it libFuzzer is slow and finds nothing new.
type Seeds = fn(&Path) -> std::io::Result<Vec<String>>;
const TARGETS: &[(&str, &str, Seeds, u32)] = &[
    ("expr", MODEL, seeds::expressions, 4_096),
    ("plan", MODEL, seeds::documents, 8_192),
    ("cron", MODEL, seeds::schedules, 256),
    ("journal", MODEL, seeds::journals, 4_096),
    ("ciphertext", VAULT, none, 256),
    ("token", VAULT, none, 128),
    ("access", VAULT, claims, 1_024),
    ("webhook", VAULT, signed, 2_048),
    ("url", PROVIDERS, urls, 512),
    ("integration", PROVIDERS, none, 4_096),
];

/// The fuzzer begins with nothing.
fn none(_: &Path) -> std::io::Result<Vec<String>> {
    Ok(Vec::new())
}

/// Of an access token; what signs it is made anew in each process of the fuzzer, the same each time.
fn claims(_: &Path) -> std::io::Result<Vec<String>> {
    let id = "018bcfe5-6800-7101-8101-010101010101";
    let claims = format!(
        r#"{{"iss":"mainspring","aud":"mainspring-api","sub":"{id}","sid":"00000000-0000-0000-0000-000000000007","iat":1799999990,"exp":1800001790}}"#
    );
    Ok(vec![claims, "eyJhbGciOiJub25lIn0.e30.".to_owned()])
}

/// Webhooks' deliveries that are rightly signed.
fn signed(_: &Path) -> std::io::Result<Vec<String>> {
    Ok(deliveries::deliveries())
}

fn urls(_: &Path) -> std::io::Result<Vec<String>> {
    Ok(["http://127.0.0.1/", "http://[::ffff:a9fe:a9fe]/", "https://api.example.com:8443/a?b=c#d", "http://0x7f.1/", "http://u:p@a.test/"]
        .map(str::to_owned)
        .into())
}

/// What no text may cost. One allocation: with the fuel of the targets a list takes less than 8 MiB. All of it: what the
/// sanitizer itself needs is about 500 MiB of this. One text: the fuel of one evaluation is spent in milliseconds.
const BOUNDS: &[&str] = &["-malloc_limit_mb=32", "-rss_limit_mb=1024", "-timeout=5"];

/// Runs one target or all, each for so many seconds. What it finds stays in `.x/fuzz/<target>/found`, what it learnt in `corpus`.
pub(crate) fn fuzz(project: &Project, args: &[String]) -> Result<ExitCode> {
    let (only, seconds) = asked(args)?;
    if !project.has_cargo("fuzz") {
        bail!("this needs cargo-fuzz: cargo install cargo-fuzz --locked");
    }
    for (target, of, make, longest) in TARGETS.iter().filter(|(target, ..)| only.is_none_or(|only| only == *target)) {
        println!("fuzz {target}: {seconds} s");
        let folder = format!("{of}/fuzz");
        // The versions that the program is built with; the targets are a workspace of their own.
        fs::copy(project.root.join("Cargo.lock"), project.root.join(&folder).join("Cargo.lock")).context("cannot copy Cargo.lock")?;
        if !run(project, &folder, target, *make, *longest, seconds)? {
            eprintln!("what was found lies in .x/fuzz/{target}/found; give it a line in {of}/tests/fuzz/mod.rs");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn run(project: &Project, of: &str, target: &str, make: Seeds, longest: u32, seconds: u64) -> Result<bool> {
    let folder = project.scratch("fuzz").join(target);
    let [corpus, sown, found] = ["corpus", "seeds", "found"].map(|name| folder.join(name));
    for folder in [&corpus, &sown, &found] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for (at, seed) in make(&project.root).context("cannot read the seeds")?.iter().enumerate() {
        fs::write(sown.join(format!("{at:04}")), seed).context("cannot write a seed")?;
    }
    let mut command = project.command(crate::project::cargo());
    command.args(["fuzz", "run", "--fuzz-dir", of, "--target-dir"]).arg(project.target.join("fuzz")).arg(target);
    command.arg(&corpus).arg(&sown).arg("--").args(BOUNDS).arg("-print_final_stats=1");
    command.arg(format!("-artifact_prefix={}/", found.display()));
    command.arg(format!("-max_len={longest}")).arg(format!("-max_total_time={seconds}"));
    // The sanitizer is an unstable flag of the compiler; this lets the project's own toolchain take it.
    let status = command.env("RUSTC_BOOTSTRAP", "1").status().context("cannot start cargo fuzz")?;
    Ok(status.success())
}

/// The one target that was named, if any, and the seconds.
fn asked(args: &[String]) -> Result<(Option<&str>, u64)> {
    let (mut target, mut seconds) = (None, SECONDS);
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            seconds = args.next().and_then(|text| text.parse().ok()).with_context(|| format!("how many seconds? {USAGE}"))?;
        } else if target.is_none() && TARGETS.iter().any(|(known, ..)| *known == arg) {
            target = Some(arg);
        } else {
            bail!("`{arg}` is not understood: {USAGE}");
        }
    }
    Ok((target, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_seconds_are_read_and_nothing_else() {
        let read = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            asked(&args).map(|(target, seconds)| (target.map(str::to_owned), seconds))
        };
        assert_eq!(read(&[]).unwrap(), (None, SECONDS));
        assert_eq!(read(&["--seconds", "9", "plan"]).unwrap(), (Some("plan".to_owned()), 9));
        for bad in [&["sql"][..], &["expr", "plan"], &["--seconds"], &["--seconds", "long"], &["--jobs", "2"]] {
            assert!(read(bad).unwrap_err().to_string().contains(USAGE), "{bad:?}");
        }
    }
}
