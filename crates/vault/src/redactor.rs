//! The redactor: finds known secret values in whatever is about to be logged, stored or shown, in every usual spelling.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde_json::Value;

use crate::encodings::{self, Edge, Pattern};

/// What stands where a secret stood. Shorter than any secret that is matched inside other text, so it can hold none.
pub const MASK: &str = "***";

/// Values shorter than this are not worth hiding: whoever sees the mask guesses them at once, and masking every `1` hides the log.
const IGNORED: usize = 3;
/// The lines of a secret of several lines (a PEM key) are hidden one by one too, from this length on.
const LINE: usize = 16;
/// Escapings undone on top of one another: JSON inside JSON inside a URL.
const LAYERS: usize = 3;

/// Known secret values, added and removed while they are in use. Spellings found: plain; base64 standard and url-safe at any
/// alignment, so also inside `Basic user:password`; hex in lower or upper case; JSON escapes, percent and form encoding, also on top
/// of one another and of the former, and base64 or hex of the escaped value.
///
/// Values of 3–5 bytes are matched only as whole tokens (no letter, digit or `_` beside) and not in base64 or hex; shorter ones are
/// ignored. Not found: a secret cut in two by a line wrap, or by the end of one text and the start of the next; so redact whole
/// texts, not chunks. The values stay in memory in the clear until removed and until the next redaction after that.
#[derive(Default)]
pub struct Redactor {
    /// Read without a lock, so that a program without secrets pays nothing.
    any: AtomicBool,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// How often each value was added.
    counts: BTreeMap<Vec<u8>, usize>,
    /// Built at the first redaction after a change.
    matcher: Option<Arc<Matcher>>,
}

impl Redactor {
    /// A redactor that knows nothing yet.
    pub fn new() -> Redactor {
        Redactor::default()
    }

    /// Hides `secret` from now on. Counted: a value added twice must be removed twice. Add each field of a credential by itself,
    /// and add for as long as the credential is cached, not per attempt: the next redaction after a change builds anew (about 0.1 ms per secret).
    pub fn add(&self, secret: &str) {
        self.add_bytes(secret.as_bytes());
    }

    /// As [`Redactor::add`], for a value that is no text.
    pub fn add_bytes(&self, secret: &[u8]) {
        if secret.len() < IGNORED {
            return;
        }
        let mut known = self.known.write().expect("no panic happens while the values are held");
        let count = known.counts.entry(secret.to_vec()).or_insert(0);
        *count += 1;
        if *count == 1 {
            known.matcher = None;
        }
        self.any.store(true, Ordering::Release);
    }

    /// Takes back one [`Redactor::add`].
    pub fn remove(&self, secret: &str) {
        self.remove_bytes(secret.as_bytes());
    }

