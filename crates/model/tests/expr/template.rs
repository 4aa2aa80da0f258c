//! Templates: JSON in, JSON out.

use mainspring_model::expr::{Fuel, Template};
use serde_json::{Value, json};

use super::World;

fn eval(value: Value) -> Value {
    let template = Template::parse(&value, "/p").unwrap_or_else(|problems| panic!("{value}: {problems:?}"));
    template.eval(&World::new(), &mut Fuel::default()).unwrap_or_else(|fault| panic!("{value}: {fault}"))
}

#[test]
fn values() {
    for (template, expected) in [
        (json!("${inputs.amount}"), json!(1500)),
        (json!(" ${inputs.amount}"), json!(" 1500")),
        (json!("${inputs.none}"), json!(null)),
        (json!("[${inputs.none}]"), json!("[]")),
        (json!("${inputs.name}: ${inputs.tags} ${inputs.ratio}"), json!("Ada: [\"b\",\"a\"] 0.5")),
        (json!("$${x} $${"), json!("${x} ${")),
        (json!("$$${inputs.name}"), json!("$${inputs.name}")),
        (json!("$ {x} $"), json!("$ {x} $")),
        (json!("${{a: 1}}"), json!({"a": 1})),
        (json!("${'}' + \"}\" + `}${'}'}`}"), json!("}}}}")),
        (json!("${'it\\'s }'}"), json!("it's }")),
        (json!("${inputs.name}${inputs.name}"), json!("AdaAda")),
        (json!("{{inputs.name}}"), json!("{{inputs.name}}")),
        (json!({"a": ["${inputs.amount}", {"b": "x${1}"}], "${k}": 1}), json!({"a": [1500, {"b": "x1"}], "${k}": 1})),
        (json!([1, true, null, "plain"]), json!([1, true, null, "plain"])),
        (json!({"a": ["$${"]}), json!({"a": ["${"]})),
    ] {
        assert_eq!(eval(template.clone()), expected, "{template}");
    }
}

#[test]
fn what_it_is() {
    assert!(Template::parse(&json!({"a": [1, "$${"]}), "").unwrap().is_literal());
    assert_eq!(Template::literal(json!("${x}")).eval(&World::new(), &mut Fuel::default()), Ok(json!("${x}")));
    let template = Template::parse(&json!({"a/b": ["x ${inputs.name} ${steps.a.output.url}"], "c": "${now()}"}), "").unwrap();
    assert!(template.uses_ambient() && !template.is_literal());
    let found: Vec<(String, usize)> = template.references().map(|(pointer, reference)| (pointer, reference.offset)).collect();
    assert_eq!(found, [("/a~1b/0".to_owned(), 4), ("/a~1b/0".to_owned(), 19)]);
    assert!(Template::parse(&json!("${1 + 1}"), "").unwrap().is_constant());
}

#[test]
fn all_problems_with_their_places() {
    let problems = Template::parse(&json!({"a": "ok ${x and y}", "b": ["${", "line\n${ )}"], "c": "${f(x)}"}), "/params").unwrap_err();
    let shown: Vec<String> = problems.iter().map(|(pointer, problem)| format!("{pointer} {problem}")).collect();
    assert_eq!(
        shown,
        [
            "/params/a 1:8 EXPRESSION_SYNTAX: `and` is written `&&` (write &&)",
            "/params/b/0 1:1 EXPRESSION_SYNTAX: this `${` is never closed by a `}`; plain `${` is written `$${` (write $${)",
            "/params/b/1 2:4 EXPRESSION_SYNTAX: this \")\" closes nothing",
            "/params/c 1:3 UNKNOWN_FUNCTION: there is no function `f`",
        ]
    );
}

#[test]
fn the_bounds_count_for_the_whole() {
    let half = json!("${'x'.repeat(600000)}");
    let one = Template::parse(&half, "").unwrap();
    assert!(one.eval(&World::new(), &mut Fuel::default()).is_ok());
    let two = Template::parse(&json!([half, half]), "").unwrap();
    assert_eq!(two.eval(&World::new(), &mut Fuel::default()).unwrap_err().code.as_str(), "EXPRESSION_FAILED");
    let mut deep = json!("${1}");
    for _ in 0..70 {
        deep = json!([deep]);
    }
    assert_eq!(Template::parse(&deep, "").unwrap_err()[0].1.code, "EXPRESSION_LIMIT");
}
