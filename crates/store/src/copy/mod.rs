//! Copies of a whole store: the archive of a backup, and rows that go straight from one store into another.

mod archive;
pub(crate) mod arriving;
pub(crate) mod batch;
mod frame;
mod reader;
mod tally;
mod transfer;

pub use archive::{Archive, Made};
pub use arriving::Filling;
pub use reader::{ArchiveReader, check};
pub use tally::Tally;
pub use transfer::{tally, transfer};
