//! Checks a document as a whole and compiles it: after this nothing asks again.

use std::time::Duration;

use super::actions;
use super::check_step;
use super::check_test;
use super::check_trigger;
use super::compile::Compiler;
use super::compiled::{Concurrency, List, ListId, Plan, StepIx};
use super::document::PlanDoc;
use super::graph::{self, Graph};
use super::inputs;
use super::join;
use super::layout::{Layout, index};
use super::params::Validators;
use super::policy;
use super::problems::{Origins, Problems};
use super::references::Known;
use super::source::Source;
use super::surroundings::{Site, Surroundings};
use crate::Problem;
use crate::catalog::Catalog;
use crate::id::Owner;
use crate::value::pointer_join;

/// Time spent working, for a plan that says nothing.
const TIMEOUT: Duration = Duration::from_secs(3_600);

/// How strict a check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// At save: everything.
    #[default]
    Save,
    /// A stored version that is loaded to run: what the catalogue has no more fails in its step, not here.
    Lenient,
}

/// Checks a document that was read without problems.
///
/// # Errors
/// All problems at once; with line and column when `source` is the text that the document was read from.
pub fn check(doc: &PlanDoc, source: Option<&Source>, catalog: &dyn Catalog, owner: &Owner, mode: Mode) -> Result<Plan, Vec<Problem>> {
    let mut problems = Problems::new(source, Origins::default());
    let plan = compile(doc, catalog, owner, mode, &mut problems);
    problems.settle(plan)
}

/// The plan, as far as it goes; it is whole when no problem was found.
pub(crate) fn compile(doc: &PlanDoc, catalog: &dyn Catalog, owner: &Owner, mode: Mode, problems: &mut Problems<'_>) -> Plan {
    let lenient = mode == Mode::Lenient;
    let mut layout = Layout::of(doc, problems);
    let wired = graph::is_small(&layout, problems);
    for step in &mut layout.steps {
        actions::resolve(step, catalog, owner, lenient, problems);
    }
    let graphs: Vec<Graph> = (0..layout.lists.len())
        .map(|list| if wired { Graph::of(&layout, ListId(index(list)), problems) } else { Graph::unknown(&layout, ListId(index(list))) })
        .collect();
    for (list, graph) in graphs.iter().enumerate().filter(|(_, graph)| graph.sound) {
        join::check(&layout, ListId(index(list)), graph, problems);
    }
    let inputs = inputs::declare(&doc.inputs, problems);
    let surroundings = Surroundings { layout: &layout, graphs: &graphs };
    let mut compiler =
        Compiler { known: Known { surroundings, inputs: inputs.schema.as_ref(), lenient }, reads_now: false, reads_previous: false };
    let mut validators = Validators::default();
    let mut steps: Vec<_> = (0..layout.steps.len())
        .map(|at| check_step::compile(StepIx(index(at)), &graphs, &mut compiler, &mut validators, problems))
        .collect();
    check_step::link(&mut steps);

    let mut above: Vec<String> = Vec::new();
    let mut vars = Vec::with_capacity(doc.vars.len());
    for (name, value) in &doc.vars {
        let template = compiler.template(value, &pointer_join("/vars", name), Site::Var { above: &above }, &[], problems);
        vars.extend(template.map(|template| (name.clone(), template)));
        above.push(name.clone());
    }
    let output = doc.output.as_ref().and_then(|value| compiler.template(value, "/output", Site::Output, &[], problems));
    let around = check_trigger::Around { name: &doc.name, inputs: &inputs, catalog, owner, mode };
    let triggers = check_trigger::compile(&doc.triggers, &around, &mut compiler, problems);
    let reads_previous = compiler.reads_previous;
    let tests = check_test::compile(&doc.tests, &layout, problems);
    let concurrency = doc.concurrency.as_ref().map(|doc| Concurrency {
        limit: doc.limit,
        key: doc.key.as_ref().and_then(|value| compiler.template(value, "/concurrency/key", Site::Birth, &[], problems)),
        policy: doc.policy.unwrap_or_default(),
    });
    Plan {
        tests,
        name: doc.name.clone(),
        vars,
        triggers,
        output,
        timeout: policy::span(doc.timeout.as_ref(), policy::LEAST, "/timeout", problems).unwrap_or(TIMEOUT),
        deadline: policy::span(doc.deadline.as_ref(), policy::LEAST, "/deadline", problems),
        concurrency,
        budget: doc.budget,
        priority: doc.priority.unwrap_or_default(),
        tag: doc.tag.clone(),
        on_error: layout.on_error,
        finally: layout.finally,
        lists: layout.lists.iter().map(|list| List { role: list.role, steps: list.steps.clone() }).collect(),
        ids: layout.ids.clone(),
        steps,
        inputs,
        reads_previous,
    }
}
