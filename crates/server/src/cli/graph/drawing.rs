//! A plan as boxes and arrows: what every form of the graph is drawn from.

use mainspring_model::plan::{EdgePort, ListId, Loop, OnError, Plan, Step, StepIx, StepKind};

/// One list of steps.
pub(super) struct Drawing {
    pub(super) boxes: Vec<Node>,
    pub(super) arrows: Vec<Arrow>,
}

/// A step.
pub(super) struct Node {
    pub(super) id: String,
    /// What it does: its action, or the kind of its body.
    pub(super) what: String,
    /// Its own `if`.
    pub(super) condition: Option<String>,
    /// Lists inside it, each with what it is.
    pub(super) inside: Vec<(String, Drawing)>,
}

/// From one place of the list to another.
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The ports, where it is no plain edge.
    pub(super) label: String,
}

impl Drawing {
    pub(super) fn of(plan: &Plan, list: ListId) -> Drawing {
        let steps = &plan.list(list).steps;
        let place = |ix: StepIx| steps.iter().position(|step| *step == ix);
        let mut drawing = Drawing { boxes: Vec::new(), arrows: Vec::new() };
        for (to, ix) in steps.iter().enumerate() {
            let step = plan.step(*ix);
            for edge in &step.edges {
                let ports = edge.ports.iter().map(|port| match port {
                    EdgePort::Plain => "",
                    EdgePort::Port(port) => port.as_str(),
                });
                let ports: Vec<&str> = ports.filter(|port| !port.is_empty()).collect();
                if let Some(from) = place(edge.source) {
                    drawing.arrows.push(Arrow { from, to, label: ports.join(", ") });
                }
            }
            drawing.boxes.push(node(plan, step));
        }
        drawing
    }

    /// How far each step is from the start: one further than the furthest step before it.
    pub(super) fn ranks(&self) -> Vec<usize> {
        let mut ranks = vec![0; self.boxes.len()];
        // The edges have no cycle, so as many rounds as there are steps are enough.
        for _ in 0..self.boxes.len() {
            let mut moved = false;
            for arrow in &self.arrows {
                if ranks[arrow.to] <= ranks[arrow.from] {
                    ranks[arrow.to] = ranks[arrow.from] + 1;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        ranks
    }
}

fn node(plan: &Plan, step: &Step) -> Node {
    let looped = match &step.looped {
        Loop::None => None,
        Loop::ForEach(_) => Some("for each"),
        Loop::Repeat(_) => Some("repeat"),
    };
    let (what, body) = match &step.kind {
        StepKind::Action(action) => (format!("{}.{}", action.provider, action.action), None),
        StepKind::Body(list) => ("steps".to_owned(), Some(*list)),
    };
    let what = match (looped, body) {
        (Some(looped), None) => format!("{looped}: {what}"),
        (Some(looped), Some(_)) => looped.to_owned(),
        (None, _) => what,
    };
    let undo = step.undo.map(|list| ("undone by".to_owned(), list));
    let handler = match step.on_error {
        OnError::Steps(list) => Some(("on error".to_owned(), list)),
        OnError::Fail | OnError::Continue => None,
    };
    let body = body.map(|list| (looped.unwrap_or("steps").to_owned(), list));
    Node {
        id: step.id.clone(),
        what,
        condition: step.condition.as_ref().map(|condition| condition.source().trim().to_owned()),
        inside: body.into_iter().chain(handler).chain(undo).map(|(title, list)| (title, Drawing::of(plan, list))).collect(),
    }
}

/// The plan's own lists, each with what it is; the top list has no title.
pub(super) fn lists(plan: &Plan) -> Vec<(&'static str, Drawing)> {
    let own = [("", Some(Plan::TOP)), ("on error", plan.on_error), ("finally", plan.finally)];
    own.into_iter().filter_map(|(title, list)| Some((title, Drawing::of(plan, list?)))).collect()
}
