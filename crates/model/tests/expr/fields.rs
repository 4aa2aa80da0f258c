//! Expression fields, truth of conditions, the older spelling and renamed steps.

use mainspring_model::expr::{Expr, Fuel, StepKey, field, older, rename_steps, rename_steps_in_text};
use serde_json::json;

use super::{World, shown};

#[test]
fn bare_or_wholly_one_expression() {
    for (value, source) in [
        (json!("inputs.amount > 1"), "inputs.amount > 1"),
        (json!("${inputs.amount > 1}"), "inputs.amount > 1"),
        (json!("  ${ inputs.amount > 1 } "), " inputs.amount > 1 "),
        (json!(true), "true"),
        (json!(false), "false"),
        (json!("`${inputs.name}!` == 'Ada!'"), "`${inputs.name}!` == 'Ada!'"),
    ] {
        let expr = field(&value).unwrap_or_else(|problems| panic!("{value}: {}", shown(&problems)));
        assert_eq!(expr.source(), source);
    }
    for (value, problem) in [
        (
            json!("${inputs.a} > 5"),
            "1:1 EXPRESSION_SYNTAX: this field is one expression: write it bare, or wholly as one `${…}`, not a mix (write inputs.a > 5)",
        ),
        (
            json!("a == ${b}"),
            "1:6 EXPRESSION_SYNTAX: this field is one expression: write it bare, or wholly as one `${…}`, not a mix (write a == b)",
        ),
        (json!("${a"), "1:1 EXPRESSION_SYNTAX: this `${` is never closed by a `}`; plain `${` is written `$${` (write $${)"),
        (json!(5), "1:1 EXPRESSION_SYNTAX: an expression is text, true or false; this is a number (expected text, true or false)"),
        (json!("${a and b}"), "1:5 EXPRESSION_SYNTAX: `and` is written `&&` (write &&)"),
        (json!(""), "1:1 EXPRESSION_SYNTAX: the expression is empty"),
    ] {
        assert_eq!(shown(&field(&value).unwrap_err()), problem);
    }
    assert_eq!(field(&json!("${inputs.a}")).unwrap().references()[0].offset, 2);
}

#[test]
fn conditions_refuse_text() {
    let truthy = |text: &str| Expr::parse(text).unwrap().truthy(&World::new(), &mut Fuel::default());
    for (text, expected) in [
        ("1", true),
        ("0", false),
        ("null", false),
        ("[]", true),
        ("{}", true),
        ("inputs.amount > 1", true),
        ("!'x'", false),
        ("0.0", false),
    ] {
        assert_eq!(truthy(text), Ok(expected), "{text}");
    }
    assert_eq!(
        truthy("inputs.name").unwrap_err().to_string(),
        r#"EXPRESSION_FAILED: the condition gives the text "Ada", which is neither true nor false; compare it, such as `x == 'yes'` or `x != ''`"#
    );
    assert!(truthy("''").is_err());
}

#[test]
fn the_older_spelling() {
    let known = |name: &str| ["inputs", "steps", "item"].contains(&name);
    for (text, expected) in [
        ("{{inputs.name}}", Some("${inputs.name}")),
        ("Hi {{ inputs.name }}, {{item}}!", Some("Hi ${inputs.name}, ${item}!")),
        ("{{steps.a.output}} {{other.x}}", Some("${steps.a.output} {{other.x}}")),
        ("{{ nope }}", None),
        ("{{#if x}}", None),
        ("{{1}}", None),
        ("${{a: 1}}", None),
        ("${{a: inputs}} {{inputs}}", Some("${{a: inputs}} ${inputs}")),
        ("$${{inputs}}", None),
        ("{{{inputs}}}", Some("{${inputs}}")),
        ("{{inputs['a}}b']}}", None),
        ("{{inputs.tags.0}}", Some("${inputs.tags.0}")),
        ("{{", None),
        ("plain", None),
    ] {
        assert_eq!(older::normalise(text, &known).as_deref(), expected, "{text}");
    }
    let step = |inner: &str| inner.strip_prefix("step_1.").map(|rest| format!("steps.first.output.{rest}"));
    assert_eq!(older::rewrite("a {{ step_1.x }} {{y}}", &step).as_deref(), Some("a ${steps.first.output.x} {{y}}"));
}

#[test]
fn renamed_steps() {
    let new = |key: StepKey| match key {
        StepKey::Index(index) => index.checked_sub(1).map(StepKey::Index),
        StepKey::Id(id) if id == "old" => Some(StepKey::Id("new".to_owned())),
        StepKey::Id(_) => None,
    };
    for (text, expected) in [
        ("steps[2].output + steps.1.status", Some("steps[1].output + steps[0].status")),
        ("steps.old.output", Some("steps.new.output")),
        ("steps['old'].output", Some("steps.new.output")),
        ("steps?.old?.output", Some("steps?.new?.output")),
        ("steps?.[3].output", Some("steps?.[2].output")),
        ("x.steps.old", None),
        ("'steps.old.output'", None),
        ("`${steps.old.output}`", Some("`${steps.new.output}`")),
        ("steps.other.output", None),
        ("{steps: steps.old.output}", Some("{steps: steps.new.output}")),
    ] {
        assert_eq!(rename_steps(text, &new).as_deref(), expected, "{text}");
    }
    assert_eq!(rename_steps_in_text("steps.old ${steps.old.output} $${", &new).as_deref(), Some("steps.old ${steps.new.output} $${"));
}
