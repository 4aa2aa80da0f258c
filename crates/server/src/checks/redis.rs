//! Whether the configured Redis answers. Nothing depends on it but the time that word from other nodes takes.

use std::time::Duration;

use redis::{Client, RedisError};

use super::{Check, State};
use crate::settings::Settings;

/// Longer than any network within one place needs; a start does not wait for more.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn answers(settings: &Settings) -> Check {
    const NAME: &str = "redis";
    const NEXT: &str =
        "see that it runs and that host, port and password are right; until then live updates of other nodes take about a second";
    let source = settings.source("redis.url");
    match &settings.redis {
        None => Check::new(NAME, State::Skipped, "none is set"),
        Some(_) if settings.postgres.is_none() => Check::new(NAME, State::Skipped, "one process needs none"),
        Some(url) => match tokio::time::timeout(PATIENCE, ping(url.expose())).await {
            Ok(Ok(())) => Check::ok(NAME, "answers"),
            // Its category alone: the address may hold a password.
            Ok(Err(error)) => Check::new(NAME, State::Warning, format!("{source}: no answer ({})", error.category())).next(NEXT),
            Err(_) => Check::new(NAME, State::Warning, format!("{source}: no answer within {} s", PATIENCE.as_secs())).next(NEXT),
        },
    }
}

async fn ping(url: &str) -> Result<(), RedisError> {
    let mut connection = Client::open(url)?.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async(&mut connection).await
}
