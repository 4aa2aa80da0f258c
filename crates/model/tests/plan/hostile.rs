//! Whatever the text, there is an answer: a plan or problems, never a panic.

use mainspring_model::id::Owner;
use mainspring_model::plan::{Format, load, load_value, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::catalog;

/// Words that the reader reacts to.
const WORDS: &[&str] = &[
    "name",
    "steps",
    "id",
    "action",
    "params",
    "needs",
    "if",
    "for_each",
    "repeat",
    "until",
    "on_error",
    "retry",
    "inputs",
    "vars",
    "triggers",
    "type",
    "cron",
    "webhook",
    "path",
    "order",
    "parameters",
    "depends_on",
    "else_jump",
    "loop_config",
    "condition",
    "plan_json",
    "trigger",
    "config",
    "test.read",
    "logic.if",
    "logic.switch",
    "step_0",
    "step_1",
    "{{step_0.output}}",
    "${steps.a.output}",
    "${",
    "a",
    "b",
    "a:error",
    "loop",
    "continue",
    "5s",
    "-1",
    "output",
    "finally",
    "timeout",
    "cases",
    "value",
    "where",
    "items",
    "required",
    "default",
    "$ref",
    "properties",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![proptest::sample::select(WORDS).prop_map(str::to_owned), ".{0,12}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..70).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec((text(), inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A document that is nearly right, so that the later checks are reached.
fn document() -> impl Strategy<Value = Value> {
    let field = |name: &'static str| value().prop_map(move |value| (name.to_owned(), value));
    let step = vec(
        prop_oneof![
            proptest::sample::select(vec!["test.read", "logic.if", "logic.switch", "http.request", "logic.map"])
                .prop_map(|action| ("action".to_owned(), Value::from(action))),
            proptest::sample::select(vec!["a", "b", "c", "step_1"]).prop_map(|id| ("id".to_owned(), Value::from(id))),
            vec(proptest::sample::select(vec!["a", "b", "c", "a:error", "b:true", "step_1:skipped"]), 0..3)
                .prop_map(|needs| ("needs".to_owned(), Value::from(needs))),
            field("params"),
            field("if"),
            field("for_each"),
            field("steps"),
            field("on_error"),
            field("repeat"),
            field("parameters"),
            field("condition"),
            field("else_jump"),
            field("loop_config"),
            field("depends_on"),
            field("type"),
            field("retry"),
        ],
        1..6,
    )
    .prop_map(|fields| Value::Object(fields.into_iter().collect()));
    (vec(step, 0..6), vec((text(), value()), 0..3)).prop_map(|(steps, more)| {
        let mut plan: Map<String, Value> = more.into_iter().collect();
        plan.insert("name".to_owned(), Value::from("A"));
        plan.insert("steps".to_owned(), Value::from(steps));
        Value::Object(plan)
    })
}

/// Loads a value both ways; what passes once passes again, unchanged.
fn try_value(value: Value) {
    if let Ok(checked) = load_value(value.clone(), &catalog(), &Owner::LOCAL) {
        let again = load_value(checked.document.clone(), &catalog(), &Owner::LOCAL);
        assert_eq!(again.unwrap_or_else(|problems| panic!("{problems:?}\n{}", checked.document)).document, checked.document);
    }
    let text = value.to_string();
    // A float of 2⁶⁴ and more is written without a point, and is refused as an integer.
    if let Ok(source) = parse(&text, Format::Json) {
        assert_eq!(source.value.to_string(), text);
    }
    let _ = load(&text, Format::Auto, &catalog(), &Owner::LOCAL);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".{0,200}") {
        let _ = load(&text, Format::Auto, &catalog(), &Owner::LOCAL);
    }

    #[test]
    fn text_of_yaml_signs(text in "[ \\n:\\-\\[\\]{},&*!|>'\"%@`#?a1$.~]{0,80}") {
        let _ = load(&text, Format::Yaml, &catalog(), &Owner::LOCAL);
        let _ = load(&format!("name: A\nsteps:\n  - action: test.read\n    params: {text}\n"), Format::Auto, &catalog(), &Owner::LOCAL);
    }

    #[test]
    fn text_of_json_signs(text in "[ \\n:\\-\\[\\]{},\"\\\\0-9eE.tfnu]{0,80}") {
        let _ = load(&text, Format::Json, &catalog(), &Owner::LOCAL);
    }

    #[test]
    fn json_is_read_as_serde_reads_it(text in "[ \\[\\]{},:\"a0-9.eE+-]{0,30}") {
        // Ours is stricter about doubled names and numbers that lose digits, and never laxer.
        if let Ok(source) = parse(&text, Format::Json) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(source.value));
        }
    }

    #[test]
    fn any_value(value in value()) {
        try_value(value);
    }

    #[test]
    fn nearly_right_documents(value in document()) {
        try_value(value);
    }
}
