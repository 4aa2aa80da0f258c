//! What is done with any text, whoever made it: the fuzz targets and the tests beside them enter here, and nowhere else.

use std::borrow::Cow;

use mainspring_model::catalog::Catalog;
use mainspring_model::cron::Cron;
use mainspring_model::event::Event;
use mainspring_model::expr::{
    Ambient, Expr, ExprProblem, Fuel, MAX_BYTES, MAX_DEPTH, Scope, StepField, StepKey, Template, field, older, rename_steps,
};
use mainspring_model::id::Owner;
use mainspring_model::plan::{Format, load, load_value};
use serde_json::{Value, json};

/// Far less than an evaluation in the program has, so that a text which spends all of it costs a fuzzer milliseconds.
const FUEL: u64 = 100_000;

/// A text as an expression, a field, a template, the older spelling, and an expression whose steps are renamed.
pub fn expression(text: &str) {
    let scope = Small::new();
    match Expr::parse(text) {
        Ok(expr) => {
            let mut fuel = Fuel::new(FUEL);
            let first = expr.eval(&scope, &mut fuel);
            assert!(fuel.left() <= FUEL, "an evaluation gives no fuel back");
            if let Ok(value) = &first {
                bounded(value);
            }
            let second = expr.eval(&scope, &mut Fuel::new(FUEL));
            assert_eq!(first, second, "the same fuel, scope and text give the same value: a resumed run depends on it");
            assert!(expr.references().iter().all(|reference| text.is_char_boundary(reference.offset)));
            if let Some(renamed) = rename_steps(text, &Some) {
                assert!(Expr::parse(&renamed).is_ok(), "{text:?} renamed to itself is {renamed:?}, which does not parse");
            }
        }
        Err(problems) => reported(text, &problems),
    }
    let value = json!(text);
    if let Err(problems) = field(&value) {
        reported(text, &problems);
    }
    match Template::parse(&json!([value, {"key": value}]), "") {
        Ok(template) => {
            if let Ok(value) = template.eval(&scope, &mut Fuel::new(FUEL)) {
                bounded(&value);
            }
        }
        Err(problems) => assert!(!problems.is_empty() && problems.iter().all(|(_, problem)| text.is_char_boundary(problem.offset))),
    }
    drop(older::normalise(text, &|_| true));
}

/// A text as a plan's document. What passes is saved, so its normal form must pass too and be its own.
pub fn document(text: &str, catalog: &dyn Catalog) {
    for format in [Format::Auto, Format::Json, Format::Yaml] {
        match load(text, format, catalog, &Owner::LOCAL) {
            Ok(checked) => {
                let again = load_value(checked.document.clone(), catalog, &Owner::LOCAL)
                    .unwrap_or_else(|problems| panic!("{text:?}: what was saved does not load: {problems:?}\n{}", checked.document));
                assert_eq!(checked.document, again.document, "{text:?}");
            }
            Err(problems) => assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.message.is_empty())),
        }
    }
}

/// A text as a schedule, and as its time zone.
pub fn cron(text: &str) {
    for zone in [None, Some("Europe/Berlin"), Some(text)] {
        let Ok(cron) = Cron::parse(text, zone) else { continue };
        let again = Cron::parse(cron.expression(), Some(cron.timezone())).expect("what it shows of itself reads");
        assert!(!cron.describe().is_empty());
        // 2026-03-28T00:00:00Z: the night after it has an hour less in Berlin.
        let mut at = 1_774_656_000_000;
        for _ in 0..5 {
            let next = cron.next_after(at);
            assert_eq!(next, again.next_after(at), "{text:?}");
            let Some(next) = next else { break };
            assert!(next > at, "{text:?}: {next} is not after {at}");
            at = next;
        }
    }
}

/// A text as a row of a journal: what is read is written as the same.
pub fn journal(text: &str) {
    if let Ok(event) = serde_json::from_str::<Event>(text) {
        let written = serde_json::to_string(&event).expect("what was read is written");
        assert_eq!(serde_json::from_str::<Event>(&written).expect("what was written is read"), event, "{text:?}");
    }
}

/// A refusal says something, about a place that is there.
fn reported(text: &str, problems: &[ExprProblem]) {
    assert!(!problems.is_empty());
    for problem in problems {
        assert!(!problem.message.is_empty() && text.is_char_boundary(problem.offset), "{text:?}: {problem:?}");
    }
}

/// Looks level by level: a value that is too deep must not cost this function the stack.
fn bounded(value: &Value) {
    let (mut level, mut bytes, mut depth) = (vec![value], 0, 0);
    while !level.is_empty() {
        let mut next = Vec::new();
        for value in level {
            match value {
                Value::String(text) => bytes += text.len(),
                Value::Array(items) => next.extend(items),
                Value::Object(fields) => {
                    bytes += fields.keys().map(String::len).sum::<usize>();
                    next.extend(fields.values());
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => bytes += 1,
            }
        }
        level = next;
        depth += 1;
        assert!(bytes <= MAX_BYTES && depth <= MAX_DEPTH, "{bytes} bytes, {depth} deep");
    }
}

/// A run's world, small: something for every kind of path to find.
struct Small {
    roots: Value,
    step: Value,
}

impl Small {
    fn new() -> Small {
        let rows = json!([{"id": 1, "title": "añ😀", "price": 2.5}, {"id": 2, "title": "b", "price": -7}, {"id": 3, "title": null}]);
        Small {
            roots: json!({
                "inputs": {"name": "Ada", "email": "ada@example.org", "amount": 1500, "tags": ["b", "a"], "none": null, "n": 3},
                "vars": {"big": 9_007_199_254_740_993_i64, "when": "2026-03-29T01:30:00Z", "rows": rows},
                "item": {"id": 7, "price": 2.5, "name": "x"},
                "index": 0,
                "loop": {"index": 2, "value": 4, "output": null},
                "trigger": {"id": "t", "type": "webhook", "body": {"type": "charge.succeeded"}, "headers": {}, "query": {}},
                "error": {"code": "USER_NO", "message": "no", "step": "a"},
            }),
            step: json!({"output": {"title": "T", "url": "https://x.example/a?b=c", "rows": rows}, "status": "success", "attempts": 1}),
        }
    }
}

impl Scope for Small {
    fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.roots.get(name).map(Cow::Borrowed)
    }
    fn root_names(&self) -> Vec<String> {
        self.roots.as_object().into_iter().flat_map(|roots| roots.keys().cloned()).collect()
    }
    fn step(&self, key: &StepKey, field: StepField) -> Option<Cow<'_, Value>> {
        if !matches!(key, StepKey::Index(0)) && *key != StepKey::Id("a".to_owned()) {
            return None;
        }
        let (name, _) = StepField::NAMES.iter().find(|(_, known)| *known == field)?;
        Some(self.step.get(name).map_or(Cow::Owned(Value::Null), Cow::Borrowed))
    }
    fn step_names(&self) -> Vec<String> {
        vec!["a".to_owned()]
    }
    fn ambient(&self) -> &dyn Ambient {
        self
    }
}

impl Ambient for Small {
    fn now(&self) -> i64 {
        1_772_366_400_123
    }
    fn random_bits(&self, n: u32) -> u128 {
        u128::MAX / (u128::from(n) + 3)
    }
}
