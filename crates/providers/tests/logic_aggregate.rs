//! Provider `logic`: figures over lists, and two lists made one.

use serde_json::{Value, json};

use crate::logic_fake::*;

#[test]
fn aggregate_computes_over_all_items() {
    let items = json!([{"n": 1, "s": "b"}, {"n": null, "s": "a"}, {"n": 3}, {"n": 0.5, "s": "c"}]);
    let fields = json!({
        "all": {"op": "count"}, "present": {"op": "count", "of": "n"}, "sum": {"op": "sum", "of": "n"}, "avg": {"op": "avg", "of": "n"},
        "min": {"op": "min", "of": "n"}, "max": {"op": "max", "of": "s"}, "first": {"op": "first", "of": "s"}, "last": {"op": "last", "of": "n"},
        "collect": {"op": "collect", "of": "s"},
    });
    assert_eq!(
        value("logic.aggregate", json!({"items": items, "fields": fields})),
        json!({"all": 4, "present": 3, "sum": 4.5, "avg": 1.5, "min": 0.5, "max": "c", "first": "b", "last": 0.5, "collect": ["b", "a", "c"]})
    );
    assert_eq!(
        value("logic.aggregate", json!({"items": [], "fields": fields})),
        json!({"all": 0, "present": 0, "sum": 0, "avg": null, "min": null, "max": null, "first": null, "last": null, "collect": []})
    );
    assert_eq!(value("logic.aggregate", json!({"items": [], "by": "x", "fields": fields})), json!([]));
}

#[test]
fn aggregate_sums_exactly() {
    let sum = |items: Value| value("logic.aggregate", json!({"items": items, "fields": {"s": {"op": "sum"}}}))["s"].clone();
    assert_eq!(sum(json!([9_007_199_254_740_993_i64, 2])), json!(9_007_199_254_740_995_i64));
    assert_eq!(sum(json!([i64::MAX, 1])), json!(9_223_372_036_854_775_808_u64));
    assert_eq!(sum(json!([1e16, 1.5, -1e16])), json!(1.5));
    assert_eq!(sum(json!([0.5, 1.5])).to_string(), "2");
    assert_eq!(
        error("logic.aggregate", json!({"items": [u64::MAX, 1], "fields": {"s": {"op": "sum"}}})),
        "INVALID_INPUT: field \"s\": the sum is larger than a 64-bit number can be"
    );
    assert_eq!(
        error("logic.aggregate", json!({"items": [1e308, 1e308], "fields": {"s": {"op": "sum"}}})),
        "INVALID_INPUT: field \"s\": the sum is larger than a 64-bit number can be"
    );
}

#[test]
fn aggregate_groups() {
    let items = json!([{"r": "EU", "y": 1, "n": 2}, {"r": "EU", "y": 2, "n": 3}, {"r": "EU", "y": 1, "n": 5}]);
    assert_eq!(
        value("logic.aggregate", json!({"items": items, "by": ["r", "y"], "fields": {"n": {"op": "sum", "of": "n"}}})),
        json!([{"r": "EU", "y": 1, "n": 7}, {"r": "EU", "y": 2, "n": 3}])
    );
    let later = json!([{"r": "a", "n": 1}, {"r": "b", "n": 2}, {"r": "b", "n": "3"}]);
    assert_eq!(
        error("logic.aggregate", json!({"items": later, "by": "r", "fields": {"t": {"op": "sum", "of": "n"}}})),
        "INVALID_PARAMS: field \"t\": item 2 is text, not a number; make it a number first, as csv_parse does with types: auto"
    );
}

