//! The house checks: the rules of CONTRIBUTING.md that a machine can see in the text of the files.

mod marks;
mod shape;
mod words;

use anyhow::Result;

use crate::finding::Finding;
use crate::project::Project;
use crate::tree;

/// Pages that a visitor looks for first.
const PAGES: &[&str] = &["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-MIT", "LICENSE-APACHE"];

pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let texts = tree::read(&project.root)?;
    let sleeps = std::fs::read_to_string(project.root.join(marks::SLEEPS)).unwrap_or_default();
    let mut findings: Vec<Finding> = PAGES
        .iter()
        .filter(|page| !texts.iter().any(|text| text.path == **page))
        .map(|page| Finding::new(page, "pages", "is missing"))
        .collect();
    for text in &texts {
        findings.extend(shape::check(text));
        findings.extend(marks::check(text, &sleeps));
    }
    findings.extend(marks::stale(&texts, &sleeps));
    findings.extend(words::check(&texts, &words::needles(&project.root)));
    for (path, lines) in shape::long(&texts) {
        println!("note: {path} has {lines} lines; {} is the house's measure", shape::GOOD);
    }
    Ok(findings)
}
