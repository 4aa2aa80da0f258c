//! Provider `logic`: the actions over lists.

use mainspring_model::{Code, Fault};
use serde_json::{Value, json};

use crate::logic_fake::*;

const OVER_ITEMS: [&str; 7] = ["logic.filter", "logic.map", "logic.sort", "logic.group", "logic.aggregate", "logic.unique", "logic.limit"];

#[test]
fn items_must_be_a_list_within_the_bound() {
    for name in OVER_ITEMS {
        for (items, what) in [(json!("a,b"), "text"), (json!(null), "null"), (json!({"a": 1}), "an object"), (json!(3), "a number")] {
            assert_eq!(error(name, json!({"items": items})), format!("INVALID_PARAMS: \"items\" must be a list; it is {what}"), "{name}");
        }
        assert_eq!(error(name, json!({})), "INVALID_PARAMS: \"items\" is missing; it must be a list", "{name}");
        let many = vec![Value::Null; 100_001];
        assert_eq!(
            error(name, json!({"items": many})),
            "LIMIT_EXCEEDED: \"items\" has 100001 items; an action takes and makes at most 100000",
            "{name}"
        );
    }
}

#[test]
fn unknown_params_are_refused() {
    assert_eq!(
        error("logic.limit", json!({"items": [], "count": 1, "form": "end"})),
        "INVALID_PARAMS: limit: unknown field `form`, expected one of `count`, `from`, `offset`"
    );
    assert_eq!(error("logic.map", json!({"items": [], "code": 1})), "INVALID_PARAMS: map: unknown field `code`, there are no fields");
}

#[test]
fn filter_keeps_what_holds() {
    let even = Fake::default().with("where", |locals| json!(locals["item"].as_i64().unwrap() % 2 == 0 || locals["index"] == 0));
    assert_eq!(output_of("logic.filter", json!({"items": [1, 2, 3, 4]}), even).value, json!([1, 2, 4]));
    let truthy = Fake::default().with("where", |locals| if locals["item"] == "" { json!(null) } else { json!(1) });
    assert_eq!(output_of("logic.filter", json!({"items": ["", "x"]}), truthy).value, json!(["x"]));
}

#[test]
fn filter_and_map_name_the_item_that_failed() {
    let text = Fake::default().with("where", |locals| if locals["index"] == 2 { json!("yes") } else { json!(true) });
    assert_eq!(
        error_of("logic.filter", json!({"items": [1, 2, 3]}), text),
        "INVALID_PARAMS: item 2: \"where\" is text (\"yes\"); it must be a condition, such as item.total > 100 or inputs.name != ''"
    );
    let missing = || Fault::new(Code::UNRESOLVED_REFERENCE, "item has no \"titel\"; it has \"title\"");
    let failing = Fake::default().failing("where", missing());
    assert_eq!(
        error_of("logic.filter", json!({"items": [{}]}), failing),
        "UNRESOLVED_REFERENCE: item 0: item has no \"titel\"; it has \"title\""
    );
    let failing = Fake::default().failing("value", missing());
    assert_eq!(
        error_of("logic.map", json!({"items": [{}]}), failing),
        "UNRESOLVED_REFERENCE: item 0: item has no \"titel\"; it has \"title\""
    );
    assert_eq!(error("logic.filter", json!({"items": [1]})), "INVALID_PARAMS: \"where\" is missing; it must be a condition on item");
    assert_eq!(error("logic.map", json!({"items": [1]})), "INVALID_PARAMS: \"value\" is missing; it must say what each item becomes");
}

#[test]
fn map_makes_one_value_per_item() {
    let double = Fake::default().with("value", |locals| json!([locals["index"], locals["item"].as_i64().map(|n| n * 2)]));
    assert_eq!(output_of("logic.map", json!({"items": [5, 7]}), double).value, json!([[0, 10], [1, 14]]));
}

#[test]
fn map_stops_at_the_size_bound() {
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = calls.clone();
    let large = Fake::default().with("value", move |_| {
        seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        json!("x".repeat(1 << 20))
    });
    let items = vec![Value::Null; 1000];
    assert_eq!(
        error_of("logic.map", json!({"items": items}), large),
        "LIMIT_EXCEEDED: the output is larger than 16 MiB; keep fewer items or fewer fields"
    );
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 16);
}

