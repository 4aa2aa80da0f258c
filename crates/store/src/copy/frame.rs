//! The archive's bytes: a first line, then frames of a kind, a length and that many bytes; the last one is the hash of all before it.

use std::io::{self, Read, Write};

use mainspring_model::store::copy::{Cell, Kind, Row, TABLES, Table};
use sha2::{Digest, Sha256};

use super::tally::{BYTES, NULL, TEXT, WHOLE, encode};

/// How the file begins.
pub(super) const FIRST: &[u8] = b"mainspring backup\n";
/// JSON: what the archive is of.
pub(super) const HEAD: u8 = b'h';
/// Deflated rows of one table and organization.
pub(super) const ROWS: u8 = b'r';
/// JSON: counts and hashes of all tables.
pub(super) const SUM: u8 = b's';
/// SHA-256 of every byte before this frame.
pub(super) const END: u8 = b'e';
/// Bytes of the last frame.
pub(super) const END_SIZE: u64 = 5 + 32;

/// No frame and no table's batch is larger: a batch ends at 2 MiB and with the value that goes beyond it.
const LARGEST: u64 = 256 << 20;

/// Writes and hashes.
pub(super) struct Hashing<W> {
    pub(super) inner: W,
    hash: Sha256,
    pub(super) bytes: u64,
}

impl<W> Hashing<W> {
    pub(super) fn new(inner: W) -> Hashing<W> {
        Hashing { inner, hash: Sha256::new(), bytes: 0 }
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

impl<W: Write> Hashing<W> {
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let size = u32::try_from(payload.len()).map_err(|_| io::Error::other("a frame beyond 4 GiB"))?;
        self.put(&[kind])?;
        self.put(&size.to_le_bytes())?;
        self.put(payload)
    }
}

impl<R: Read> Hashing<R> {
    /// So many bytes; `None` when there are fewer.
    pub(super) fn get(&mut self, size: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        (&mut self.inner).take(size).read_to_end(&mut bytes)?;
        self.hash.update(&bytes);
        self.bytes += bytes.len() as u64;
        Ok((bytes.len() as u64 == size).then_some(bytes))
    }

    /// The next frame, or `None` where it should be.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame>> {
        let before = self.digest();
        let Some(start) = self.get(5)? else { return Ok(None) };
        let size = u64::from(u32::from_le_bytes([start[1], start[2], start[3], start[4]]));
        if size > LARGEST {
            return Ok(None);
        }
        Ok(self.get(size)?.map(|payload| (start[0], payload, before)))
    }
}

/// A frame's kind and bytes, and the hash of all before it.
pub(super) type Frame = (u8, Vec<u8>, [u8; 32]);

/// Rows as a frame's bytes.
pub(super) fn packed(table: usize, rows: &[Row]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    plain.extend_from_slice(&u16::try_from(table).unwrap_or(u16::MAX).to_le_bytes());
    plain.extend_from_slice(&u32::try_from(rows.len()).unwrap_or(u32::MAX).to_le_bytes());
    rows.iter().for_each(|row| encode(row, &mut plain));
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&plain)?;
    deflate.finish()
}

/// The table and rows of a frame; `None` for bytes that nobody wrote.
pub(super) fn unpacked(payload: &[u8]) -> Option<(&'static Table, Vec<Row>)> {
    let mut plain = Vec::new();
    flate2::read::DeflateDecoder::new(payload).take(LARGEST).read_to_end(&mut plain).ok()?;
    let mut rest = plain.as_slice();
    let table = TABLES.get(usize::from(u16::from_le_bytes(*taken(&mut rest)?)))?;
    let count = u32::from_le_bytes(*taken(&mut rest)?);
    let mut rows = Vec::new();
    for _ in 0..count {
        let cells = table.columns.iter().map(|(_, kind)| cell(*kind, &mut rest));
        rows.push(cells.collect::<Option<Row>>()?);
    }
    (rest.is_empty() && !rows.is_empty()).then_some((table, rows))
}

fn taken<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(first)
}

/// A value of that kind, or null.
fn cell(kind: Kind, rest: &mut &[u8]) -> Option<Cell> {
    let [tag] = *taken(rest)?;
    let size = usize::try_from(u32::from_le_bytes(*taken(rest)?)).ok()?;
    let (bytes, after) = rest.split_at_checked(size)?;
    *rest = after;
    match (tag, kind) {
        (NULL, _) if bytes.is_empty() => Some(Cell::Null),
        (WHOLE, Kind::Whole | Kind::Flag | Kind::Moment) => Some(Cell::Whole(i64::from_le_bytes(bytes.try_into().ok()?))),
        (TEXT, Kind::Text | Kind::Key | Kind::Json) => Some(Cell::Text(String::from_utf8(bytes.to_vec()).ok()?)),
        (BYTES, Kind::Bytes) => Some(Cell::Bytes(bytes.to_vec())),
        (BYTES, Kind::Id) if bytes.len() == 16 => Some(Cell::Bytes(bytes.to_vec())),
        _ => None,
    }
}
