//! The dependencies: every licence is on the list of `deny.toml`, nothing banned there came in, and no version has a known hole. Works
//! offline.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::advisories;
use crate::finding::Finding;
use crate::project::{Project, cargo, metadata};
use crate::spdx;

const RULE: &str = "dependencies";
const FILE: &str = "deny.toml";

pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let lists = std::fs::read_to_string(project.root.join(FILE)).context(FILE)?;
    // Only what this platform builds: the other platforms' packages may never have been fetched here.
    let host = host(project)?;
    let metadata = metadata(&project.root, &["--locked", "--filter-platform", &host])?;
    let mut findings = judge(&metadata, &list(&lists, "licenses", "allow"), &list(&lists, "bans", "deny"));
    findings.extend(advisories::check(project)?);
    Ok(findings)
}

fn judge(metadata: &Value, licences: &[String], bans: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let name = package["name"].as_str().unwrap_or_default();
        let version = package["version"].as_str().unwrap_or_default();
        if bans.iter().any(|ban| bans_this(ban, name, version)) {
            findings.push(Finding::new(
                FILE,
                RULE,
                format!("{name} {version} is banned here and came in; `cargo tree -i {name}` says how"),
            ));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        if !spdx::allowed(licence, licences) {
            let licence = if licence.is_empty() { "no licence that it names" } else { licence };
            findings.push(Finding::new(FILE, RULE, format!("{name} {version} has {licence}, which the list does not allow")));
        }
    }
    findings
}

/// A ban is a name, or a name with the versions that are meant, `name@<1.2.0`.
fn bans_this(ban: &str, name: &str, version: &str) -> bool {
    match ban.split_once('@') {
        None => ban == name,
        // What cannot be compared is banned.
        Some((banned, range)) => banned == name && advisories::is_within(version, range).unwrap_or(true),
    }
}

/// The names in `[section] key = [ … ]`: each line's first quoted text. `deny.toml` is ours and keeps to one entry a line,
/// so this needs no TOML parser.
fn list(toml: &str, section: &str, key: &str) -> Vec<String> {
    let header = format!("[{section}]");
    let opening = format!("{key} = [");
    toml.lines()
        .skip_while(|line| line.trim() != header)
        .skip_while(|line| line.trim() != opening)
        .skip(1)
        .take_while(|line| line.trim() != "]")
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

fn host(project: &Project) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| cargo_sibling("rustc"));
    let output = project.command(rustc).arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    Ok(host.to_owned())
}

/// The rustc beside the cargo that runs us, else the one on the path.
fn cargo_sibling(name: &str) -> std::ffi::OsString {
    let beside = std::path::PathBuf::from(cargo()).with_file_name(name);
    if beside.is_file() { beside.into_os_string() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_foreign_licence_and_a_banned_crate_are_named() {
        let toml = "[licenses]\n# why\nallow = [\n  \"MIT\", # x\n]\n[bans]\ndeny = [\n  { crate = \"openssl\", reason = \"x\" },\n  { crate = \"jsonwebtoken@<10.3.0\", reason = \"x\" },\n]\n";
        let metadata = json!({"packages": [
            {"name": "good", "version": "1.0.0", "license": "MIT OR GPL-3.0"},
            {"name": "viral", "version": "2.0.0", "license": "GPL-3.0"},
            {"name": "silent", "version": "3.0.0", "license": null},
            {"name": "openssl", "version": "0.1.0", "license": "MIT"},
            {"name": "jsonwebtoken", "version": "10.2.9", "license": "MIT"},
            {"name": "jsonwebtoken", "version": "10.3.0", "license": "MIT"},
        ]});
        let findings = judge(&metadata, &list(toml, "licenses", "allow"), &list(toml, "bans", "deny"));
        let texts: Vec<String> = findings.iter().map(|f| f.text.clone()).collect();
        assert_eq!(
            texts,
            [
                "viral 2.0.0 has GPL-3.0, which the list does not allow",
                "silent 3.0.0 has no licence that it names, which the list does not allow",
                "openssl 0.1.0 is banned here and came in; `cargo tree -i openssl` says how",
                "jsonwebtoken 10.2.9 is banned here and came in; `cargo tree -i jsonwebtoken` says how",
            ]
        );
    }
}
