//! Real time for the gates: what is killed and measured here lives outside this process, so its clock cannot be moved.
#![expect(clippy::disallowed_methods, reason = "the gates kill a real process at random moments and measure it")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub fn now() -> Instant {
    Instant::now()
}

/// Unix milliseconds, by the clock that the server under test reads too.
pub fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The random delay before a kill, and the service time of the harness's own server.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// One variable of the long form (`cargo x chaos`), as a number.
pub fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: \"{text}\" is no number")))
}
