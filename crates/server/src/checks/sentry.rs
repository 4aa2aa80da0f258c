//! Whether the DSN for error reports is one. Nothing depends on it, so its host is not asked: a start waits for nobody who is not needed.

use super::{Check, State};
use crate::reports::Dsn;
use crate::settings::Settings;

pub(super) fn reads(settings: &Settings) -> Check {
    const NAME: &str = "sentry";
    match settings.sentry_dsn.as_ref().map(|dsn| Dsn::parse(dsn.expose())) {
        None => Check::new(NAME, State::Skipped, "none is set: errors stand in the log"),
        Some(Ok(dsn)) => Check::ok(NAME, format!("errors are reported to {}", dsn.host)),
        Some(Err(reason)) => Check::new(NAME, State::Warning, format!("{}: {reason}", settings.source("sentry.dsn")))
            .next("copy the DSN of the project anew; until then errors stand in the log alone"),
    }
}
