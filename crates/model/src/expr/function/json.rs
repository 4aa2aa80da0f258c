//! JSON as text, both ways.

use std::borrow::Cow;

use serde_json::Value;

use super::{Args, Function, Of, text_value};
use crate::expr::eval::Out;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 2] = [
    Function::new(
        Of::None,
        "JSON.parse",
        "JSON.parse(text)",
        "The value written in a JSON text.",
        r#"JSON.parse('{"a": [1]}')"#,
        r#"{"a":[1]}"#,
        parse,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "JSON.stringify",
        "JSON.stringify(x, null?, indent?)",
        "The value as JSON text: compact, or on lines with an indent of any width, which is two spaces.",
        "JSON.stringify({a: 'b'})",
        r#""{\"a\":\"b\"}""#,
        stringify,
    )
    .takes(1, 3),
];

fn parse<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    // what is read takes more room than its text: paid for before it is made
    args.reserve(text.len())?;
    args.fuel.spend(text.len() as u64)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| args.failed(format!("this is no JSON: {error}")))?;
    args.fuel.weigh(&value)?;
    Ok(Cow::Owned(value))
}

fn stringify<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let value = args.value(0)?;
    args.fuel.weigh(&value)?;
    let lines = args.int_or(2, 0)? > 0;
    let text = if lines { format!("{value:#}") } else { value.to_string() };
    let mut checked = String::new();
    words::push(&mut checked, &text, args.fuel)?;
    text_value(checked)
}
