//! The contract pages: `docs/plan-format.md` and `docs/http-api.md` say word for word what was agreed on.
//!
//! The agreed text may lie beside the checkout. Where it does not, the project's own pages are all there is, and the check
//! says that it compared nothing.

use std::path::Path;

use anyhow::{Context, Result};

use crate::finding::Finding;

const PAGES: &[&str] = &["plan-format.md", "http-api.md"];

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let agreed = root.join("..").join("shared").join("spec");
    if !agreed.is_dir() {
        println!("note: no agreed pages lie beside the checkout; docs/plan-format.md and docs/http-api.md were compared with nothing");
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for page in PAGES {
        let ours = std::fs::read_to_string(root.join("docs").join(page)).with_context(|| format!("docs/{page}"))?;
        let theirs = std::fs::read_to_string(agreed.join(page)).with_context(|| format!("the agreed {page}"))?;
        if let Some(line) = first_difference(&ours, &theirs) {
            findings.push(Finding::at(&format!("docs/{page}"), line, "contract", "differs from the agreed page from here on"));
        }
    }
    Ok(findings)
}

/// The number of the first line that differs.
fn first_difference(ours: &str, theirs: &str) -> Option<usize> {
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (ours.lines().collect(), theirs.lines().collect());
    let shorter = ours.len().min(theirs.len());
    let within = (0..shorter).find(|&index| ours[index] != theirs[index]);
    within.or((ours.len() != theirs.len()).then_some(shorter)).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_differing_line_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
    }
}
