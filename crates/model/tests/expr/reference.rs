//! The static view: what an expression reads.

use mainspring_model::expr::{Expr, PathPart, ReferenceKind, StepKey};

fn shown(text: &str) -> String {
    let expr = Expr::parse(text).unwrap_or_else(|problems| panic!("{text}: {}", super::shown(&problems)));
    let lines = expr.references().iter().map(|reference| {
        let mut line = match &reference.kind {
            ReferenceKind::Root(name) => name.clone(),
            ReferenceKind::Step(StepKey::Id(id), field) => format!("<{id} {field:?}>"),
            ReferenceKind::Step(StepKey::Index(index), field) => format!("<#{index} {field:?}>"),
        };
        for part in &reference.path {
            line += &match part {
                PathPart::Key(key) => format!(".{key}"),
                PathPart::Index(index) => format!("[{index}]"),
            };
        }
        format!("{line}{}@{}", if reference.guarded { "?" } else { "" }, reference.offset)
    });
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn references() {
    for (text, expected) in [
        ("1 + 1", ""),
        ("inputs.a.b[0].c", "inputs.a.b[0].c@0"),
        ("inputs.0.1.x + item", "inputs[0][1].x@0 item@15"),
        ("steps.a.output.x", "<a Output>.x@0"),
        ("steps['a'].status", "<a Status>@0"),
        ("steps.2.error.code", "<#2 Error>.code@0"),
        ("inputs?.a.b", "inputs.a.b?@0"),
        ("inputs.a?.[0].b", "inputs.a[0].b?@0"),
        ("inputs.a ?? inputs.b", "inputs.a?@0 inputs.b@12"),
        ("default(inputs.a, vars.b)", "inputs.a?@8 vars.b?@18"),
        ("inputs.a[item.key].c", "item.key@9 inputs.a@0"),
        ("inputs.list.map(x => x.a + item.b)", "inputs.list@0 item.b@27"),
        ("inputs.list.map(item => item.b)", "inputs.list@0"),
        ("[1].map(x => [2].map(y => x + y + z))", "z@34"),
        ("inputs.a?.map(x => vars.y)", "inputs.a?@0 vars.y@19"),
        ("{a: run.id, ...vars}", "run.id@4 vars@15"),
        ("`${loop.index}`", "loop.index@3"),
        ("inputs.text.trim().length", "inputs.text@0"),
        ("now()", ""),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn paths_and_literals() {
    assert!(Expr::parse("steps.a.output.x").unwrap().is_path());
    assert!(Expr::parse("inputs?.x[0]").unwrap().is_path());
    assert!(!Expr::parse("inputs[item]").unwrap().is_path());
    assert!(!Expr::parse("1").unwrap().is_path());
    assert_eq!(Expr::parse("'a'").unwrap().literal(), Some(&"a".into()));
    assert_eq!(Expr::parse(" a.b ").unwrap().source(), " a.b ");
}

#[test]
fn an_expression_is_owned() {
    fn owned<T: Send + Sync + Clone + 'static>(_: &T) {}
    owned(&Expr::parse("[1].map(x => x)").unwrap());
}
