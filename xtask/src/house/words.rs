//! Words that belong to a machine or a workplace and not to the project: local paths, tools around it, registry hosts.

use std::path::Path;

use crate::finding::Finding;
use crate::tree::Text;

/// A text that must not stand in a file, and why.
pub(super) struct Needle {
    text: String,
    why: &'static str,
}

// Put together here so that this file does not find itself.
const WORKPLACE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
    concat!(".lib", "rary/"),
    concat!("sub", "agent"),
    concat!("issues ", "show"),
    concat!("before", "-stop"),
    concat!("../", "shared"),
];
const REGISTRIES: &[&str] = &[concat!("crates", ".io"), concat!("registry.", "npmjs"), concat!("proxy.", "golang")];
const ROOT_HOME: &str = concat!("/ro", "ot/");

/// Files that a tool writes, and that name hosts by nature.
const GENERATED: &[&str] = &["Cargo.lock", "package-lock.json", "pnpm-lock.yaml"];

/// The fixed needles, and the checkout's own place and the home folder of whoever runs the check.
pub(super) fn needles(root: &Path) -> Vec<Needle> {
    let needle = |text: &str, why| Needle { text: text.to_owned(), why };
    let mut needles: Vec<Needle> = WORKPLACE.iter().map(|w| needle(w, "is about a workplace, not about the project")).collect();
    needles.extend(REGISTRIES.iter().map(|w| needle(w, "is a registry's host name")));
    needles.push(needle(ROOT_HOME, "is a path of one machine"));
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    for place in [Some(root.to_path_buf()), home].into_iter().flatten() {
        // One component (`/app`, `/root`) is too common a text to look for.
        if place.components().count() > 2 {
            needles.push(needle(&place.to_string_lossy(), "is a path of this machine"));
        }
    }
    needles
}

pub(super) fn check(texts: &[Text], needles: &[Needle]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in texts {
        let name = text.path.rsplit('/').next().unwrap_or_default();
        if GENERATED.contains(&name) {
            continue;
        }
        for (number, line) in text.lines() {
            if let Some(needle) = needles.iter().find(|needle| line.contains(&needle.text)) {
                findings.push(Finding::at(&text.path, number, "words", format!("`{}` {}", needle.text, needle.why)));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_the_workplace_is_found() {
        let text = |path: &str, text: String| Text { path: path.into(), text };
        let texts = [
            text("docs/a.md", format!("fine\nsee {}main/README.md\n", WORKPLACE[0])),
            text("Cargo.lock", format!("source = \"{}\"\n", REGISTRIES[0])),
            text("docs/b.md", format!("from {}\nand /home/ana/x/y\n", REGISTRIES[0])),
        ];
        let found: Vec<_> = check(&texts, &needles(Path::new("/home/ana/x"))).into_iter().map(|f| (f.place, f.line)).collect();
        assert_eq!(found, [("docs/a.md".to_owned(), Some(2)), ("docs/b.md".to_owned(), Some(1)), ("docs/b.md".to_owned(), Some(2))]);
    }
}
