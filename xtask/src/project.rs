//! The project: where the checkout and its build output lie, and which packages it has.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A package of the workspace and the packages it names in any dependency table.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Folder from the root of the checkout, with `/`.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `normal`, `build` or `dev`.
    pub(crate) kind: String,
}

pub(crate) struct Project {
    pub(crate) root: PathBuf,
    /// Honours `CARGO_TARGET_DIR` and cargo's own configuration.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

impl Project {
    /// Asks cargo about the workspace that this program belongs to.
    pub(crate) fn find() -> Result<Project> {
        let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = here.parent().context("xtask lies in the workspace's root")?.to_path_buf();
        let metadata = metadata(&root, &["--no-deps"])?;
        let target = metadata["target_directory"].as_str().context("cargo metadata gave no target_directory")?;
        Ok(Project { target: PathBuf::from(target), packages: packages(&metadata), root })
    }

    /// A folder of our own beside the sources, ignored by version control.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.root.join(".x").join(name)
    }

    pub(crate) fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|p| p.name == package)
    }

    /// A command that runs in the root of the checkout, without what cargo told this program of itself: build scripts look at it,
    /// and what was built with and without it would be built again and again.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        let of_this = |name: &str| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this)) {
            command.env_remove(name);
        }
        command
    }

    /// Runs cargo with its output shown; `false` when it ended in failure.
    pub(crate) fn cargo<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<bool> {
        let status = self.command(cargo()).args(args).status().context("cannot start cargo")?;
        Ok(status.success())
    }

    /// Whether `cargo <name>` exists on this machine.
    pub(crate) fn has_cargo(&self, name: &str) -> bool {
        self.command(cargo()).args([name, "--version"]).output().is_ok_and(|output| output.status.success())
    }

    /// The release build of the one binary.
    pub(crate) fn build_release(&self) -> Result<PathBuf> {
        if !self.cargo(["build", "--release", "--locked", "-p", "mainspring-server", "--bin", "mainspring"])? {
            bail!("the release build failed");
        }
        Ok(self.target.join("release").join(format!("mainspring{}", std::env::consts::EXE_SUFFIX)))
    }
}

/// The cargo that started us, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// `cargo metadata` as JSON.
pub(crate) fn metadata(root: &Path, args: &[&str]) -> Result<Value> {
    let output = Command::new(cargo())
        .current_dir(root)
        .args(["metadata", "--format-version", "1"])
        .args(args)
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")
}

/// The workspace's packages out of `cargo metadata --no-deps`.
pub(crate) fn packages(metadata: &Value) -> Vec<Package> {
    let root = Path::new(metadata["workspace_root"].as_str().unwrap_or_default());
    let list = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|package| {
            let manifest = Path::new(text(&package["manifest_path"]));
            let folder = manifest.parent().and_then(|f| f.strip_prefix(root).ok()).unwrap_or(Path::new(""));
            let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
            Package {
                name: text(&package["name"]).to_owned(),
                folder: folder.to_string_lossy().replace('\\', "/"),
                dependencies: dependencies
                    .iter()
                    .map(|d| Dependency { name: text(&d["name"]).to_owned(), kind: d["kind"].as_str().unwrap_or("normal").to_owned() })
                    .collect(),
            }
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
