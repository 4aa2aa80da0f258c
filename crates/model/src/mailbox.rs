//! Mailboxes of mail servers, as triggers look into them: nothing in them is changed but, where it is asked for, what is marked as seen.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::clock::Millis;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::file::Files;
use crate::id::{FileId, OrgId};

/// The longest name of a mailbox, in characters.
pub const LONGEST_MAILBOX: usize = 500;

/// What a mailbox says of itself when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxState {
    /// While it stays, so does what each UID means.
    pub uid_validity: u32,
    /// All messages that are there have lower UIDs; some servers do not say.
    pub uid_next: Option<u32>,
}

/// A message as a list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub uid: u32,
    /// Bytes.
    pub size: u64,
    /// When the server took it in.
    pub received_at: Option<Millis>,
    pub seen: bool,
    /// Its `Message-ID`; empty when it has none.
    pub message_id: String,
}

/// A message as its run sees it, and the files that were made of its attachments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    pub fields: Map<String, Value>,
    pub files: Vec<FileId>,
}

impl Message {
    /// All fields that a message has, with nothing in them.
    pub fn empty() -> Message {
        let Value::Object(fields) = json!({
            "message_id": null, "subject": "", "from": null, "to": [], "cc": [], "bcc": [], "reply_to": [], "date": null, "text": "",
            "html": null, "headers": {}, "in_reply_to": null, "references": [], "attachments": [], "body_error": null,
            "attachments_error": null,
        }) else {
            unreachable!("it is written as an object")
        };
        Message { fields, files: Vec::new() }
    }

    /// What is known of one that nobody could read.
    pub fn unread(fault: &Fault) -> Message {
        let mut message = Message::empty();
        message.fields.insert("body_error".to_owned(), json!({"code": fault.code, "message": fault.message}));
        message
    }
}

/// The way to mail servers.
#[async_trait]
pub trait Mailboxes: Send + Sync {
    /// Connects, logs in and opens a mailbox, only to look unless it `marks`.
    ///
    /// # Errors
    /// `LOGIN_REFUSED`, `MAILBOX_NOT_FOUND`, `MISSING_CREDENTIALS`, `BAD_RESPONSE`, `TIMEOUT` and those of whatever leaves.
    async fn open(&self, org: OrgId, credential: &Credential, mailbox: &str, marks: bool) -> Result<Box<dyn Mailbox>, Fault>;
}

/// A mailbox that is open.
#[async_trait]
pub trait Mailbox: Send {
    fn state(&self) -> MailboxState;

    /// The first `most` messages whose UIDs are greater than `after`, in their order.
    ///
    /// # Errors
    /// `BAD_RESPONSE`, `LIMIT_EXCEEDED`, `TIMEOUT`, `CONNECTION_FAILED`, as the others.
    async fn list(&mut self, after: u32, most: usize) -> Result<Vec<Listed>, Fault>;

    /// The last `most` messages, in the order of their UIDs.
    async fn last(&mut self, most: usize) -> Result<Vec<Listed>, Fault>;

    /// A message, its attachments as files that are kept for so long. `None` when it is gone. What is too large or cannot be read
    /// is said in its fields.
    async fn read(&mut self, listed: &Listed, into: &dyn Files, keep_ms: u64) -> Result<Option<Message>, Fault>;

    async fn mark_seen(&mut self, uids: &[u32]) -> Result<(), Fault>;

    /// Says goodbye; whether it is heard does not matter.
    async fn close(self: Box<Self>);
}

/// Where there is no way to any.
pub struct NoMailboxes;

#[async_trait]
impl Mailboxes for NoMailboxes {
    async fn open(&self, _: OrgId, _: &Credential, _: &str, _: bool) -> Result<Box<dyn Mailbox>, Fault> {
        Err(Fault::internal("nothing was joined that reads mail"))
    }
}
