//! What is deployed: rules of our own that always run, and real linters where they can be had.

mod linters;
mod names;
mod proof;
mod rules;
mod tools;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::finding::Finding;
use crate::project::Project;
use crate::tree::{self, Text};
use linters::{LINTERS, Linter};
use tools::Tools;

/// The folder that all this is about.
const FOLDER: &str = "deploy";

/// What one linter is let loose on: the project's own files, or a copy that was broken on purpose.
pub(crate) struct Ground<'a> {
    pub(crate) project: &'a Project,
    pub(crate) tools: &'a Tools,
    /// The folder with `deploy/` and `xtask/lint/` in it.
    pub(crate) root: PathBuf,
    /// Where a linter may write.
    pub(crate) scratch: PathBuf,
}

/// Every rule and every linter over `deploy/`, then each linter once over something broken; `false` when something was found,
/// or when a linter found nothing where it should have.
pub(crate) fn check(project: &Project) -> Result<bool> {
    let texts = tree::read(&project.root)?;
    let found = rules::check(&texts);
    say("our own rules (names, ports, users, secrets, times, versions)", &found, "");
    let mut held = found.is_empty();
    let tools = tools::provide(project)?;
    let ground = Ground { project, tools: &tools, root: project.root.clone(), scratch: scratch(project, "checked")? };
    for linter in LINTERS {
        held &= run(linter, &ground)?;
    }
    let left_out: Vec<&str> = LINTERS.iter().filter(|linter| !(linter.there)(&tools)).map(|linter| linter.name).collect();
    if !left_out.is_empty() {
        println!("NOT CHECKED on this machine, for the reasons above: {}", left_out.join("; "));
    }
    Ok(prove(project, &tools, &texts)? && held)
}

/// Only the proof that each linter can fail.
pub(crate) fn prove_only(project: &Project) -> Result<bool> {
    let texts = tree::read(&project.root)?;
    let tools = tools::provide(project)?;
    prove(project, &tools, &texts)
}

fn run(linter: &Linter, ground: &Ground<'_>) -> Result<bool> {
    if !(linter.there)(ground.tools) {
        return Ok(true);
    }
    let started = Instant::now();
    let found = (linter.run)(ground).with_context(|| linter.name.to_owned())?;
    say(linter.name, &found, &format!(" ({:.1} s)", started.elapsed().as_secs_f64()));
    Ok(found.is_empty())
}

fn say(name: &str, found: &[Finding], time: &str) {
    for finding in found {
        eprintln!("{finding}");
    }
    let sum = if found.is_empty() { "nothing found".to_owned() } else { format!("{} found", found.len()) };
    println!("{name}: {sum}{time}");
}

/// Breaks a copy in one place after the other; the linter whose business it is must find something each time.
fn prove(project: &Project, tools: &Tools, texts: &[Text]) -> Result<bool> {
    let mut silent = Vec::new();
    let mut proven = 0;
    for linter in LINTERS.iter().filter(|linter| (linter.there)(tools)) {
        for broken in proof::BROKEN.iter().filter(|broken| broken.linter == linter.name) {
            let root = scratch(project, "broken")?;
            copy(texts, &root, broken)?;
            let ground = Ground { project, tools, root, scratch: scratch(project, "broken-out")? };
            if (linter.run)(&ground).with_context(|| linter.name.to_owned())?.is_empty() {
                silent.push(format!("{} says nothing about `{}` in {}", linter.name, broken.to, broken.file));
            } else {
                proven += 1;
            }
        }
    }
    for line in &silent {
        eprintln!("{line}");
    }
    println!("proof: {proven} broken copies were noticed by their linter, {} were not", silent.len());
    Ok(silent.is_empty())
}

/// What a linter reads, with one text in it changed.
fn copy(texts: &[Text], root: &Path, broken: &proof::Broken) -> Result<()> {
    for text in texts.iter().filter(|text| text.path.starts_with("deploy/") || text.path.starts_with("xtask/lint/")) {
        let place = root.join(&text.path);
        std::fs::create_dir_all(place.parent().context("a file lies in a folder")?)?;
        std::fs::write(place, broken.apply(text)?)?;
    }
    Ok(())
}

/// An empty folder of our own.
fn scratch(project: &Project, name: &str) -> Result<PathBuf> {
    let folder = project.scratch(FOLDER).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
