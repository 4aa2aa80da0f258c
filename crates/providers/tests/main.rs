//! One test binary for the crate: a module per noun.

mod egress;
mod logic;
mod logic_aggregate;
mod logic_examples;
mod logic_fake;
mod logic_lists;
mod net;
mod transform;
mod transform_csv;
mod transform_formats;
