//! One field of a cron expression: lists, ranges, steps and names into a set of bits, with errors that name the field.

use super::problem::{CronField, CronProblem};
use crate::problem::nearest;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl CronField {
    fn bounds(self) -> (u32, u32) {
        match self {
            CronField::Second | CronField::Minute => (0, 59),
            CronField::Hour => (0, 23),
            CronField::DayOfMonth => (1, 31),
            CronField::Month => (1, 12),
            CronField::DayOfWeek => (0, 7),
            CronField::Timezone => unreachable!("no such field in an expression"),
        }
    }

    fn names(self) -> (&'static [&'static str], u32) {
        match self {
            CronField::Month => (&MONTHS, 1),
            CronField::DayOfWeek => (&WEEKDAYS, 0),
            _ => (&[], 0),
        }
    }
}

/// The values that one item of the list, `*`, `5`, `1-5` or `1-5/2`, lets through, as bits.
pub(super) fn item(field: CronField, text: &str) -> Result<u64, CronProblem> {
    let (low, high) = field.bounds();
    let (base, step) = match text.split_once('/') {
        None => (text, None),
        Some((base, step)) => (base, Some(self::step(field, text, step)?)),
    };
    let (from, to) = if base == "*" {
        (low, if field == CronField::DayOfWeek { 6 } else { high })
    } else if let Some((from, to)) = base.split_once('-').filter(|(from, _)| !from.is_empty()) {
        let (from, mut to) = (value(field, from)?, value(field, to)?);
        if to == 0 && from > 0 && field == CronField::DayOfWeek {
            to = 7; // FRI-SUN
        }
        if from > to {
            let top = if field == CronField::DayOfWeek { 6 } else { high };
            let fix = format!("{from}-{top},{low}-{to}");
            return Err(CronProblem::field(field, format!("{base} runs backwards; write {fix}")).fix(fix));
        }
        (from, to)
    } else {
        let from = value(field, base)?;
        if let Some(step) = step {
            let fix = if from == low { format!("*/{step}") } else { format!("{from}-{high}/{step}") };
            return Err(CronProblem::field(field, format!("{text} steps from a single value; write {fix}")).fix(fix));
        }
        (from, from)
    };
    let (mut bits, mut at) = (0, from);
    while at <= to {
        bits |= 1 << at;
        at += step.unwrap_or(1);
    }
    // Sunday is 0, whichever way it was written.
    if field == CronField::DayOfWeek && bits & (1 << 7) != 0 {
        bits = (bits & 0x7F) | 1;
    }
    Ok(bits)
}

/// A number or a name in the field's bounds.
pub(super) fn value(field: CronField, text: &str) -> Result<u32, CronProblem> {
    let (low, high) = field.bounds();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u32>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(CronProblem::field(field, format!("{text} is outside {low}–{high}"))),
        };
    }
    let (names, first) = field.names();
    if let Some(index) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(first + index as u32);
    }
    let problem = |message: String| Err(CronProblem::field(field, message));
    if text.is_empty() {
        return problem("a value is missing (a stray comma, minus or slash?)".into());
    }
    let long = names.iter().copied().find(|name| text.len() > 3 && text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(name)));
    if let Some(meant) = long.or_else(|| nearest(text, names.iter().copied())) {
        return Err(CronProblem::field(field, format!("{text:?} is not known; write {meant}")).fix(meant));
    }
    match text {
        "?" => problem("? stands only in the two day fields; write *".into()),
        _ if text.starts_with('H') || text.starts_with('h') => {
            problem(format!("{text:?} (a hashed value) is not supported; write a number {low}–{high}"))
        }
        _ if names.is_empty() => problem(format!("{text:?} is not a number {low}–{high}")),
        _ => problem(format!("{text:?} is neither a number {low}–{high} nor one of {}", names.join(" "))),
    }
}

fn step(field: CronField, text: &str, step: &str) -> Result<u32, CronProblem> {
    let (low, high) = field.bounds();
    let span = high - low;
    match step.parse::<u32>() {
        Ok(0) => Err(CronProblem::field(field, format!("{text}: a step of 0 never moves"))),
        Ok(step) if step <= span => Ok(step),
        Ok(step) => Err(CronProblem::field(
            field,
            format!(
                "{text}: a step of {step} is longer than the field ({low}–{high}) and would not repeat evenly; for such a distance use an interval trigger (`every`)"
            ),
        )),
        Err(_) => Err(CronProblem::field(field, format!("{text}: {step:?} is not a step (a whole number from 1)"))),
    }
}
