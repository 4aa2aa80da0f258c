//! The documents: a page for every error code, links that lead somewhere, and the normative pages as agreed.

mod codes;
mod contract;
mod links;
mod pages;

use anyhow::{Context, Result, bail};

use crate::finding::Finding;
use crate::project::Project;
use crate::tree;

pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let texts = tree::read(&project.root)?;
    let mut findings = pages::check(&texts, &codes(project, &texts)?);
    findings.extend(links::check(&project.root, &texts));
    findings.extend(contract::check(&project.root)?);
    Ok(findings)
}

/// Writes the table of `docs/errors/README.md` anew from the pages beside it.
pub(crate) fn write_index(project: &Project) -> Result<()> {
    let texts = tree::read(&project.root)?;
    let Some(text) = pages::index(&texts) else { bail!("{} lacks its two marks", pages::INDEX) };
    std::fs::write(project.root.join(pages::INDEX), text).context(pages::INDEX)
}

fn codes(project: &Project, texts: &[tree::Text]) -> Result<Vec<codes::Use>> {
    let not = std::fs::read_to_string(project.root.join(codes::NOT_CODES)).context(codes::NOT_CODES)?;
    Ok(codes::collect(texts, &not))
}
