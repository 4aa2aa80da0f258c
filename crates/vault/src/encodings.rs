//! The spellings in which a secret can turn up in a text: patterns to search for, and decoders that undo an escaping first.
//!
//! Base64 and hex have few spellings, so they are searched for as patterns. JSON and percent escaping have many (any subset of the
//! characters may be escaped), so the text is decoded instead, with a map back to where each decoded byte came from.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values are matched only as whole tokens: "abc12" inside "xabc12y" is more likely chance than a leak.
pub(crate) const SHORT: usize = 6;

/// One spelling of a secret.
pub(crate) struct Pattern {
    pub(crate) bytes: Vec<u8>,
    pub(crate) edge: Edge,
}

/// What to look at beside a match.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// The match is all.
    None,
    /// Counts only when no letter, digit or `_` stands beside it.
    Token,
    /// The base64 characters beside it hold some of the secret's bits and go too.
    Base64 { before: bool, after: bool },
}

/// Every spelling of `secret` to search for.
pub(crate) fn patterns(secret: &[u8]) -> Vec<Pattern> {
    if secret.len() < SHORT {
        return vec![Pattern { bytes: secret.to_vec(), edge: Edge::Token }];
    }
    let mut found = vec![Pattern { bytes: secret.to_vec(), edge: Edge::None }];
    // A secret inside a document is escaped first and then encoded as a whole.
    let mut inner = vec![secret.to_vec(), json_escaped(secret), form_encoded(secret, false), form_encoded(secret, true)];
    inner.sort();
    inner.dedup();
    for bytes in &inner {
        found.extend(base64_spellings(bytes));
        let lower: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        found.push(Pattern { bytes: lower.to_uppercase().into_bytes(), edge: Edge::None });
        found.push(Pattern { bytes: lower.into_bytes(), edge: Edge::None });
    }
    found.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    found.dedup_by(|a, b| a.bytes == b.bytes && a.edge == b.edge);
    found
}

/// The part of the base64 text that depends on nothing but `secret`, for each place it can have among its neighbours.
fn base64_spellings(secret: &[u8]) -> Vec<Pattern> {
    let mut found = Vec::new();
    for offset in 0..3usize {
        let padded = [&[0u8; 2][..offset], secret].concat();
        let first = [0, 2, 3][offset];
        let whole = padded.len() * 8 / 6;
        let edge = Edge::Base64 { before: offset > 0, after: padded.len() * 8 % 6 > 0 };
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            found.push(Pattern { bytes: text.as_bytes()[first..whole].to_vec(), edge });
        }
    }
    found
}

fn json_escaped(secret: &[u8]) -> Vec<u8> {
    let quoted = serde_json::to_string(&String::from_utf8_lossy(secret)).expect("text is always JSON");
    quoted.as_bytes()[1..quoted.len() - 1].to_vec()
}

fn form_encoded(secret: &[u8], form: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(secret.len());
    for byte in secret {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(*byte),
            b' ' if form => text.push(b'+'),
            _ => text.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    text
}

/// Whether a byte can stand in base64 text, standard or url-safe.
pub(crate) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// A decoded text and where each of its bytes came from.
pub(crate) struct Decoded {
    pub(crate) bytes: Vec<u8>,
    /// Source offset per decoded byte, and the source's length at the end.
    starts: Vec<u32>,
}

impl Decoded {
    /// The range of the source that a range of the decoded text came from; an escape is taken as a whole.
    pub(crate) fn source(&self, from: usize, to: usize) -> (usize, usize) {
        let last = self.starts[to - 1];
        let end = self.starts[to..].iter().find(|start| **start > last).expect("the source's length ends the map");
        (self.starts[from] as usize, *end as usize)
    }
}

/// Decodes unit by unit: `unit` reads at the start of what is left and gives (bytes read, bytes decoded), or `None` for a plain byte.
fn decode(text: &[u8], unit: impl Fn(&[u8], &mut Vec<u8>) -> Option<usize>) -> Option<Decoded> {
    // Offsets are 32 bits to halve the map; larger texts are never logged, see the limits on values.
    u32::try_from(text.len()).ok()?;
    let (mut bytes, mut starts) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
    let (mut at, mut changed) = (0, false);
    while at < text.len() {
        let read = match unit(&text[at..], &mut bytes) {
            Some(read) => {
                changed = true;
                read
            }
            None => {
                bytes.push(text[at]);
                1
            }
        };
        starts.resize(bytes.len(), at as u32);
        at += read;
    }
    starts.push(text.len() as u32);
    changed.then_some(Decoded { bytes, starts })
}

/// Undoes JSON escapes; `None` when there are none.
pub(crate) fn json_decoded(text: &[u8]) -> Option<Decoded> {
    if !text.contains(&b'\\') {
        return None;
    }
    decode(text, |rest, out| {
        if rest[0] != b'\\' {
            return None;
        }
        let plain = match rest.get(1)? {
            byte @ (b'"' | b'\\' | b'/' | b'\'') => *byte,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'u' => return unicode(rest, out),
            _ => return None,
        };
        out.push(plain);
        Some(2)
    })
}

fn unicode(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let four = |at: usize| u32::from_str_radix(std::str::from_utf8(rest.get(at..at + 4)?).ok()?, 16).ok();
    let high = four(2)?;
    let (code, read) = match high {
        0xD800..=0xDBFF if rest.get(6..8) == Some(b"\\u") => match four(8)? {
            low @ 0xDC00..=0xDFFF => (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), 12),
            _ => return None,
        },
        code => (code, 6),
    };
    out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
    Some(read)
}

/// Undoes percent escapes, with `form` also `+` for a space; `None` when there are none.
pub(crate) fn percent_decoded(text: &[u8], form: bool) -> Option<Decoded> {
    if !text.iter().any(|byte| *byte == b'%' || (form && *byte == b'+')) {
        return None;
    }
    decode(text, |rest, out| match rest[0] {
        b'+' if form => {
            out.push(b' ');
            Some(1)
        }
        b'%' => {
            let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
            out.push(u8::try_from(digit(1)? * 16 + digit(2)?).expect("two hex digits fit a byte"));
            Some(3)
        }
        _ => None,
    })
}
