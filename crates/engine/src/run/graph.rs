//! Edges: when a step is decided, and whether it runs. Pure graph work, no expressions.

use mainspring_model::plan::{Edge, EdgePort, Join, Plan, StepIx};
use mainspring_model::run::StepStatus;

use super::state::{Addr, Ended, Frame, FrameIx, StepState};
use super::{Run, Task};

/// What is known of an edge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EdgeState {
    Undecided,
    Live,
    Dead,
    /// The source is not reached.
    Unreached,
}

impl Run {
    /// Decides every step of a new frame that has no edges, or only decided sources.
    pub(super) fn open_frame(&mut self, frame: FrameIx) {
        let plan = self.plan.clone();
        let Some(list) = self.frame(frame).map(|frame| frame.list) else { return };
        for place in 0..plan.list(list).steps.len() {
            self.decide(&plan, frame, u32::try_from(place).expect("a list has at most 1,000 steps"));
        }
        self.check_over(frame);
    }

    /// Decides the steps that wait for this one.
    pub(super) fn decide_dependents(&mut self, frame: FrameIx, ix: StepIx) {
        let plan = self.plan.clone();
        for dependent in &plan.step(ix).dependents {
            self.decide(&plan, frame, plan.step(*dependent).place);
        }
    }

    fn decide(&mut self, plan: &Plan, frame_ix: FrameIx, place: u32) {
        let Some(frame) = self.frame_mut(frame_ix) else { return };
        if frame.stopped || !matches!(frame.steps[place as usize], StepState::Pending) {
            return;
        }
        let ix = frame.step_ix(plan, place);
        let step = plan.step(ix);
        match verdict(plan, frame, &step.edges, step.join) {
            None => {}
            Some(true) => {
                frame.steps[place as usize] = StepState::Ready;
                let addr = Addr { frame: frame_ix, place, index: None };
                self.agenda.push_back(Task::Step(addr));
                if step.once {
                    self.adopt_once(addr);
                }
            }
            Some(false) => {
                frame.steps[place as usize] = StepState::NotReached;
                frame.open -= 1;
                self.decide_dependents(frame_ix, ix);
            }
        }
    }

    /// A `once` step that ended in an earlier attempt of its body keeps its result.
    fn adopt_once(&mut self, addr: Addr) {
        let path = self.step_path(addr);
        if let Some(ended) = self.once_done.get(&path).cloned() {
            self.activate(addr);
            self.close_step(addr, ended);
        }
    }
}

/// `None`: not decided yet; else whether the step runs.
fn verdict(plan: &Plan, frame: &Frame, edges: &[Edge], join: Join) -> Option<bool> {
    if edges.is_empty() {
        return Some(true);
    }
    let (mut live, mut dead) = (0_usize, 0_usize);
    for edge in edges {
        match state(plan, frame, edge) {
            EdgeState::Undecided => return None,
            EdgeState::Live => live += 1,
            EdgeState::Dead => dead += 1,
            EdgeState::Unreached => {}
        }
    }
    Some(match join {
        Join::All => live > 0 && dead == 0,
        Join::Any => live > 0,
    })
}

fn state(plan: &Plan, frame: &Frame, edge: &Edge) -> EdgeState {
    match &frame.steps[plan.step(edge.source).place as usize] {
        StepState::Pending | StepState::Ready | StepState::Active(_) => EdgeState::Undecided,
        StepState::NotReached => EdgeState::Unreached,
        StepState::Ended(ended) if edge.ports.iter().any(|port| is_live(ended, port)) => EdgeState::Live,
        StepState::Ended(_) => EdgeState::Dead,
    }
}

fn is_live(ended: &Ended, port: &EdgePort) -> bool {
    match port {
        EdgePort::Plain => ended.passes,
        EdgePort::Port(port) => {
            ended.port == *port
                // A step that ended well in a label of its action also ended in `success`, its common main port.
                || (port == "success" && ended.status == StepStatus::Success && ended.passes)
        }
    }
}