#[test]
fn aggregate_names_what_is_wrong() {
    for (params, message) in [
        (
            json!({"items": [], "fields": {}}),
            "\"fields\" is empty; name at least one, such as {\"total\": {\"op\": \"sum\", \"of\": \"amount\"}}",
        ),
        (
            json!({"items": [], "by": "a.n", "fields": {"n": {"op": "count"}}}),
            "\"fields\" has \"n\", which \"by\" already names; call the field otherwise",
        ),
        (
            json!({"items": [1, "a"], "fields": {"n": {"op": "max"}}}),
            "field \"n\": item 0 is a number and item 1 is text: these have no order between them",
        ),
        (json!({"items": [[1]], "fields": {"n": {"op": "min"}}}), "field \"n\": item 0 is a list, which has no order"),
        (json!({"items": [true], "fields": {"n": {"op": "avg"}}}), "field \"n\": item 0 is a boolean, not a number"),
        (
            json!({"items": [], "fields": {"n": {"op": "median"}}}),
            "aggregate: unknown variant `median`, expected one of `count`, `sum`, `min`, `max`, `avg`, `first`, `last`, `collect`",
        ),
    ] {
        assert_eq!(error("logic.aggregate", params), format!("INVALID_PARAMS: {message}"));
    }
}

#[test]
fn merge_has_five_modes() {
    let (a, b) = (
        json!([{"id": 1, "x": "a"}, {"id": 2, "x": "b"}, {"x": "c"}]),
        json!([{"id": 1.0, "y": 1}, {"id": 1, "y": 2}, {"id": 3, "y": 3}, {"y": 4}]),
    );
    let merged = |mode: &str| value("logic.merge", json!({"a": a, "b": b, "mode": mode, "key": "id"}));
    let pairs = [json!({"id": 1.0, "x": "a", "y": 1}), json!({"id": 1, "x": "a", "y": 2})];
    assert_eq!(merged("inner"), json!(pairs));
    assert_eq!(merged("left"), json!([pairs[0], pairs[1], {"id": 2, "x": "b"}, {"x": "c"}]));
    assert_eq!(merged("outer"), json!([pairs[0], pairs[1], {"id": 2, "x": "b"}, {"x": "c"}, {"id": 3, "y": 3}, {"y": 4}]));
    assert_eq!(
        merged("combine"),
        json!([{"id": 1.0, "x": "a", "y": 1}, {"id": 1, "x": "b", "y": 2}, {"id": 3, "x": "c", "y": 3}, {"y": 4}])
    );
    assert_eq!(value("logic.merge", json!({"a": [1], "b": ["x", null]})), json!([1, "x", null]));
    assert_eq!(
        value("logic.merge", json!({"a": [{"id": 1}], "b": [{"u": {"id": 1}}], "mode": "inner", "key": {"a": "id", "b": "u.id"}})),
        json!([{"id": 1, "u": {"id": 1}}])
    );
}

#[test]
fn merge_names_what_is_wrong() {
    for (params, message) in [
        (json!({"a": 1, "b": []}), "INVALID_PARAMS: \"a\" must be a list; it is a number"),
        (json!({"a": [], "b": "x"}), "INVALID_PARAMS: \"b\" must be a list; it is text"),
        (json!({"a": []}), "INVALID_PARAMS: merge: missing field `b`"),
        (
            json!({"a": [], "b": [], "mode": "left"}),
            "INVALID_PARAMS: \"key\" is missing; a join needs a path such as id, or {a: path, b: path}",
        ),
        (
            json!({"a": [], "b": [], "mode": "left", "key": 1}),
            "INVALID_PARAMS: merge: \"key\" must be a path or {a: path, b: path}; it is a number",
        ),
        (json!({"a": [], "b": [], "mode": "left", "key": {"a": "x"}}), "INVALID_PARAMS: merge: missing field `b`"),
        (json!({"a": [1, 2], "b": [{}], "mode": "combine"}), "INVALID_PARAMS: item 0 of \"a\" must be an object; it is a number"),
        (
            json!({"a": [], "b": [], "mode": "cross"}),
            "INVALID_PARAMS: merge: unknown variant `cross`, expected one of `append`, `combine`, `inner`, `left`, `outer`",
        ),
        (
            json!({"a": vec![0; 60_000], "b": vec![0; 60_000]}),
            "LIMIT_EXCEEDED: \"the merged list\" has 120000 items; an action takes and makes at most 100000",
        ),
        (
            json!({"a": vec![json!({"k": 1}); 1000], "b": vec![json!({"k": 1}); 1000], "mode": "inner", "key": "k"}),
            "LIMIT_EXCEEDED: \"the merged list\" has 100001 items; an action takes and makes at most 100000",
        ),
    ] {
        assert_eq!(error("logic.merge", params), message);
    }
}
