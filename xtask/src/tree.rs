//! The tree: every text file of the checkout that people wrote, read once for all checks.

use std::path::Path;

use anyhow::{Context, Result};

/// A file of the project.
pub(crate) struct Text {
    /// From the root of the checkout, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Text {
    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, end)| end == extension)
    }

    /// Numbered lines, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Folders that hold no source. Cargo marks its own output, wherever `CARGO_TARGET_DIR` puts it.
const SKIPPED: &[&str] = &[".git", ".x", "node_modules"];
const CARGO_MARK: &str = "CACHEDIR.TAG";

/// Reads the tree below `root`, ordered by path. Files that are not UTF-8 are left out. A walk of our own rather than a
/// question to git, so that an unpacked archive is checked the same.
pub(crate) fn read(root: &Path) -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    walk(root, "", &mut texts)?;
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(texts)
}

fn walk(folder: &Path, prefix: &str, texts: &mut Vec<Text>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let full = entry.path();
            if !SKIPPED.contains(&name.as_str()) && !full.join(CARGO_MARK).exists() {
                walk(&full, &format!("{path}/"), texts)?;
            }
        } else if kind.is_file()
            && let Ok(bytes) = std::fs::read(entry.path())
            && let Ok(text) = String::from_utf8(bytes)
        {
            texts.push(Text { path, text });
        }
    }
    Ok(())
}
