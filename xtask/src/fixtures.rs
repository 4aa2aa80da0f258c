//! Fixtures: published data that some tests read, fetched once, checked against a pinned hash and kept in `.x/fixtures`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::project::Project;

/// The folder that holds the webhook payloads (`api.github.com/index.json`), as the tests learn it. Unset where it could
/// not be fetched: a test that needs it then prints `skipped:` with the reason.
pub(crate) const OCTOKIT: &str = "MAINSPRING_TEST_OCTOKIT";

const NAME: &str = "@octokit/webhooks-examples";
const VERSION: &str = "7.6.1";
const INTEGRITY: &str = "sha512-De6U3XB6O3DtCa7bKgCMzTHdeopqqZ6SNivMYJnK65ierKL1AnNIA0tkRYCRS7lwGT792d+Ps1WbfHlso6MynQ==";

/// The unpacked payloads, or `None` with the reason said aloud.
pub(crate) fn octokit(project: &Project) -> Option<PathBuf> {
    match fetched(project) {
        Ok(folder) => Some(folder),
        Err(error) => {
            println!("note: no webhook payloads, the tests that read {OCTOKIT} skip themselves: {error:#}");
            None
        }
    }
}

fn fetched(project: &Project) -> Result<PathBuf> {
    let place = project.scratch("fixtures").join(format!("octokit-webhooks-examples-{VERSION}"));
    let unpacked = place.join("package");
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    // Built in a folder of its own and renamed at the end, so that a stopped fetch leaves nothing half there.
    let building = place.with_file_name(format!("octokit-webhooks-examples-{VERSION}.new"));
    if building.exists() {
        std::fs::remove_dir_all(&building)?;
    }
    std::fs::create_dir_all(&building)?;
    let archive = pack(project, &building)?;
    let unpacked_well = project.command("tar").arg("-xzf").arg(&archive).arg("-C").arg(&building).status().context("cannot start tar")?;
    if !unpacked_well.success() {
        bail!("tar could not unpack {}", archive.display());
    }
    std::fs::remove_file(&archive)?;
    std::fs::rename(&building, &place)?;
    Ok(unpacked)
}

/// Fetches the package by `npm pack` and checks it against the pinned hash.
fn pack(project: &Project, folder: &std::path::Path) -> Result<PathBuf> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let package = format!("{NAME}@{VERSION}");
    let output = project
        .command(npm)
        .args(["pack", &package, "--json", "--ignore-scripts", "--pack-destination"])
        .arg(folder)
        .output()
        .context("npm is not here (it comes with Node.js)")?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("npm pack {package}: {}", error.lines().find(|line| line.contains("error")).unwrap_or("failed"));
    }
    let told: Value = serde_json::from_slice(&output.stdout).context("npm pack gave no JSON")?;
    let entry = told.get(0).or_else(|| told.get(NAME)).context("npm pack named no package")?;
    let integrity = entry["integrity"].as_str().unwrap_or_default();
    if integrity != INTEGRITY {
        bail!("{package} has hash {integrity}, pinned is {INTEGRITY}");
    }
    Ok(folder.join(entry["filename"].as_str().context("npm pack named no file")?))
}
