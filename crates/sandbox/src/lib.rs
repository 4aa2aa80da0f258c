//! User code: `code.javascript` and `code.python` run in child processes that have no keys, no files and no network.
//!
//! The interpreter never runs in the process that serves: it is one layer, the process around it another. A child is the same
//! program, started again with [`child::ASKED`] as its first argument; before it reads any code it gives up everything that it
//! does not need ([`confine`]) and from then on can read its standard input, write its standard output and take memory.
//! The parent ([`Sandbox`]) holds it to its limits and believes nothing that it says.

pub mod child;
mod confine;
mod console;
mod filter;
mod frame;
mod javascript;
mod limits;
mod params;
mod pool;
mod python;
mod sabotage;
mod script;
mod spawner;
mod verdict;
mod view;
mod watch;
mod worker;

pub use confine::Isolation;
pub use javascript::provider;
pub use limits::Limits;
pub use pool::{Sandbox, Settings};
