//! Lays a document's steps out flat: lists, places, ids and pointers, before anything is compiled.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::code;
use super::compiled::{ListId, ListRole, Plan, StepIx, UNDO_SUFFIX};
use super::document::{OnErrorDoc, PlanDoc, StepDoc};
use super::problems::Problems;
use crate::Problem;
use crate::action::{Action, Port};
use crate::catalog::Provider;

/// A step before it is compiled.
pub(crate) struct Laid<'d> {
    pub doc: &'d StepDoc,
    pub pointer: String,
    pub id: String,
    pub list: ListId,
    pub place: u32,
    pub number: Option<u32>,
    /// Its own, or that of what encloses it.
    pub tag: Option<&'d str>,
    pub body: Option<ListId>,
    pub handler: Option<ListId>,
    pub undo: Option<ListId>,
    /// Found in the catalogue; `None` for bodies, and where it is unknown.
    pub action: Option<(Arc<Provider>, Arc<dyn Action>)>,
    /// What it can end in beside `error` and `skipped`.
    pub ports: Vec<Port>,
    pub port_names: HashSet<String>,
}

impl Laid<'_> {
    /// A step with a body or a loop, which ends only in `success`, `error` or `skipped`.
    pub(crate) fn is_composed(&self) -> bool {
        self.body.is_some() || self.doc.for_each.is_some() || self.doc.repeat.is_some()
    }
}

pub(crate) struct LaidList {
    pub role: ListRole,
    pub steps: Vec<StepIx>,
}

pub(crate) struct Layout<'d> {
    pub steps: Vec<Laid<'d>>,
    pub lists: Vec<LaidList>,
    pub on_error: Option<ListId>,
    pub finally: Option<ListId>,
    pub ids: HashMap<String, StepIx>,
}

impl<'d> Layout<'d> {
    pub(crate) fn of(doc: &'d PlanDoc, problems: &mut Problems<'_>) -> Layout<'d> {
        let mut layout = Layout { steps: Vec::new(), lists: Vec::new(), on_error: None, finally: None, ids: HashMap::new() };
        let tag = doc.tag.as_deref();
        layout.list(ListRole::Top, &doc.steps, "/steps", "step", None, tag);
        layout.on_error = doc.on_error.as_ref().map(|steps| layout.list(ListRole::PlanError, steps, "/on_error", "on_error", None, tag));
        layout.finally = doc.finally.as_ref().map(|steps| layout.list(ListRole::Finally, steps, "/finally", "finally", None, tag));
        layout.name(problems);
        layout
    }

    pub(crate) fn step(&self, ix: StepIx) -> &Laid<'d> {
        &self.steps[ix.0 as usize]
    }

    pub(crate) fn list_of(&self, id: ListId) -> &LaidList {
        &self.lists[id.0 as usize]
    }

    /// The list's steps, in written order.
    pub(crate) fn members(&self, id: ListId) -> impl Iterator<Item = &Laid<'d>> {
        self.list_of(id).steps.iter().map(|ix| self.step(*ix))
    }

    /// Depth is bounded by the reader, so this may recurse.
    fn list(
        &mut self,
        role: ListRole,
        docs: &'d [StepDoc],
        pointer: &str,
        prefix: &str,
        number: Option<u32>,
        tag: Option<&'d str>,
    ) -> ListId {
        let list = ListId(index(self.lists.len()));
        self.lists.push(LaidList { role, steps: Vec::new() });
        for (place, doc) in docs.iter().enumerate() {
            let ix = StepIx(index(self.steps.len()));
            let is_undo = matches!(role, ListRole::Undo(_));
            let id = doc
                .id
                .clone()
                .unwrap_or_else(|| if is_undo { format!("{prefix}{UNDO_SUFFIX}") } else { format!("{prefix}_{}", place + 1) });
            let pointer = if is_undo { pointer.to_owned() } else { format!("{pointer}/{place}") };
            let number = if list == Plan::TOP { Some(index(place)) } else { number };
            let tag = doc.tag.as_deref().or(tag);
            self.lists[list.0 as usize].steps.push(ix);
            self.steps.push(Laid {
                doc,
                pointer: pointer.clone(),
                id: id.clone(),
                list,
                place: index(place),
                number,
                tag,
                body: None,
                handler: None,
                undo: None,
                action: None,
                ports: vec![Port::main("success")],
                port_names: HashSet::new(),
            });
            if let Some(steps) = &doc.steps {
                let body = self.list(ListRole::Body(ix), steps, &format!("{pointer}/steps"), &id, number, tag);
                self.steps[ix.0 as usize].body = Some(body);
            }
            if let Some(OnErrorDoc::Steps(steps)) = &doc.on_error {
                let handler = self.list(ListRole::StepError(ix), steps, &format!("{pointer}/on_error"), &id, number, tag);
                self.steps[ix.0 as usize].handler = Some(handler);
            }
            if let Some(undo) = &doc.undo {
                let undo = std::slice::from_ref(&**undo);
                let list = self.list(ListRole::Undo(ix), undo, &format!("{pointer}/undo"), &id, number, tag);
                self.steps[ix.0 as usize].undo = Some(list);
            }
        }
        list
    }

    /// Every id to its step; a problem for each that is taken.
    fn name(&mut self, problems: &mut Problems<'_>) {
        for at in 0..self.steps.len() {
            let step = &self.steps[at];
            if let Some(first) = self.ids.get(&step.id) {
                let first = self.step(*first);
                let how = |laid: &Laid<'_>| if laid.doc.id.is_some() { "" } else { " by its place" };
                let message = format!(
                    "the id \"{}\" is taken: the step at {} has it{}{}",
                    step.id,
                    first.pointer,
                    how(first),
                    if step.doc.id.is_some() { "" } else { ", and this one gets it by its place; write an \"id\"" }
                );
                let pointer = if step.doc.id.is_some() { format!("{}/id", step.pointer) } else { step.pointer.clone() };
                problems.push(Problem::new(code::DUPLICATE_ID, pointer, message));
            } else {
                self.ids.insert(step.id.clone(), StepIx(index(at)));
            }
        }
    }
}

/// Steps and lists are at most a few thousand.
pub(crate) fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
