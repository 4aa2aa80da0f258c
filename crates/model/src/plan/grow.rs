//! Grows a document from what a text reader meets, within bounds: depth, number of values, and what aliases copy.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::code;
use super::near::{short_pointer, shown};
use super::problems::MAX_LISTED;
use super::spot::{Place, Spot, Spots, Verbatim};
use crate::Problem;
use crate::value::{approximate_size, pointer_join};

/// Lists and objects within each other. 64 levels of steps take 128, the rest is for params.
pub(crate) const MAX_DEPTH: usize = 256;
/// Values in one document, aliases counted as often as they are used.
pub(crate) const MAX_VALUES: usize = 1_000_000;
/// Bytes that aliases may copy.
const MAX_COPIED: usize = 16 << 20;

enum Open {
    List(Vec<Value>),
    Object(Map<String, Value>, Option<(String, Place)>),
}

struct Frame {
    open: Open,
    /// Index of its spot.
    spot: usize,
    anchor: usize,
}

/// A document that is being read. Every method's error is the one problem that stops the reading.
#[derive(Default)]
pub(crate) struct Growth {
    frames: Vec<Frame>,
    spots: Vec<Spot>,
    done: Option<Value>,
    anchors: HashMap<usize, (Value, Vec<Spot>)>,
    copied: usize,
    kept: usize,
    problems: Vec<Problem>,
}

impl Growth {
    /// A problem that does not stop the reading. `word` is asked only while problems are listed, with the pointer of the next value.
    pub(crate) fn report(&mut self, word: impl FnOnce(String) -> Problem) {
        if self.problems.len() < MAX_LISTED {
            self.problems.push(word(self.pointer()));
        }
    }

    /// What was reported so far.
    pub(crate) fn reported(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    pub(crate) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Whether the next scalar names a field.
    pub(crate) fn wants_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { open: Open::Object(_, None), .. }))
    }

    /// The pointer of the value that comes next.
    pub(crate) fn pointer(&self) -> String {
        short_pointer(self.frames.iter().fold(String::new(), |pointer, frame| match &frame.open {
            Open::List(items) => format!("{pointer}/{}", items.len()),
            Open::Object(_, Some((name, _))) => pointer_join(&pointer, name),
            Open::Object(_, None) => pointer,
        }))
    }

    pub(crate) fn key(&mut self, name: String, place: Place) {
        let Some(Frame { open: Open::Object(fields, key), .. }) = self.frames.last_mut() else { return };
        let twice = fields.contains_key(&name);
        *key = Some((name.clone(), place));
        if twice {
            let message = format!("\"{}\" is written twice in this object", shown(&name));
            self.report(|pointer| Problem::new(code::DUPLICATE_KEY, pointer, message).at(place.line, place.column));
        }
    }

    pub(crate) fn scalar(&mut self, value: Value, place: Place, verbatim: Option<Verbatim>, anchor: usize) -> Result<(), Problem> {
        let spot = self.spot(place, verbatim)?;
        self.put(value, spot, anchor)
    }

    pub(crate) fn start(&mut self, object: bool, place: Place, anchor: usize) -> Result<(), Problem> {
        if self.frames.len() >= MAX_DEPTH {
            let message = format!("lists and objects stand more than {MAX_DEPTH} deep in each other");
            return Err(Problem::new(code::DOCUMENT_LIMIT, "", message).at(place.line, place.column));
        }
        let spot = self.spot(place, None)?;
        let open = if object { Open::Object(Map::new(), None) } else { Open::List(Vec::new()) };
        self.frames.push(Frame { open, spot, anchor });
        Ok(())
    }

    pub(crate) fn end(&mut self) -> Result<(), Problem> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        self.spots[frame.spot].size = u32::try_from(self.spots.len() - frame.spot).unwrap_or(u32::MAX);
        let value = match frame.open {
            Open::List(items) => Value::Array(items),
            Open::Object(fields, _) => Value::Object(fields),
        };
        self.put(value, frame.spot, frame.anchor)
    }

    /// The value of an anchor again.
    pub(crate) fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Problem> {
        let Some((value, spots)) = self.anchors.get(&anchor) else {
            return Err(Problem::new(code::UNSUPPORTED_YAML, self.pointer(), "this alias stands inside what it repeats")
                .at(place.line, place.column));
        };
        if self.spots.len() + spots.len() > MAX_VALUES {
            return Err(limit("1,000,000 values", place));
        }
        self.copied += approximate_size(value);
        if self.copied > MAX_COPIED {
            return Err(limit("16 MiB", place));
        }
        if self.frames.len() + depth(value) > MAX_DEPTH {
            return Err(limit(&format!("values {MAX_DEPTH} deep"), place));
        }
        let (value, mut spots) = (value.clone(), spots.clone());
        let at = self.spots.len();
        if let Some(first) = spots.first_mut() {
            first.key = self.pending_key();
        }
        self.spots.append(&mut spots);
        self.put(value, at, 0)
    }

    pub(crate) fn finish(self) -> Option<(Value, Spots, Vec<Problem>)> {
        Some((self.done?, Spots(self.spots), self.problems))
    }

    fn pending_key(&self) -> Option<Place> {
        match self.frames.last() {
            Some(Frame { open: Open::Object(_, Some((_, place))), .. }) => Some(*place),
            _ => None,
        }
    }

    fn spot(&mut self, value: Place, verbatim: Option<Verbatim>) -> Result<usize, Problem> {
        if self.spots.len() >= MAX_VALUES {
            return Err(
                Problem::new(code::DOCUMENT_LIMIT, "", "the document holds more than 1,000,000 values").at(value.line, value.column)
            );
        }
        self.spots.push(Spot { value, key: self.pending_key(), verbatim, size: 1 });
        Ok(self.spots.len() - 1)
    }

    fn put(&mut self, value: Value, spot: usize, anchor: usize) -> Result<(), Problem> {
        if anchor != 0 {
            // What is kept counts like what is copied: anchors within anchors keep the innermost values many times.
            self.kept += self.spots.len() - spot;
            self.copied += approximate_size(&value);
            if self.kept > MAX_VALUES || self.copied > MAX_COPIED {
                return Err(limit("1,000,000 values or 16 MiB", self.spots[spot].value));
            }
            self.anchors.insert(anchor, (value.clone(), self.spots[spot..].to_vec()));
        }
        match self.frames.last_mut().map(|frame| &mut frame.open) {
            None => self.done = Some(value),
            Some(Open::List(items)) => items.push(value),
            Some(Open::Object(fields, key)) => {
                if let Some((name, _)) = key.take() {
                    fields.insert(name, value);
                }
            }
        }
        Ok(())
    }
}

fn limit(what: &str, place: Place) -> Problem {
    Problem::new(code::DOCUMENT_LIMIT, "", format!("the document's anchors and aliases repeat more than {what}"))
        .at(place.line, place.column)
}

/// How deep lists and objects stand in each other; 0 for a scalar. The value was read within [`MAX_DEPTH`].
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
