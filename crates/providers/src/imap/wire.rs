//! The lines of a mail server, read within bounds: a line ends, a literal has a size that is said before, and both have a most.

use mainspring_model::{Code, Fault};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What is spoken over: TCP or TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Literals of one response.
const MOST_LITERALS: usize = 64;
const PIECE: usize = 16 << 10;

/// What one response may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Bytes of its text, in all its lines.
    pub line: usize,
    /// Bytes of its literals that are kept.
    pub literal: usize,
    /// Bytes of its literals that are read past.
    pub discarded: u64,
}

/// A part of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Without the end of its line and without the size of the literal behind it.
    Text(Vec<u8>),
    Literal {
        bytes: Vec<u8>,
        /// What was sent, of which `bytes` are the first.
        size: u64,
    },
}

/// The connection, with what was read ahead.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    at: usize,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>) -> Wire {
        Wire { stream, buffer: Vec::new(), at: 0 }
    }

    /// The stream below, to speak TLS over it. Nothing may have come already: it would pass for what came under TLS.
    pub(super) fn bare(self) -> Result<Box<dyn Stream>, Fault> {
        if self.at < self.buffer.len() {
            return Err(broken("it sent more before TLS began; somebody in between may have added it"));
        }
        Ok(self.stream)
    }

    pub(super) async fn send(&mut self, line: &str) -> Result<(), Fault> {
        let sending = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.write_all(b"\r\n").await?;
            self.stream.flush().await
        };
        sending.await.map_err(|error| lost(&error.to_string()))
    }

    /// The next response, with its literals.
    pub(super) async fn response(&mut self, room: Room) -> Result<Vec<Part>, Fault> {
        let (mut parts, mut left, mut keep, mut past) = (Vec::new(), room.line, room.literal, room.discarded);
        loop {
            let mut line = self.line(left).await?;
            left -= line.len();
            let Some(size) = announced(&line)? else {
                parts.push(Part::Text(line));
                return Ok(parts);
            };
            line.truncate(line.iter().rposition(|byte| *byte == b'{').unwrap_or_default());
            // A mark of a literal that may hold zero bytes.
            if line.last() == Some(&b'~') {
                line.pop();
            }
            parts.push(Part::Text(line));
            if parts.len() >= 2 * MOST_LITERALS {
                return Err(broken("a response has too many literals"));
            }
            let kept = usize::try_from(size).unwrap_or(usize::MAX).min(keep);
            let rest = size - kept as u64;
            if rest > past {
                return Err(broken(&format!("it announces {size} bytes, more than are read")));
            }
            (keep, past) = (keep - kept, past - rest);
            let bytes = self.take(kept).await?;
            self.discard(rest).await?;
            parts.push(Part::Literal { bytes, size });
        }
    }

    /// Up to the end of the line, which is not given.
    async fn line(&mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let mut line = Vec::new();
        loop {
            let ahead = &self.buffer[self.at..];
            let end = ahead.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(ahead.len());
            if line.len() + taken > most {
                return Err(broken(&format!("it sent a line of more than {most} bytes")));
            }
            line.extend_from_slice(&ahead[..taken]);
            self.at += taken + usize::from(end.is_some());
            if end.is_some() {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    /// Memory is taken as bytes come, not as they are announced.
    async fn take(&mut self, count: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(count.min(PIECE));
        while bytes.len() < count {
            if self.at == self.buffer.len() {
                self.fill().await?;
            }
            let taken = (count - bytes.len()).min(self.buffer.len() - self.at);
            bytes.extend_from_slice(&self.buffer[self.at..self.at + taken]);
            self.at += taken;
        }
        Ok(bytes)
    }

    async fn discard(&mut self, mut count: u64) -> Result<(), Fault> {
        while count > 0 {
            if self.at == self.buffer.len() {
                self.fill().await?;
            }
            let taken = usize::try_from(count).unwrap_or(usize::MAX).min(self.buffer.len() - self.at);
            self.at += taken;
            count -= taken as u64;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        self.buffer.resize(PIECE, 0);
        self.at = PIECE;
        let read = self.stream.read(&mut self.buffer).await;
        let count = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(count);
        self.at = 0;
        match read {
            Ok(0) => Err(lost("it closed the connection")),
            Ok(_) => Ok(()),
            Err(error) => Err(lost(&error.to_string())),
        }
    }
}

/// The size of the literal that follows a line: `{17}` or `{17+}` at its end.
fn announced(line: &[u8]) -> Result<Option<u64>, Fault> {
    let Some(inner) = line.strip_suffix(b"}") else { return Ok(None) };
    let Some(open) = inner.iter().rposition(|byte| *byte == b'{') else { return Ok(None) };
    let digits = inner[open + 1..].strip_suffix(b"+").unwrap_or(&inner[open + 1..]);
    // A brace at the end of what somebody wrote.
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let size = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    size.map(Some).ok_or_else(|| broken("it announces more bytes than there are"))
}

/// The server does not speak as it should.
pub(super) fn broken(what: &str) -> Fault {
    Fault::new(Code::BAD_RESPONSE, format!("the mail server cannot be understood: {what}"))
}

fn lost(why: &str) -> Fault {
    Fault::new(Code::CONNECTION_FAILED, format!("the connection to the mail server was lost ({why})"))
}

/// What is longer is no word, but may be a secret in a spelling of the server's: cut in the middle nothing would know it again.
const LONGEST_WORD: usize = 60;

/// A server's words, short and without what deceives.
pub(super) fn said(text: &str) -> String {
    let plain: String =
        text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')).collect();
    let words: Vec<&str> = plain.split(' ').map(|word| if word.chars().count() > LONGEST_WORD { "…" } else { word }).collect();
    words.join(" ").trim().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { line: 100, literal: 10, discarded: 20 };

    async fn read(bytes: &'static [u8]) -> Result<Vec<Part>, Fault> {
        Wire::new(Box::new(tokio::io::join(bytes, tokio::io::sink()))).response(ROOM).await
    }

    fn text(text: &str) -> Part {
        Part::Text(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn a_response_has_its_literals() {
        assert_eq!(read(b"* OK hello\r\n").await.unwrap(), [text("* OK hello")]);
        assert_eq!(read(b"* OK a {brace}\n").await.unwrap(), [text("* OK a {brace}")]);
        let literal = |bytes: &str, size| Part::Literal { bytes: bytes.as_bytes().to_vec(), size };
        let found = read(b"* 1 FETCH (A {3}\r\na\r\n B ~{0+}\r\n)\r\n").await.unwrap();
        assert_eq!(found, [text("* 1 FETCH (A "), literal("a\r\n", 3), text(" B "), literal("", 0), text(")")]);
        let found = read(b"* (A {4}\r\n1234 {12}\r\n123456789012)\r\n").await.unwrap();
        assert_eq!(found, [text("* (A "), literal("1234", 4), text(" "), literal("123456", 12), text(")")], "the rest is read past");
    }

    #[test]
    fn words_of_a_server_are_short() {
        let (word, secret) = ("w".repeat(60), "s".repeat(61));
        assert_eq!(said(&format!(" no {word} {secret} \u{202e}here\r\n")), format!("no {word} … here"));
        assert_eq!(said(&"a ".repeat(500)).chars().count(), 200);
    }

    #[tokio::test]
    async fn nothing_is_without_bound() {
        for (sent, why) in [
            (&[b'a'; 1_000][..], "a line of more than 100 bytes"),
            (b"* {31}\r\n", "31 bytes, more than are read"),
            (b"* {99999999999999999999999}\r\n", "more bytes than there are"),
            (b"* {18446744073709551615}\r\n", "more than are read"),
            (b"* OK half a li", "closed the connection"),
            (b"* {5}\r\n123", "closed the connection"),
            (b"", "closed the connection"),
        ] {
            let fault = read(sent).await.unwrap_err();
            assert!(fault.message.contains(why), "{fault}");
        }
        let many: &'static [u8] = Box::leak("a {0}\r\n".repeat(10_000).into_bytes().into_boxed_slice());
        assert!(read(many).await.unwrap_err().message.contains("more than"));
    }
}
