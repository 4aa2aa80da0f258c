//! Shape of a source file: not too long, and opening with a sentence that says what it is.

use crate::finding::Finding;
use crate::tree::Text;

/// A file of one noun fits in this many lines; more is listed.
pub(super) const GOOD: usize = 300;
/// More than this is an error.
const MOST: usize = 500;

pub(super) fn check(text: &Text) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.is("rs") {
        return findings;
    }
    let lines = text.text.lines().count();
    if lines > MOST {
        findings.push(Finding::new(&text.path, "length", format!("has {lines} lines; split by noun what is over {MOST}")));
    }
    let of_a_crate = text.path.starts_with("crates/") || text.path.starts_with("packs/") || text.path.starts_with("xtask/");
    if of_a_crate && text.path.contains("/src/") && !opens_with_a_sentence(&text.text) {
        findings.push(Finding::at(&text.path, 1, "opening", "the first line is a `//!` sentence of what the file is"));
    }
    findings
}

/// Files between the two measures, longest first.
pub(super) fn long(texts: &[Text]) -> Vec<(&str, usize)> {
    let mut long: Vec<(&str, usize)> = texts
        .iter()
        .filter(|text| text.is("rs"))
        .map(|text| (text.path.as_str(), text.text.lines().count()))
        .filter(|(_, lines)| (GOOD + 1..=MOST).contains(lines))
        .collect();
    long.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    long
}

/// The first paragraph of the file's doc comment has at least three words and ends like a sentence.
fn opens_with_a_sentence(text: &str) -> bool {
    let paragraph: Vec<&str> =
        text.lines().map_while(|line| line.strip_prefix("//!").map(str::trim)).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    paragraph.split_whitespace().count() >= 3 && paragraph.ends_with(['.', ':', '?', '`', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Text { path: path.to_owned(), text: text.to_owned() }).iter().map(|f| f.rule).collect()
    }

    #[test]
    fn a_source_file_opens_with_a_sentence() {
        let sentence = "//! A lease: who may drive a run,\n//! and until when.\n\nuse x;\n";
        assert_eq!(rules("crates/engine/src/lease.rs", sentence), Vec::<&str>::new());
        for bad in ["", "use x;\n", "// A lease.\n", "//! Lease.\n", "//!\n//! A lease says who.\n", "//! a lease that has no end\n"] {
            assert_eq!(rules("crates/engine/src/run/lease.rs", bad), ["opening"], "{bad:?}");
        }
        assert_eq!(rules("crates/engine/tests/main.rs", "use x;\n"), Vec::<&str>::new());
    }

    #[test]
    fn over_five_hundred_lines_is_an_error() {
        let sentence = "//! A file that grew.\n";
        assert_eq!(rules("crates/a/src/b.rs", &format!("{sentence}{}", "\n".repeat(500))), ["length"]);
        assert_eq!(rules("crates/a/src/b.rs", &format!("{sentence}{}", "\n".repeat(499))), Vec::<&str>::new());
        assert_eq!(rules("docs/a.md", &"\n".repeat(900)), Vec::<&str>::new());
    }
}
