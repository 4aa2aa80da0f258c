//! The outbox: what must leave is written down sealed, and one node at a time delivers it, as often as it takes.

mod deliver;

use mainspring_engine::SealError;
use mainspring_model::id::{MessageId, OrgId};
use mainspring_model::store::{Channel, Message, NewMessage, Put, SealedTable, Throttle};
use mainspring_vault::VaultError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::app::App;
use crate::mail::Postman;

pub use deliver::serve;
pub(crate) use deliver::{Failure, post, read};

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
        let id = MessageId(app.engine.new_id());
        let content = serde_json::to_vec(content).unwrap_or_default();
        let row = app.engine.credentials().seal_value(SealedTable::Outbox, org, None, id.0, &content).await?;
        let put = app.store.put_message(&NewMessage { id, org, channel, key, throttle, sealed: row.bytes() }).await?;
        // The message is kept by now, whatever becomes of its key.
        if let Err(error) = app.engine.credentials().written(&row).await {
            tracing::warn!(%error, message = %id, "a message could not be looked at for a newer key");
        }
        self.bell.notify_one();
        Ok(put)
    }
}

/// The content of a message that was taken from the store.
async fn open<T: DeserializeOwned>(app: &App, message: &Message) -> Result<T, SealError> {
    let plain = app.engine.credentials().open_value(SealedTable::Outbox, message.org, None, message.id.0, &message.sealed).await?;
    serde_json::from_slice(&plain).map_err(|_| VaultError::NotText.into())
}
