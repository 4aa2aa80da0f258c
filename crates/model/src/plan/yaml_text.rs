//! Reads YAML text with places: events of the parser under serde-saphyr, meaning by our own core schema.
//!
//! serde-saphyr's own deserialiser was weighed: it hides tags and quoting from an untyped reader and keeps no place per
//! field's name. Its parser, which it re-exports, gives all three.

use std::borrow::Cow;

use serde_json::Value;
use serde_saphyr::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::code;
use super::grow::{Growth, MAX_DEPTH};
use super::spot::{Place, Verbatim};
use super::{yaml_quote, yaml_scalar};
use crate::Problem;

/// Reads a whole text.
///
/// # Errors
/// The one problem that stopped the reading.
pub(crate) fn read(text: &str, growth: &mut Growth) -> Result<(), Problem> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH + 1,
        block_nesting_limit: MAX_DEPTH + 1,
    };
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| explain(text, &error))?;
        let place = place(&span);
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(unsupported("", "a second document begins here; a plan is one document", place));
                }
            }
            Event::Scalar(value, style, anchor, tag) => scalar(text, growth, (value, style, anchor), tag.as_deref(), &span)?,
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(text, growth, tag.as_deref(), &span);
                start(text, growth, false, place, anchor)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(text, growth, tag.as_deref(), &span);
                start(text, growth, true, place, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => growth.end()?,
            Event::Alias(anchor) => {
                if growth.wants_key() {
                    return Err(unsupported(&growth.pointer(), "an alias stands as a field's name", place));
                }
                growth.alias(anchor, place)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn start(text: &str, growth: &mut Growth, object: bool, place: Place, anchor: usize) -> Result<(), Problem> {
    if growth.wants_key() {
        let what = if object { "an object" } else { "a list" };
        let braces = text.lines().nth(place.line as usize - 1).is_some_and(|line| line.contains("{{"));
        let problem = unsupported(&growth.pointer(), format!("YAML reads this as {what} that names a field"), place);
        return Err(if braces { problem.fix(yaml_quote::FIX) } else { problem });
    }
    growth.start(object, place, anchor)
}

type Scalar<'t> = (Cow<'t, str>, ScalarStyle, usize);

fn scalar(text: &str, growth: &mut Growth, (value, style, anchor): Scalar<'_>, tag: Option<&Tag>, span: &Span) -> Result<(), Problem> {
    let place = place(span);
    if growth.wants_key() {
        refuse_tag(text, growth, tag, span);
        growth.key(value.into_owned(), place);
        return Ok(());
    }
    refuse_tag(text, growth, tag, span);
    let verbatim = verbatim(text, &value, style, span);
    let value = match style {
        ScalarStyle::Plain => match yaml_scalar::plain(&value) {
            yaml_scalar::Plain::Value(value) => value,
            yaml_scalar::Plain::OutOfRange => {
                growth.report(|pointer| super::json_text::too_large(&value, &pointer, place));
                Value::Null
            }
        },
        _ => Value::String(value.into_owned()),
    };
    growth.scalar(value, place, verbatim, anchor)
}

/// Where the characters of a scalar stand, when they stand there one by one.
fn verbatim(text: &str, value: &str, style: ScalarStyle, span: &Span) -> Option<Verbatim> {
    let start = place(span);
    match style {
        ScalarStyle::Plain => (span.slice(text)?.trim_end() == value).then_some(Verbatim::Line(start)).filter(|_| !value.contains('\n')),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let raw = span.slice(text)?;
            let inner = raw.get(1..raw.len().checked_sub(1)?)?;
            (inner == value && !value.contains('\n')).then_some(Verbatim::Line(Place { line: start.line, column: start.column + 1 }))
        }
        ScalarStyle::Literal => {
            // The span starts at the first line of the text, behind its indentation.
            let after = text.get(span.start.byte_offset()?..)?;
            (after.lines().next()? == value.lines().next()?).then_some(Verbatim::Block(start))
        }
        ScalarStyle::Folded => None,
    }
}

fn refuse_tag(text: &str, growth: &mut Growth, tag: Option<&Tag>, span: &Span) {
    if tag.is_none() {
        return;
    }
    let tag_span = span.tag_span();
    let at = tag_span.as_ref().map_or_else(|| place(span), place);
    let shown = tag_span.and_then(|span| span.slice(text).map(str::to_owned)).unwrap_or_else(|| "!".to_owned());
    let message = format!("YAML reads \"{}\" as a tag, and a plan has none", super::near::shown(&shown));
    growth.report(|pointer| unsupported(&pointer, message, at).fix(yaml_quote::FIX));
}

fn unsupported(pointer: &str, message: impl Into<String>, place: Place) -> Problem {
    Problem::new(code::UNSUPPORTED_YAML, pointer, message).at(place.line, place.column)
}

fn place(span: &Span) -> Place {
    marker(&span.start)
}

fn marker(marker: &granit_parser::Marker) -> Place {
    Place { line: u32::try_from(marker.line()).unwrap_or(u32::MAX), column: u32::try_from(marker.col()).unwrap_or(u32::MAX - 1) + 1 }
}

fn explain(text: &str, error: &ScanError) -> Problem {
    let place = marker(error.marker());
    let problem = |message: String| Problem::new(code::SYNTAX, "", message).at(place.line, place.column);
    if let ErrorKind::RecursionLimitExceeded = error.kind() {
        return Problem {
            code: code::DOCUMENT_LIMIT.to_owned(),
            ..problem(format!("lists and objects stand more than {MAX_DEPTH} deep in each other"))
        };
    }
    if let Some(problem) = yaml_quote::broken(text, place, error.kind()) {
        return problem;
    }
    let message = match error.kind() {
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabInPlainScalar => {
            "a tab stands where YAML wants spaces".to_owned()
        }
        ErrorKind::UnknownAnchor => "this alias repeats an anchor that is not there".to_owned(),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => "the indentation fits no list or object above".to_owned(),
        ErrorKind::SimpleKeyExpected => "expected \":\" after a field's name".to_owned(),
        ErrorKind::InvalidQuotedScalarIndent => "a text in quotes goes on here; is its closing quote missing?".to_owned(),
        ErrorKind::UnclosedQuotedScalar => "this text has no closing quote".to_owned(),
        ErrorKind::UnclosedFlowCollection { open } => format!("this \"{open}\" is never closed"),
        ErrorKind::ExpectedFlowMappingSeparator => "expected \",\" or \"}\"".to_owned(),
        ErrorKind::ExpectedFlowSequenceSeparator => "expected \",\" or \"]\"".to_owned(),
        ErrorKind::UnexpectedEof => "the text ends too early".to_owned(),
        kind => format!("this is no YAML: {kind}"),
    };
    problem(message)
}
