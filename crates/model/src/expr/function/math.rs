//! Functions and methods of numbers.

use std::borrow::Cow;

use serde_json::Value;

use super::general::parse;
use super::{Args, Function, Of, bool_value, text_value};
use crate::expr::eval::Out;
use crate::expr::fuel::Stop;
use crate::expr::number::{self, Num, num};
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 28] = [
    Function::new(Of::None, "Math.abs", "Math.abs(x)", "x without its sign.", "Math.abs(-2)", "2", abs).takes(1, 1),
    Function::new(Of::None, "abs", "abs(x)", "x without its sign.", "abs(-2.5)", "2.5", abs).takes(1, 1),
    Function::new(Of::None, "Math.ceil", "Math.ceil(x)", "The next whole number at or above x.", "Math.ceil(1.2)", "2", ceil).takes(1, 1),
    Function::new(Of::None, "ceil", "ceil(x)", "The next whole number at or above x.", "ceil(-1.2)", "-1", ceil).takes(1, 1),
    Function::new(Of::None, "Math.floor", "Math.floor(x)", "The next whole number at or below x.", "Math.floor(1.8)", "1", floor)
        .takes(1, 1),
    Function::new(Of::None, "floor", "floor(x)", "The next whole number at or below x.", "floor(-1.2)", "-2", floor).takes(1, 1),
    Function::new(Of::None, "Math.round", "Math.round(x)", "The nearest whole number; a half goes up.", "Math.round(2.5)", "3", round)
        .takes(1, 1),
    Function::new(
        Of::None,
        "round",
        "round(x, digits?)",
        "Rounded to so many digits after the point; a half goes up.",
        "round(3.14159, 2)",
        "3.14",
        round,
    )
    .takes(1, 2),
    Function::new(Of::None, "Math.trunc", "Math.trunc(x)", "x without its fraction.", "Math.trunc(-1.8)", "-1", trunc).takes(1, 1),
    Function::new(Of::None, "Math.sign", "Math.sign(x)", "-1, 0 or 1.", "Math.sign(-3)", "-1", sign).takes(1, 1),
    Function::new(Of::None, "Math.sqrt", "Math.sqrt(x)", "The square root.", "Math.sqrt(9)", "3", sqrt).takes(1, 1),
    Function::new(Of::None, "Math.cbrt", "Math.cbrt(x)", "The cube root.", "Math.cbrt(27)", "3", cbrt).takes(1, 1),
    Function::new(Of::None, "Math.pow", "Math.pow(x, y)", "x to the power of y, as a double.", "Math.pow(2, 10)", "1024", pow).takes(2, 2),
    Function::new(Of::None, "Math.exp", "Math.exp(x)", "e to the power of x.", "Math.exp(0)", "1", exp).takes(1, 1),
    Function::new(Of::None, "Math.log", "Math.log(x)", "The natural logarithm.", "Math.log(1)", "0", log).takes(1, 1),
    Function::new(Of::None, "Math.log10", "Math.log10(x)", "The logarithm to base 10.", "Math.log10(1000)", "3", log10).takes(1, 1),
    Function::new(Of::None, "Math.log2", "Math.log2(x)", "The logarithm to base 2.", "Math.log2(8)", "3", log2).takes(1, 1),
    Function::new(Of::None, "Math.min", "Math.min(x, …)", "The least of the numbers.", "Math.min(3, 1)", "1", min).takes(1, 255),
    Function::new(Of::None, "min", "min(x, …)", "The least of the numbers; list.min() is the one for a list.", "min(3, 1)", "1", min)
        .takes(1, 255),
    Function::new(Of::None, "Math.max", "Math.max(x, …)", "The greatest of the numbers.", "Math.max(3, 1)", "3", max).takes(1, 255),
    Function::new(Of::None, "max", "max(x, …)", "The greatest of the numbers; list.max() is the one for a list.", "max(3, 1)", "3", max)
        .takes(1, 255),
    Function::new(
        Of::None,
        "parseInt",
        "parseInt(text, radix?)",
        "The whole number at the start of a text, or a number without its fraction.",
        "parseInt('42px')",
        "42",
        parse_int,
    )
    .takes(1, 2),
    Function::new(
        Of::None,
        "parseFloat",
        "parseFloat(text)",
        "The number at the start of a text.",
        "parseFloat('3.5 kg')",
        "3.5",
        parse_float,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "Number.isInteger",
        "Number.isInteger(x)",
        "Whether x is a whole number.",
        "Number.isInteger(2)",
        "true",
        is_integer,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "isNumeric",
        "isNumeric(x)",
        "Whether x is a number or a text that Number() reads.",
        "isNumeric('1.5')",
        "true",
        is_numeric,
    )
    .takes(1, 1),
    Function::new(
        Of::Number,
        "toFixed",
        "number.toFixed(digits?)",
        "The number as text with so many digits after the point.",
        "(2.5).toFixed(2)",
        r#""2.50""#,
        to_fixed,
    )
    .takes(0, 1),
    Function::new(
        Of::Number,
        "clamp",
        "number.clamp(low, high)",
        "The number, kept between low and high.",
        "(12).clamp(0, 10)",
        "10",
        clamp,
    )
    .takes(2, 2),
    Function::new(
        Of::None,
        "formatNumber",
        "formatNumber(x, digits?, thousands?, point?)",
        "The number as text with separators, `,` and `.` unless given.",
        "formatNumber(1234.5, 2)",
        r#""1,234.50""#,
        format_number,
    )
    .takes(1, 4),
];

