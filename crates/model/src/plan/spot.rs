//! Where each value of a document stands in its text: one spot per value, in the order in which the values were read.

use serde_json::Value;

/// A place in a text, both counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

/// Where the characters of a text value stand, when each of them stands there as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbatim {
    /// On one line, from this place on.
    Line(Place),
    /// Every line of the value on a line of its own, from this place on at the same column.
    Block(Place),
}

impl Verbatim {
    /// The file's place of a line and column within the value.
    fn place(self, line: u32, column: u32) -> Option<Place> {
        match self {
            Verbatim::Line(start) if line == 1 => Some(Place { line: start.line, column: start.column + column - 1 }),
            Verbatim::Line(_) => None,
            Verbatim::Block(start) => Some(Place { line: start.line + line - 1, column: start.column + column - 1 }),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub value: Place,
    /// Of the field's name, for a value in an object.
    pub key: Option<Place>,
    pub verbatim: Option<Verbatim>,
    /// How many spots this value has, its own included: the next sibling's is that many further.
    pub size: u32,
}

/// The spots of a document, parents before children.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spots(pub Vec<Spot>);

impl Spots {
    /// The spot of the value at `pointer`, or of the nearest enclosing value that exists.
    fn find(&self, value: &Value, pointer: &str) -> Option<(&Spot, bool)> {
        let mut at = 0;
        let mut value = value;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let Some((place, inner)) = child(value, &part) else { return Some((self.0.get(at)?, false)) };
            let mut next = at + 1;
            for _ in 0..place {
                next += self.0.get(next)?.size as usize;
            }
            (at, value) = (next, inner);
        }
        Some((self.0.get(at)?, true))
    }

    /// Where the value at `pointer` starts; when there is none, where the nearest enclosing one does.
    pub(crate) fn value(&self, value: &Value, pointer: &str) -> Option<Place> {
        self.find(value, pointer).map(|(spot, _)| spot.value)
    }

    /// Where the name of the field at `pointer` starts.
    pub(crate) fn key(&self, value: &Value, pointer: &str) -> Option<Place> {
        self.find(value, pointer).map(|(spot, exact)| if exact { spot.key.unwrap_or(spot.value) } else { spot.value })
    }

    /// Where a line and column within the text at `pointer` stand in the file.
    pub(crate) fn within(&self, value: &Value, pointer: &str, line: u32, column: u32) -> Option<Place> {
        let (spot, exact) = self.find(value, pointer)?;
        let inner = if exact { spot.verbatim.and_then(|verbatim| verbatim.place(line, column)) } else { None };
        Some(inner.unwrap_or(spot.value))
    }
}

/// A child's place among its siblings, and the child.
fn child<'v>(value: &'v Value, part: &str) -> Option<(usize, &'v Value)> {
    match value {
        Value::Array(items) => {
            let place = part.parse().ok()?;
            Some((place, items.get(place)?))
        }
        Value::Object(fields) => fields.iter().enumerate().find(|(_, (name, _))| *name == part).map(|(place, (_, value))| (place, value)),
        _ => None,
    }
}
