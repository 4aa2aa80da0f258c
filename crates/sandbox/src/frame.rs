//! The frames between a child and its parent: a kind, a length, and that many bytes.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

/// Length of what stands before the bytes.
pub(crate) const HEADER: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Child: everything was given up, the next call may come.
    Ready,
    /// Parent: the terms of a call; its code and its input follow.
    Terms,
    Code,
    Input,
    /// Child: one line of the console.
    Line,
    /// Child: the result, as JSON text.
    Done,
    /// Child: a [`Failure`], as JSON text.
    Failed,
}

const KINDS: [(Kind, u8); 7] = [
    (Kind::Ready, b'R'),
    (Kind::Terms, b'T'),
    (Kind::Code, b'C'),
    (Kind::Input, b'I'),
    (Kind::Line, b'L'),
    (Kind::Done, b'D'),
    (Kind::Failed, b'F'),
];

/// The terms of one call, as the child keeps them. The parent keeps them too.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub timeout_ms: u64,
    /// Bytes.
    pub memory: u64,
    /// Bytes of the result.
    pub output: usize,
}

/// Why a call gave no result, as the child says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub cause: Cause,
    #[serde(default)]
    pub message: String,
    /// The line of the user's code, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// The code threw, or is not JavaScript.
    Thrown,
    /// As `Thrown`, but so little is known that memory may have ended before the code did: the parent knows how much was held.
    Vague,
    Time,
    Memory,
    /// Calls within calls.
    Depth,
    Output,
}

/// The first bytes of a frame.
pub(crate) fn header(kind: Kind, length: usize) -> [u8; HEADER] {
    let letter = KINDS.iter().find(|(known, _)| *known == kind).map_or(0, |(_, letter)| *letter);
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [letter, a, b, c, d]
}

/// What a header says. `None`: no such kind.
pub(crate) fn read_header(header: [u8; HEADER]) -> Option<(Kind, usize)> {
    let [letter, a, b, c, d] = header;
    let kind = KINDS.iter().find(|(_, known)| *known == letter).map(|(kind, _)| *kind)?;
    Some((kind, usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?))
}

/// Writes one frame at once.
pub(crate) fn write(out: &mut impl Write, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&header(kind, bytes.len()))?;
    out.write_all(bytes)?;
    out.flush()
}

/// Reads the frame that has to come next, from a parent that is believed.
pub(crate) fn expect(input: &mut impl Read, wanted: Kind) -> io::Result<Vec<u8>> {
    let mut first = [0; HEADER];
    input.read_exact(&mut first)?;
    match read_header(first) {
        Some((kind, length)) if kind == wanted => {
            let mut bytes = vec![0; length];
            input.read_exact(&mut bytes)?;
            Ok(bytes)
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "another frame was due")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_as_it_was_written_and_nothing_else_does() {
        for (kind, _) in KINDS {
            assert_eq!(read_header(header(kind, 70_000)), Some((kind, 70_000)));
        }
        assert_eq!(read_header(*b"X\0\0\0\0"), None);
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Code, b"return 1").unwrap();
        assert_eq!(expect(&mut &bytes[..], Kind::Code).unwrap(), b"return 1");
        assert!(expect(&mut &bytes[..], Kind::Input).is_err(), "the kind that is due, no other");
        assert!(expect(&mut &bytes[..7], Kind::Code).is_err(), "half a frame");
    }
}
