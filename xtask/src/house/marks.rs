//! Marks of unfinished or unsound code: holes, tests that do not run, and sleeping where a signal belongs.

use crate::finding::Finding;
use crate::tree::Text;

/// Files that may sleep, each with its reason: `path  reason` a line.
pub(super) const SLEEPS: &str = "xtask/allowed-sleeps.txt";

// Put together here so that this file does not find itself.
const HOLES: &[&str] = &[concat!("todo", "!("), concat!("unimpl", "emented!(")];
const IGNORED: &[&str] = &[concat!("#[ig", "nore"), concat!(", ig", "nore)]"), concat!(", ig", "nore =")];
const SLEEPING: &[&str] = &[concat!("thread::", "sleep"), concat!("time::", "sleep")];

pub(super) fn check(text: &Text, sleeps: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.is("rs") {
        return findings;
    }
    let may_sleep = allowed(sleeps).any(|path| path == text.path);
    for (number, line) in text.lines().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        let mut found = |rule, text_: &str| findings.push(Finding::at(&text.path, number, rule, text_));
        if HOLES.iter().any(|hole| line.contains(hole)) {
            found("holes", "is not written yet");
        }
        if line.trim_start().starts_with("#[") && IGNORED.iter().any(|mark| line.contains(mark)) {
            found("ignored tests", "a test that does not run proves nothing: mend it or take it away");
        }
        if !may_sleep && SLEEPING.iter().any(|call| line.contains(call)) {
            found("sleeps", "wait for a signal or move the clock; a file that must sleep has a line in xtask/allowed-sleeps.txt");
        }
    }
    findings
}

/// Lines of the list that name a file which no longer sleeps.
pub(super) fn stale(texts: &[Text], sleeps: &str) -> Vec<Finding> {
    let sleeping = |path: &str| texts.iter().any(|t| t.path == path && SLEEPING.iter().any(|call| t.text.contains(call)));
    allowed(sleeps).filter(|path| !sleeping(path)).map(|path| Finding::new(SLEEPS, "sleeps", format!("{path} sleeps no more"))).collect()
}

fn allowed(sleeps: &str) -> impl Iterator<Item = &str> {
    sleeps.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_found_with_its_line() {
        let text = format!("//! x\n{} = \"slow\"]\nfn a() {{ {}); }}\n// {}\nstd::{}(d);\n", IGNORED[0], HOLES[0], HOLES[1], SLEEPING[0]);
        let text = Text { path: "crates/a/src/b.rs".into(), text };
        let found: Vec<_> = check(&text, "").iter().map(|f| (f.line, f.rule)).collect();
        assert_eq!(found, [(Some(2), "ignored tests"), (Some(3), "holes"), (Some(5), "sleeps")]);
        let list = "# who may sleep\ncrates/a/src/b.rs  it is the clock\ncrates/a/src/gone.rs  as above\n";
        assert_eq!(check(&text, list).len(), 2);
        assert_eq!(stale(&[text], list)[0].text, "crates/a/src/gone.rs sleeps no more");
    }
}