    /// Takes back one [`Redactor::add_bytes`].
    pub fn remove_bytes(&self, secret: &[u8]) {
        let mut known = self.known.write().expect("no panic happens while the values are held");
        let Some(count) = known.counts.get_mut(secret) else { return };
        *count -= 1;
        if *count == 0 {
            known.counts.remove(secret);
            known.matcher = None;
        }
        self.any.store(!known.counts.is_empty(), Ordering::Release);
    }

    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// The text with every secret replaced by [`MASK`]; borrowed when nothing was found.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // Lossy only for secrets that are no text themselves and so may end inside a character.
            Cow::Owned(bytes) => {
                Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
            }
        }
    }

    /// As [`Redactor::redact`], for bytes.
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if crate::sabotage::redacts_nothing() {
            return Cow::Borrowed(bytes);
        }
        let Some(matcher) = self.matcher() else { return Cow::Borrowed(bytes) };
        let mut spans = matcher.spans(bytes, 0);
        if spans.is_empty() {
            return Cow::Borrowed(bytes);
        }
        spans.sort_unstable();
        let mut clean = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for (from, to) in spans {
            if from >= done {
                clean.extend_from_slice(&bytes[done..from]);
                clean.extend_from_slice(MASK.as_bytes());
            }
            done = done.max(to);
        }
        clean.extend_from_slice(&bytes[done..]);
        Cow::Owned(clean)
    }

    /// Redacts every text of a JSON value, keys included. A number that is a secret becomes [`MASK`].
    pub fn redact_value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                if let Cow::Owned(clean) = self.redact(&number.to_string()) {
                    *value = Value::String(clean);
                }
            }
            Value::String(text) => {
                if let Cow::Owned(clean) = self.redact(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| self.redact_value(field));
                if fields.keys().any(|key| matches!(self.redact(key), Cow::Owned(_))) {
                    *fields = std::mem::take(fields).into_iter().map(|(key, field)| (self.redact(&key).into_owned(), field)).collect();
                }
            }
        }
    }

    /// Whether a secret stands in `bytes` in any spelling; for checks that nothing leaked.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.matcher().is_some_and(|matcher| !matcher.spans(bytes, 0).is_empty())
    }

    fn matcher(&self) -> Option<Arc<Matcher>> {
        if self.is_empty() {
            return None;
        }
        if let Some(matcher) = &self.known.read().expect("no panic happens while the values are held").matcher {
            return Some(matcher.clone());
        }
        let mut known = self.known.write().expect("no panic happens while the values are held");
        if known.matcher.is_none() && !known.counts.is_empty() {
            known.matcher = Some(Arc::new(Matcher::build(known.counts.keys())));
        }
        known.matcher.clone()
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.known.read().expect("no panic happens while the values are held").counts.len())
    }
}

struct Matcher {
    search: AhoCorasick,
    edges: Vec<Edge>,
    /// Whether any secret holds a space, the only reason to read `+` as one.
    spaces: bool,
}

impl Matcher {
    fn build<'a>(secrets: impl Iterator<Item = &'a Vec<u8>>) -> Matcher {
        let (mut patterns, mut spaces) = (Vec::<Pattern>::new(), false);
        for secret in secrets {
            spaces |= secret.contains(&b' ');
            patterns.extend(encodings::patterns(secret));
            for line in secret.split(|byte| matches!(byte, b'\n' | b'\r')) {
                if line.len() >= LINE && line.len() < secret.len() && !line.starts_with(b"-----") {
                    patterns.extend(encodings::patterns(line));
                }
            }
        }
        // Overlapping matches, so that two secrets that share characters are both hidden in full. The contiguous automaton, because
        // a DFA of a few private keys would take hundreds of megabytes.
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns.iter().map(|pattern| &pattern.bytes))
            .expect("the patterns stay far below the automaton's 2³¹ states");
        Matcher { search, edges: patterns.iter().map(|pattern| pattern.edge).collect(), spaces }
    }

    /// Ranges of `text` that hold a secret; unsorted, overlapping.
    fn spans(&self, text: &[u8], layer: usize) -> Vec<(usize, usize)> {
        let mut spans: Vec<_> = self
            .search
            .find_overlapping_iter(text)
            .filter_map(|found| widened(text, found.start(), found.end(), self.edges[found.pattern().as_usize()]))
            .collect();
        if layer < LAYERS {
            let form = if self.spaces { encodings::percent_decoded(text, true) } else { None };
            for decoded in [encodings::json_decoded(text), encodings::percent_decoded(text, false), form].into_iter().flatten() {
                spans.extend(self.spans(&decoded.bytes, layer + 1).into_iter().map(|(from, to)| decoded.source(from, to)));
            }
        }
        spans
    }
}

fn widened(text: &[u8], from: usize, to: usize, edge: Edge) -> Option<(usize, usize)> {
    let before = from.checked_sub(1).map(|at| text[at]);
    let after = text.get(to).copied();
    let is_word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_base64 = |byte: Option<u8>| byte.is_some_and(encodings::is_base64);
    match edge {
        Edge::None => Some((from, to)),
        Edge::Token => (!is_word(before) && !is_word(after)).then_some((from, to)),
        Edge::Base64 { before: part, after: rest } => {
            Some((from - usize::from(part && is_base64(before)), to + usize::from(rest && is_base64(after))))
        }
    }
}
