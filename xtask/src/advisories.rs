//! Known holes: the snapshot `xtask/advisories.txt` against the versions that `Cargo.lock` names. Works offline.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::finding::Finding;
use crate::project::Project;

const RULE: &str = "advisories";
const FILE: &str = "xtask/advisories.txt";

/// One line of the snapshot.
struct Advisory<'a> {
    name: &'a str,
    affected: &'a str,
    id: &'a str,
    what: &'a str,
}

pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let snapshot = fs::read_to_string(project.root.join(FILE)).context(FILE)?;
    let lock = fs::read_to_string(project.root.join("Cargo.lock")).context("Cargo.lock")?;
    judge(&snapshot, &lock)
}

fn judge(snapshot: &str, lock: &str) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let locked = locked(lock);
    for line in snapshot.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let Some(advisory) = read(line) else { bail!("{FILE}: a line needs crate, versions, advisory and reason: {line}") };
        for (name, version) in locked.iter().filter(|(name, _)| *name == advisory.name) {
            if is_within(version, advisory.affected).with_context(|| format!("{FILE}: {}", advisory.affected))? {
                findings.push(Finding::new("Cargo.lock", RULE, format!("{name} {version} has {}: {}", advisory.id, advisory.what)));
            }
        }
    }
    Ok(findings)
}

fn read(line: &str) -> Option<Advisory<'_>> {
    let mut rest = line.trim();
    let mut next = || {
        let (word, more) = rest.split_once(char::is_whitespace)?;
        rest = more.trim_start();
        Some(word)
    };
    Some(Advisory { name: next()?, affected: next()?, id: next()?, what: rest })
}

/// Name and version of every package in the lock file.
fn locked(lock: &str) -> Vec<(&str, &str)> {
    let value = |line: &'_ str, key: &str| line.strip_prefix(key)?.trim().strip_prefix("= \"")?.strip_suffix('"').map(str::len);
    let mut found = Vec::new();
    let mut name = None;
    for line in lock.lines() {
        if value(line, "name").is_some() {
            name = line.split('"').nth(1);
        } else if let (Some(name), Some(_)) = (name, value(line, "version")) {
            found.push((name, line.split('"').nth(1).unwrap_or_default()));
        }
    }
    found
}

/// Whether all comparisons hold: `>=1.2.0,<1.4.1`, or `*`.
pub(crate) fn is_within(version: &str, range: &str) -> Result<bool> {
    if range == "*" {
        return Ok(true);
    }
    for part in range.split(',') {
        let digit = part.find(|c: char| c.is_ascii_digit()).context("a comparison without a version")?;
        let (sign, bound) = part.split_at(digit);
        let order = numbers(version)?.cmp(&numbers(bound)?);
        let holds = match sign {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            "=" => order.is_eq(),
            other => bail!("\"{other}\" compares nothing"),
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The three numbers; what is released before them (`-rc.1`) counts as them.
fn numbers(version: &str) -> Result<[u64; 3]> {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = [0; 3];
    for (place, text) in numbers.iter_mut().zip(plain.split('.')) {
        *place = text.parse().with_context(|| format!("\"{version}\" is no version"))?;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_that_came_in_is_named_and_a_mended_version_is_not() {
        let lock = "[[package]]\nname = \"sqlx\"\nversion = \"0.8.0\"\nsource = \"x\"\n\n[[package]]\nname = \"rustls\"\nversion = \"0.23.18\"\n\n\
                    [[package]]\nname = \"magic-crypt\"\nversion = \"9.0.0\"\ndependencies = [\n \"sqlx\",\n]\n";
        let snapshot = "# why\nsqlx <0.8.1 R-1 wraps around\nrustls >=0.23.13,<0.23.18 R-2 panics\nmagic-crypt * R-3 opens\n";
        let texts: Vec<String> = judge(snapshot, lock).unwrap().into_iter().map(|finding| finding.text).collect();
        assert_eq!(texts, ["sqlx 0.8.0 has R-1: wraps around", "magic-crypt 9.0.0 has R-3: opens"]);
        assert!(judge("sqlx <0.8.1", lock).is_err() && judge("sqlx ~0.8 R-1 x", lock).is_err());
    }

    #[test]
    fn versions_compare_as_numbers() {
        for (version, range, expected) in [
            ("1.10.0", "<1.9.0", false),
            ("1.9", "<1.10.0", true),
            ("2.0.0-rc.1", ">=2.0.0", true),
            ("0.23.17", ">=0.23.13,<0.23.18", true),
        ] {
            assert_eq!(is_within(version, range).unwrap(), expected, "{version} {range}");
        }
    }

    #[test]
    fn the_snapshot_reads_and_is_about_something() {
        let snapshot = include_str!("../advisories.txt");
        assert!(judge(snapshot, "").unwrap().is_empty());
        let lines = snapshot.lines().filter(|line| !line.starts_with('#')).count();
        assert!(lines >= 15, "{lines}");
    }
}
