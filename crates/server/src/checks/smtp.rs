//! Whether the configured mail server can be used. Mails wait for it, so nothing else depends on it.

use std::time::Duration;

use super::{Check, State};
use crate::mail::Postman;
use crate::settings::Settings;

/// A start does not wait for more.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn answers(settings: &Settings) -> Check {
    const NAME: &str = "smtp";
    const NEXT: &str = "see that host, port, TLS, user and password (smtp.*) are right; mails wait for three days";
    let server = match settings.mail.server() {
        Ok(None) if settings.is_production() => {
            return Check::new(NAME, State::Warning, "no mail server is set, so nobody gets mails")
                .next("name one with smtp.url and smtp.from");
        }
        Ok(None) => return Check::new(NAME, State::Skipped, "none is set: mails stand in the log"),
        Ok(Some(server)) => server,
        Err(reason) => return Check::new(NAME, State::Warning, reason).next(NEXT),
    };
    let postman = match Postman::new(&server) {
        Ok(postman) => postman,
        Err(reason) => return Check::new(NAME, State::Warning, reason).next(NEXT),
    };
    let place = postman.place().to_owned();
    match tokio::time::timeout(PATIENCE, postman.greet()).await {
        Ok(Ok(())) => Check::ok(NAME, format!("{place} takes mails")),
        Ok(Err(reason)) => Check::new(NAME, State::Warning, format!("{place}: {reason}")).next(NEXT),
        Err(_) => Check::new(NAME, State::Warning, format!("{place}: no answer within {} s", PATIENCE.as_secs())).next(NEXT),
    }
}
