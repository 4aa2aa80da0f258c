//! The plan: the document as written, the checks that it passes once, and the checked form that runs.

mod compiled;
mod document;
pub mod trigger;

pub use compiled::{
    ActionStep, Backoff, Edge, EdgePort, ForEach, InputSpec, Items, Join, List, ListId, ListRole, Loop, OnError, OnItemError, PerItemParam, Plan,
    Repeat, RetryPolicy, Step, StepIx, StepKind,
};
pub use document::PlanDoc;
