//! Where `join` must be written: where a reader could not tell whether one live edge is enough.

use std::collections::HashMap;

use super::bits::Bits;
use super::code;
use super::compiled::{Edge, EdgePort, ListId, StepIx};
use super::document::{OnErrorDoc, OnItemErrorDoc};
use super::graph::Graph;
use super::layout::{Laid, Layout};
use super::problems::Problems;
use crate::Problem;

/// Reports every step of a list without a written `join` that needs one.
pub(crate) fn check(layout: &Layout<'_>, list: ListId, graph: &Graph, problems: &mut Problems<'_>) {
    let steps = &layout.list_of(list).steps;
    let onward = onward(layout, steps, graph);
    for (place, ix) in steps.iter().enumerate() {
        let step = layout.step(*ix);
        let edges = &graph.edges[place];
        if step.doc.join.is_some() || edges.len() < 2 {
            continue;
        }
        let reason =
            ports_meet(layout, edges).or_else(|| edges.iter().find_map(|edge| branch_meets(layout, steps, graph, &onward, place, edge)));
        if let Some(reason) = reason {
            let message = format!("{reason}; write join: any (one live edge is enough) or join: all");
            problems.push(
                Problem::new(code::JOIN_REQUIRED, format!("{}/needs", step.pointer), message)
                    .expected("join: any, or join: all")
                    .fix("join: any"),
            );
        }
    }
}

/// Port edges of different steps meet.
fn ports_meet(layout: &Layout<'_>, edges: &[Edge]) -> Option<String> {
    let mut by_port = edges.iter().filter_map(|edge| {
        let port = edge.ports.iter().find_map(|port| match port {
            EdgePort::Port(port) => Some(port),
            EdgePort::Plain => None,
        })?;
        Some(format!("{}:{port}", layout.step(edge.source).id))
    });
    let (first, second) = (by_port.next()?, by_port.next()?);
    Some(format!("{first} and {second} meet here"))
}

/// For each step, the places that follow it directly, by the kinds of edges that lead there.
type Onward<'g> = Vec<HashMap<&'g [EdgePort], Bits>>;

fn onward<'g>(layout: &Layout<'_>, steps: &[StepIx], graph: &'g Graph) -> Onward<'g> {
    let mut onward: Onward<'g> = vec![HashMap::new(); steps.len()];
    for (place, edges) in graph.edges.iter().enumerate() {
        for edge in edges {
            let source = layout.step(edge.source).place as usize;
            onward[source].entry(edge.ports.as_slice()).or_insert_with(|| Bits::of_size(steps.len())).insert(place);
        }
    }
    onward
}

/// The edge meets a descendant of another port of its source, one for which the edge is dead.
fn branch_meets(layout: &Layout<'_>, steps: &[StepIx], graph: &Graph, onward: &Onward<'_>, place: usize, edge: &Edge) -> Option<String> {
    let source = layout.step(edge.source);
    for (ports, followers) in &onward[source.place as usize] {
        if *ports == edge.ports.as_slice() || !followers.meets(&graph.ancestors[place]) {
            continue;
        }
        let dead = endings(source, &edge.ports, ports)
            .into_iter()
            .find(|ending| live(source, ports, ending) && !live(source, &edge.ports, ending));
        if let (Some(ending), Some(follower)) = (dead, followers.first_common(&graph.ancestors[place])) {
            let follower = layout.step(steps[follower]);
            return Some(format!(
                "when \"{}\" ends in {ending}, its own edge here is dead while the branch of \"{}\" goes on",
                source.id, follower.id
            ));
        }
    }
    None
}

/// What the source can end in, as far as these edges can tell it apart: the ports that they name, one of each other kind.
fn endings(source: &Laid<'_>, one: &[EdgePort], two: &[EdgePort]) -> Vec<String> {
    let named: Vec<&str> = one
        .iter()
        .chain(two)
        .filter_map(|port| match port {
            EdgePort::Port(port) => Some(port.as_str()),
            EdgePort::Plain => None,
        })
        .collect();
    let mut endings: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
    // `success` is a port of every action; one that names other main ports ends in those.
    let others = source.ports.iter().any(|port| port.main && port.name != "success");
    for main in [true, false] {
        let unnamed = source
            .ports
            .iter()
            .find(|port| port.main == main && !(others && port.name == "success") && !named.contains(&port.name.as_str()));
        endings.extend(unnamed.map(|port| port.name.clone()));
    }
    endings.push("error".to_owned());
    if source.doc.condition.is_some() {
        endings.push("skipped".to_owned());
    }
    endings
}

/// Whether an edge is live when its source ended so.
fn live(source: &Laid<'_>, ports: &[EdgePort], ending: &str) -> bool {
    ports.iter().any(|port| match port {
        EdgePort::Port(port) => port == ending,
        EdgePort::Plain => match ending {
            "error" => matches!(source.doc.on_error, Some(OnErrorDoc::Word(OnItemErrorDoc::Continue))),
            "skipped" => true,
            other => other == "success" || source.ports.iter().any(|known| known.main && known.name == other),
        },
    })
}
