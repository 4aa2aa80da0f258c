//! Names of mailboxes as they travel: modified UTF-7 (RFC 3501, 5.1.3), quoted.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Quoted; control characters, which no name has, are left out.
pub(super) fn written(name: &str) -> String {
    let (mut out, mut run) = (String::from("\""), Vec::new());
    for c in name.chars().filter(|c| !c.is_control()) {
        if !matches!(c, ' '..='~') {
            run.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
            continue;
        }
        flush(&mut out, &mut run);
        match c {
            '&' => out.push_str("&-"),
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    flush(&mut out, &mut run);
    out.push('"');
    out
}

fn flush(out: &mut String, run: &mut Vec<u8>) {
    if !run.is_empty() {
        out.push('&');
        out.push_str(&BASE64.encode(&*run));
        out.push('-');
        run.clear();
    }
}

/// The name for people; what is not written as it should be stays as it came.
pub(super) fn read(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let (mut out, mut rest) = (String::new(), &*text);
    while let Some((plain, behind)) = rest.split_once('&') {
        out.push_str(plain);
        let Some((code, after)) = behind.split_once('-') else { return text.into_owned() };
        if code.is_empty() {
            out.push('&');
        } else {
            let units = BASE64.decode(code).ok().filter(|bytes| bytes.len() % 2 == 0);
            let units = units.map(|bytes| bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<_>>());
            let Some(Ok(decoded)) = units.map(|units| String::from_utf16(&units)) else { return text.into_owned() };
            out.push_str(&decoded);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_travel_and_come_back() {
        for (name, sent) in [
            ("INBOX", "\"INBOX\""),
            ("Entwürfe", "\"Entw&APw-rfe\""),
            ("Tom & Jerry", "\"Tom &- Jerry\""),
            ("台北/日本語", "\"&U,BTFw-/&ZeVnLIqe-\""),
            ("a \"b\" \\c", "\"a \\\"b\\\" \\\\c\""),
            ("💌", "\"&2D3cjA-\""),
        ] {
            assert_eq!(written(name), sent);
            let unquoted = sent[1..sent.len() - 1].replace("\\\"", "\"").replace("\\\\", "\\");
            assert_eq!(read(unquoted.as_bytes()), name);
        }
        assert_eq!(written("a\r\nA2 DELETE b"), "\"aA2 DELETE b\"");
        for bad in ["&", "&AAA", "&A-", "&2D0-"] {
            assert_eq!(read(bad.as_bytes()), bad);
        }
    }
}
