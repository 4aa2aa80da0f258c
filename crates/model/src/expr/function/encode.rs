//! Encodings of text: base64, hexadecimal, and what stands in URLs and HTML.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT, URL_SAFE_NO_PAD, URL_SAFE_PAD_INDIFFERENT};
use serde_json::Value;

use super::{Args, Function, Of, text_value};
use crate::expr::eval::Out;
use crate::expr::fuel::Stop;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 10] = [
    Function::new(Of::None, "base64", "base64(text)", "The text's UTF-8 bytes in base64.", "base64('hé')", r#""aMOp""#, base64).takes(1, 1),
    Function::new(
        Of::None,
        "fromBase64",
        "fromBase64(text)",
        "The text that was written in base64, padded or not.",
        "fromBase64('aMOp')",
        r#""hé""#,
        from_base64,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "base64url",
        "base64url(text)",
        "The text in base64 for URLs, without padding.",
        "base64url('a?>')",
        r#""YT8-""#,
        base64url,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "fromBase64url",
        "fromBase64url(text)",
        "The text that was written in base64 for URLs.",
        "fromBase64url('YT8-')",
        r#""a?>""#,
        from_base64url,
    )
    .takes(1, 1),
    Function::new(Of::None, "hex", "hex(text)", "The text's UTF-8 bytes in hexadecimal.", "hex('hi')", r#""6869""#, to_hex).takes(1, 1),
    Function::new(
        Of::None,
        "fromHex",
        "fromHex(text)",
        "The text that was written in hexadecimal.",
        "fromHex('6869')",
        r#""hi""#,
        from_hex,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "encodeURIComponent",
        "encodeURIComponent(x)",
        "The text as one part of a URL.",
        "encodeURIComponent('a b&c')",
        r#""a%20b%26c""#,
        encode_uri,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "decodeURIComponent",
        "decodeURIComponent(text)",
        "The text that was encoded as a part of a URL.",
        "decodeURIComponent('a%20b')",
        r#""a b""#,
        decode_uri,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "queryString",
        "queryString(object)",
        "The fields as a URL's query; null is left out, a list repeats its name.",
        "queryString({q: 'a b', n: [1, 2]})",
        r#""q=a%20b&n=1&n=2""#,
        query,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "escapeHtml",
        "escapeHtml(text)",
        "The text with HTML's special characters escaped.",
        "escapeHtml('<b>&')",
        r#""&lt;b&gt;&amp;""#,
        escape_html,
    )
    .takes(1, 1),
];

fn base64<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len() / 3 * 4 + 4)?;
    text_value(STANDARD.encode(text.as_bytes()))
}

fn base64url<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len() / 3 * 4 + 4)?;
    text_value(URL_SAFE_NO_PAD.encode(text.as_bytes()))
}

fn from_base64<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len())?;
    let plain: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    decoded(STANDARD_PAD_INDIFFERENT.decode(plain).ok(), "base64", args)
}

fn from_base64url<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len())?;
    decoded(URL_SAFE_PAD_INDIFFERENT.decode(text.as_bytes()).ok(), "base64 for URLs", args)
}

fn decoded<'e>(bytes: Option<Vec<u8>>, what: &str, args: &mut Args<'_, 'e>) -> Out<'e> {
    let bytes = bytes.ok_or_else(|| args.failed(format!("this text is no {what}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => text_value(text),
        Err(_) => Err(args.failed("the bytes are no UTF-8 text; files do not stand in expressions")),
    }
}

/// Bytes in hexadecimal, small letters.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)] as char, DIGITS[usize::from(byte & 15)] as char]).collect()
}

fn to_hex<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len() * 2)?;
    text_value(hex(text.as_bytes()))
}

/// The value of two hexadecimal digits.
fn byte(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    }
}

fn from_hex<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len())?;
    decoded(text.as_bytes().chunks(2).map(byte).collect(), "hexadecimal", args)
}

/// Everything but letters, digits and `-_.!~*'()` as `%XX`.
fn percent(text: &str, into: &mut String, args: &mut Args) -> Result<(), Stop> {
    args.fuel.produce(text.len() * 3, into.len() + text.len() * 3)?;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            into.push(byte as char);
        } else {
            into.push('%');
            into.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    Ok(())
}

fn encode_uri<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = words::text_of(&*args.value(0)?, args.fuel)?;
    let mut made = String::new();
    percent(&text, &mut made, args)?;
    text_value(made)
}

fn decode_uri<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    args.reserve(text.len())?;
    let bytes = text.as_bytes();
    let (mut made, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let found = bytes.get(at + 1..at + 3).and_then(byte);
            made.push(found.ok_or_else(|| args.failed("a `%` is not followed by two hexadecimal digits"))?);
            at += 3;
        } else {
            made.push(bytes[at]);
            at += 1;
        }
    }
    decoded(Some(made), "encoded text", args)
}

fn query<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = args.value(0)?;
    let Value::Object(fields) = &*object else {
        return Err(args.failed(format!("argument 1 is an object; this is {}", words::kind(&object))));
    };
    let mut made = String::new();
    for (key, value) in fields {
        let values = match value {
            Value::Null => continue,
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values {
            let text = words::text_of(value, args.fuel)?;
            if !made.is_empty() {
                made.push('&');
            }
            percent(key, &mut made, args)?;
            made.push('=');
            percent(&text, &mut made, args)?;
        }
    }
    text_value(made)
}

fn escape_html<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.text(0)?;
    let mut made = String::new();
    let mut copied = 0;
    for (at, found) in text.match_indices(['&', '<', '>', '"', '\'']) {
        words::push(&mut made, &text[copied..at], args.fuel)?;
        let escaped = match found {
            "&" => "&amp;",
            "<" => "&lt;",
            ">" => "&gt;",
            "\"" => "&quot;",
            _ => "&#39;",
        };
        words::push(&mut made, escaped, args.fuel)?;
        copied = at + 1;
    }
    words::push(&mut made, &text[copied..], args.fuel)?;
    text_value(made)
}
