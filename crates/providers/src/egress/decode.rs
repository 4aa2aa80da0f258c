//! Undoes a body's content coding while it counts what comes out, so that a bomb ends at the cap and not in memory.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::sabotage::{Switch, is_on};

/// Reads one body. `plain` passes the bytes through, counted all the same.
pub(super) struct Decoder {
    coding: Coding,
    left: usize,
    /// Compressed bytes still accepted: empty gzip members and endless headers give no output to count.
    wire_left: usize,
    empty: bool,
}

enum Coding {
    Plain,
    /// With the members that have ended. By hand, because each costs a decoder of its own, whatever is in it.
    Gzip(Box<GzDecoder<Sink>>, u32),
    Zlib(Box<ZlibDecoder<Sink>>),
    Raw(Box<DeflateDecoder<Sink>>),
    /// `deflate` means zlib by the standard and raw deflate by some servers; the first two bytes tell.
    Undecided(Vec<u8>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// More than the cap.
    TooLarge,
    Corrupt(String),
}

/// Takes what comes out, up to the cap.
#[derive(Default)]
struct Sink {
    out: Vec<u8>,
    left: usize,
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.left && !is_on(Switch::DecompressedSizeUnchecked) {
            return Err(io::Error::from(io::ErrorKind::QuotaExceeded));
        }
        self.left = self.left.saturating_sub(data.len());
        self.out.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Members of one gzip body. Ten megabytes of empty ones would keep a processor busy for seconds.
const MEMBERS: u32 = 10_000;

/// Slack for container headers over the cap.
const WIRE_SLACK: usize = 64 << 10;

impl Decoder {
    /// For the value of `Content-Encoding`. `Err` names a coding that was not asked for.
    pub(super) fn new(coding: &str, cap: usize) -> Result<Decoder, String> {
        let sink = Sink { out: Vec::new(), left: cap };
        let coding = match coding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Coding::Plain,
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(GzDecoder::new(sink)), 0),
            "deflate" => Coding::Undecided(Vec::new()),
            other => return Err(other.to_owned()),
        };
        Ok(Decoder { coding, left: cap, wire_left: cap.saturating_add(WIRE_SLACK), empty: true })
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.coding, Coding::Plain)
    }

    /// Takes the next bytes from the wire, gives those that they mean.
    pub(super) fn push(&mut self, chunk: Bytes) -> Result<Bytes, DecodeError> {
        self.wire_left = self.wire_left.checked_sub(chunk.len()).ok_or(DecodeError::TooLarge)?;
        self.empty &= chunk.is_empty();
        match &mut self.coding {
            Coding::Plain => {
                self.left = self.left.checked_sub(chunk.len()).ok_or(DecodeError::TooLarge)?;
                Ok(chunk)
            }
            Coding::Undecided(held) => {
                held.extend_from_slice(&chunk);
                if held.len() < 2 {
                    return Ok(Bytes::new());
                }
                let held = std::mem::take(held);
                let sink = Sink { out: Vec::new(), left: self.left };
                let zlib = held[0] & 0x0f == 8 && u16::from_be_bytes([held[0], held[1]]) % 31 == 0;
                self.coding =
                    if zlib { Coding::Zlib(Box::new(ZlibDecoder::new(sink))) } else { Coding::Raw(Box::new(DeflateDecoder::new(sink))) };
                self.inflate(&held)
            }
            _ => self.inflate(&chunk),
        }
    }

    fn inflate(&mut self, data: &[u8]) -> Result<Bytes, DecodeError> {
        let (written, sink) = match &mut self.coding {
            Coding::Gzip(decoder, ended) => (members(decoder, ended, data), decoder.get_mut()),
            Coding::Zlib(decoder) => (decoder.write_all(data), decoder.get_mut()),
            Coding::Raw(decoder) => (decoder.write_all(data), decoder.get_mut()),
            Coding::Plain | Coding::Undecided(_) => return Ok(Bytes::new()),
        };
        written.map_err(refused)?;
        let mut out = std::mem::take(&mut sink.out);
        // Chunks are kept until the body is whole, and a buffer that grew has room to spare.
        out.shrink_to_fit();
        Ok(out.into())
    }

    /// The body ended: gives what was held back, or says that it ended too early. A body without a byte is whole.
    pub(super) fn finish(mut self) -> Result<Bytes, DecodeError> {
        if self.empty {
            return Ok(Bytes::new());
        }
        let (finished, sink) = match &mut self.coding {
            Coding::Plain => return Ok(Bytes::new()),
            Coding::Undecided(_) => return Err(DecodeError::Corrupt("it ends after one byte".into())),
            Coding::Gzip(decoder, _) => (decoder.try_finish(), decoder.get_mut()),
            Coding::Zlib(decoder) => (decoder.try_finish(), decoder.get_mut()),
            Coding::Raw(decoder) => (decoder.try_finish(), decoder.get_mut()),
        };
        finished.map_err(refused)?;
        Ok(std::mem::take(&mut sink.out).into())
    }
}

