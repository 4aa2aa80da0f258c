//! What goes between this process and a helper: a length of four bytes, then that much JSON.

use std::io::{self, Read, Write};

use mainspring_model::Fault;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The largest message in bytes: the params of one step, which are at most what a few steps gave.
pub(super) const LARGEST: usize = 128 << 20;

/// One piece of work.
#[derive(Serialize, Deserialize)]
pub(super) struct Work {
    /// `logic.jq`.
    pub action: String,
    pub params: Value,
    pub within_ms: u64,
}

/// What came of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Done {
    Value(Value),
    Fault(Fault),
}

/// A message as it is sent. `None`: it is larger than [`LARGEST`].
pub(super) fn written(message: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message).ok()?;
    let length = bytes.len() - 4;
    if length > LARGEST {
        return None;
    }
    bytes[..4].copy_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
    Some(bytes)
}

pub(super) fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let bytes = written(message).ok_or_else(|| io::Error::other("the message is too large"))?;
    to.write_all(&bytes)?;
    to.flush()
}

/// The next message; `None` when the other side ended.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut bytes = vec![0; (u32::from_be_bytes(length) as usize).min(LARGEST)];
    from.read_exact(&mut bytes)?;
    read(&bytes).map(Some)
}

/// A message's value. Values nest as deep as those of runs do, which is deeper than serde_json goes by itself.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
    mainspring_model::value::from_json(text).map_err(io::Error::other)
}
