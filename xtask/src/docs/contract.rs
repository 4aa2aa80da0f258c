//! The contract pages: `docs/plan-format.md` and `docs/http-api.md` say word for word what was agreed on, line after line. What came
//! after stands between those lines, in lines of its own.
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
        match lines_added(&ours, &theirs) {
            Ok(0) => {}
            Ok(added) => println!("note: docs/{page} has all of the agreed page and {added} lines of its own"),
            Err(line) => {
                findings.push(Finding::at(&format!("docs/{page}"), 1, "contract", format!("lacks line {line} of the agreed page")))
            }
        }
    }
    Ok(findings)
}

/// How many lines of ours stand between theirs; the number of theirs that is missing, or is not in its order.
fn lines_added(ours: &str, theirs: &str) -> Result<usize, usize> {
    let mut rest = ours.lines();
    for (index, line) in theirs.lines().enumerate() {
        if !rest.any(|own| own == line) {
            return Err(index + 1);
        }
    }
    Ok(ours.lines().count() - theirs.lines().count())
}

#[cfg(test)]
mod tests {
    use super::lines_added;

    #[test]
    fn nothing_agreed_is_changed_or_left_out() {
        assert_eq!(lines_added("a\nb\n", "a\nb\n"), Ok(0));
        assert_eq!(lines_added("a\nnew\nb\nmore\n", "a\nb\n"), Ok(2));
        assert_eq!(lines_added("a\nb\n", "a\nc\n"), Err(2));
        assert_eq!(lines_added("b\na\n", "a\nb\n"), Err(2));
        assert_eq!(lines_added("a\n", "a\nb\n"), Err(2));
    }
}
