//! Checks that a plan's tests speak of its own steps.

use std::collections::HashMap;

use serde_json::Value;

use super::code;
use super::compiled::{ListRole, PlanTest, StepIx};
use super::document::{ExpectStepDoc, TestDoc};
use super::layout::Layout;
use super::near::{meant, nearest, shown};
use super::problems::Problems;
use crate::Problem;
use crate::value::pointer_join;

pub(crate) fn compile(docs: &[TestDoc], layout: &Layout<'_>, problems: &mut Problems<'_>) -> Vec<PlanTest> {
    let compiled = docs.iter().enumerate().map(|(place, doc)| {
        for id in doc.pinned.keys() {
            known(layout, id, &pointer_join(&format!("/tests/{place}/pinned"), id), problems);
        }
        for id in doc.expect.steps.keys() {
            let pointer = pointer_join(&format!("/tests/{place}/expect/steps"), id);
            let found = known(layout, id, &pointer, problems);
            if found.is_some_and(|ix| layout.list_of(layout.step(ix).list).role != ListRole::Top) {
                let message = format!("\"{id}\" runs inside another step; a test looks at the steps of the top list");
                problems.push_key(Problem::new(code::INVALID_VALUE, pointer, message));
            }
        }
        PlanTest {
            name: doc.name.clone().unwrap_or_else(|| format!("test {}", place + 1)),
            inputs: Value::Object(doc.inputs.clone()),
            trigger: doc.trigger.clone().unwrap_or_else(|| serde_json::json!({"type": "manual"})),
            pinned: doc.pinned.iter().map(|(id, output)| (id.clone(), output.clone())).collect::<HashMap<_, _>>(),
            status: doc.expect.status.clone(),
            output: doc.expect.output.clone(),
            error: doc.expect.error.clone(),
            steps: doc.expect.steps.iter().map(|(id, value)| (id.clone(), ExpectStepDoc::of(value))).collect(),
        }
    });
    compiled.collect()
}

fn known(layout: &Layout<'_>, id: &str, pointer: &str, problems: &mut Problems<'_>) -> Option<StepIx> {
    let found = layout.ids.get(id).copied();
    if found.is_none() {
        let near = nearest(id, layout.ids.keys().map(String::as_str));
        let problem = Problem::new(code::UNKNOWN_STEP, pointer, meant(format!("the plan has no step \"{}\"", shown(id)), near));
        problems.push_key(match near {
            Some(near) => problem.fix(near),
            None => problem,
        });
    }
    found
}
