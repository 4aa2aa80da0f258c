//! A request body that is made while it leaves, and again for each redirect.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;

/// The pieces of a body, from its beginning.
pub type Pieces = BoxStream<'static, Result<Bytes, std::io::Error>>;

/// A body that never is whole in memory.
#[derive(Clone)]
pub struct Streamed {
    /// Bytes in all; what comes must be as many.
    pub length: u64,
    pub begin: Arc<dyn Fn() -> Pieces + Send + Sync>,
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streamed({} bytes)", self.length)
    }
}
