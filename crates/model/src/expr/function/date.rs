//! Dates are RFC 3339 text with milliseconds, so that those of one zone sort as text; these functions read, move and compare them.

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Span, Timestamp, Unit, Zoned};
use serde_json::Value;

use super::{Args, Function, Of, text_value};
use crate::expr::eval::Out;
use crate::expr::fuel::Stop;
use crate::expr::number;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 9] = [
    Function::new(Of::None, "now", "now(zone?)", "The time, recorded with the run; in UTC unless a zone is given.", "now()", "", now)
        .takes(0, 1)
        .ambient(),
    Function::new(
        Of::None,
        "Date.now",
        "Date.now()",
        "The time as milliseconds since 1970, recorded with the run.",
        "Date.now()",
        "",
        now_ms,
    )
    .ambient(),
    Function::new(
        Of::None,
        "date",
        "date(x, zone?)",
        "A date read from text or from milliseconds since 1970; a time without an offset is in `zone`, or UTC.",
        "date('2026-03-01')",
        r#""2026-03-01T00:00:00.000Z""#,
        date,
    )
    .takes(1, 2),
    Function::new(
        Of::None,
        "inZone",
        "inZone(x, zone)",
        "The same moment in another time zone.",
        "inZone('2026-01-01T12:00:00Z', 'Europe/Berlin')",
        r#""2026-01-01T13:00:00.000+01:00""#,
        in_zone,
    )
    .takes(2, 2),
    Function::new(
        Of::None,
        "Date.parse",
        "Date.parse(x)",
        "A date as milliseconds since 1970.",
        "Date.parse('1970-01-02')",
        "86400000",
        to_ms,
    )
    .takes(1, 1),
    Function::new(Of::None, "toUnix", "toUnix(x)", "A date as seconds since 1970.", "toUnix('1970-01-02')", "86400", to_unix).takes(1, 1),
    Function::new(
        Of::None,
        "fromUnix",
        "fromUnix(seconds)",
        "The date so many seconds after 1970.",
        "fromUnix(86400)",
        r#""1970-01-02T00:00:00.000Z""#,
        from_unix,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "addTime",
        "addTime(x, amount, unit, zone?)",
        "A date moved by years, months, weeks, days, hours, minutes, seconds or milliseconds.",
        "addTime('2026-01-31', 1, 'month')",
        r#""2026-02-28T00:00:00.000Z""#,
        add,
    )
    .takes(3, 4),
    Function::new(
        Of::None,
        "diffTime",
        "diffTime(from, to, unit)",
        "How many units lie between two dates; negative when `to` is earlier.",
        "diffTime('2026-01-01', '2026-01-02T12:00:00Z', 'days')",
        "1.5",
        diff,
    )
    .takes(3, 3),
];

/// The zones built into the program: the same on every machine, and no file is read.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

pub(super) fn zone(name: &str, args: &Args) -> Result<TimeZone, Stop> {
    match name {
        "UTC" | "Z" | "" => Ok(TimeZone::UTC),
        name if name.starts_with(['+', '-']) => {
            let at = format!("2026-01-01T00:00{name}[{name}]");
            at.parse::<Zoned>()
                .map(|zoned| zoned.time_zone().clone())
                .map_err(|_| args.failed(format!("{:?} is no offset such as \"+02:00\"", words::shorten(name, 40))))
        }
        name => ZONES.get(name).map_err(|_| {
            args.failed(format!("there is no time zone {:?}; one is called such as \"Europe/Berlin\"", words::shorten(name, 40)))
        }),
    }
}

/// Argument `i` as a zone, if it was given.
pub(super) fn zone_arg(args: &mut Args, i: usize) -> Result<Option<TimeZone>, Stop> {
    if i >= args.count() {
        return Ok(None);
    }
    let name = args.text(i)?;
    zone(&name, args).map(Some)
}

/// Argument `i` as a date: in `zone` if given, else in the offset it is written with, else in UTC.
pub(super) fn moment(args: &mut Args, i: usize, zone: Option<TimeZone>) -> Result<Zoned, Stop> {
    args.fuel.spend(20)?;
    match &*args.value(i)? {
        Value::String(text) => read(text.trim(), zone).ok_or_else(|| {
            args.failed(format!(
                "{:?} is no date; one is written such as 2026-01-31 or 2026-01-31T12:00:00Z, and parseDate() reads other forms",
                words::shorten(text, 40)
            ))
        }),
        Value::Number(ms) => {
            let ms = ms.as_f64().filter(|ms| ms.abs() < 1e17).map(|ms| ms as i64);
            let moment = ms
                .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                .ok_or_else(|| args.failed("this number is no milliseconds since 1970"))?;
            Ok(moment.to_zoned(zone.unwrap_or(TimeZone::UTC)))
        }
        other => Err(args.failed(format!("a date is text or milliseconds since 1970; this is {}", words::kind(other)))),
    }
}

fn read(text: &str, zone: Option<TimeZone>) -> Option<Zoned> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    if text.len() > 100 {
        return None;
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(match zone {
            Some(zone) => moment.to_zoned(zone),
            None => moment.to_zoned(offset_of(text).map_or(TimeZone::UTC, TimeZone::fixed)),
        });
    }
    let zone = zone.unwrap_or(TimeZone::UTC);
    let local = PARSER.parse_datetime(text).ok().or_else(|| PARSER.parse_date(text).ok().map(DateTime::from));
    if let Some(local) = local {
        return local.to_zoned(zone).ok();
    }
    jiff::fmt::rfc2822::parse(text).ok().map(|moment| moment.with_time_zone(zone))
}

