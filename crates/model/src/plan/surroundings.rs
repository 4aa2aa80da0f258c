//! What stands in scope at a place of the document: names by the lists around it, and steps by the edges.

use super::compiled::{ListId, ListRole, Plan, StepIx};
use super::graph::Graph;
use super::layout::Layout;

/// Where an expression stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Site<'d> {
    /// A field of a step. `looped`: evaluated per item or pass, so that the step's own loop is around it.
    Step { ix: StepIx, looped: bool },
    /// `until` and `next` of a step: see its body's last pass, or only `loop` when it has an action.
    Pass { ix: StepIx },
    /// The plan's output: sees the whole top list.
    Output,
    /// A variable: sees those above it.
    Var { above: &'d [String] },
    /// A trigger's own fields.
    Trigger,
}

/// The whole plan, for questions about scope.
pub(crate) struct Surroundings<'p, 'd> {
    pub layout: &'p Layout<'d>,
    /// By list.
    pub graphs: &'p [Graph],
}

/// Why a step cannot be read.
pub(crate) enum Hidden {
    /// It is the step that reads.
    Own,
    /// It encloses the reader and ends after it.
    Encloses,
    /// It stands in a list that the reader is not in.
    Inside(ListId),
    /// No edge leads from it to the reader.
    NotBefore { reader: StepIx, later: bool },
    /// Nothing of the run is there yet.
    NoRun,
}

impl Surroundings<'_, '_> {
    /// The names in scope beside `steps`.
    pub(crate) fn names(&self, site: Site<'_>) -> Vec<&str> {
        let run = ["inputs", "vars", "org", "steps", "trigger", "run"];
        let (mut names, ix, own_loop) = match site {
            Site::Trigger => return vec!["trigger", "org"],
            Site::Var { above: [] } => return vec!["inputs", "org"],
            Site::Var { .. } => return vec!["inputs", "org", "vars"],
            Site::Output => return run.to_vec(),
            Site::Step { ix, looped } => (run.to_vec(), ix, looped),
            Site::Pass { ix } => (run.to_vec(), ix, true),
        };
        let mut add = |name| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        if own_loop {
            self.loop_names(ix, &mut add);
        }
        let mut list = self.layout.step(ix).list;
        loop {
            match self.layout.list_of(list).role {
                ListRole::Top => return names,
                ListRole::PlanError | ListRole::Finally => {
                    add("error");
                    return names;
                }
                // An undo sees the item or pass whose effect it takes back.
                ListRole::Body(step) | ListRole::Undo(step) => {
                    self.loop_names(step, &mut add);
                    list = self.layout.step(step).list;
                }
                ListRole::StepError(step) => {
                    add("error");
                    list = self.layout.step(step).list;
                }
            }
        }
    }

    fn loop_names<'s>(&'s self, ix: StepIx, add: &mut impl FnMut(&'s str)) {
        let doc = self.layout.step(ix).doc;
        if doc.for_each.is_some() {
            add("item");
            add("index");
            if let Some(name) = &doc.item_name {
                add(name);
            }
        }
        if doc.repeat.is_some() {
            add("loop");
            add("index");
        }
    }

    /// `None` when the step can be read at the site.
    pub(crate) fn hidden(&self, site: Site<'_>, target: StepIx) -> Option<Hidden> {
        let (mut list, mut reader, mut own) = match site {
            Site::Trigger | Site::Var { .. } => return Some(Hidden::NoRun),
            Site::Output => (Plan::TOP, None, false),
            Site::Step { ix, .. } => (self.layout.step(ix).list, Some(ix), false),
            Site::Pass { ix } => match self.layout.step(ix).body {
                Some(body) => (body, None, false),
                None => (self.layout.step(ix).list, Some(ix), false),
            },
        };
        let (wanted, mut encloses) = (self.layout.step(target).list, false);
        loop {
            if wanted == list {
                let reader = reader?;
                let (reader_laid, target_laid) = (self.layout.step(reader), self.layout.step(target));
                return match () {
                    () if target == reader && own => None,
                    () if target == reader && encloses => Some(Hidden::Encloses),
                    () if target == reader => Some(Hidden::Own),
                    () if self.graph(list).ancestors[reader_laid.place as usize].has(target_laid.place as usize) => None,
                    // A ring is reported by itself; every reference into it would be reported again.
                    () if !self.graph(list).sound => None,
                    () => Some(Hidden::NotBefore { reader, later: target_laid.place > reader_laid.place }),
                };
            }
            (list, reader, own) = match self.layout.list_of(list).role {
                ListRole::Top => return Some(Hidden::Inside(wanted)),
                ListRole::PlanError | ListRole::Finally => (Plan::TOP, None, false),
                ListRole::Body(step) => (self.layout.step(step).list, Some(step), false),
                ListRole::StepError(step) | ListRole::Undo(step) => (self.layout.step(step).list, Some(step), true),
            };
            encloses = true;
        }
    }

    /// Ids of the steps that can be read, in the order of the document.
    pub(crate) fn visible(&self, site: Site<'_>) -> Vec<&str> {
        (0..self.layout.steps.len())
            .map(|at| StepIx(super::layout::index(at)))
            .filter(|ix| self.hidden(site, *ix).is_none())
            .map(|ix| self.layout.step(ix).id.as_str())
            .collect()
    }

    fn graph(&self, list: ListId) -> &Graph {
        &self.graphs[list.0 as usize]
    }
}
