//! Functions for values of any type: fallbacks, types, conversions, and the recorded random sources.

use std::borrow::Cow;

use serde_json::Value;

use super::{Args, Function, Of, bool_value, text_value};
use crate::expr::eval::{Out, truthy};
use crate::expr::fuel::Stop;
use crate::expr::number;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 14] = [
    Function::new(
        Of::None,
        "default",
        "default(x, y)",
        "x, or y when x is null or a part of its path is missing.",
        "default(null, 'none')",
        r#""none""#,
        default,
    )
    .takes(2, 2),
    Function::new(
        Of::None,
        "type",
        "type(x)",
        "What x is: `text`, `number`, `boolean`, `list`, `object` or `null`.",
        "type([1])",
        r#""list""#,
        type_of,
    )
    .takes(1, 1),
    Function::new(Of::None, "isEmpty", "isEmpty(x)", "Whether x is null, an empty text, list or object.", "isEmpty([])", "true", is_empty)
        .takes(1, 1),
    Function::new(
        Of::None,
        "String",
        "String(x)",
        "x as text: null is empty, lists and objects are compact JSON.",
        "String([1, 'a'])",
        r#""[1,\"a\"]""#,
        string,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "Number",
        "Number(x)",
        "The number written in a text; true is 1, false is 0; anything else fails.",
        "Number('12.5')",
        "12.5",
        number_of,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "Boolean",
        "Boolean(x)",
        "Whether x counts as true: not null, false, 0 or an empty text.",
        "Boolean('')",
        "false",
        boolean,
    )
    .takes(1, 1),
    Function::new(Of::None, "uuid", "uuid()", "A new random UUID (version 4), recorded with the run.", "uuid()", "", uuid).ambient(),
    Function::new(
        Of::None,
        "random",
        "random(low?, high?)",
        "A random number from 0 up to 1, or a whole number from low to high, recorded with the run.",
        "random()",
        "",
        random,
    )
    .takes(0, 2)
    .ambient(),
    Function::new(
        Of::None,
        "Math.random",
        "Math.random()",
        "A random number from 0 up to 1, recorded with the run.",
        "Math.random()",
        "",
        random,
    )
    .ambient(),
    Function::new(Of::Text, "toString", "text.toString()", "The text itself.", "'a'.toString()", r#""a""#, to_string),
    Function::new(Of::Number, "toString", "number.toString()", "The number as text.", "(1.50).toString()", r#""1.5""#, to_string),
    Function::new(Of::List, "toString", "list.toString()", "The list as compact JSON.", "[1, 2].toString()", r#""[1,2]""#, to_string),
    Function::new(
        Of::Object,
        "toString",
        "object.toString()",
        "The object as compact JSON.",
        "({a: 1}).toString()",
        r#""{\"a\":1}""#,
        to_string,
    ),
    Function::new(Of::Bool, "toString", "boolean.toString()", "`true` or `false` as text.", "true.toString()", r#""true""#, to_string),
];

fn default<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    match args.lenient(0)? {
        Some(value) => Ok(value),
        None => args.value(1),
    }
}

fn type_of<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    text_value(match &*args.value(0)? {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    })
}

fn is_empty<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    bool_value(match &*args.value(0)? {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    })
}

fn string<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let value = args.value(0)?;
    to_text(value, args)
}

fn to_string<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let value = args.this();
    to_text(value, args)
}

fn to_text<'e>(value: Cow<'e, Value>, args: &mut Args<'_, 'e>) -> Out<'e> {
    if value.is_string() { Ok(value) } else { text_value(words::text_of(&value, args.fuel)?) }
}

fn number_of<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let value = args.value(0)?;
    match &*value {
        Value::Number(_) => Ok(value),
        Value::Bool(value) => Ok(Cow::Owned(Value::from(u8::from(*value)))),
        Value::String(text) => match parse(text.trim(), args)? {
            Some(number) => Ok(Cow::Owned(number)),
            None => Err(args.failed(format!("{:?} is no number", words::shorten(text, 40)))),
        },
        Value::Null => Err(args.failed("null is no number; write `x ?? 0`")),
        other => Err(args.failed(format!("{} is no number", words::kind(other)))),
    }
}

/// The number that is the whole of `text`; integers stay exact, and fail when they do not fit.
pub(super) fn parse(text: &str, args: &mut Args) -> Result<Option<Value>, Stop> {
    args.fuel.spend(1 + text.len() as u64 / 16)?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let exact = text.parse::<i128>().ok().and_then(number::from_int);
        return exact
            .map(Some)
            .ok_or_else(|| args.failed(format!("{} does not fit a 64-bit integer; keep it as text", words::shorten(text, 40))));
    }
    // what `f64` would also read: inf, nan
    let plain =
        unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text.parse::<f64>() {
        Ok(value) if plain => number::from_float(value, args.name()).map(Some),
        _ => Ok(None),
    }
}

fn boolean<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    bool_value(truthy(&*args.value(0)?))
}

fn bits(args: &mut Args) -> u128 {
    let n = args.fuel.next_random();
    args.ambient().random_bits(n)
}

fn uuid<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    text_value(uuid::Builder::from_random_bytes(bits(args).to_be_bytes()).into_uuid().to_string())
}

fn random<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let bits = bits(args);
    if args.count() == 0 {
        // 53 bits, as many as a double keeps
        return Ok(Cow::Owned(Value::from((bits >> 75) as f64 / (1_u64 << 53) as f64)));
    }
    let (low, high) = if args.count() == 1 { (0, args.int_or(0, 0)?) } else { (args.int_or(0, 0)?, args.int_or(1, 0)?) };
    if high < low {
        return Err(args.failed(format!("{high} is less than {low}")));
    }
    let span = high.abs_diff(low);
    let offset = match span.checked_add(1) {
        Some(count) => (bits >> 64) as u64 % count,
        None => (bits >> 64) as u64,
    };
    Ok(Cow::Owned(Value::from(low.wrapping_add_unsigned(offset))))
}
