//! Provider `transform`: JSON Lines, patterns, similarity, URLs, hex and identifiers.

use mainspring_model::action::Outcome;
use mainspring_model::clock::Millis;
use serde_json::{Value, json};

use crate::logic_fake::*;

#[test]
fn json_lines_are_read_and_written() {
    for (text, items) in [
        ("", json!([])),
        ("\u{feff}{\"a\":1}\r\n\r\n[2]\r\n", json!([{"a": 1}, [2]])),
        ("null\n\"x\\ny\"", json!([null, "x\ny"])),
        ("18446744073709551615\n-9223372036854775808", json!([u64::MAX, i64::MIN])),
    ] {
        assert_eq!(value("transform.jsonl_parse", json!({"text": text})), items, "{text:?}");
        let back = value("transform.jsonl_format", json!({"items": items}));
        assert_eq!(value("transform.jsonl_parse", json!({"text": back})), items, "{text:?}");
    }
    for (text, message) in [
        ("{\"a\":1}\n\n{\"a\":", "INVALID_INPUT: item 1: line 3 is not JSON: EOF while parsing a value, column 5"),
        ("[1] [2]", "INVALID_INPUT: item 0: line 1 is not JSON: trailing characters, column 5"),
        ("1e999", "INVALID_INPUT: item 0: line 1 is not JSON: number out of range, column 5"),
    ] {
        assert!(
            error("transform.jsonl_parse", json!({"text": text})).starts_with(message.split(", column").next().unwrap()),
            "{text:?}: {}",
            error("transform.jsonl_parse", json!({"text": text}))
        );
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let message = error("transform.jsonl_parse", json!({"text": deep}));
    assert!(message.starts_with("INVALID_INPUT: item 0: line 1 is not JSON: recursion limit exceeded"), "{message}");
    let message = error("transform.jsonl_parse", json!({"text": "1\n".repeat(100_001)}));
    assert_eq!(message, "LIMIT_EXCEEDED: \"the list of lines\" has 100001 items; an action takes and makes at most 100000");
}

#[test]
fn patterns_test_and_replace() {
    let test = |text: &str, pattern: &str| value("transform.regex_test", json!({"text": text, "pattern": pattern}));
    assert_eq!((test("Größe 12", r"\d"), test("Größe", r"^\d"), test("ÄB", "(?i)^äb$")), (json!(true), json!(false), json!(true)));
    let replace = |params: Value| value("transform.regex_replace", params);
    for (params, text) in [
        (json!({"text": "a1b22", "pattern": r"\d+", "replacement": "#"}), "a#b#"),
        (json!({"text": "a1b22", "pattern": r"\d+", "replacement": "#", "all": false}), "a#b22"),
        (json!({"text": "Ada Lovelace", "pattern": r"(?<first>\w+) (?<last>\w+)", "replacement": "${last}, $first"}), "Lovelace, Ada"),
        (json!({"text": "cost 5", "pattern": r"\d", "replacement": "$$$0"}), "cost $5"),
        (json!({"text": "äö", "pattern": "", "replacement": "-"}), "-ä-ö-"),
        (json!({"text": "none", "pattern": "x", "replacement": "y"}), "none"),
    ] {
        assert_eq!(replace(params.clone()), json!(text), "{params}");
    }
    for action in ["transform.regex_test", "transform.regex_replace"] {
        let message = error(
            action,
            json!({"text": "", "pattern": r"\w{1000}{1000}", "replacement": ""})
                .as_object()
                .map(|all| {
                    let mut all = all.clone();
                    if action.ends_with("test") {
                        all.remove("replacement");
                    }
                    Value::Object(all)
                })
                .unwrap(),
        );
        assert_eq!(message, "INVALID_PARAMS: \"pattern\" is not a regular expression: it repeats too much to be compiled");
    }
    // What makes others take for ever, over a megabyte.
    assert_eq!(test(&format!("{}!", "a".repeat(1_000_000)), "^(a+)+$"), json!(false));
    let message =
        error("transform.regex_replace", json!({"text": "a".repeat(100_000), "pattern": "a+?", "replacement": "$0".repeat(1_000)}));
    assert_eq!(message, "LIMIT_EXCEEDED: the output is larger than 16 MiB; keep fewer items or fewer fields");
}

#[test]
fn texts_are_compared() {
    for (method, a, b, score) in [
        ("jaro_winkler", "martha", "marhta", 0.9611),
        ("levenshtein", "kitten", "sitting", 0.5714),
        ("damerau_levenshtein", "ca", "ac", 0.5),
        ("sorensen_dice", "night", "nacht", 0.25),
        ("levenshtein", "", "", 1.0),
        ("levenshtein", "größe", "grösse", 0.6667),
    ] {
        assert_eq!(value("transform.similarity", json!({"text": a, "to": b, "method": method})), json!(score), "{method} {a} {b}");
    }
    assert_eq!(value("transform.similarity", json!({"text": "ÅSE", "to": ["åse", "x"], "ignore_case": true})), json!([1.0, 0.0]));
    for (params, message) in [
        (json!({"text": "a", "to": ["b", 1]}), "INVALID_INPUT: item 1: it must be text; it is a number"),
        (json!({"text": "a", "to": 1}), "INVALID_PARAMS: \"to\" must be text or a list of texts; it is a number"),
        (json!({"text": "a".repeat(5_001), "to": "b"}), "LIMIT_EXCEEDED: a text of 5001 letters is longer than the 5000 that are compared"),
        (
            json!({"text": "a".repeat(5_000), "to": vec!["b".repeat(5_000); 5]}),
            "LIMIT_EXCEEDED: item 4: the texts are too many or too long to compare: 100000000 pairs of letters are compared at most",
        ),
    ] {
        // The bound is met after the first four have been compared, in the slowest build too.
        assert_eq!(error("transform.similarity", params), message);
    }
}

#[test]
fn urls_are_built_so_that_no_part_becomes_another() {
    for (params, url) in [
        (json!({"base": "https://a.example"}), "https://a.example/"),
        (json!({"base": "https://a.example/b/", "path": ["c", 7]}), "https://a.example/b/c/7"),
        (
            json!({"base": "https://a.example/?x=1", "query": {"y": true, "z": [1, null, "&="]}}),
            "https://a.example/?x=1&y=true&z=1&z=%26%3D",
        ),
        (json!({"base": "https://a.example", "path": ["../x", "a?b#c", "ü"]}), "https://a.example/..%2Fx/a%3Fb%23c/%C3%BC"),
        (json!({"base": "https://a.example/#old", "fragment": "new part"}), "https://a.example/#new%20part"),
    ] {
        assert_eq!(value("transform.url_build", params.clone()), json!(url), "{params}");
    }
    for (params, message) in [
        (json!({"base": "a.example"}), "INVALID_INPUT: \"base\" is not a URL: relative URL without a base"),
        (json!({"base": "mailto:a@b.c", "path": ["x"]}), "INVALID_INPUT: \"base\" is a URL without a path, such as mailto:"),
        (json!({"base": "https://a.example", "path": ["ok", ".."]}), "INVALID_INPUT: item 1: \"..\" cannot be a part of a path"),
        (json!({"base": "https://a.example", "path": ["%2E%2e"]}), "INVALID_INPUT: item 0: \"%2E%2e\" cannot be a part of a path"),
        (
            json!({"base": "https://a.example", "path": [null]}),
            "INVALID_INPUT: item 0: a part of the path must be text or a number; it is null",
        ),
        (
            json!({"base": "https://a.example", "query": {"a": {}}}),
            "INVALID_INPUT: \"query.a\" must be text, a number or a list of them; it is an object",
        ),
    ] {
        assert_eq!(error("transform.url_build", params), message);
    }
}

#[test]
fn hex_is_read_back() {
    for text in ["", "a", "Grüße 🌙", "\u{0}\u{7f}"] {
        let digits = value("transform.hex_encode", json!({"text": text}));
        assert_eq!(value("transform.hex_decode", json!({"text": digits})), json!(text));
    }
    assert_eq!(value("transform.hex_decode", json!({"text": "48:65 6C\n6c6F"})), json!("Hello"));
    for (text, message) in [
        ("4", "INVALID_INPUT: there is half a byte too much: the number of digits is odd"),
        ("4g", "INVALID_INPUT: character 2 is no hexadecimal digit"),
        ("ff", "INVALID_INPUT: the digits do not hold UTF-8 text"),
        ("c0af", "INVALID_INPUT: the digits do not hold UTF-8 text"),
    ] {
        assert_eq!(error("transform.hex_decode", json!({"text": text})), message);
    }
}

#[test]
fn identifiers_are_new_for_each_attempt_and_the_same_for_none() {
    let made = |key: &str, attempt: u32, params: Value| {
        let mut cx = context(Fake::default(), Millis::MAX);
        cx.idempotency_key = key.to_owned();
        cx.attempt = attempt;
        let call = futures_util::FutureExt::now_or_never(action("transform.uuid").call(params, &cx));
        match call.unwrap().unwrap() {
            Outcome::Done(output) => output.value,
            other => panic!("{other:?}"),
        }
    };
    let all: std::collections::BTreeSet<String> = [("k1", 1), ("k1", 2), ("k2", 1)]
        .into_iter()
        .flat_map(|(key, attempt)| [4, 7].map(|version| made(key, attempt, json!({"version": version, "count": 500}))))
        .flat_map(|list| list.as_array().unwrap().clone())
        .map(|text| text.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(all.len(), 3_000);
    let seven = made("k", 1, json!({"version": 7, "count": 4_000}));
    let seven: Vec<_> = seven.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    assert!(seven.is_sorted(), "later ones sort after earlier ones");
    for (text, version) in [(made("k", 1, json!({})), "4"), (made("k", 1, json!({"version": 7})), "7")] {
        let text = text.as_str().unwrap().to_owned();
        assert_eq!((text.len(), &text[14..15]), (36, version));
        assert!("89ab".contains(&text[19..20]), "{text}");
    }
    for (params, message) in [
        (json!({"version": 1}), "INVALID_PARAMS: uuid: version 1 is not made; write 4 or 7"),
        (json!({"count": 0}), "INVALID_PARAMS: \"count\" is 0; it is from 1 to 10000"),
        (json!({"count": 10_001}), "INVALID_PARAMS: \"count\" is 10001; it is from 1 to 10000"),
    ] {
        assert_eq!(error("transform.uuid", params), message);
    }
}
