//! What leaves to tell of the program: mails, webhooks and notifications, and flags that switch it.

mod approvals;
mod figures;
mod flags;
mod invitations;
mod lines;
mod mail;
mod notifications;
mod reports;
pub mod smtp;
mod traces;

use std::time::Duration;

/// Asks again until it is so; a minute is longer than any of it takes on a busy machine.
async fn until<F: Future<Output = bool>>(what: &str, done: impl Fn() -> F) {
    let asked = async {
        while !done().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap_or_else(|_| panic!("{what} did not happen"));
}