/// As a decoder of one member says that it is over: it takes nothing more.
fn members(decoder: &mut GzDecoder<Sink>, ended: &mut u32, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match decoder.write(data)? {
            0 => {
                decoder.try_finish()?;
                *ended += 1;
                if *ended > MEMBERS {
                    return Err(io::Error::other(format!("it has more than {MEMBERS} members")));
                }
                let sink = std::mem::take(decoder.get_mut());
                *decoder = GzDecoder::new(sink);
            }
            taken => data = &data[taken..],
        }
    }
    Ok(())
}

fn refused(error: io::Error) -> DecodeError {
    match error.kind() {
        io::ErrorKind::QuotaExceeded => DecodeError::TooLarge,
        _ => DecodeError::Corrupt(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn packed(coding: &str, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            "gzip" => GzEncoder::new(data, Compression::best()).read_to_end(&mut out),
            "zlib" => ZlibEncoder::new(data, Compression::best()).read_to_end(&mut out),
            _ => DeflateEncoder::new(data, Compression::best()).read_to_end(&mut out),
        }
        .unwrap();
        out
    }

    fn decode(coding: &str, wire: &[u8], step: usize, cap: usize) -> Result<Vec<u8>, DecodeError> {
        let mut decoder = Decoder::new(coding, cap).unwrap();
        let mut out = Vec::new();
        for chunk in wire.chunks(step) {
            out.extend_from_slice(&decoder.push(Bytes::copy_from_slice(chunk))?);
        }
        out.extend_from_slice(&decoder.finish()?);
        Ok(out)
    }

    #[test]
    fn each_coding_gives_back_what_went_in_at_any_split() {
        let text = b"the same words again and again ".repeat(200);
        for step in [1, 7, 100_000] {
            assert_eq!(decode("gzip", &packed("gzip", &text), step, 1 << 20).unwrap(), text);
            assert_eq!(decode("deflate", &packed("zlib", &text), step, 1 << 20).unwrap(), text);
            assert_eq!(decode("deflate", &packed("raw", &text), step, 1 << 20).unwrap(), text);
            assert_eq!(decode("", &text, step, 1 << 20).unwrap(), text);
        }
        let two = [packed("gzip", b"one "), packed("gzip", b"two")].concat();
        assert_eq!(decode("gzip", &two, 3, 100).unwrap(), b"one two");
        assert_eq!(decode("gzip", b"", 1, 100).unwrap(), b"");
    }

    #[test]
    fn a_bomb_ends_at_the_cap_and_a_cut_body_is_corrupt() {
        let bomb = packed("gzip", &vec![0; 4 << 20]);
        assert!(bomb.len() < 5_000);
        assert_eq!(decode("gzip", &bomb, 100_000, 1 << 20), Err(DecodeError::TooLarge));
        assert_eq!(decode("", &[0; 11], 4, 10), Err(DecodeError::TooLarge));
        assert_eq!(decode("", &[0; 10], 4, 10).unwrap().len(), 10);
        let empty_members = packed("gzip", b"").repeat(10_000);
        assert_eq!(decode("gzip", &empty_members, 4_096, 1_000), Err(DecodeError::TooLarge));
        assert_eq!(decode("gzip", &empty_members, 4_096, 1 << 20).unwrap(), b"");
        let more = packed("gzip", b"x").repeat(10_002);
        assert_eq!(decode("gzip", &more, 4_096, 1 << 20), Err(DecodeError::Corrupt("it has more than 10000 members".to_owned())));
        let cut = packed("gzip", b"some text that is long enough");
        assert!(matches!(decode("gzip", &cut[..cut.len() - 9], 5, 100), Err(DecodeError::Corrupt(_))));
        assert!(matches!(decode("gzip", b"not gzip at all", 5, 100), Err(DecodeError::Corrupt(_))));
        assert_eq!(Decoder::new("gzip, gzip", 10).err().unwrap(), "gzip, gzip");
    }
}
