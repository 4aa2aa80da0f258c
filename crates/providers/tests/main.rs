//! One test binary for the crate: a module per noun.

mod logic;
mod logic_aggregate;
mod logic_examples;
mod logic_fake;
mod logic_lists;
mod transform;
mod transform_csv;
mod transform_formats;
