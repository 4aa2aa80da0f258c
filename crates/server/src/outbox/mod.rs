//! The outbox: what must leave is written down sealed, and one node at a time delivers it, as often as it takes.

mod deliver;

use mainspring_engine::SealError;
use mainspring_model::id::{MessageId, OrgId};
use mainspring_model::store::{Channel, Message, NewMessage, Put, Throttle};
use mainspring_vault::{Place, Sealed, VaultError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::app::App;
use crate::mail::Postman;

pub use deliver::serve;
pub(crate) use deliver::{Failure, post, read};

const TABLE: &str = "outbox";

/// The way out of this process.
#[derive(Default)]
pub struct Outbox {
    /// When the operator named a mail server; what is wrong with it keeps mails waiting, and nothing else from working.
    postman: Option<Result<Postman, String>>,
    /// A message was put here.
    bell: Notify,
}

/// A message before its content is sealed.
pub struct Outgoing {
    pub org: OrgId,
    pub channel: Channel,
    /// One message for each key.
    pub key: String,
    pub throttle: Option<Throttle>,
}

impl Outbox {
    pub fn new(postman: Option<Result<Postman, String>>) -> Outbox {
        Outbox { postman, bell: Notify::new() }
    }

    /// Whether the operator named one, whatever its state: mails leave through it, now or later.
    pub fn has_mail_server(&self) -> bool {
        self.postman.is_some()
    }

    /// Seals the content and keeps the message; durable when this returns.
    ///
    /// # Errors
    /// The store's and the vault's.
    pub async fn put<T: Serialize>(&self, app: &App, outgoing: Outgoing, content: &T) -> Result<Put, SealError> {
        let Outgoing { org, channel, key, throttle } = outgoing;
        app.engine.credentials().ensure_key(org).await?;
        let id = MessageId(app.engine.new_id());
        let content = serde_json::to_vec(content).unwrap_or_default();
        let sealed = app.vault.seal(&place(org, &id), &content)?.to_bytes();
        let put = app.store.put_message(&NewMessage { id, org, channel, key, throttle, sealed }).await?;
        self.bell.notify_one();
        Ok(put)
    }
}

/// The content of a message that was taken from the store.
async fn open<T: DeserializeOwned>(app: &App, message: &Message) -> Result<T, SealError> {
    let sealed = Sealed::from_bytes(message.sealed.clone())?;
    let opened = app.vault.open_bytes(&place(message.org, &message.id), &sealed);
    let plain = match opened {
        // Another node made this key since we looked.
        Err(VaultError::DataKeyMissing { .. }) => {
            app.engine.credentials().load_keys().await?;
            app.vault.open_bytes(&place(message.org, &message.id), &sealed)?
        }
        opened => opened?,
    };
    serde_json::from_slice(&plain).map_err(|_| VaultError::NotText.into())
}

fn place(org: OrgId, id: &MessageId) -> Place<'_> {
    Place { table: TABLE, org, owner: None, row: id.0.as_bytes(), field: "content" }
}
