//! A time zone as a table of spans of constant offset, made once per zone from jiff's bundled database.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::calendar::DAY;
use super::problem::CronProblem;
use crate::problem::nearest;

/// 2400-01-01: from there on the last offset stays. Farther than any search of ours goes in this or the next century.
const HORIZON: i64 = 13_569_465_600;

/// A zone. Instants and offsets in seconds.
pub(super) struct Zone {
    pub(super) name: String,
    /// Start of each span; the first one begins with time itself.
    starts: Vec<i64>,
    offsets: Vec<i64>,
}

/// The bundled database, never the operating system's: all nodes must compute the same slots.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
/// At most as many entries as the database has names: only found zones are kept, under their canonical spelling.
static ZONES: LazyLock<RwLock<HashMap<String, Arc<Zone>>>> = LazyLock::new(RwLock::default);

/// The zone of an IANA name, in any case.
pub(super) fn find(name: &str) -> Result<Arc<Zone>, CronProblem> {
    let zones = || ZONES.read().expect("no panic happens while the zones are held");
    if let Some(zone) = zones().get(name) {
        return Ok(zone.clone());
    }
    let found = DATABASE.get(name.trim()).map_err(|_| unknown(name))?;
    let canonical = found.iana_name().unwrap_or("UTC").to_owned();
    if let Some(zone) = zones().get(&canonical) {
        return Ok(zone.clone());
    }
    let zone = Arc::new(Zone::of(canonical.clone(), &found));
    ZONES.write().expect("no panic happens while the zones are held").insert(canonical, zone.clone());
    Ok(zone)
}

impl Zone {
    fn of(name: String, zone: &TimeZone) -> Zone {
        let mut table = Zone { name, starts: vec![i64::MIN / 2], offsets: vec![i64::from(zone.to_offset(Timestamp::MIN).seconds())] };
        for transition in zone.following(Timestamp::MIN) {
            let (start, offset) = (transition.timestamp().as_second(), i64::from(transition.offset().seconds()));
            if start >= HORIZON {
                break;
            }
            // Many transitions change only the abbreviation.
            if table.offsets.last() != Some(&offset) {
                table.starts.push(start);
                table.offsets.push(offset);
            }
        }
        table
    }

    /// The span that holds an instant.
    pub(super) fn span_at(&self, instant: i64) -> usize {
        self.starts.partition_point(|start| *start <= instant) - 1
    }

    pub(super) fn start(&self, span: usize) -> i64 {
        self.starts[span]
    }

    pub(super) fn offset(&self, span: usize) -> i64 {
        self.offsets[span]
    }

    /// The local time at which a span ends (exclusive), `None` for the last.
    pub(super) fn local_end(&self, span: usize) -> Option<i64> {
        self.starts.get(span + 1).map(|end| end + self.offsets[span])
    }

    /// The greatest local time that was shown up to `instant` (which lies in `span`): after a fold, the end of the first pass.
    pub(super) fn latest_local(&self, span: usize, instant: i64) -> i64 {
        let mut latest = instant + self.offsets[span];
        let mut before = span;
        // No change of offset is longer than two days (dates are skipped or repeated one at a time).
        while before > 0 && self.starts[before] > instant - 2 * DAY {
            latest = latest.max(self.starts[before] + self.offsets[before - 1] - 1);
            before -= 1;
        }
        latest
    }
}

fn unknown(name: &str) -> CronProblem {
    let known: Vec<String> = DATABASE.available().map(|name| name.to_string()).collect();
    let city = |full: &str| full.rsplit('/').next().unwrap_or_default().to_owned();
    let wanted = name.trim().replace(' ', "_");
    let meant = known
        .iter()
        .find(|full| city(full).eq_ignore_ascii_case(&wanted))
        .map(String::as_str)
        .or_else(|| nearest(&wanted, known.iter().map(String::as_str)))
        .or_else(|| known.iter().map(String::as_str).find(|full| nearest(&wanted, [city(full).as_str()]).is_some()));
    match meant {
        Some(meant) => CronProblem::timezone(format!("{name:?} is not a known time zone; did you mean {meant}?")).fix(meant),
        None => CronProblem::timezone(format!("{name:?} is not a known time zone; write an IANA name such as Europe/Berlin or UTC")),
    }
}