#[test]
fn a_long_list_ends_at_the_deadline() {
    use futures_util::FutureExt;
    let cx = context(Fake::default().with("value", |_| json!(1)), NOW);
    let result = action("logic.map").call(json!({"items": [1]}), &cx).now_or_never().unwrap();
    assert_eq!(result.unwrap_err().to_string(), "TIMEOUT: the step's time was up at item 0; give it a longer timeout or fewer items");
}

#[test]
fn sort_orders_by_fields() {
    let items = json!([{"n": 2, "s": "b"}, {"n": 10, "s": "a"}, {"s": "c"}, {"n": 2, "s": "a"}, {"n": 1.5, "s": "é"}]);
    let names = |params: Value| -> Vec<String> {
        let sorted = value("logic.sort", params);
        sorted.as_array().unwrap().iter().map(|item| format!("{}{}", item["n"], item["s"].as_str().unwrap())).collect()
    };
    assert_eq!(names(json!({"items": items, "by": "n"})), ["nullc", "1.5é", "2b", "2a", "10a"]);
    assert_eq!(names(json!({"items": items, "by": "n", "order": "desc"})), ["10a", "2b", "2a", "1.5é", "nullc"]);
    assert_eq!(
        names(json!({"items": items, "by": ["n", {"by": "s", "order": "asc"}], "order": "desc"})),
        ["10a", "2a", "2b", "1.5é", "nullc"]
    );
    assert_eq!(names(json!({"items": items, "by": {"by": "s"}})), ["10a", "2a", "2b", "nullc", "1.5é"]);
}

#[test]
fn sort_compares_numbers_exactly() {
    let items = json!([9_007_199_254_740_993_i64, 9_007_199_254_740_992.0, u64::MAX, -1, null, 1e300, 0.5]);
    let sorted = json!([null, -1, 0.5, 9_007_199_254_740_992.0, 9_007_199_254_740_993_i64, u64::MAX, 1e300]);
    assert_eq!(value("logic.sort", json!({"items": items})), sorted);
    assert_eq!(value("logic.sort", json!({"items": [true, false, null]})), json!([null, false, true]));
    assert_eq!(value("logic.sort", json!({"items": []})), json!([]));
}

#[test]
fn sort_refuses_what_has_no_order() {
    for (params, message) in [
        (
            json!({"items": [null, 1, "2"]}),
            "item 1 is a number and item 2 is text: these have no order between them; make them one type first, with map",
        ),
        (
            json!({"items": [{"a": "x"}, {"a": false}], "by": "a"}),
            "item 0's \"a\" is text and item 1's \"a\" is a boolean: these have no order between them; make them one type first, with map",
        ),
        (json!({"items": [{"a": 1}]}), "item 0 is an object, which has no order; sort by a field in it"),
        (json!({"items": [{"a": [1]}], "by": "a"}), "item 0's \"a\" is a list, which has no order; sort by a field in it"),
        (json!({"items": [], "by": 3}), "sort: \"by\" must be a path or a list of paths or {by, order}; it has a number"),
        (json!({"items": [], "by": "a..b"}), "sort: \"a..b\" is not a path such as customer.emails[0]: a part is empty"),
        (json!({"items": [], "by": [{"order": "asc"}]}), "sort: missing field `by`"),
        (json!({"items": [], "order": "up"}), "sort: unknown variant `up`, expected `asc` or `desc`"),
    ] {
        assert_eq!(error("logic.sort", params), format!("INVALID_PARAMS: {message}"));
    }
}

