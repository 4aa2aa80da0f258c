//! What user code can do, what it cannot, and what it costs: real children, started as an installation starts them.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bench;
mod javascript;
mod pool;
mod python;
mod s10;
mod sandbox;
