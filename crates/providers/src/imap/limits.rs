//! What a mail server may take of our time and memory, whatever it says.

use std::time::Duration;

/// Bounds of one connection.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For the answer to one command.
    pub command: Duration,
    /// For one message.
    pub message: Duration,
    /// For a goodbye.
    pub goodbye: Duration,
    /// Bytes of a message that are taken in; of a larger one only its header is read.
    pub largest: usize,
    /// Bytes of a header that are taken in.
    pub header: usize,
    /// Bytes of a line, without its literals.
    pub line: usize,
    /// Bytes of the line that answers a search: some 500,000 messages.
    pub search: usize,
    /// Bytes of a literal that are read past, at most.
    pub discarded: u64,
    /// Lines that answer one command.
    pub responses: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            command: Duration::from_secs(60),
            message: Duration::from_secs(600),
            goodbye: Duration::from_secs(2),
            largest: 32 << 20,
            header: 256 << 10,
            line: 64 << 10,
            search: 4 << 20,
            discarded: 512 << 20,
            responses: 20_000,
        }
    }
}
