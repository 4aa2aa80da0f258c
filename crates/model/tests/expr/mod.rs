//! Expressions: tables of text in, text out.

mod bounds;
mod errors;
mod fields;
mod hostile;
mod property;
mod reference;
mod template;
mod values;

use std::borrow::Cow;

use mainspring_model::Fault;
use mainspring_model::expr::{Ambient, Expr, Fuel, Scope, StepField, StepKey};
use serde_json::{Value, json};

/// A scope of JSON: roots by name, steps by id and place.
pub struct World {
    roots: Value,
    steps: Vec<(&'static str, Value)>,
}

impl World {
    pub fn new() -> World {
        World {
            roots: json!({
                "inputs": {"name": "Ada", "amount": 1500, "ratio": 0.5, "tags": ["b", "a"], "none": null, "nested": {"deep": {"x": 1}}, "big": 9_007_199_254_740_993_i64},
                "item": {"id": 7, "price": 2.5},
                "vars": {},
            }),
            steps: vec![
                (
                    "a",
                    json!({"output": {"title": "T", "url": "https://x", "rows": [{"id": 1, "n": "x"}, {"id": 2, "n": "y"}]}, "status": "success"}),
                ),
                ("skipped", json!({"output": null, "status": "skipped"})),
            ],
        }
    }
}

impl Scope for World {
    fn root(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.roots.get(name).map(Cow::Borrowed)
    }
    fn root_names(&self) -> Vec<String> {
        self.roots.as_object().unwrap().keys().cloned().collect()
    }
    fn step(&self, key: &StepKey, field: StepField) -> Option<Cow<'_, Value>> {
        let step = match key {
            StepKey::Id(id) => self.steps.iter().find(|(known, _)| known == id).map(|(_, step)| step)?,
            StepKey::Index(index) => &self.steps.get(*index)?.1,
        };
        let name = StepField::NAMES.iter().find(|(_, known)| *known == field).unwrap().0;
        Some(step.get(name).map_or(Cow::Owned(Value::Null), Cow::Borrowed))
    }
    fn step_names(&self) -> Vec<String> {
        self.steps.iter().map(|(id, _)| (*id).to_owned()).collect()
    }
    fn ambient(&self) -> &dyn Ambient {
        self
    }
}

impl Ambient for World {
    fn now(&self) -> i64 {
        1_772_366_400_123
    }
    fn random_bits(&self, n: u32) -> u128 {
        u128::MAX / (u128::from(n) + 3)
    }
}

pub fn eval(text: &str) -> Result<Value, Fault> {
    let expr = Expr::parse(text).unwrap_or_else(|problems| panic!("{text}: {}", shown(&problems)));
    expr.eval(&World::new(), &mut Fuel::default())
}

pub fn shown(problems: &[mainspring_model::expr::ExprProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Each row: an expression and its value as JSON.
pub fn check(table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(text, expected)| {
            let found = match Expr::parse(text) {
                Err(problems) => shown(&problems),
                Ok(expr) => {
                    expr.eval(&World::new(), &mut Fuel::default()).map_or_else(|fault| fault.to_string(), |value| value.to_string())
                }
            };
            (found != *expected).then(|| format!("{text}\n   gives {found}\n   not   {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