fn value<'e>(number: Num, what: &str) -> Out<'e> {
    Ok(Cow::Owned(match number {
        Num::Int(value) => number::from_int(value).ok_or_else(|| number::overflow(what))?,
        Num::Float(value) => number::from_float(value, what)?,
    }))
}

/// Integers stay as they are; doubles go through `round`.
fn whole<'e>(args: &mut Args<'_, 'e>, round: fn(f64) -> f64) -> Out<'e> {
    match args.number(0)? {
        Num::Float(x) => value(Num::Float(round(x)), args.name()),
        int => value(int, args.name()),
    }
}

fn real<'e>(args: &mut Args<'_, 'e>, function: fn(f64) -> f64) -> Out<'e> {
    let x = args.number(0)?.float();
    value(Num::Float(function(x)), args.name())
}

fn abs<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    match args.number(0)? {
        Num::Int(x) => value(Num::Int(x.abs()), args.name()),
        Num::Float(x) => value(Num::Float(x.abs()), args.name()),
    }
}

fn ceil<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    whole(args, f64::ceil)
}

fn floor<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    whole(args, f64::floor)
}

fn trunc<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    whole(args, f64::trunc)
}

/// A half goes up, as in JavaScript.
fn half_up(x: f64) -> f64 {
    if x.fract() == -0.5 { x.ceil() } else { x.round() }
}

fn round<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let digits = i32::try_from(args.int_or(1, 0)?.clamp(-15, 15)).expect("clamped");
    if digits == 0 {
        return whole(args, half_up);
    }
    let (x, scale) = (args.number(0)?, 10_f64.powi(digits.abs()));
    match x {
        Num::Int(_) if digits > 0 => value(x, args.name()),
        x if digits > 0 => {
            let scaled = x.float() * scale;
            value(Num::Float(if scaled.is_finite() { half_up(scaled) / scale } else { x.float() }), args.name())
        }
        x => value(Num::Float(half_up(x.float() / scale) * scale), args.name()),
    }
}

fn sign<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    Ok(Cow::Owned(Value::from(number::compare(args.number(0)?, Num::Int(0)) as i8)))
}

fn sqrt<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    real(args, f64::sqrt)
}

fn cbrt<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    real(args, f64::cbrt)
}

fn exp<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    real(args, f64::exp)
}

fn log<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    real(args, f64::ln)
}

fn log10<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    real(args, f64::log10)
}

fn log2<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    real(args, f64::log2)
}

fn pow<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (x, y) = (args.number(0)?.float(), args.number(1)?.float());
    value(Num::Float(x.powf(y)), args.name())
}

fn best<'e>(args: &mut Args<'_, 'e>, better: fn(std::cmp::Ordering) -> bool) -> Out<'e> {
    let mut best = args.number(0)?;
    for i in 1..args.count() {
        let next = args.number(i)?;
        if better(number::compare(next, best)) {
            best = next;
        }
    }
    value(best, args.name())
}

fn min<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    best(args, std::cmp::Ordering::is_lt)
}

fn max<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    best(args, std::cmp::Ordering::is_gt)
}

fn parse_int<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let radix = u32::try_from(args.int_or(1, 10)?).ok().filter(|radix| (2..=36).contains(radix));
    let Some(radix) = radix else { return Err(args.failed("the radix is 2 to 36")) };
    let given = args.value(0)?;
    let text = match &*given {
        Value::Number(number) => {
            let x = num(number);
            return value(if let Num::Float(x) = x { Num::Float(x.trunc()) } else { x }, args.name());
        }
        Value::String(text) => text.trim_start(),
        other => return Err(args.failed(format!("{} is no text; write `x ?? …` for what may be missing", words::kind(other)))),
    };
    args.scan(text)?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.find(|c: char| !c.is_digit(radix)).unwrap_or(unsigned.len());
    let end = text.len() - unsigned.len() + digits;
    match i128::from_str_radix(&text[..end], radix) {
        Ok(number) => value(Num::Int(number), args.name()),
        Err(_) if digits == 0 => Err(args.failed(format!("{:?} does not begin with a number", words::shorten(text, 40)))),
        Err(_) => Err(number::overflow(args.name())),
    }
}

