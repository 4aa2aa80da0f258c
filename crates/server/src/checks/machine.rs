//! Checks of the machine: disk, clock, the providers of this program, and the port.

use std::net::TcpListener;
use std::path::Path;

use mainspring_model::catalog::Catalog;
use mainspring_model::clock::{Clock, Millis};
use mainspring_model::id::Owner;
use mainspring_model::store::{Paging, RunFilter};

use super::{Check, State};
use crate::app::App;
use crate::cli::text::{moment, plural, span};
use crate::disk;
use crate::settings::Settings;
use crate::wire::SystemClock;

/// Free space where the folder lies.
pub(super) fn disk(folder: &Path) -> Check {
    const NAME: &str = "free disk";
    match disk::free_mib(folder) {
        None => Check::new(NAME, State::Skipped, "the system does not say"),
        Some(free) if free < disk::NOTHING => {
            Check::new(NAME, State::Failed, format!("{free} MiB")).next("free space now: nothing new can be accepted")
        }
        Some(free) if free < disk::LITTLE => {
            Check::new(NAME, State::Warning, format!("{free} MiB")).next("free space, or shorten --keep-runs-for")
        }
        Some(free) => Check::ok(NAME, format!("{} GiB", free / 1_024)),
    }
}

/// When the newest run was made.
pub(super) async fn newest(app: &App) -> Option<Millis> {
    let page = app.store.list_runs(Owner::LOCAL.org, &RunFilter::default(), &Paging { limit: 1, cursor: None }).await;
    page.ok().and_then(|page| page.items.first().map(|run| run.created_at))
}

/// The clock against what is stored: a machine whose clock went back would see its own runs in the future.
pub(super) fn clock(newest: Option<Millis>) -> Check {
    sane(SystemClock::new().now(), newest)
}

/// 2025-01-01: this program is younger.
const EARLIEST: Millis = 1_735_689_600_000;
/// 2100-01-01.
const LATEST: Millis = 4_102_444_800_000;

fn sane(now: Millis, newest: Option<Millis>) -> Check {
    const NAME: &str = "clock";
    let next = "set the machine's clock, best by NTP: schedules and expiries go by it";
    if !(EARLIEST..LATEST).contains(&now) {
        return Check::new(NAME, State::Failed, format!("it says {}, which cannot be", moment(now))).next(next).code("CLOCK_WRONG");
    }
    match newest.map(|newest| newest.saturating_sub(now)) {
        Some(ahead) if ahead > 60_000 => {
            Check::new(NAME, State::Warning, format!("{}, but the newest run was made {} later", moment(now), span(ahead))).next(next)
        }
        _ => Check::ok(NAME, moment(now)),
    }
}

/// Whether every provider has its actions, and each its schema.
pub(super) fn providers(catalog: &dyn Catalog) -> Check {
    const NAME: &str = "providers";
    let owner = Owner::LOCAL;
    let (mut actions, mut broken) = (0, Vec::new());
    let ids = catalog.ids(&owner);
    for id in &ids {
        let Some(provider) = catalog.provider(&owner, id) else {
            broken.push(id.clone());
            continue;
        };
        actions += provider.actions.len();
        broken.extend(
            provider.actions.iter().filter(|action| !action.spec().params.is_object()).map(|action| format!("{id}.{}", action.spec().name)),
        );
    }
    if !broken.is_empty() || ids.is_empty() {
        let found = if ids.is_empty() { "none is there".to_owned() } else { format!("broken: {}", broken.join(", ")) };
        return Check::new(NAME, State::Failed, found).next("this build is damaged; install it again");
    }
    Check::ok(NAME, format!("{} with {}", plural(ids.len(), "provider"), plural(actions, "action")))
}

/// Whether the server could listen. Our own server there is fine.
pub(super) fn port(settings: &Settings) -> Check {
    const NAME: &str = "port";
    let address = settings.listen;
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(NAME, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let url = std::fs::read_to_string(settings.data.join(crate::wire::ADDRESS_FILE)).unwrap_or_default();
            let ours = mainspring_store::holder(&settings.data).is_some() && url.trim().ends_with(&address.to_string());
            if ours {
                return Check::ok(NAME, format!("{address} is served from this data folder"));
            }
            Check::new(NAME, State::Warning, format!("{address} is in use by another program"))
                .next("stop it, or choose another address with --listen")
        }
        Err(error) => Check::new(NAME, State::Warning, format!("{address} cannot be listened on: {error}"))
            .next("choose another address with --listen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_went_back_is_noticed() {
        let now = EARLIEST + 1_000;
        assert_eq!(sane(now, Some(now)).state, State::Ok);
        assert_eq!(sane(now, Some(now + 3_600_000)).state, State::Warning);
        assert_eq!(sane(0, None).state, State::Failed);
    }

    #[test]
    fn a_port_in_use_is_no_reason_to_fail() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { listen: taken.local_addr().unwrap(), data: folder.path().to_owned(), ..Settings::default() };
        assert_eq!(port(&settings).state, State::Warning);
    }
}
