//! Mail: a message goes into the outbox in the moment that it is asked for, and leaves by the operator's mail server.

mod postman;
mod terms;

use mainspring_engine::SealError;
use mainspring_model::id::OrgId;
use mainspring_model::store::{Channel, Put};

use crate::app::App;
use crate::outbox::Outgoing;

pub use mainspring_model::mail::Mail;
pub use postman::{Postman, Refused};
pub use terms::{Terms, Tls};
pub(crate) use terms::{sender, server};

/// Sends a mail of the installation itself: it is kept until the mail server has taken it, or refused it for good. Without a mail
/// server its text is in the log, and in production it waits for three days for somebody to name one.
///
/// # Errors
/// The store's and the vault's: it was not accepted.
pub async fn send(app: &App, mail: &Mail) -> Result<Put, SealError> {
    let key = format!("mail/{}", app.engine.new_id());
    send_once(app, OrgId::INSTALLATION, &key, mail).await
}

/// The same on behalf of an organization, once for each key.
///
/// # Errors
/// As [`send`].
pub async fn send_once(app: &App, org: OrgId, key: &str, mail: &Mail) -> Result<Put, SealError> {
    app.outbox.put(app, Outgoing { org, channel: Channel::Mail, key: key.to_owned(), throttle: None }, mail).await
}

/// Whether a mail could be sent there.
pub fn is_address(text: &str) -> bool {
    text.parse::<lettre::message::Mailbox>().is_ok()
}
