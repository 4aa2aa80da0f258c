//! Collects a document's problems and gives each its place in the text.

use super::code;
use super::near::short_pointer;
use super::source::Source;
use super::spot::Place;
use crate::Problem;
use crate::expr::ExprProblem;

/// More are counted, not listed: a hostile document must not make the answer larger than itself.
pub(crate) const MAX_LISTED: usize = 200;

/// Where parts of a translated document stood in the one that was written: new pointer → written pointer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(Vec<(String, String)>);

impl Origins {
    pub(crate) fn moved(&mut self, new: impl Into<String>, written: impl Into<String>) {
        self.0.push((new.into(), written.into()));
    }

    /// The pointer in the document as it was written.
    pub(crate) fn written(&self, pointer: &str) -> String {
        self.0
            .iter()
            .filter_map(|(new, written)| {
                let rest = pointer.strip_prefix(new.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then(|| (new.len(), format!("{written}{rest}")))
            })
            .max_by_key(|(length, _)| *length)
            .map_or_else(|| pointer.to_owned(), |(_, written)| written)
    }
}

pub(crate) struct Problems<'s> {
    source: Option<&'s Source>,
    origins: Origins,
    found: Vec<Problem>,
    unlisted: usize,
}

impl<'s> Problems<'s> {
    pub(crate) fn new(source: Option<&'s Source>, origins: Origins) -> Problems<'s> {
        Problems { source, origins, found: Vec::new(), unlisted: 0 }
    }

    /// The same problems, for pointers into the translated document from here on.
    pub(crate) fn moved(mut self, origins: Origins) -> Problems<'s> {
        self.origins = origins;
        self
    }

    /// Whether further problems would not be listed, so that nobody need word them.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_LISTED
    }

    /// How many were found so far, to tell whether a part of the document had any.
    pub(crate) fn count(&self) -> usize {
        self.found.len() + self.unlisted
    }

    /// A problem of the value at its pointer.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.place(problem, Source::place);
    }

    /// A problem of a field's name.
    pub(crate) fn push_key(&mut self, problem: Problem) {
        self.place(problem, Source::key_place);
    }

    /// A problem of an expression inside the text at `pointer`.
    pub(crate) fn push_expr(&mut self, pointer: &str, problem: ExprProblem) {
        let (line, column) = (problem.line, problem.column);
        let mut found = Problem::new(problem.code, pointer, problem.message);
        (found.expected, found.fix) = (problem.expected, problem.fix);
        self.push_within(found, line, column);
    }

    /// A problem at a line and column of the text at its pointer.
    pub(crate) fn push_within(&mut self, problem: Problem, line: u32, column: u32) {
        self.place(problem, |source, pointer| source.place_within(pointer, line, column));
    }

    fn place(&mut self, mut problem: Problem, place: impl Fn(&Source, &str) -> Option<Place>) {
        if self.is_full() {
            self.unlisted += 1;
            return;
        }
        problem.pointer = short_pointer(self.origins.written(&problem.pointer));
        if let Some(place) = self.source.and_then(|source| place(source, &problem.pointer)) {
            problem = problem.at(place.line, place.column);
        }
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    /// `value` when nothing was found; otherwise the problems in the order in which they stand in the text.
    pub(crate) fn settle<T>(mut self, value: T) -> Result<T, Vec<Problem>> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by_key(|problem| (problem.line, problem.column));
        if self.unlisted > 0 {
            self.found.push(Problem::new(code::TOO_MANY_PROBLEMS, "", "there are more problems than are listed here"));
        }
        Err(self.found)
    }
}
