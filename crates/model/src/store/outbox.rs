//! The outbox: messages that must not be lost on their way out, and at most one for one event and one rule.

use async_trait::async_trait;
use uuid::Uuid;

use super::StoreError;
use crate::clock::Millis;
use crate::id::{MessageId, NotificationRuleId, OrgId};

/// By which way a message leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Mail,
    Webhook,
    /// Into the list that the program itself shows.
    App,
}

impl Channel {
    pub const ALL: [Channel; 3] = [Channel::Mail, Channel::Webhook, Channel::App];

    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Mail => "mail",
            Channel::Webhook => "webhook",
            Channel::App => "app",
        }
    }

    pub fn parse(text: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.as_str() == text)
    }
}

/// Messages of one rule about one subject keep this distance; those in between are held and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    pub rule: NotificationRuleId,
    /// What the message is about, such as a plan.
    pub subject: Uuid,
    /// 0: every message leaves.
    pub distance: Millis,
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub id: MessageId,
    /// Whose it is; [`OrgId::INSTALLATION`] for mails of the installation itself.
    pub org: OrgId,
    pub channel: Channel,
    /// Unique within the organization, short: the same key is one message.
    pub key: String,
    pub throttle: Option<Throttle>,
    /// Address and text, sealed.
    pub sealed: Vec<u8>,
}

/// What became of a [`NewMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It leaves, at once or when its distance is kept.
    Waits,
    /// Another one that waits tells of it.
    Held,
    /// There is one with this key already.
    Known,
}

/// A message that this process may deliver until its hold is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    pub org: OrgId,
    pub channel: Channel,
    pub rule: Option<NotificationRuleId>,
    /// With this one, from 1.
    pub attempts: u32,
    pub created_at: Millis,
    /// Messages that this one tells of.
    pub others: u32,
    pub sealed: Vec<u8>,
}

/// How an attempt to deliver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    Sent,
    /// Tried again at this moment. The reason has no secret.
    Again {
        at: Millis,
        reason: String,
    },
    /// Given up.
    Failed {
        reason: String,
    },
}

/// How far a message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    pub key: String,
    pub state: SendState,
    pub attempts: u32,
    /// Why the last attempt did not do. Without a secret.
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendState {
    /// It leaves at once, or is tried again.
    Waiting,
    Sent,
    /// Given up.
    Failed,
}

impl SendState {
    pub fn as_str(self) -> &'static str {
        match self {
            SendState::Waiting => "waiting",
            SendState::Sent => "sent",
            SendState::Failed => "failed",
        }
    }

    /// From the state that a row has; one that another message tells of waits with it.
    pub fn of_row(state: &str) -> SendState {
        match state {
            "sent" => SendState::Sent,
            "failed" => SendState::Failed,
            _ => SendState::Waiting,
        }
    }
}

#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Durable when this returns.
    async fn put_message(&self, message: &NewMessage) -> Result<Put, StoreError>;

    /// Takes up to `max` messages that are due, earliest first. Nobody else gets them for `hold` milliseconds; then they are due again.
    async fn claim_messages(&self, max: u32, hold: Millis) -> Result<Vec<Message>, StoreError>;

    /// What was sent or given up keeps its key and loses its content.
    async fn end_message(&self, org: OrgId, id: MessageId, delivery: &Delivery) -> Result<(), StoreError>;

    /// When the next message is due.
    async fn next_message(&self) -> Result<Option<Millis>, StoreError>;

    /// How far the messages of these keys have come, for as long as they are known; in no fixed order.
    async fn sendings(&self, org: OrgId, keys: &[String]) -> Result<Vec<Sending>, StoreError>;

    /// Removes messages that ended, or were held, before this moment; how many.
    async fn prune_messages(&self, before: Millis) -> Result<u64, StoreError>;
}
