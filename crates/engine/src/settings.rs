//! What the engine is told by its operator.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainspring_model::mailbox::{Mailboxes, NoMailboxes};
use mainspring_model::store::Retention;
use mainspring_model::watch::{Folders, NoFolders};

use crate::run::{MAX_ENTRIES, Tags};

#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs driven side by side by this process.
    pub max_live: usize,
    /// `run.environment`.
    pub environment: String,
    pub retention: Retention,
    pub files: FileTerms,
    /// The address under which callers reach the program, without a slash at its end: addresses that steps open begin with it.
    pub public_url: String,
    /// The most entries of one run's journal.
    pub most_entries: u32,
    /// What this process serves of what plans and steps ask for (`tag`); everything when `None`.
    pub tags: Tags,
    /// The folders that triggers may watch.
    pub folders: FolderDoor,
    /// The mailboxes that triggers may watch.
    pub mailboxes: MailboxDoor,
    /// How often the store is asked for work when nothing announces any.
    pub poll: Duration,
}

/// The way to the machine's folders; there are none unless it is said.
#[derive(Clone)]
pub struct FolderDoor(pub Arc<dyn Folders>);

impl Default for FolderDoor {
    fn default() -> Self {
        FolderDoor(Arc::new(NoFolders))
    }
}

impl fmt::Debug for FolderDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FolderDoor")
    }
}

/// The way to mail servers; there is none unless it is said.
#[derive(Clone)]
pub struct MailboxDoor(pub Arc<dyn Mailboxes>);

impl Default for MailboxDoor {
    fn default() -> Self {
        MailboxDoor(Arc::new(NoMailboxes))
    }
}

impl fmt::Debug for MailboxDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailboxDoor")
    }
}

/// What an organization may keep in files.
#[derive(Clone, Copy, Debug)]
pub struct FileTerms {
    /// Bytes of one file.
    pub most: u64,
    /// Bytes of all files of an organization.
    pub quota: u64,
    /// How long what a step writes is kept when the step does not say.
    pub kept: Duration,
}

impl Default for FileTerms {
    fn default() -> Self {
        FileTerms { most: 2 << 30, quota: 10 << 30, kept: Duration::from_secs(30 * 86_400) }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_live: 2_048,
            environment: "development".to_owned(),
            retention: Retention::default(),
            files: FileTerms::default(),
            public_url: "http://127.0.0.1:5000".to_owned(),
            most_entries: MAX_ENTRIES,
            tags: None,
            folders: FolderDoor::default(),
            mailboxes: MailboxDoor::default(),
            poll: Duration::from_secs(1),
        }
    }
}
