//! Redaction: a planted secret is never found in the output, whatever its spelling; innocent text passes untouched.

use std::borrow::Cow;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use mainspring_vault::{MASK, Redactor};
use proptest::prelude::*;
use serde_json::{Value, json};

fn knowing(secrets: &[&str]) -> Redactor {
    let redactor = Redactor::new();
    secrets.iter().for_each(|secret| redactor.add(secret));
    redactor
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Percent encoding of everything but `keep`.
fn percent(text: &str, keep: &str, plus: bool, upper: bool) -> String {
    text.bytes()
        .map(|byte| match char::from(byte) {
            c if c.is_ascii_alphanumeric() || (c.is_ascii() && keep.contains(c)) => c.to_string(),
            ' ' if plus => "+".into(),
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

fn unicode_escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()
}

fn json_text(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Every spelling of `secret` beside its neighbours `before` and `after`: the name, the text, and what must not be left of it.
fn spellings(secret: &str, before: &str, after: &str) -> Vec<(&'static str, String, Vec<String>)> {
    let whole = format!("{before}{secret}{after}");
    // The base64 characters that depend on the secret alone.
    let core = |text: &str| {
        let from = (before.len() * 8).div_ceil(6);
        let to = (before.len() + secret.len()) * 8 / 6;
        vec![text[from..to].to_owned()]
    };
    let one = |text: String| vec![text];
    let mut list = vec![
        ("plain", whole.clone(), one(secret.into())),
        ("json", json_text(&whole), one(json_text(secret))),
        ("json twice", json_text(&json_text(&whole)), one(json_text(&json_text(secret)))),
        ("json ascii", unicode_escaped(&whole), one(unicode_escaped(secret))),
        ("json slashes", json_text(&whole).replace('/', "\\/"), one(json_text(secret).replace('/', "\\/"))),
        ("hex", hex(whole.as_bytes()), one(hex(secret.as_bytes()))),
        ("HEX", hex(whole.as_bytes()).to_uppercase(), one(hex(secret.as_bytes()).to_uppercase())),
        ("base64", STANDARD.encode(&whole), core(&STANDARD.encode(&whole))),
        ("base64url", URL_SAFE_NO_PAD.encode(&whole), core(&URL_SAFE.encode(&whole))),
        ("basic", format!("Basic {}", STANDARD.encode(format!("{before}:{secret}"))), vec![]),
    ];
    for (name, keep, plus, upper) in [
        ("percent", "-._~", false, true),
        ("percent lower", "-._~", false, false),
        ("percent component", "-._~!'()*", false, true),
        ("percent query", "-._~!'()*$&+,/:;=?@[]{}|\\^`", false, true),
        ("percent everything", "", false, true),
        ("form", "*-._", true, true),
    ] {
        list.push((name, percent(&whole, keep, plus, upper), one(percent(secret, keep, plus, upper))));
    }
    let in_url = percent(&STANDARD.encode(&whole), "-._~", false, true);
    list.push(("base64 in a query", in_url.clone(), vec![]));
    list.push(("form in json", json_text(&percent(&whole, "*-._", true, true)), vec![]));
    list.push(("json in a query", percent(&json!({ "k": whole }).to_string(), "", false, true), vec![]));
    list
}

#[test]
fn every_spelling_of_a_list_of_nasty_secrets_is_hidden() {
    let secrets = [
        "sk_live_51HxyzABCDEF",
        "p@ss/w+rd=&?#%",
        "with \"quotes\" and \\slashes\\",
        "tab\tand\nnewline and more of it",
        "schlüssel-größe",
        "🔑🔑-key",
        "100%25 sure",
        "abcdef",
        "<script>&amp;</script>",
        "a'b`c{d}[e]|f^g~h",
        "+++///===",
        "\u{7f}\u{1}control",
    ];
    for secret in secrets {
        let redactor = knowing(&[secret]);
        for before in ["", "u", "us", "usr", "user:"] {
            for after in ["", "a", "ab", "abc"] {
                for (name, text, gone) in spellings(secret, before, after) {
                    let clean = redactor.redact(&text);
                    assert!(clean.contains(MASK), "{name}: nothing hidden of {secret:?} in {text}");
                    assert!(!redactor.finds(clean.as_bytes()), "{name}: found again in {clean}");
                    for part in gone {
                        assert!(!clean.contains(&part), "{name}: {part} left in {clean}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_planted_secret_is_never_found(secret in "[ -~]{6,40}", other in "\\PC{6,20}", before in "[ -~]{0,9}", after in "[ -~]{0,9}") {
        prop_assume!(!secret.contains(MASK) && !other.contains(MASK));
        let redactor = knowing(&[&secret, &other]);
        for planted in [&secret, &other] {
            for (name, text, gone) in spellings(planted, &before, &after) {
                let clean = redactor.redact(&text);
                prop_assert!(clean.contains(MASK), "{name}: nothing hidden in {text}");
                prop_assert!(gone.iter().all(|part| !clean.contains(part.as_str())), "{name}: {text} -> {clean}");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\\\u%+a-f0-9\"]{0,60}") {
        let redactor = knowing(&["secret with space", "aaaaaa", "%2541%"]);
        redactor.add_bytes(&bytes);
        let _ = redactor.redact_bytes(&bytes);
        let _ = redactor.redact(&text);
    }

    #[test]
    fn innocent_text_is_left_alone(text in "[a-m \\\\n%0-9\"+]{0,200}") {
        let redactor = knowing(&["zzzzzzzz", "yyyy yyyy"]);
        prop_assert!(matches!(redactor.redact(&text), Cow::Borrowed(_)));
    }
}

#[test]
fn secrets_that_share_characters_are_both_hidden_in_full() {
    let redactor = knowing(&["abcdefgh", "efghijkl", "cdefgh"]);
    assert_eq!(redactor.redact("xxabcdefghijklyy"), "xx***yy");
    assert_eq!(redactor.redact("abcdefgh abcdefgh"), "*** ***");
    assert_eq!(redactor.redact("abcdefghabcdefgh"), "******");
}

#[test]
fn short_values_count_only_as_whole_tokens() {
    let redactor = knowing(&["1234", "x1"]);
    assert_eq!(redactor.redact("pin=1234, id=912345, a1234, 1234_5 (1234) x1"), "pin=***, id=912345, a1234, 1234_5 (***) x1");
    assert_eq!(redactor.redact("%31234"), "***");
}

#[test]
fn the_lines_of_a_private_key_are_hidden_one_by_one() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----\n";
    let redactor = knowing(&[pem]);
    assert_eq!(redactor.redact("line MIIEvQIBADANBgkqhkiG9w0B here"), "line *** here");
    assert_eq!(redactor.redact("-----BEGIN PRIVATE KEY-----"), "-----BEGIN PRIVATE KEY-----");
    assert_eq!(redactor.redact(&json!({ "k": pem }).to_string()), r#"{"k":"***"}"#);
}

#[test]
fn values_are_counted_and_removed() {
    let redactor = Redactor::new();
    assert!(redactor.is_empty());
    redactor.add("topsecret");
    redactor.add("topsecret");
    redactor.add("");
    redactor.remove("never added");
    redactor.remove("topsecret");
    assert_eq!(redactor.redact("a topsecret b"), "a *** b");
    assert_eq!(format!("{redactor:?}"), "Redactor(1 values)");
    redactor.remove("topsecret");
    assert!(redactor.is_empty());
    assert!(matches!(redactor.redact("a topsecret b"), Cow::Borrowed(_)));
}

#[test]
fn json_values_are_cleaned_in_place() {
    let redactor = knowing(&["topsecret", "987654321"]);
    let mut value = json!({ "a": ["x topsecret", 1, null, true, 987654321, 1.5], "topsecret": { "b": "dG9wc2VjcmV0" }, "z": "fine" });
    redactor.redact_value(&mut value);
    assert_eq!(value.to_string(), r#"{"a":["x ***",1,null,true,"***",1.5],"***":{"b":"***"},"z":"fine"}"#);
    let mut empty = Value::Null;
    redactor.redact_value(&mut empty);
    assert_eq!(empty, Value::Null);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures the code under test")]
fn a_megabyte_with_a_hundred_secrets_stays_cheap() {
    let redactor = Redactor::new();
    (0..100).for_each(|n| redactor.add(&format!("secret number {n} with some length")));
    let text = r#"{"message":"line\nline","url":"https://example.com/?q=a%20b"}"#.repeat(16_000);
    let start = Instant::now();
    redactor.redact("warm");
    let built = start.elapsed();
    let start = Instant::now();
    assert!(matches!(redactor.redact(&text), Cow::Borrowed(_)));
    let searched = start.elapsed();
    println!("built in {built:?}, searched {} bytes in {searched:?}", text.len());
    assert!(searched.as_secs() < 20);
}
