//! Where the linters come from: a private Python environment from a pinned list, and systemd of the system.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Result, bail};

use crate::project::Project;

const PINNED: &str = "xtask/lint/requirements.txt";
/// The first systemd that looks at unit files which are not installed.
const SYSTEMD: u32 = 250;

pub(crate) struct Tools {
    /// `bin` of the environment.
    pub(crate) python: Option<PathBuf>,
    pub(crate) systemd: bool,
}

/// Makes ready what can be had, and says aloud what cannot.
///
/// # Errors
/// A package that is not the pinned one: that is no missing network.
pub(crate) fn provide(project: &Project) -> Result<Tools> {
    let python = match environment(project)? {
        Ok(bin) => Some(bin),
        Err(reason) => {
            println!("note: no linters from Python: {reason}");
            None
        }
    };
    let systemd = match systemd(project) {
        Ok(()) => true,
        Err(reason) => {
            println!("note: no systemd-analyze: {reason}");
            false
        }
    };
    Ok(Tools { python, systemd })
}

/// The environment below `.x/`, made anew when the pinned list is another one than it was made from.
fn environment(project: &Project) -> Result<Result<PathBuf, String>> {
    let folder = project.scratch("lint");
    let (bin, stamp) = (folder.join("bin"), folder.join("made-from"));
    let pinned = std::fs::read_to_string(project.root.join(PINNED))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == pinned) {
        return Ok(Ok(bin));
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    println!("note: fetching the linters of {PINNED} into {}", folder.display());
    if let Err(reason) = venv(project, &folder) {
        return Ok(Err(reason));
    }
    // Wheels only: nothing that is fetched runs while it is installed.
    let fetched = project
        .command(bin.join("python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "20"])
        .args(["--require-hashes", "--only-binary", ":all:", "-r", PINNED])
        .output()?;
    if fetched.status.success() {
        // Written last, so that an environment that was only half made is made again.
        std::fs::write(stamp, pinned)?;
        return Ok(Ok(bin));
    }
    let said = String::from_utf8_lossy(&fetched.stderr).into_owned();
    if said.contains("DO NOT MATCH THE HASHES") {
        bail!("{PINNED}: a package is not the one that was pinned:\n{said}");
    }
    Ok(Err(format!("the package registry could not be reached, or lacks one of them for this machine: {}", last_error(&said))))
}

fn venv(project: &Project, folder: &Path) -> Result<(), String> {
    let make = || worked(project.command("python3").args(["-m", "venv"]).arg(folder).output());
    let made = make().or_else(|reason| {
        install(project, "python3-venv").map_err(|why| format!("python3 -m venv: {reason}; {why}"))?;
        make()
    });
    made.map(drop)
}

fn systemd(project: &Project) -> Result<(), String> {
    let version = || worked(project.command("systemd-analyze").arg("--version").output());
    let found = version().or_else(|reason| {
        install(project, "systemd").map_err(|why| format!("{reason}; {why}"))?;
        version()
    })?;
    match number(&found) {
        Some(number) if number >= SYSTEMD => Ok(()),
        _ => Err(format!("version {SYSTEMD} or newer is needed; found {}", found.lines().next().unwrap_or_default())),
    }
}

/// `systemd 252 (252.38-1)` is 252.
fn number(version: &str) -> Option<u32> {
    version.split_whitespace().nth(1)?.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

/// Installs a package of the system where nobody has to be asked for it: as root, as in a container.
fn install(project: &Project, package: &str) -> Result<(), String> {
    let root = worked(project.command("id").arg("-u").output()).is_ok_and(|id| id.trim() == "0");
    if !root {
        return Err(format!("install {package}"));
    }
    println!("note: installing {package} with apt-get");
    let apt = |args: &[&str]| worked(project.command("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").output());
    apt(&["update", "-q"])?;
    apt(&["install", "-q", "-y", "--no-install-recommends", package]).map(drop)
}

fn worked(output: std::io::Result<Output>) -> Result<String, String> {
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(last_error(&String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(error.to_string()),
    }
}

fn last_error(said: &str) -> String {
    let mut lines = said.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    lines.clone().find(|line| line.to_lowercase().contains("error")).or_else(|| lines.next()).unwrap_or("it failed").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_and_the_error_are_found() {
        assert_eq!(number("systemd 252 (252.38-1~deb12u1)\n+PAM"), Some(252));
        assert_eq!(number("systemd 257.9"), Some(257));
        assert_eq!(number("nothing"), None);
        assert_eq!(
            last_error("WARNING: retrying\nERROR: No matching distribution found\nnotice\n"),
            "ERROR: No matching distribution found"
        );
        assert_eq!(last_error(""), "it failed");
    }
}