fn parse_float<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let given = args.value(0)?;
    let text = match &*given {
        Value::Number(_) => return Ok(given),
        Value::String(text) => text.trim_start(),
        other => return Err(args.failed(format!("{} is no text; write `x ?? …` for what may be missing", words::kind(other)))),
    };
    args.scan(text)?;
    match parse(&text[..float_length(text)], args)? {
        Some(number) => Ok(Cow::Owned(number)),
        None => Err(args.failed(format!("{:?} does not begin with a number", words::shorten(text, 40)))),
    }
}

/// How many bytes at the start of a text are a number.
fn float_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = |at: usize| usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
    let mut end = sign(0);
    end += digits(end);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + sign(end + 1);
        let count = digits(exponent);
        end = if count > 0 { exponent + count } else { end };
    }
    end
}

fn is_integer<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    bool_value(matches!(&*args.value(0)?, Value::Number(number) if num(number).float().fract() == 0.0))
}

fn is_numeric<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let given = args.value(0)?;
    bool_value(match &*given {
        Value::Number(_) => true,
        Value::String(text) => matches!(parse(text.trim(), args), Ok(Some(_))),
        _ => false,
    })
}

fn this_number(args: &mut Args) -> Num {
    match &*args.this() {
        Value::Number(number) => num(number),
        _ => unreachable!("methods are chosen by the type of their receiver"),
    }
}

fn digits(args: &mut Args, i: usize) -> Result<usize, Stop> {
    let digits = args.int_or(i, 0)?;
    usize::try_from(digits).ok().filter(|digits| *digits <= 100).ok_or_else(|| args.failed("the digits are 0 to 100"))
}

/// With so many digits after the point; a half goes away from zero, judged on the double's exact value as in JavaScript.
fn fixed(x: Num, digits: usize) -> String {
    let float = match x {
        Num::Int(x) if digits == 0 => return x.to_string(),
        Num::Int(x) => return format!("{x}.{}", "0".repeat(digits)),
        Num::Float(x) => x,
    };
    let near = format!("{float:.digits$}");
    // A double has at most 1,074 digits after the point; only a tie is rounded otherwise by `format!`, to the even digit.
    let exact = format!("{:.1080}", float.abs());
    let point = exact.find('.').expect("1,080 digits follow a point");
    let (kept, rest) = exact.split_at(point + 1 + digits);
    let is_tie = rest.starts_with('5') && rest[1..].bytes().all(|digit| digit == b'0');
    let text = if is_tie {
        let mut bytes: Vec<u8> = kept.trim_end_matches('.').bytes().collect();
        let mut carry = true;
        for digit in bytes.iter_mut().rev().filter(|byte| **byte != b'.') {
            if !carry {
                break;
            }
            carry = *digit == b'9';
            *digit = if carry { b'0' } else { *digit + 1 };
        }
        format!(
            "{}{}{}",
            if float < 0.0 { "-" } else { "" },
            if carry { "1" } else { "" },
            String::from_utf8(bytes).expect("digits are ASCII")
        )
    } else {
        near
    };
    let is_zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

fn to_fixed<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (x, digits) = (this_number(args), digits(args, 0)?);
    args.fuel.spend(100)?;
    text_value(fixed(x, digits))
}

fn clamp<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (x, low, high) = (this_number(args), args.number(0)?, args.number(1)?);
    let x = if number::compare(x, low).is_lt() { low } else { x };
    value(if number::compare(x, high).is_gt() { high } else { x }, args.name())
}

fn format_number<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let x = args.number(0)?;
    args.fuel.spend(100)?;
    let text = if args.count() > 1 { fixed(x, digits(args, 1)?) } else { words::text_of(&*value(x, args.name())?, args.fuel)? };
    let (thousands, point) = (args.text_or(2, ",")?, args.text_or(3, ".")?);
    args.reserve(text.len().saturating_mul(thousands.len() + 1) + point.len())?;
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut made = sign.to_owned();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 && whole.bytes().all(|b| b.is_ascii_digit()) {
            made.push_str(&thousands);
        }
        made.push(digit);
    }
    if let Some(fraction) = fraction {
        made.push_str(&point);
        made.push_str(fraction);
    }
    text_value(made)
}
