//! The gates of many nodes: real processes over a real PostgreSQL, killed, paused, restarted, cut off and misled about the time.

mod books;
mod cluster;
mod faults;
mod gate;
mod places;
mod r12;
mod r14;
mod r15;
mod r2;
mod r3;
mod r4;
mod rates;
mod verdict;
