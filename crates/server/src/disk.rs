//! Free space where the data lies.

use std::path::Path;

/// Less than this, in MiB, is soon full.
pub const LITTLE: u64 = 1_024;
/// Less than this keeps the database from growing at all.
pub const NOTHING: u64 = 64;

/// MiB that this user may still fill, on the file system of the nearest folder that exists. `None` when the system does not say.
pub fn free_mib(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."));
    fs4::available_space(there).ok().map(|bytes| bytes / (1_024 * 1_024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_still_to_be_made_lies_where_its_parent_does() {
        let folder = tempfile::tempdir().unwrap();
        let (there, below) = (free_mib(folder.path()).unwrap(), free_mib(&folder.path().join("a/b")).unwrap());
        assert!(there > 0 && there.abs_diff(below) < 1_024, "{there} {below}");
    }
}
