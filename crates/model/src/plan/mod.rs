//! The plan: the document as written, the checks that it passes once, and the checked form that runs.
//!
//! Text → [`parse`] (a value that knows its places) → `older` (earlier documents, translated) → `read` (typed, all problems of
//! shape) → `normalise` (`{{…}}`) → [`check`] (ids, edges, scopes, params) → [`Plan`]. [`load`] is the one door for all of it.

mod actions;
mod bits;
mod check;
mod check_burst;
mod check_email;
mod check_folder;
mod check_poll;
mod check_step;
mod check_test;
mod check_trigger;
pub mod code;
mod compile;
mod compiled;
pub mod diff;
pub mod document;
mod document_step;
mod document_test;
mod document_trigger;
mod document_value;
mod fields;
mod graph;
mod grow;
mod inputs;
mod javascript;
mod join;
mod json_text;
mod layout;
mod load;
mod names;
mod near;
mod normalise;
mod older;
mod params;
mod policy;
mod problems;
mod read;
mod read_burst;
mod read_step;
mod read_test;
mod read_trigger;
mod references;
mod schema;
mod schema_error;
mod schema_path;
pub mod signature;
mod source;
mod spot;
mod surroundings;
pub mod trigger;
mod yaml_quote;
mod yaml_scalar;
mod yaml_text;

pub use check::{Mode, check};
pub use compiled::{
    ActionStep, Backoff, Cache, Edge, EdgePort, ForEach, Items, Join, List, ListId, ListRole, Loop, OnError, OnItemError, PerItemParam,
    Plan, PlanTest, Rate, Repeat, RetryPolicy, Step, StepIx, StepKind,
};
pub use document::PlanDoc;
pub use inputs::InputSpec;
pub use load::{Checked, load, load_stored, load_value};
pub use names::PLAN as FIELDS;
pub use read_step::is_tag;
pub use schema::plan_schema;
pub use source::{Format, MAX_BYTES, Source, parse};
pub use spot::Place;
