//! Bad input at the program's real doors: each has its code and its words, the process lives, and nothing accepted is lost.
//!
//! A server runs as a process and is asked over its socket; commands run as processes too. Only the disk that is full by
//! SQLite's own bound lives in the test's process. Nothing here reaches beyond this machine.

mod bodies;
mod disk;
mod documents;
mod expressions;
pub mod machine;
mod network;
mod running;
mod services;
mod texts;
mod times;
mod tls;
