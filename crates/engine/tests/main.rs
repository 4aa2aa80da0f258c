//! The engine's tests: tables of plans over a simulated world, and every table again with a crash after each event.

mod crash;
mod edges;
mod endings;
mod failures;
mod loops;
mod retries;
mod world;
