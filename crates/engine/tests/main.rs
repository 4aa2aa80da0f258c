//! The engine's tests: tables of plans over a simulated world, and every table again with a crash after each event.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod budget;
mod crash;
mod edges;
mod endings;
mod failures;
mod loops;
mod moves;
mod offline;
mod pinned;
mod replays;
mod retries;
mod rows;
mod simulation;
mod state;
mod tags;
mod undo;
mod waits;
mod world;
