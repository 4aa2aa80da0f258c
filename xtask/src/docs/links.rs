//! Links between the documents: a relative link leads to a file that exists.

use std::path::Path;

use crate::finding::Finding;
use crate::tree::Text;

pub(super) fn check(root: &Path, texts: &[Text]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in texts.iter().filter(|text| text.is("md")) {
        let folder = text.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (number, line) in text.lines() {
            fenced ^= line.trim_start().starts_with("```");
            for target in targets(line).filter(|_| !fenced) {
                if !root.join(folder).join(target).exists() {
                    findings.push(Finding::at(&text.path, number, "links", format!("`{target}` does not exist")));
                }
            }
        }
    }
    findings
}

/// Files that a line links to, without their anchors.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, _)| {
        let target = line[at + 2..].split([')', ' ']).next()?.split('#').next()?;
        let outside = target.contains(':') || target.starts_with('/');
        (!target.is_empty() && !outside).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn only_relative_files_are_looked_for() {
        let line = "[a](docs/a.md#x) [b](https://example.org/b) [c](#here) ![d](d.svg \"title\") [e](mailto:x@example.org)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["docs/a.md", "d.svg"]);
    }
}
