//! Notifications: what happened, which rules it concerns, and how each of them is told, exactly one message for one event and rule.

mod event;
mod hand_over;
mod rule;
mod secrets;
mod watch;

use mainspring_engine::SealError;
use mainspring_model::id::{CredentialId, Owner};
use mainspring_model::store::{NotificationRuleRecord, Throttle};
use serde_json::json;

use crate::app::App;
use crate::outbox::Outgoing;

pub use event::{Event, Kind};
pub(crate) use hand_over::hand_over;
pub use rule::{Channel, MOST_FAILURES, MOST_THROTTLE, Rule};
pub use secrets::{LiveSecret, new_secret, open_secrets, rotated, seal_secrets, sign};
pub use watch::serve;

/// Writes down a message of one rule about one event. `key` names the event: the same one gives one message.
///
/// # Errors
/// The store's and the vault's; then the event is to be told again.
pub(crate) async fn tell(app: &App, record: &NotificationRuleRecord, rule: &Rule, key: &str, event: &Event) -> Result<(), SealError> {
    let throttle = Throttle { rule: record.id, subject: event.subject, distance: i64::from(rule.throttle_minutes) * 60_000 };
    let outgoing =
        Outgoing { org: record.owner.org, channel: rule.channel.into(), key: format!("{}/{key}", record.id), throttle: Some(throttle) };
    app.outbox.put(app, outgoing, event).await.map(drop)
}

/// Tells of a credential that its service does not take any more until its owner connects it again; once for each such moment.
///
/// # Errors
/// As [`tell`].
pub async fn credential_needs_reconnect(
    app: &App,
    owner: &Owner,
    id: CredentialId,
    provider: &str,
    name: &str,
    since: i64,
) -> Result<(), SealError> {
    let event = Event {
        kind: Kind::CredentialNeedsReconnect,
        at: since,
        subject: id.0,
        title: format!("The credential \"{name}\" of {provider} has to be connected again"),
        text: format!("{provider} no longer takes the credential \"{name}\". Steps that use it fail until it is connected again."),
        data: json!({ "credential_id": id, "provider": provider, "name": name }),
    };
    let key = format!("reconnect/{id}/{since}");
    for (record, rule) in rule::of(app, owner.org).await? {
        if rule.wants(event.kind) && rule.concerns(&record.owner, owner, None) {
            tell(app, &record, &rule, &key, &event).await?;
        }
    }
    Ok(())
}