#[test]
fn paths_reach_into_items() {
    let item = json!({"a": {"b": [{"c": 1}, {"c": 2}]}, "x y": 3, "d.e": 4, "0": 5});
    for (path, found) in [
        ("a.b[1].c", json!(2)),
        ("a.b.0.c", json!(1)),
        ("x y", json!(3)),
        ("[\"d.e\"]", json!(4)),
        ("['x y']", json!(3)),
        ("a.z.q", json!(null)),
        ("a[0]", json!(null)),
        ("a.b[9]", json!(null)),
        ("0", json!(5)),
        ("a['b'][0].c", json!(1)),
    ] {
        assert_eq!(value("transform.pick", json!({"items": [item], "fields": {"v": path}})), json!([{"v": found}]), "{path}");
    }
    for (path, what) in [
        ("", "a part is empty"),
        ("a.", "a part is empty"),
        (".a", "a part is empty"),
        ("a[", "\"]\" is missing"),
        ("a[x]", "an index must be a whole number from 0"),
        ("a[-1]", "an index must be a whole number from 0"),
        ("a['b]", "a quote is not closed"),
        ("a['b'", "\"]\" is missing"),
        ("a[0]b", "\".\" or \"[\" must follow \"]\""),
        ("a.[0]", "a part is empty"),
    ] {
        assert_eq!(
            error("logic.unique", json!({"items": [], "by": path})),
            format!("INVALID_PARAMS: unique: \"{path}\" is not a path such as customer.emails[0]: {what}")
        );
    }
}

#[test]
fn group_keeps_the_type_of_keys() {
    let items = json!([{"k": 1}, {"k": "1"}, {"k": 1.0}, {"n": 0}, {"k": null}, {"k": {"a": 1, "b": 2}}, {"k": {"b": 2, "a": 1}}]);
    let keys: Vec<_> = value("logic.group", json!({"items": items, "by": "k"}))
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["key"].clone(), group["items"].as_array().unwrap().len()))
        .collect();
    assert_eq!(keys, [(json!(1), 2), (json!("1"), 1), (json!(null), 2), (json!({"a": 1, "b": 2}), 2)]);
    let items = json!([{"c": {"n": "NO"}, "y": 1}, {"c": {"n": "NO"}, "y": 2}]);
    assert_eq!(value("logic.group", json!({"items": items, "by": ["c.n", "y"]}))[1]["key"], json!({"n": "NO", "y": 2}));
    assert_eq!(error("logic.group", json!({"items": [], "by": ["a.n", "b.n"]})), "INVALID_PARAMS: group: two paths end in \"n\"");
    assert_eq!(error("logic.group", json!({"items": [], "by": []})), "INVALID_PARAMS: group: the list of paths is empty");
    assert_eq!(
        error("logic.group", json!({"items": [], "by": 1})),
        "INVALID_PARAMS: group: a path or a list of paths is needed; this is a number"
    );
    assert_eq!(error("logic.group", json!({"items": []})), "INVALID_PARAMS: group: missing field `by`");
}

#[test]
fn unique_keeps_the_first() {
    assert_eq!(value("logic.unique", json!({"items": [1, 1.0, "1", null, null, [1], [1.0]]})), json!([1, "1", null, [1]]));
    let items = json!([{"a": 1, "b": 1, "n": 1}, {"a": 1, "b": 2, "n": 2}, {"a": 1, "b": 1, "n": 3}]);
    assert_eq!(
        value("logic.unique", json!({"items": items, "by": ["a", "b"]})),
        json!([{"a": 1, "b": 1, "n": 1}, {"a": 1, "b": 2, "n": 2}])
    );
}

#[test]
fn limit_takes_either_end() {
    let items = json!([1, 2, 3, 4, 5]);
    for (params, kept) in [
        (json!({"count": 2}), json!([1, 2])),
        (json!({"count": 2, "offset": 3}), json!([4, 5])),
        (json!({"count": 9, "offset": 9}), json!([])),
        (json!({"count": 2, "from": "end"}), json!([4, 5])),
        (json!({"count": 9, "from": "end", "offset": 4}), json!([1])),
        (json!({"count": 1, "from": "end", "offset": 9}), json!([])),
        (json!({"count": 0}), json!([])),
    ] {
        let mut params = params;
        params["items"] = items.clone();
        assert_eq!(value("logic.limit", params.clone()), kept, "{params}");
    }
    assert_eq!(error("logic.limit", json!({"items": [], "count": -1})), "INVALID_PARAMS: limit: invalid value: integer `-1`, expected u32");
}
