//! Provider `transform`: text, numbers, dates, encodings and fields of items.

use serde_json::json;

use crate::logic_fake::*;

#[test]
fn json_is_read_and_written() {
    assert_eq!(value("transform.json_parse", json!({"text": "\u{feff} [1, 18446744073709551615]"})), json!([1, u64::MAX]));
    assert_eq!(
        error("transform.json_parse", json!({"text": "{\"a\": 1,\n \"b\" 2}"})),
        "INVALID_INPUT: the text is not JSON: expected `:` at line 2 column 6"
    );
    assert_eq!(
        error("transform.json_parse", json!({"text": {"a": 1}})),
        "INVALID_PARAMS: json_parse: invalid type: map, expected a string"
    );
    assert_eq!(
        value("transform.json_stringify", json!({"value": {"b": 1, "a": [null]}, "pretty": true})),
        json!("{\n  \"b\": 1,\n  \"a\": [\n    null\n  ]\n}")
    );
    assert_eq!(value("transform.json_stringify", json!({"value": null})), json!("null"));
}

#[test]
fn base64_is_read_in_both_alphabets() {
    for text in ["+/+/", "-_-_", " +/\n-_"] {
        assert_eq!(error("transform.base64_decode", json!({"text": text})), "INVALID_INPUT: the base64 does not hold UTF-8 text");
    }
    for text in ["YQ==", "YQ", "Y Q=\n="] {
        assert_eq!(value("transform.base64_decode", json!({"text": text})), json!("a"));
    }
    assert_eq!(value("transform.base64_encode", json!({"text": "a?>ÿ", "url_safe": true})), json!("YT8-w78"));
    assert_eq!(
        error("transform.base64_decode", json!({"text": "a!"})),
        "INVALID_INPUT: the text is not base64: Invalid symbol 33, offset 1."
    );
}

