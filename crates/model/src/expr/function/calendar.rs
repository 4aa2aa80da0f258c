//! Dates by the calendar: forms of writing, starts and ends of units, and single parts.

use std::borrow::Cow;

use jiff::civil::{Time, time};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Span, Unit, Zoned};
use serde_json::Value;

use super::date::{first_day, moment, unit, written, zone_arg};
use super::{Args, Function, Of, text_value};
use crate::date_form;
use crate::expr::eval::Out;
use crate::expr::fuel::Stop;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 5] = [
    Function::new(
        Of::None,
        "formatDate",
        "formatDate(x, form, zone?)",
        "A date written in a form of `yyyy yy MMMM MMM MM M dd d EEEE EEE HH H hh h mm m ss s SSS a ZZ z`; other words in single quotes.",
        "formatDate('2026-03-01T14:05:00Z', 'd MMM yyyy, HH:mm')",
        r#""1 Mar 2026, 14:05""#,
        format,
    )
    .takes(2, 3),
    Function::new(
        Of::None,
        "parseDate",
        "parseDate(text, form, zone?)",
        "A date read in such a form.",
        "parseDate('31.12.2026', 'dd.MM.yyyy')",
        r#""2026-12-31T00:00:00.000Z""#,
        parse,
    )
    .takes(2, 3),
    Function::new(
        Of::None,
        "startOf",
        "startOf(x, unit, zone?)",
        "The first moment of the year, month, week (from Monday), day, hour, minute or second.",
        "startOf('2026-03-18T10:30:00Z', 'month')",
        r#""2026-03-01T00:00:00.000Z""#,
        start,
    )
    .takes(2, 3),
    Function::new(
        Of::None,
        "endOf",
        "endOf(x, unit, zone?)",
        "The last millisecond of the year, month, week, day, hour, minute or second.",
        "endOf('2026-02-18', 'month')",
        r#""2026-02-28T23:59:59.999Z""#,
        end,
    )
    .takes(2, 3),
    Function::new(
        Of::None,
        "datePart",
        "datePart(x, part, zone?)",
        "The year, month, day, hour, minute, second, millisecond, weekday (Monday 1), week, yearday or quarter of a date.",
        "datePart('2026-03-18', 'weekday')",
        "3",
        part,
    )
    .takes(2, 3),
];

/// A form in the library's letters.
fn form(args: &mut Args) -> Result<String, Stop> {
    let form = args.text(1)?;
    date_form::letters(&form).map_err(|reason| args.failed(reason))
}

fn format<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 2)?;
    let (moment, form) = (moment(args, 0, zone)?, form(args)?);
    match strtime::format(&form, &moment) {
        Ok(text) => text_value(text),
        Err(_) => Err(args.failed("the date cannot be written in this form")),
    }
}

fn parse<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 2)?.unwrap_or(TimeZone::UTC);
    let (text, form) = (args.text(0)?, form(args)?);
    args.scan(&text)?;
    let refused = |args: &Args| args.failed(format!("{:?} is not written in this form", words::shorten(&text, 40)));
    let read = strtime::parse(&form, text.trim()).map_err(|_| refused(args))?;
    if let Ok(moment) = read.to_timestamp() {
        return written(&moment.to_zoned(zone));
    }
    let day = read.to_date().map_err(|_| refused(args))?;
    let at = read.to_time().unwrap_or_else(|_| Time::midnight());
    written(&day.to_datetime(at).to_zoned(zone).map_err(|_| refused(args))?)
}

fn begin(moment: &Zoned, unit: Unit) -> Result<Zoned, jiff::Error> {
    let at = moment.time();
    let start = match unit {
        Unit::Hour => time(at.hour(), 0, 0, 0),
        Unit::Minute => time(at.hour(), at.minute(), 0, 0),
        Unit::Second => time(at.hour(), at.minute(), at.second(), 0),
        Unit::Millisecond => return Ok(moment.clone()),
        // a day may begin after midnight where clocks change then
        _ => return first_day(moment.date(), unit).to_zoned(moment.time_zone().clone()),
    };
    moment.with().time(start).build()
}

fn start<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 2)?;
    let (moment, unit) = (moment(args, 0, zone)?, unit(args, 1)?);
    written(&begin(&moment, unit).map_err(|_| args.failed("the result is out of range"))?)
}

fn end<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 2)?;
    let (moment, unit) = (moment(args, 0, zone)?, unit(args, 1)?);
    let one = match unit {
        Unit::Year => Span::new().years(1),
        Unit::Month => Span::new().months(1),
        Unit::Week => Span::new().weeks(1),
        Unit::Day => Span::new().days(1),
        Unit::Hour => Span::new().hours(1),
        Unit::Minute => Span::new().minutes(1),
        Unit::Second => Span::new().seconds(1),
        _ => Span::new().milliseconds(1),
    };
    let last = begin(&moment, unit).and_then(|start| start.checked_add(one)).and_then(|next| next.checked_sub(Span::new().milliseconds(1)));
    written(&last.map_err(|_| args.failed("the result is out of range"))?)
}

fn part<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let zone = zone_arg(args, 2)?;
    let (moment, part) = (moment(args, 0, zone)?, args.text(1)?);
    Ok(Cow::Owned(match &*part {
        "year" => Value::from(moment.year()),
        "month" => Value::from(moment.month()),
        "day" => Value::from(moment.day()),
        "hour" => Value::from(moment.hour()),
        "minute" => Value::from(moment.minute()),
        "second" => Value::from(moment.second()),
        "millisecond" => Value::from(moment.millisecond()),
        "weekday" => Value::from(moment.weekday().to_monday_one_offset()),
        "week" => Value::from(moment.date().iso_week_date().week()),
        "yearday" => Value::from(moment.day_of_year()),
        "quarter" => Value::from((moment.month() - 1) / 3 + 1),
        other => {
            let known = "year, month, day, hour, minute, second, millisecond, weekday, week, yearday and quarter";
            return Err(args.failed(format!("there is no part {:?}; parts are {known}", words::shorten(other, 40))));
        }
    }))
}
