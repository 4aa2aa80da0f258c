//! The edges of one list of steps: written and implied ones, rings among them, and who is whose ancestor.

use std::collections::{HashMap, HashSet};

use super::bits::Bits;
use super::code;
use super::compiled::{Edge, EdgePort, ListId, StepIx};
use super::fields::one_of;
use super::layout::{Laid, Layout};
use super::near::{meant, nearest, shown, some_of};
use super::problems::Problems;
use crate::Problem;

/// Entries of all `needs` of a document. Real plans have one or two a step; what is worked out about edges costs their square.
const MAX_NEEDS: usize = 20_000;

/// Whether the document's `needs` are few enough to be looked at; a problem otherwise.
pub(crate) fn is_small(layout: &Layout<'_>, problems: &mut Problems<'_>) -> bool {
    let entries: usize = layout.steps.iter().filter_map(|step| step.doc.needs.as_ref()).map(Vec::len).sum();
    if entries > MAX_NEEDS {
        let message = format!("the steps' \"needs\" have {entries} entries in all; at most {MAX_NEEDS} are allowed");
        problems.push(Problem::new(code::DOCUMENT_LIMIT, "/steps", message));
    }
    entries <= MAX_NEEDS
}

/// A list's edges, by place in the list.
pub(crate) struct Graph {
    pub edges: Vec<Vec<Edge>>,
    /// Places of all steps that must have been decided before.
    pub ancestors: Vec<Bits>,
    /// The list has no ring, so that `ancestors` is complete.
    pub sound: bool,
}

impl Graph {
    /// A graph that nothing is asked of.
    pub(crate) fn unknown(layout: &Layout<'_>, list: ListId) -> Graph {
        let size = layout.list_of(list).steps.len();
        Graph { edges: vec![Vec::new(); size], ancestors: vec![Bits::default(); size], sound: false }
    }

    pub(crate) fn of(layout: &Layout<'_>, list: ListId, problems: &mut Problems<'_>) -> Graph {
        let steps = &layout.list_of(list).steps;
        let edges: Vec<Vec<Edge>> =
            steps.iter().enumerate().map(|(place, ix)| edges(layout, list, place, layout.step(*ix), problems)).collect();
        let order = order(layout, &edges);
        let sound = order.len() == steps.len();
        if !sound {
            report_rings(layout, steps, &edges, &order, problems);
        }
        let mut ancestors = vec![Bits::of_size(steps.len()); steps.len()];
        for place in order {
            let mut own = Bits::of_size(steps.len());
            for edge in &edges[place] {
                let source = layout.step(edge.source).place as usize;
                own.insert(source);
                own.add_all(&ancestors[source]);
            }
            ancestors[place] = own;
        }
        Graph { edges, ancestors, sound }
    }
}

fn edges(layout: &Layout<'_>, list: ListId, place: usize, step: &Laid<'_>, problems: &mut Problems<'_>) -> Vec<Edge> {
    let Some(needs) = &step.doc.needs else {
        let before = place.checked_sub(1).map(|before| layout.list_of(list).steps[before]);
        return before.into_iter().map(|source| Edge { source, ports: vec![EdgePort::Plain] }).collect();
    };
    let mut edges: Vec<Edge> = Vec::new();
    let (mut at, mut seen): (HashMap<StepIx, usize>, HashSet<(StepIx, EdgePort)>) = (HashMap::new(), HashSet::new());
    for (entry, text) in needs.iter().enumerate() {
        let pointer = format!("{}/needs/{entry}", step.pointer);
        let (id, port) = match text.split_once(':') {
            Some((id, port)) => (id.trim(), Some(port.trim())),
            None => (text.trim(), None),
        };
        let Some(source) = source(layout, list, step, id, &pointer, problems) else { continue };
        let port = match port {
            None => EdgePort::Plain,
            Some(port) => {
                if !has_port(layout.step(source), port) {
                    if !problems.is_full() {
                        problems.push(unknown_port(layout.step(source), port, &pointer));
                    }
                    continue;
                }
                EdgePort::Port(port.to_owned())
            }
        };
        let edge = *at.entry(source).or_insert_with(|| {
            edges.push(Edge { source, ports: Vec::new() });
            edges.len() - 1
        });
        if seen.insert((source, port.clone())) {
            edges[edge].ports.push(port);
        }
    }
    edges
}

