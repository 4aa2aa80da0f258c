//! Provider `imap`: a mail server's mailboxes, as the trigger `email` looks into them. It has no actions.

mod fetched;
mod item;
mod limits;
mod login;
mod mailbox;
mod name;
mod session;
mod verify;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use mainspring_model::Fault;
use mainspring_model::action::erase;
use mainspring_model::catalog::{Provider, Verify};
use mainspring_model::credential::{Credential, CredentialField};
use mainspring_model::id::OrgId;
use mainspring_model::mailbox::{Mailbox, Mailboxes};

use crate::apart::Apart;
use crate::egress::Egress;
use mailbox::Opened;

pub use limits::Limits;

/// The way to mail servers.
pub struct ImapServers {
    egress: Arc<Egress>,
    apart: Apart,
    limits: Limits,
}

impl ImapServers {
    pub fn new(egress: Arc<Egress>, apart: Apart) -> ImapServers {
        ImapServers::within(egress, apart, Limits::default())
    }

    /// With bounds of one's own: a test's.
    pub fn within(egress: Arc<Egress>, apart: Apart, limits: Limits) -> ImapServers {
        ImapServers { egress, apart, limits }
    }
}

#[async_trait]
impl Mailboxes for ImapServers {
    async fn open(&self, org: OrgId, credential: &Credential, mailbox: &str, marks: bool) -> Result<Box<dyn Mailbox>, Fault> {
        let session = login::log_in(&self.egress, org, credential, &self.limits).await?;
        Ok(Box::new(Opened::open(session, mailbox, marks, self.apart.clone()).await?))
    }
}

/// The provider.
pub fn provider(egress: Arc<Egress>) -> Provider {
    let field = |name: &str, title: &str, required: bool, secret: bool, help: &str| CredentialField {
        name: name.to_owned(),
        title: title.to_owned(),
        required,
        secret,
        help: Some(help.to_owned()),
    };
    Provider {
        id: "imap".to_owned(),
        title: "Mailbox".to_owned(),
        category: "Communication".to_owned(),
        version: 1,
        description: "The mailboxes of a mail server: mail that comes in starts plans (trigger email).".to_owned(),
        credential: vec![
            field("host", "Host", true, false, "Such as imap.example.com."),
            field("port", "Port", false, false, "993 unless given; 143 with security starttls."),
            field("username", "Username", true, false, "Most often the whole mail address."),
            field("password", "Password", false, true, "Many servers want one that is made for apps."),
            field("access_token", "Access token", false, true, "In place of a password (XOAUTH2)."),
            field("security", "Security", false, false, "tls (unless given), starttls, or none for a server on this machine."),
        ],
        hosts: Vec::new(),
        verify: Some(Verify::Call(erase(verify::LogIn { egress }))),
        actions: Vec::new(),
        aliases: BTreeMap::new(),
    }
}
