//! Folders of the server's machine, as triggers look into them: only where the operator allows it, and never through a link.

use async_trait::async_trait;

use crate::fault::{Code, Fault};
use crate::file::{FileValue, Files};
use crate::id::OrgId;

/// Files that one look takes.
pub const MOST_WATCHED: usize = 10_000;
/// The longest pattern, in bytes.
pub const LONGEST_PATTERN: usize = 200;

/// A file as a look found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedFile {
    /// Its name as text; what is no UTF-8 is replaced.
    pub name: String,
    /// Its name as the machine has it.
    pub raw: Vec<u8>,
    pub size: u64,
    /// Nanoseconds since 1970, as the machine says.
    pub modified_ns: i128,
}

/// The folders that triggers may watch.
#[async_trait]
pub trait Folders: Send + Sync {
    /// The plain files of a folder whose names fit, in no fixed order, without those in folders below.
    ///
    /// # Errors
    /// `FOLDER_NOT_ALLOWED`, `FOLDER_UNREADABLE`, `LIMIT_EXCEEDED` over [`MOST_WATCHED`].
    async fn list(&self, org: OrgId, path: &str, pattern: &str) -> Result<Vec<WatchedFile>, Fault>;

    /// Keeps a copy of a file; `None` when it is gone, or is not as it was found.
    ///
    /// # Errors
    /// As [`Folders::list`], and those of [`Files::create`].
    async fn copy(&self, org: OrgId, path: &str, file: &WatchedFile, into: &dyn Files, keep_ms: u64) -> Result<Option<FileValue>, Fault>;
}

/// Where nothing may be watched.
pub struct NoFolders;

#[async_trait]
impl Folders for NoFolders {
    async fn list(&self, _: OrgId, path: &str, _: &str) -> Result<Vec<WatchedFile>, Fault> {
        Err(not_allowed(path))
    }

    async fn copy(&self, _: OrgId, path: &str, _: &WatchedFile, _: &dyn Files, _: u64) -> Result<Option<FileValue>, Fault> {
        Err(not_allowed(path))
    }
}

/// What is said of a folder that the operator did not name.
pub fn not_allowed(path: &str) -> Fault {
    let message = format!(
        "\"{path}\" is not below a folder that plans may watch here; whoever runs the server names those in MAINSPRING_WATCH_FOLDERS"
    );
    Fault::new(Code::other("FOLDER_NOT_ALLOWED"), message)
}

/// Whether a name fits a pattern: `*` is any characters, `?` is one, everything else is itself. Names that begin with a dot fit only what
/// begins with one. The time is at most that of their lengths multiplied.
pub fn fits(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star was, and what it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, n) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_pattern_fits_whole_names() {
        for (pattern, name, expected) in [
            ("*", "a.csv", true),
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.part", false),
            ("*.csv", ".csv", false),
            (".*", ".hidden", true),
            ("*", ".hidden", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aüc", true),
            ("order-*-*.xml", "order-1-2-3.xml", true),
            ("order-*-*.xml", "order-1.xml", false),
            ("[a]", "a", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_time_worth_naming() {
        let pattern = format!("{}b", "*a".repeat(99));
        assert!(!fits(&pattern, &"a".repeat(255)));
    }
}
