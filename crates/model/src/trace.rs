//! Traces: where a piece of work stands in one, and to whom it is told when it ended.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// A place in a trace, as the header `traceparent` of W3C Trace Context carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Never all zero.
    pub trace: [u8; 16],
    /// Never all zero.
    pub span: [u8; 8],
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent`. `None`: it is none, or one of a version that changed what these parts mean.
    pub fn parse(text: &str) -> Option<TraceContext> {
        let (version, rest) = text.trim().split_once('-')?;
        let mut parts = rest.split('-');
        let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
        let [version] = unhex::<1>(version)?;
        // A later version may say more behind; this one says nothing more.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let (trace, span) = (unhex(trace)?, unhex(span)?);
        let [flags] = unhex::<1>(flags)?;
        (trace != [0; 16] && span != [0; 8]).then_some(TraceContext { trace, span, sampled: flags & 1 == 1 })
    }

    /// Another place in the same trace.
    #[must_use]
    pub fn at(self, span: [u8; 8]) -> TraceContext {
        TraceContext { span, ..self }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(if self.sampled { "-01" } else { "-00" })
    }
}

/// Lower case alone: the standard refuses other spellings.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; N];
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// From whose side a piece of work is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Asked for from outside.
    Server,
    /// Asks outside.
    Client,
    Internal,
}

/// A piece of work that ended just now.
#[derive(Clone, Debug)]
pub struct Ended {
    pub at: TraceContext,
    /// Of which piece it is a part; all zero for the first of a trace.
    pub parent: [u8; 8],
    pub side: Side,
    /// Of few different ones: a method, an operation, an action.
    pub name: Cow<'static, str>,
    pub took_us: u64,
    /// By the names of OpenTelemetry's conventions where they have one. Texts, numbers and truths.
    pub attributes: Vec<(&'static str, Value)>,
    /// The code of what went wrong.
    pub fault: Option<String>,
}

/// Takes what is traced. Called on the driving path: must not wait.
pub trait Spans: Send + Sync {
    /// A random id for a piece of work.
    fn span(&self) -> [u8; 8];
    /// Whether a trace that begins here is recorded: the same answer on every node and after every restart.
    fn samples(&self, trace: [u8; 16]) -> bool;
    /// The request that is being answered by the task that asks.
    fn around(&self) -> Option<TraceContext>;
    /// Whether calls to this host carry the trace's ids.
    fn reaches(&self, host: &str) -> bool;
    fn ended(&self, work: Ended);
}

/// What an attempt belongs to, for the calls that it makes.
#[derive(Clone)]
pub struct Tracing {
    pub spans: Arc<dyn Spans>,
    pub at: TraceContext,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_reads_as_the_standard_says() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceContext::parse(text).expect("the standard's own example");
        assert_eq!((read.to_string().as_str(), read.sampled, read.span[7]), (text, true, 0xb7));
        assert!(!TraceContext::parse(&text.replace("-01", "-00")).expect("not recorded").sampled);
        let later = format!("cc{}-what-comes-later", &text[2..]);
        assert_eq!(TraceContext::parse(&later), Some(read), "a later version may say more");
        let zeros = ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"];
        let (upper, more, version) = (text.to_uppercase(), format!("{text}-00"), format!("ff{}", &text[2..]));
        for bad in ["", "00", "00-4bf9-00f0-01", "00-é", &upper, &more, &version, zeros[0], zeros[1], &text[..54]] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }
}