/// The offset that an RFC 3339 text ends with.
fn offset_of(text: &str) -> Option<Offset> {
    let text = text.split('[').next()?;
    let sign = text.rfind(['+', '-']).filter(|at| *at > 10)?;
    let digits: String = text[sign + 1..].chars().filter(char::is_ascii_digit).collect();
    let hours: i32 = digits.get(0..2)?.parse().ok()?;
    let minutes: i32 = digits.get(2..4).map_or(Some(0), |minutes| minutes.parse().ok())?;
    let seconds = hours * 3600 + minutes * 60;
    Offset::from_seconds(if text.as_bytes()[sign] == b'-' { -seconds } else { seconds }).ok()
}

/// A date as text: milliseconds always, `Z` for UTC.
pub(super) fn written<'e>(moment: &Zoned) -> Out<'e> {
    let format = if moment.time_zone() == &TimeZone::UTC { "%Y-%m-%dT%H:%M:%S.%3fZ" } else { "%Y-%m-%dT%H:%M:%S.%3f%:z" };
    text_value(moment.strftime(format).to_string())
}

fn now<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 0)?.unwrap_or(TimeZone::UTC);
    let moment = Timestamp::from_millisecond(args.ambient().now()).map_err(|_| args.failed("the clock is out of range"))?;
    written(&moment.to_zoned(zone))
}

fn now_ms<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    Ok(Cow::Owned(Value::from(args.ambient().now())))
}

fn date<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 1)?;
    written(&moment(args, 0, zone)?)
}

fn in_zone<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 1)?.unwrap_or(TimeZone::UTC);
    written(&moment(args, 0, None)?.with_time_zone(zone))
}

fn to_ms<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    Ok(Cow::Owned(Value::from(moment(args, 0, None)?.timestamp().as_millisecond())))
}

fn to_unix<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let ms = moment(args, 0, None)?.timestamp().as_millisecond();
    number::from_float(ms as f64 / 1000.0, args.name()).map(Cow::Owned)
}

fn from_unix<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let ms = args.number(0)?.float() * 1000.0;
    let moment = (ms.abs() < 1e17).then(|| Timestamp::from_millisecond(ms as i64).ok()).flatten();
    written(&moment.ok_or_else(|| args.failed("this number is no seconds since 1970"))?.to_zoned(TimeZone::UTC))
}

/// Argument `i` as a unit of time, in the singular or plural.
pub(super) fn unit(args: &mut Args, i: usize) -> Result<Unit, Stop> {
    let name = args.text(i)?;
    Ok(match name.strip_suffix('s').unwrap_or(&name) {
        "year" => Unit::Year,
        "month" => Unit::Month,
        "week" => Unit::Week,
        "day" => Unit::Day,
        "hour" => Unit::Hour,
        "minute" => Unit::Minute,
        "second" => Unit::Second,
        "millisecond" => Unit::Millisecond,
        _ => {
            let message = format!(
                "there is no unit {:?}; units are years, months, weeks, days, hours, minutes, seconds and milliseconds",
                words::shorten(&name, 40)
            );
            return Err(args.failed(message));
        }
    })
}

fn add<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 3)?;
    let (moment, amount, unit) = (moment(args, 0, zone)?, args.number(1)?, unit(args, 2)?);
    let exact_ms = match unit {
        Unit::Hour => Some(3_600_000.0),
        Unit::Minute => Some(60_000.0),
        Unit::Second => Some(1000.0),
        Unit::Millisecond => Some(1.0),
        _ => None,
    };
    let moved = match (exact_ms, amount.int().and_then(|amount| i64::try_from(amount).ok())) {
        (Some(unit), _) => moment.checked_add(SignedDuration::from_millis((amount.float() * unit).clamp(-1e17, 1e17) as i64)),
        (None, None) => return Err(args.failed("years, months, weeks and days are moved by whole numbers")),
        (None, Some(amount)) => {
            let span = match unit {
                Unit::Year => Span::new().try_years(amount),
                Unit::Month => Span::new().try_months(amount),
                Unit::Week => Span::new().try_weeks(amount),
                _ => Span::new().try_days(amount),
            };
            span.and_then(|span| moment.checked_add(span))
        }
    };
    written(&moved.map_err(|_| args.failed("the result is outside the years -9999 to 9999"))?)
}

fn diff<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (from, to, unit) = (moment(args, 0, None)?, moment(args, 1, None)?, unit(args, 2)?);
    let ms = to.timestamp().as_millisecond() - from.timestamp().as_millisecond();
    let per = match unit {
        Unit::Year | Unit::Month => {
            let to = to.with_time_zone(from.time_zone().clone());
            let span = from.until((unit, &to)).map_err(|_| args.failed("the dates are too far apart"))?;
            let whole = if unit == Unit::Year { i64::from(span.get_years()) } else { i64::from(span.get_months()) };
            return Ok(Cow::Owned(Value::from(whole)));
        }
        Unit::Week => 604_800_000.0,
        Unit::Day => 86_400_000.0,
        Unit::Hour => 3_600_000.0,
        Unit::Minute => 60_000.0,
        Unit::Second => 1000.0,
        _ => 1.0,
    };
    number::from_float(ms as f64 / per, args.name()).map(Cow::Owned)
}

/// The first day of the unit that holds `date`; weeks begin on Monday.
pub(super) fn first_day(date: Date, unit: Unit) -> Date {
    match unit {
        Unit::Year => date.first_of_year(),
        Unit::Month => date.first_of_month(),
        Unit::Week => date.checked_sub(Span::new().days(date.weekday().to_monday_zero_offset())).unwrap_or(date),
        _ => date,
    }
}
