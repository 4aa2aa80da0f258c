//! The error pages: one per code, each saying what happened, why, what to do and how it looks; and their index.

use super::codes::Use;
use crate::finding::Finding;
use crate::tree::Text;

pub(super) const INDEX: &str = "docs/errors/README.md";

const RULE: &str = "error pages";
const FOLDER: &str = "docs/errors/";
/// Pages for families of codes whose members are only known at run time.
const FAMILIES: &[&str] = &["HTTP_STATUS", "USER"];
const PARTS: &[&str] = &["**Why.**", "**What to do.**", "**Example.**"];
const LINES: std::ops::RangeInclusive<usize> = 8..=24;
const MARKS: (&str, &str) = ("<!-- table -->\n", "<!-- /table -->\n");

pub(super) fn check(texts: &[Text], uses: &[Use]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for used in uses {
        if !pages(texts).any(|(code, _)| code == used.page) {
            let text = format!("{} has no page {FOLDER}{}.md (or is no code: xtask/not-codes.txt)", used.code, used.page);
            findings.push(Finding::at(&used.path, used.line, RULE, text));
        }
    }
    for (code, page) in pages(texts) {
        if !FAMILIES.contains(&code) && !uses.iter().any(|used| used.page == code) {
            findings.push(Finding::new(&page.path, RULE, "no source names this code"));
        }
        if page.text.lines().next() != Some(format!("# {code}").as_str()) {
            findings.push(Finding::at(&page.path, 1, RULE, format!("the title is `# {code}`")));
        }
        for part in PARTS.iter().filter(|part| !page.text.contains(**part)) {
            findings.push(Finding::new(&page.path, RULE, format!("lacks `{part}`")));
        }
        let lines = page.text.lines().count();
        if !LINES.contains(&lines) {
            findings.push(Finding::new(&page.path, RULE, format!("has {lines} lines; {} to {} are useful", LINES.start(), LINES.end())));
        }
    }
    match (index(texts), texts.iter().find(|text| text.path == INDEX)) {
        (Some(right), Some(written)) if right == written.text => {}
        _ => findings.push(Finding::new(INDEX, RULE, "is not the index of the pages beside it: `cargo x docs --write`")),
    }
    findings
}

/// The index with its table made anew, or `None` when the file or its marks are missing.
pub(super) fn index(texts: &[Text]) -> Option<String> {
    let written = texts.iter().find(|text| text.path == INDEX)?;
    let (before, rest) = written.text.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    let rows: String = pages(texts).map(|(code, page)| format!("| [{code}]({code}.md) | {} |\n", summary(&page.text))).collect();
    Some(format!("{before}{}\n| code | what happened |\n|---|---|\n{rows}\n{}{after}", MARKS.0, MARKS.1))
}

/// The pages with the codes they are named after, in alphabetical order.
fn pages(texts: &[Text]) -> impl Iterator<Item = (&str, &Text)> {
    texts.iter().filter(|text| text.path != INDEX).filter_map(|text| Some((text.path.strip_prefix(FOLDER)?.strip_suffix(".md")?, text)))
}

/// The first sentence below the title.
fn summary(text: &str) -> String {
    let paragraph: Vec<&str> = text.lines().skip(1).skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    paragraph.split_once(". ").map_or(paragraph.clone(), |(first, _)| format!("{first}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, text: &str) -> Text {
        Text { path: path.into(), text: text.into() }
    }

    fn used(page: &str) -> Use {
        Use { page: page.into(), code: page.into(), path: "crates/a/src/b.rs".into(), line: 7 }
    }

    const GOOD: &str = "# CYCLE\n\nSteps wait for\neach other. More.\n\n**Why.** a\n\n**What to do.** b\n\n**Example.** c\n";

    #[test]
    fn a_missing_page_and_a_page_without_a_code_are_found() {
        let texts = [text("docs/errors/CYCLE.md", GOOD), text(INDEX, "x\n<!-- table -->\nold\n<!-- /table -->\ny\n")];
        let found: Vec<String> = check(&texts, &[used("TIMEOUT")]).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "crates/a/src/b.rs:7: TIMEOUT has no page docs/errors/TIMEOUT.md (or is no code: xtask/not-codes.txt) [error pages]",
                "docs/errors/CYCLE.md: no source names this code [error pages]",
                "docs/errors/README.md: is not the index of the pages beside it: `cargo x docs --write` [error pages]",
            ]
        );
    }

    #[test]
    fn the_index_is_made_from_the_pages() {
        let mut texts = [text("docs/errors/CYCLE.md", GOOD), text(INDEX, "x\n<!-- table -->\nold\n<!-- /table -->\ny\n")];
        let made = index(&texts).unwrap();
        assert!(made.contains("| [CYCLE](CYCLE.md) | Steps wait for each other. |\n"), "{made}");
        texts[1].text = made;
        assert_eq!(check(&texts, &[used("CYCLE")]), []);
    }
}
