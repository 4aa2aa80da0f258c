//! Reads JSON text with places: strings and numbers go through serde_json, the structure is walked here.

use serde_json::{Number, Value};

use super::code;
use super::grow::Growth;
use super::spot::{Place, Verbatim};
use crate::Problem;

/// Reads a whole text.
///
/// # Errors
/// The one problem that stopped the reading.
pub(crate) fn read(text: &str, growth: &mut Growth) -> Result<(), Problem> {
    let mut scanner = Scanner { text, at: 0, line: 1, counted: (0, 1) };
    scanner.space();
    scanner.value(growth)?;
    scanner.space();
    if scanner.at < text.len() {
        return Err(scanner.problem("there is more text after the end of the document"));
    }
    Ok(())
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    /// A byte of the current line and its column: columns are counted on from there, or one long line would cost its square.
    counted: (usize, u32),
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.counted = (self.at + 1, 1);
                }
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
            self.at += 1;
        }
    }

    /// The place of a byte on the current line, at or after the last one that was asked for.
    fn place_of(&self, at: usize) -> Place {
        let (from, column) = self.counted;
        let more = self.text.get(from..at).map_or(0, |between| between.chars().count());
        Place { line: self.line, column: column.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)) }
    }

    fn place(&self) -> Place {
        self.place_of(self.at)
    }

    /// As `place`, remembered.
    fn mark(&mut self) -> Place {
        let place = self.place();
        self.counted = (self.at, place.column);
        place
    }

    fn problem(&self, message: impl Into<String>) -> Problem {
        let place = self.place();
        Problem::new(code::SYNTAX, "", message).at(place.line, place.column)
    }

    /// What stands here, for a message.
    fn found(&self) -> String {
        match self.text[self.at..].chars().next() {
            None => "the end of the text".to_owned(),
            Some(character) => format!("\"{}\"", character.escape_debug()),
        }
    }

    /// Reads one value; the growth keeps what is open, so that depth costs no stack.
    fn value(&mut self, growth: &mut Growth) -> Result<(), Problem> {
        let bottom = growth.depth();
        loop {
            self.space();
            if growth.wants_key() && growth.depth() > bottom {
                self.key(growth)?;
                self.space();
            }
            let place = self.mark();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    growth.start(open == b'{', place, 0)?;
                    self.at += 1;
                    self.space();
                    let close = if open == b'{' { b'}' } else { b']' };
                    if self.peek() != Some(close) {
                        continue;
                    }
                    self.at += 1;
                    growth.end()?;
                }
                _ => self.scalar(growth, place)?,
            }
            // A value has ended: so do the lists and objects that end here, until one goes on with a comma.
            loop {
                if growth.depth() == bottom {
                    return Ok(());
                }
                self.space();
                let object = growth.wants_key();
                match (self.peek(), object) {
                    (Some(b','), _) => {
                        self.at += 1;
                        self.space();
                        if let Some(b'}' | b']') = self.peek() {
                            return Err(self.problem("there is a comma before the closing bracket; JSON has none there"));
                        }
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        growth.end()?;
                    }
                    (_, true) => return Err(self.problem(format!("expected \",\" or \"}}\" after a field, found {}", self.found()))),
                    (_, false) => return Err(self.problem(format!("expected \",\" or \"]\" after a list's value, found {}", self.found()))),
                }
            }
        }
    }

    fn key(&mut self, growth: &mut Growth) -> Result<(), Problem> {
        let place = self.mark();
        if self.peek() != Some(b'"') {
            return Err(self.problem(format!("expected a field's name in double quotes, found {}", self.found())));
        }
        let (name, _) = self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.problem(format!("expected \":\" after the field's name, found {}", self.found())));
        }
        self.at += 1;
        growth.key(name, place);
        Ok(())
    }

    fn scalar(&mut self, growth: &mut Growth, place: Place) -> Result<(), Problem> {
        let rest = &self.text[self.at..];
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return growth.scalar(value, place, None, 0);
            }
        }
        match self.peek() {
            Some(b'"') => {
                let (text, plain) = self.string()?;
                let verbatim = plain.then_some(Verbatim::Line(Place { line: place.line, column: place.column + 1 }));
                growth.scalar(Value::String(text), place, verbatim, 0)
            }
            Some(b'-' | b'0'..=b'9') => {
                let value = self.number(growth, place)?;
                growth.scalar(value, place, None, 0)
            }
            _ => Err(self.problem(format!("expected a value, found {}", self.found()))),
        }
    }

    /// The text, and whether it stands there character by character.
    fn string(&mut self) -> Result<(String, bool), Problem> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        let mut plain = true;
        loop {
            match bytes.get(at) {
                None => return Err(self.problem("this text has no closing \"")),
                Some(b'"') => break,
                Some(b'\\') => {
                    plain = false;
                    at += 2;
                }
                Some(byte) if *byte < 0x20 => {
                    self.at = at;
                    let what = if *byte == b'\n' {
                        "a line break stands inside a text; write it as \\n".to_owned()
                    } else {
                        "a control character stands inside a text; write it as \\u00XX".to_owned()
                    };
                    return Err(self.problem(what));
                }
                Some(_) => at += 1,
            }
        }
        let slice = self.text.get(start..=at).ok_or_else(|| self.problem("this text has no closing \""))?;
        let value = serde_json::from_str::<String>(slice).map_err(|error| {
            let mut problem = self.problem(format!("this text cannot be read: {}", plain_reason(&error)));
            // The reader's column counts bytes from the opening quote.
            let inner = start + error.column().saturating_sub(1).min(slice.len());
            if self.text.is_char_boundary(inner) {
                problem.column = Some(self.place_of(inner).column);
            }
            problem
        })?;
        self.at = at + 1;
        Ok((value, plain))
    }

    fn number(&mut self, growth: &mut Growth, place: Place) -> Result<Value, Problem> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
        let token = &rest[..length];
        let number = serde_json::from_str::<Number>(token);
        let value = match number {
            Ok(number) if number.is_f64() && !token.contains(['.', 'e', 'E']) => {
                if token == "-0" {
                    Value::from(0)
                } else {
                    growth.report(|pointer| too_large(token, &pointer, place));
                    Value::Null
                }
            }
            Ok(number) => Value::Number(number),
            Err(error) if error.to_string().starts_with("number out of range") => {
                growth.report(|pointer| too_large(token, &pointer, place));
                Value::Null
            }
            Err(_) => return Err(self.problem(format!("\"{token}\" is no JSON number"))),
        };
        self.at += length;
        Ok(value)
    }
}

/// The problem of a number that cannot be kept exactly.
pub(crate) fn too_large(token: &str, pointer: &str, place: Place) -> Problem {
    let shown: String = token.chars().take(40).collect();
    Problem::new(code::NUMBER_RANGE, pointer, format!("the number {shown} does not fit in 64 bits; write it as text"))
        .at(place.line, place.column)
        .fix(format!("\"{shown}\""))
}

/// serde_json's reason without its own place.
fn plain_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}
