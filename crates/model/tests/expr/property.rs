//! Arbitrary and generated expressions: no panic, no overrun, no change by a round trip.

use mainspring_model::expr::{Expr, Fuel, MAX_BYTES, Template, field, functions, older, rename_steps};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::World;

/// Text made of the language's own pieces, mostly wrong.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "inputs",
        ".name",
        ".0",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "${",
        "`",
        "'",
        "\"",
        "\\",
        "=>",
        "?.",
        "??",
        "?",
        ":",
        ",",
        "...",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "==",
        "<",
        "!",
        "&&",
        "||",
        " in ",
        "1",
        "1e9",
        "0x1",
        "'x'",
        "map",
        "x",
        ".map(x=>",
        ".repeat(",
        "9",
        "null",
        "true",
        " ",
        "\n",
        "é",
        "😀",
        "\u{0}",
        "steps",
        ".a.output",
        "and",
        "not ",
        "|",
        ";",
        "=",
        "//",
        "/*",
        "{{",
        "}}",
        "$",
        "now()",
        "default(",
        ".length",
        ".split(",
        ".slice(-",
        ".sort(",
        ".flat(",
        "JSON.parse(",
        "matches(",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

/// Expressions that parse.
fn expression() -> impl Strategy<Value = String> {
    let calls: Vec<String> = functions().iter().map(|doc| doc.example.to_owned()).collect();
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "0",
            "1",
            "-7",
            "2.5",
            "9223372036854775807",
            "1e300",
            "''",
            "'añ😀'",
            "'2026-01-01'",
            "null",
            "true",
            "[]",
            "{}",
            "[1, 2]",
            "{a: 1}"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "inputs.name",
            "inputs.tags",
            "inputs.nope",
            "steps.a.output",
            "steps.a.output.rows",
            "item.price",
            "inputs.big"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(calls),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operators = prop::sample::select(vec!["+", "-", "*", "/", "%", "**", "==", "!=", "<", ">=", "&&", "||", "??", "in"]);
        let methods = prop::sample::select(vec![
            "trim()",
            "length",
            "split('')",
            "repeat(3)",
            "map(x => [x, x])",
            "filter(x => x)",
            "sort()",
            "flat()",
            "join('-')",
            "at(-1)",
            "slice(1)",
            "keys()",
            "unique()",
            "sum()",
            "reduce((a, b) => a + b)",
            "groupBy(x => x)",
            "toString()",
            "toFixed(2)",
            "padStart(9, 'é')",
            "concat(1)",
            "max()",
            "chunk(2)",
            "merge({b: 2})",
            "reverse()",
            "sortBy(x => x)",
        ]);
        prop_oneof![
            (inner.clone(), operators, inner.clone()).prop_map(|(a, op, b)| format!("(({a}) {op} ({b}))")),
            (inner.clone(), methods).prop_map(|(a, method)| format!("({a})?.{method}")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, ...({b})]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{a: {a}, ...({b})}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("`x${{{a}}}y${{{b}}}`")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("default({a}, {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a})[{b}]")),
        ]
    })
}

fn run(text: &str) {
    if let Ok(expr) = Expr::parse(text) {
        let mut fuel = Fuel::new(200_000);
        if let Ok(value) = expr.eval(&World::new(), &mut fuel) {
            // what weighs 1 MiB may be longer as JSON by its escapes only
            assert!(value.to_string().len() <= MAX_BYTES * 6);
        }
        let _ = expr.truthy(&World::new(), &mut Fuel::new(10_000));
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|x| json!(x)),
        ".{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_safe(text in "\\PC{0,60}") {
        run(&text);
        let _ = field(&json!(text));
        let _ = Template::parse(&json!(text), "");
    }

    #[test]
    fn pieces_of_the_language_are_safe(text in soup()) {
        run(&text);
        let _ = field(&json!(text));
        if let Ok(template) = Template::parse(&json!([text, {"k": text}]), "") {
            let _ = template.eval(&World::new(), &mut Fuel::new(200_000));
        }
        let _ = older::normalise(&text, &|_| true);
        let _ = rename_steps(&text, &Some);
    }

    #[test]
    fn generated_expressions_are_safe(text in expression()) {
        prop_assert!(Expr::parse(&text).is_ok() || text.len() > 200, "{}: {}", text, super::shown(&Expr::parse(&text).unwrap_err()));
        run(&text);
    }

    #[test]
    fn an_expression_in_a_template_is_the_same(text in expression()) {
        let Ok(expr) = Expr::parse(&text) else { return Ok(()) };
        let template = Template::parse(&json!(format!("${{{text}}}")), "").unwrap();
        prop_assert_eq!(expr.eval(&World::new(), &mut Fuel::default()).ok(), template.eval(&World::new(), &mut Fuel::default()).ok());
    }

    #[test]
    fn json_is_an_expression(value in json_value()) {
        let text = value.to_string();
        let found = Expr::parse(&text).unwrap_or_else(|problems| panic!("{text}: {}", super::shown(&problems))).eval(&World::new(), &mut Fuel::default()).unwrap();
        prop_assert_eq!(found, value);
    }

    #[test]
    fn literals_come_back(value in json_value()) {
        let escaped = escape(&value);
        let template = Template::parse(&escaped, "").unwrap();
        prop_assert!(template.is_literal());
        prop_assert_eq!(template.eval(&World::new(), &mut Fuel::default()).unwrap(), value);
    }
}

fn escape(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => items.iter().map(escape).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, value)| (key.clone(), escape(value))).collect()),
        other => other.clone(),
    }
}
