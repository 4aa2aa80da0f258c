//! `logic.jq`: what queries give, and what is said of those that cannot be run. Its limits are tested where there are processes.

use serde_json::{Value, json};

use crate::logic_fake::*;

fn jq(input: Value, query: &str) -> Value {
    value("logic.jq", json!({"input": input, "query": query}))
}

fn wrong(input: Value, query: &str) -> String {
    error("logic.jq", json!({"input": input, "query": query}))
}

#[test]
fn queries_reshape_data() {
    for (input, query, output) in [
        (json!({"a": {"b": [1, 2]}}), ".a.b[1]", json!(2)),
        (json!([3, 1, 2]), "sort | map(. * 2)", json!([2, 4, 6])),
        (json!([{"k": "x", "v": 1}, {"k": "y", "v": 2}]), "map({(.k): .v}) | add", json!({"x": 1, "y": 2})),
        (
            json!([{"c": "a", "n": 1}, {"c": "b", "n": 2}, {"c": "a", "n": 3}]),
            "group_by(.c) | map({c: .[0].c, n: (map(.n) | add)})",
            json!([{"c": "a", "n": 4}, {"c": "b", "n": 2}]),
        ),
        (json!("2026-03-01T09:00:00Z"), "fromdate | todate", json!("2026-03-01T09:00:00Z")),
        (json!("a1b22"), r#"[match("\\d+"; "g").string]"#, json!(["1", "22"])),
        (json!({"a": [1, {"b": null}]}), "[paths | join(\".\")?] | length", json!(4)),
        (json!("${not.scanned}"), r#". + "${x}""#, json!("${not.scanned}${x}")),
        (json!({"b": 1, "a": 2}), ".", json!({"b": 1, "a": 2})),
        (json!(null), "empty", json!(null)),
        (json!(u64::MAX), ".", json!(u64::MAX)),
        (json!([i64::MIN, 0.1, "ü\u{0}"]), ".", json!([i64::MIN, 0.1, "ü\u{0}"])),
        (json!("<é>"), "@base64 | @base64d", json!("<é>")),
        (json!({"p": {"q": 1}}), "to_entries[0].key", json!("p")),
        (json!([1, [2, [3]]]), "flatten", json!([1, 2, 3])),
        (json!(5), "try error(\"x\") catch .", json!("x")),
    ] {
        assert_eq!(jq(input, query).to_string(), output.to_string(), "{query}");
    }
    assert_eq!(value("logic.jq", json!({"input": [1, 2], "query": ".[]", "all": true})), json!([1, 2]));
    assert_eq!(value("logic.jq", json!({"input": [], "query": ".[]", "all": true})), json!([]));
}

#[test]
fn a_query_that_cannot_run_says_why() {
    for (input, query, message) in [
        (json!([1, 2]), ".[]", "INVALID_INPUT: the query gives more than one value; put it in [ ] for a list, or set \"all\""),
        (json!({}), ".a | foo(1)", "INVALID_PARAMS: \"query\": there is no filter foo/1 at line 1, column 6, before \"foo(1)\""),
        (json!({}), ".a |\n$x", "INVALID_PARAMS: \"query\": there is no variable $x at line 2, column 1, before \"$x\""),
        (json!({}), "[.a", "INVALID_PARAMS: \"query\": closing bracket is expected at line 1, column 4, before its end"),
        (json!("a"), ".b", "INVALID_INPUT: cannot index \"a\" with \"b\""),
        (json!(null), "error(\"no stock\")", "INVALID_INPUT: no stock"),
        (json!(null), "infinite", "INVALID_INPUT: the result holds Infinity, which is no JSON number"),
        (json!(null), "[nan]", "INVALID_INPUT: the result holds NaN, which is no JSON number"),
        (json!(null), "{(1 | tojson): 1} | {(.): 2}", "INVALID_INPUT: the result has an object with a key that is no text"),
    ] {
        assert_eq!(wrong(input, query), message, "{query}");
    }
    let large = wrong(json!(null), "18446744073709551616");
    assert_eq!(large, "INVALID_INPUT: the result holds a whole number of about 20 digits; 64 bits hold 19");
}

#[test]
fn nothing_outside_of_the_input_is_seen() {
    for query in [
        "env",
        "$ENV",
        "now",
        "input",
        "inputs",
        "halt",
        "halt_error",
        "debug",
        "stderr",
        "localtime",
        "input_filename",
        "import \"a\" as a; a::b",
        "include \"a\"; .",
        "$__prog_args",
    ] {
        let message = wrong(json!(null), query);
        assert!(message.starts_with("INVALID_PARAMS: \"query\": "), "{query}: {message}");
    }
}

#[test]
fn a_small_value_that_is_large_when_written_is_stopped() {
    // A list that holds one list twice, 40 deep: 40 cells in memory, 2^40 on paper.
    let message = wrong(json!(null), "reduce range(40) as $i (0; [., .])");
    assert_eq!(message, "LIMIT_EXCEEDED: the output is larger than 16 MiB; keep fewer items or fewer fields");
    let message = wrong(json!(null), "reduce range(200) as $i (0; [.])");
    assert_eq!(message, "LIMIT_EXCEEDED: the result nests deeper than 128 levels");
    let message = error("logic.jq", json!({"input": null, "query": "range(200000)", "all": true}));
    assert_eq!(message, "LIMIT_EXCEEDED: \"the list of results\" has 100001 items; an action takes and makes at most 100000");
    let message = error("logic.jq", json!({"input": null, "query": "x".repeat(65_537)}));
    assert_eq!(message, "INVALID_PARAMS: \"query\" is longer than 65536 bytes");
}
