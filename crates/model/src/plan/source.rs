//! A plan document's text: read once into a value that knows where each of its parts stands.

use serde_json::Value;

use super::grow::Growth;
use super::spot::{Place, Spots};
use super::{code, json_text, yaml_text};
use crate::Problem;

/// Bytes of a document's text. The HTTP border has its own, smaller limit.
pub const MAX_BYTES: usize = 16 << 20;

/// How a text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON when it begins like JSON and is, YAML otherwise.
    #[default]
    Auto,
    Json,
    Yaml,
}

/// A document that was read from text.
#[derive(Clone, Debug)]
pub struct Source {
    pub value: Value,
    /// How the text was written: never `Auto`.
    pub format: Format,
    spots: Spots,
}

impl Source {
    /// Where the value at a JSON pointer starts, or the nearest value around it.
    pub fn place(&self, pointer: &str) -> Option<Place> {
        self.spots.value(&self.value, pointer)
    }

    /// Where the name of the field at a JSON pointer starts.
    pub fn key_place(&self, pointer: &str) -> Option<Place> {
        self.spots.key(&self.value, pointer)
    }

    /// Where a line and column (from 1) within the text at a JSON pointer stand in the file; the start of the value when
    /// escapes or folding keep it from being known.
    pub fn place_within(&self, pointer: &str, line: u32, column: u32) -> Option<Place> {
        self.spots.within(&self.value, pointer, line, column)
    }
}

/// Reads a document's text.
///
/// # Errors
/// `SYNTAX`, `DUPLICATE_KEY`, `UNSUPPORTED_YAML`, `NUMBER_RANGE` or `DOCUMENT_LIMIT`, with line and column.
pub fn parse(text: &str, format: Format) -> Result<Source, Vec<Problem>> {
    if text.len() > MAX_BYTES {
        let message = format!("the document has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(vec![Problem::new(code::DOCUMENT_LIMIT, "", message)]);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Json => read(text, Format::Json),
        Format::Yaml => read(text, Format::Yaml),
        Format::Auto if !text.trim_start().starts_with(['{', '[']) => read(text, Format::Yaml),
        Format::Auto => match read(text, Format::Json) {
            // YAML's flow style begins like JSON. Text that was meant as JSON is not read as YAML for the sake of a lost comma:
            // `[1 2]` would become a text.
            Err(problems) if problems.iter().any(|problem| problem.code == code::SYNTAX) && !looks_like_json(text) => {
                read(text, Format::Yaml)
            }
            other => other,
        },
    }
}

fn read(text: &str, format: Format) -> Result<Source, Vec<Problem>> {
    let mut growth = Growth::default();
    let end = match format {
        Format::Json => json_text::read(text, &mut growth),
        _ => yaml_text::read(text, &mut growth),
    };
    if let Err(problem) = end {
        let mut problems = growth.reported();
        problems.push(problem);
        return Err(problems);
    }
    match growth.finish() {
        Some((value, spots, problems)) if problems.is_empty() => Ok(Source { value, format, spots }),
        Some((_, _, problems)) => Err(problems),
        None => Err(vec![Problem::new(code::SYNTAX, "", "the document is empty").at(1, 1)]),
    }
}

/// After the first bracket comes what only JSON's authors write there.
fn looks_like_json(text: &str) -> bool {
    let rest = text.trim_start();
    rest.get(1..).is_some_and(|rest| rest.trim_start().starts_with(['"', '{', '[', ']', '}']) || rest.trim().is_empty())
}
