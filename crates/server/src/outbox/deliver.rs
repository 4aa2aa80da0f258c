//! Delivering: takes what is due, hands it over, and tries again with growing pauses until it is taken or three days are over.

use std::sync::Arc;

use futures_util::future::join_all;
use mainspring_engine::SealError;
use mainspring_model::clock::Millis;
use mainspring_model::store::{Delivery, Message, StoreError};

use super::open;
use crate::app::App;
use crate::mail::Mail;
use crate::notify;

/// Messages that one node delivers at once.
const AT_ONCE: u32 = 16;
/// Longer than any attempt takes: a message whose node died is taken up by another after this.
const HOLD: Millis = 120_000;
/// Between looks for what other processes put into the outbox.
const LOOK: Millis = 2_000;
/// After this a message is given up.
const LASTS: Millis = 3 * 24 * 3_600_000;
/// Pauses after the first, the second and so on; the last one from there on.
const PAUSES: [Millis; 8] = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000];

/// Delivers what is due. Never ends; drop it at shutdown: what was under way is delivered again by whoever comes next.
pub async fn serve(app: Arc<App>) {
    loop {
        let looked = app.clock.now();
        match app.store.claim_messages(AT_ONCE, HOLD).await {
            Ok(messages) if !messages.is_empty() => {
                join_all(messages.iter().map(|message| deliver(&app, message))).await;
                continue;
            }
            Ok(_) => {}
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "the outbox could not be read; trying again"),
        }
        let now = app.clock.now();
        let next = app.store.next_message().await.ok().flatten().unwrap_or(Millis::MAX);
        // What came due since the look is taken at once; what was due then and was not taken is another node's, or has to wait.
        if looked < next && next <= now {
            continue;
        }
        let until = next.clamp(now + 50, now + LOOK);
        tokio::select! {
            () = app.clock.sleep_until(until) => {}
            () = app.outbox.bell.notified() => {}
        }
    }
}

async fn deliver(app: &App, message: &Message) {
    let handed = match message.rule {
        Some(_) => notify::hand_over(app, message).await,
        None => mail(app, message).await,
    };
    let delivery = match handed {
        Ok(()) => Delivery::Sent,
        Err(Failure { for_good, reason }) => after(message, for_good, reason, app.clock.now()),
    };
    let (id, attempt, channel) = (message.id, message.attempts, message.channel.as_str());
    match &delivery {
        Delivery::Sent => tracing::debug!(%id, attempt, channel, "a message was delivered"),
        Delivery::Again { reason, .. } => tracing::info!(%id, attempt, channel, reason, "a message was not taken; it is tried again"),
        Delivery::Failed { reason } => tracing::warn!(%id, attempt, channel, reason, "a message was given up"),
    }
    app.metrics.delivered(channel, &delivery);
    if let Err(error) = app.store.end_message(message.org, message.id, &delivery).await {
        tracing::warn!(%id, %error, "it could not be noted how a message was delivered; it may be delivered again");
    }
}

/// Why a message was not handed over. The reason has no secret.
pub(crate) struct Failure {
    pub for_good: bool,
    pub reason: String,
}

impl Failure {
    pub(crate) fn passing(reason: impl Into<String>) -> Failure {
        Failure { for_good: false, reason: reason.into() }
    }

    pub(crate) fn for_good(reason: impl Into<String>) -> Failure {
        Failure { for_good: true, reason: reason.into() }
    }
}

async fn mail(app: &App, message: &Message) -> Result<(), Failure> {
    let mail: Mail = read(app, message).await?;
    post(app, &message.id.to_string(), &mail).await
}

/// Gives a mail to the mail server.
pub(crate) async fn post(app: &App, id: &str, mail: &Mail) -> Result<(), Failure> {
    let Some(postman) = &app.outbox.postman else {
        if app.mode.environment == "production" {
            return Err(Failure::passing("no mail server is set (smtp.url)"));
        }
        // On one's own machine the log is the mailbox; it may show a link that lets somebody in.
        let Mail { to, subject, text } = mail;
        tracing::info!(to, subject, text, "no mail server is set, so this mail is here");
        return Ok(());
    };
    let postman = postman.as_ref().map_err(|reason| Failure::passing(reason.clone()))?;
    postman.send(id, mail).await.map_err(|refused| Failure { for_good: refused.for_good, reason: refused.reason })
}

/// The content of a message.
pub(crate) async fn read<T: serde::de::DeserializeOwned>(app: &App, message: &Message) -> Result<T, Failure> {
    open(app, message).await.map_err(|error| match error {
        SealError::Store(error) => Failure::passing(error.to_string()),
        SealError::Vault(error) => Failure::for_good(format!("its content cannot be opened: {error}")),
    })
}

fn after(message: &Message, for_good: bool, reason: String, now: Millis) -> Delivery {
    if for_good || now - message.created_at >= LASTS {
        return Delivery::Failed { reason };
    }
    let nth = usize::try_from(message.attempts.saturating_sub(1)).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
    Delivery::Again { at: now + PAUSES[nth], reason }
}

#[cfg(test)]
mod tests {
    use mainspring_model::id::{MessageId, OrgId};
    use mainspring_model::store::Channel;

    use super::*;

    #[test]
    fn pauses_grow_and_three_days_are_enough() {
        let message = |attempts| Message {
            id: MessageId(uuid::Uuid::nil()),
            org: OrgId::INSTALLATION,
            channel: Channel::Mail,
            rule: None,
            attempts,
            created_at: 0,
            others: 0,
            sealed: vec![],
        };
        let at = |attempts, now| match after(&message(attempts), false, String::new(), now) {
            Delivery::Again { at, .. } => Some(at - now),
            _ => None,
        };
        assert_eq!((at(1, 0), at(2, 0), at(8, 0), at(99, 0)), (Some(5_000), Some(30_000), Some(21_600_000), Some(21_600_000)));
        assert_eq!(at(9, LASTS), None);
        assert_eq!(after(&message(1), true, "no such person".to_owned(), 0), Delivery::Failed { reason: "no such person".to_owned() });
    }
}
