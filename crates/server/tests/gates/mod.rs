//! The gates: what the program promises about crashes, held against records that it does not write itself.

mod audit;
pub mod client;
pub mod clock;
mod crash;
pub mod dice;
mod dump;
mod fairness;
mod keys;
mod last;
mod leaks;
mod ledger;
mod load;
mod nodes;
mod oracle;
mod peers;
mod plans;
mod poison;
pub mod process;
mod promptness;
mod r1;
mod s13;
mod s6;
mod s8;
mod sealed;
mod slots;
mod sockets;
mod stand_in;