#[test]
fn hashes_are_the_published_ones() {
    for (algorithm, digest) in [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
        (
            "sha512",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ] {
        assert_eq!(value("transform.hash", json!({"algorithm": algorithm, "text": "abc"})), json!(digest));
    }
    assert_eq!(
        value("transform.hash", json!({"algorithm": "md5", "text": "abc", "encoding": "base64"})),
        json!("kAFQmDzST7DWlj99KOF/cg==")
    );
    assert_eq!(
        error("transform.hash", json!({"algorithm": "crc32", "text": ""})),
        "INVALID_PARAMS: hash: unknown variant `crc32`, expected one of `md5`, `sha1`, `sha256`, `sha384`, `sha512`"
    );
}

#[test]
fn fields_are_picked_dropped_and_renamed() {
    let items = json!([{"id": 1, "u": {"name": "Ada", "tags": ["x", "y"]}}, {"id": 2}]);
    assert_eq!(
        value("transform.pick", json!({"items": items, "fields": ["id", "u.name"]})),
        json!([{"id": 1, "name": "Ada"}, {"id": 2, "name": null}])
    );
    assert_eq!(
        value("transform.omit", json!({"items": items, "fields": ["id", "u.tags[0]", "u.no.such"]})),
        json!([{"u": {"name": "Ada", "tags": [null, "y"]}}, {}])
    );
    assert_eq!(
        value("transform.rename", json!({"items": [{"a": 1, "b": 2}, {"c": 3}], "fields": {"a": "b", "b": "a"}})).to_string(),
        r#"[{"b":1,"a":2},{"c":3}]"#
    );
    assert_eq!(
        error("transform.rename", json!({"items": [{"a": 1}, {"a": 1, "b": 2}], "fields": {"a": "b"}})),
        "INVALID_INPUT: item 1: two fields would be called \"b\""
    );
    for (name, fields) in [("pick", json!(["a"])), ("omit", json!(["a"])), ("rename", json!({"a": "b"}))] {
        assert_eq!(
            error(&format!("transform.{name}"), json!({"items": [{}, 3], "fields": fields})),
            "INVALID_PARAMS: item 1: an object is needed; this is a number"
        );
        assert_eq!(
            error(&format!("transform.{name}"), json!({"items": {}, "fields": fields})),
            "INVALID_PARAMS: \"items\" must be a list; it is an object"
        );
    }
    assert_eq!(
        error("transform.pick", json!({"items": [], "fields": "a"})),
        "INVALID_PARAMS: pick: \"fields\" must be a list of paths or an object; it is text"
    );
}

#[test]
fn flatten_and_unflatten_are_inverse() {
    let nested = json!({"a": {"b": [1, {"c": null}], "e": {}, "l": []}, "f": "x"});
    let flat = value("transform.flatten", json!({"value": nested, "separator": "__"}));
    assert_eq!(flat, json!({"a__b__0": 1, "a__b__1__c": null, "a__e": {}, "a__l": [], "f": "x"}));
    assert_eq!(value("transform.unflatten", json!({"value": flat, "separator": "__"})), nested);
    assert_eq!(value("transform.flatten", json!({"value": [{"a": {"b": 1}}, {}]})), json!([{"a.b": 1}, {}]));
    assert_eq!(value("transform.unflatten", json!({"value": [{"a.0": 1, "a.2": 2}]})), json!([{"a": {"0": 1, "2": 2}}]));
}

#[test]
fn flatten_and_unflatten_name_what_is_wrong() {
    for (name, params, message) in [
        ("flatten", json!({"value": {"a": {"b": 1}, "a.b": 2}}), "INVALID_INPUT: two fields become \"a.b\"; take another separator"),
        ("flatten", json!({"value": [{}, 1]}), "INVALID_PARAMS: item 1: an object is needed; this is a number"),
        ("flatten", json!({"value": "x"}), "INVALID_PARAMS: an object is needed; this is text"),
        (
            "flatten",
            json!({"value": {}, "separator": ""}),
            "INVALID_PARAMS: \"separator\" is empty; names need at least one character between their parts",
        ),
        (
            "unflatten",
            json!({"value": {"a": 1, "a.b": 2}}),
            "INVALID_INPUT: \"a.b\" is in the way of another field, or the other way round",
        ),
        ("unflatten", json!({"value": {"a.b": 1, "a": 2}}), "INVALID_INPUT: \"a\" is in the way of another field, or the other way round"),
    ] {
        assert_eq!(error(&format!("transform.{name}"), params), message);
    }
    let deep = vec!["a"; 65].join(".");
    assert_eq!(
        error("transform.unflatten", json!({"value": {deep.as_str(): 1}})),
        format!("INVALID_INPUT: \"{deep}\" has more than 64 parts")
    );
}

#[test]
fn text_is_cut_and_joined() {
    for (params, parts) in [
        (json!({"text": "a, b,,c "}), json!(["a", "b", "", "c"])),
        (json!({"text": "a, b,,c ", "trim": false, "keep_empty": false}), json!(["a", " b", "c "])),
        (json!({"text": "a=b=c", "separator": "=", "limit": 2}), json!(["a", "b=c"])),
        (json!({"text": ""}), json!([""])),
    ] {
        assert_eq!(value("transform.split_text", params.clone()), parts, "{params}");
    }
    assert_eq!(
        error("transform.split_text", json!({"text": "", "separator": ""})),
        "INVALID_PARAMS: \"separator\" is empty; text is cut at at least one character"
    );
    assert_eq!(error("transform.split_text", json!({"text": "", "limit": 0})), "INVALID_PARAMS: \"limit\" must be at least 1; it is 0");
    assert_eq!(
        error("transform.split_text", json!({"text": ",".repeat(100_000)})),
        "LIMIT_EXCEEDED: \"the list of parts\" has 100001 items; an action takes and makes at most 100000"
    );
    assert_eq!(value("transform.join_text", json!({"items": ["a", null, 1, true, [1], ""]})), json!("a, , 1, true, [1], "));
    assert_eq!(value("transform.join_text", json!({"items": []})), json!(""));
    assert_eq!(
        error("transform.join_text", json!({"items": vec!["a"; 20_000], "separator": "x".repeat(1000)})),
        "LIMIT_EXCEEDED: the output is larger than 16 MiB; keep fewer items or fewer fields"
    );
    assert_eq!(value("transform.lines", json!({"text": "a\r\n\r\n b\nc", "keep_empty": true})), json!(["a", "", " b", "c"]));
    assert_eq!(
        value("transform.html_escape", json!({"text": "<a href=\"x\">'&amp;'</a>"})),
        json!("&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;&lt;/a&gt;")
    );
}

#[test]
fn patterns_extract() {
    let text = "Ada <ada@x.org>, Bo <bo@y.org>";
    for (params, found) in [
        (json!({"pattern": r"\w+@[\w.]+"}), json!("ada@x.org")),
        (json!({"pattern": r"<(\w+)@"}), json!("ada")),
        (json!({"pattern": r"<(\w+)@", "group": 0}), json!("<ada@")),
        (json!({"pattern": r"<(\w+)@([\w.]+)>", "group": 2, "all": true}), json!(["x.org", "y.org"])),
        (
            json!({"pattern": r"<(?<user>\w+)@(?<host>[\w.]+)>", "all": true}),
            json!([{"user": "ada", "host": "x.org"}, {"user": "bo", "host": "y.org"}]),
        ),
        (json!({"pattern": r"<(?<user>\w+)@", "group": "user"}), json!("ada")),
        (json!({"pattern": "(?i)ADA(z)?"}), json!(null)),
        (json!({"pattern": "nobody"}), json!(null)),
        (json!({"pattern": "nobody", "all": true}), json!([])),
    ] {
        let mut params = params;
        params["text"] = json!(text);
        assert_eq!(value("transform.regex_extract", params.clone()), found, "{params}");
    }
}

#[test]
fn patterns_are_bounded() {
    for (params, message) in [
        (json!({"pattern": "("}), "INVALID_PARAMS: \"pattern\" is not a regular expression: unclosed group"),
        (
            json!({"pattern": r"\w{1000}{1000}"}),
            "INVALID_PARAMS: \"pattern\" is not a regular expression: it repeats too much to be compiled",
        ),
        (json!({"pattern": "a".repeat(4097)}), "INVALID_PARAMS: \"pattern\" is longer than 4096 bytes"),
        (json!({"pattern": "a", "group": 1}), "INVALID_PARAMS: the pattern has no group 1; it has 0 to 0"),
        (json!({"pattern": "(?<x>a)", "group": "y"}), "INVALID_PARAMS: the pattern has no group y; it has 0 to 1, named: x"),
        (json!({"pattern": "a", "group": true}), "INVALID_PARAMS: \"group\" must be a number or a name; it is a boolean"),
        (
            json!({"pattern": "", "all": true}),
            "LIMIT_EXCEEDED: \"the list of matches\" has 100001 items; an action takes and makes at most 100000",
        ),
    ] {
        let mut params = params;
        params["text"] = json!("a".repeat(200_000));
        assert_eq!(error("transform.regex_extract", params), message);
    }
}

#[test]
fn urls_are_taken_apart_without_their_password() {
    let parts = value("transform.url_parse", json!({"url": " https://ada:secret@x.org/a%20b?n=1&n=2&n=3&e "}));
    assert!(!parts.to_string().contains("secret"), "{parts}");
    assert_eq!(parts["username"], json!("ada"));
    assert_eq!(parts["port"], json!(443));
    assert_eq!(parts["query"], json!({"n": ["1", "2", "3"], "e": ""}));
    assert_eq!(value("transform.url_parse", json!({"url": "mailto:a@b.c"}))["host"], json!(null));
    assert_eq!(
        error("transform.url_parse", json!({"url": "x.org/a"})),
        "INVALID_INPUT: the text is not a URL: relative URL without a base"
    );
}
