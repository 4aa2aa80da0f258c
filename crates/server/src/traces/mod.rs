//! Traces over OpenTelemetry: what was asked, which run it started, its attempts and the calls that they made, told to a collector.

mod asked;
mod collector;
mod sampler;
mod terms;
mod tracer;

pub use asked::{Asked, around, carried, named};
pub use sampler::Sampler;
pub use terms::{Terms, address, pairs, ratio};
pub use tracer::{Tracer, begin};