fn source(layout: &Layout<'_>, list: ListId, step: &Laid<'_>, id: &str, pointer: &str, problems: &mut Problems<'_>) -> Option<StepIx> {
    let problem = match layout.ids.get(id) {
        Some(ix) if layout.step(*ix).list == list => return Some(*ix),
        Some(ix) => {
            let message =
                format!("\"{id}\" stands in another list of steps ({}); edges join only steps of one list", layout.step(*ix).pointer);
            Problem::new(code::UNKNOWN_STEP, pointer, message)
        }
        None => {
            if problems.is_full() {
                return None;
            }
            let here: Vec<&str> = layout.members(list).map(|known| known.id.as_str()).filter(|known| *known != step.id).collect();
            let near = nearest(id, here.iter().copied());
            let problem = Problem::new(code::UNKNOWN_STEP, pointer, meant(format!("there is no step \"{}\"", shown(id)), near))
                .expected(some_of(here));
            near.map_or_else(|| problem.clone(), |near| problem.clone().fix(near))
        }
    };
    problems.push(problem);
    None
}

fn has_port(source: &Laid<'_>, port: &str) -> bool {
    // The ports of an action that is not known are not known either.
    let unknown = source.doc.action.is_some() && source.action.is_none() && !source.is_composed();
    unknown || matches!(port, "success" | "error" | "skipped") || source.port_names.contains(port)
}

fn unknown_port(source: &Laid<'_>, port: &str, pointer: &str) -> Problem {
    let own = source.ports.iter().map(|port| port.name.as_str());
    let near = nearest(port, own.clone().chain(["error", "skipped"]));
    let known: Vec<&str> = own.take(20).chain(["error", "skipped"]).collect();
    let message = format!("\"{}\" has no port \"{}\"; it ends in {}", source.id, shown(port), one_of(&known));
    let problem = Problem::new(code::UNKNOWN_PORT, pointer, message).expected(known.join(", "));
    near.map_or_else(|| problem.clone(), |near| problem.clone().fix(format!("{}:{near}", source.id)))
}

/// Places in an order in which sources come first; steps of a ring, and those behind one, are missing.
fn order(layout: &Layout<'_>, edges: &[Vec<Edge>]) -> Vec<usize> {
    let mut open: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); edges.len()];
    for (place, own) in edges.iter().enumerate() {
        for edge in own {
            dependents[layout.step(edge.source).place as usize].push(place);
        }
    }
    let mut order: Vec<usize> = (0..edges.len()).filter(|place| open[*place] == 0).collect();
    let mut next = 0;
    while let Some(place) = order.get(next).copied() {
        next += 1;
        for dependent in &dependents[place] {
            open[*dependent] -= 1;
            if open[*dependent] == 0 {
                order.push(*dependent);
            }
        }
    }
    order
}

/// Each ring once. From any step that was not ordered, following sources that were not ordered either, one is met.
fn report_rings(layout: &Layout<'_>, steps: &[StepIx], edges: &[Vec<Edge>], order: &[usize], problems: &mut Problems<'_>) {
    let mut ordered = vec![false; steps.len()];
    for place in order {
        ordered[*place] = true;
    }
    // 0: not seen. Otherwise the walk that saw it, so that no step is walked twice.
    let mut walk_of = vec![0_usize; steps.len()];
    for start in (0..steps.len()).filter(|place| !ordered[*place]) {
        let mut path = Vec::new();
        let mut at = start;
        while walk_of[at] == 0 {
            walk_of[at] = start + 1;
            path.push(at);
            let source = edges[at].iter().map(|edge| layout.step(edge.source).place as usize).find(|source| !ordered[*source]);
            match source {
                Some(source) => at = source,
                None => break,
            }
        }
        let Some(begin) = path.iter().position(|place| *place == at).filter(|_| walk_of[at] == start + 1) else { continue };
        // The path runs against the edges; people read a ring along them, from the step that is written first.
        let mut ring: Vec<usize> = path[begin..].iter().rev().copied().collect();
        let first = ring.iter().enumerate().min_by_key(|(_, place)| **place).map_or(0, |(at, _)| at);
        ring.rotate_left(first);
        let Some(first) = ring.first().copied() else { continue };
        if ring.len() == 1 && !edges[first].iter().any(|edge| edge.source == steps[first]) {
            continue;
        }
        let id = |place: usize| layout.step(steps[place]).id.as_str();
        let message = if ring.len() == 1 {
            format!("\"{}\" waits for itself", id(first))
        } else {
            let names: Vec<&str> = ring.iter().map(|place| id(*place)).chain([id(first)]).collect();
            format!("these steps wait for each other in a ring: {}; take one of these edges away", names.join(" → "))
        };
        let step = layout.step(steps[first]);
        let pointer = if step.doc.needs.is_some() { format!("{}/needs", step.pointer) } else { step.pointer.clone() };
        problems.push(Problem::new(code::CYCLE, pointer, message));
    }
}
