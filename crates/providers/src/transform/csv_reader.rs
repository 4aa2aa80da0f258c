//! Reads CSV records as RFC 4180 writes them, with the line of each, so that errors can name it.
//!
//! Our own eighty lines instead of the `csv` crate: that one takes a quote that is never closed, and text behind a closing
//! quote, without a word, and swallows the rest of the file into one cell.

use std::borrow::Cow;

use mainspring_model::Fault;

use super::invalid_input;

pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Of `at`, from 1.
    line: usize,
    delimiter: u8,
}

pub(crate) struct Record<'a> {
    /// Where it starts, from 1.
    pub(crate) line: usize,
    pub(crate) cells: Vec<Cow<'a, str>>,
}

impl<'a> Reader<'a> {
    /// `delimiter` is an ASCII character; a byte order mark at the start is passed over.
    pub(crate) fn new(text: &'a str, delimiter: u8) -> Reader<'a> {
        Reader { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0, line: 1, delimiter }
    }

    /// The next record; empty lines are passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'a>>, Fault> {
        while self.line_end() {}
        if self.at == self.text.len() {
            return Ok(None);
        }
        let line = self.line;
        let mut cells = Vec::new();
        loop {
            cells.push(if self.byte() == Some(b'"') { self.quoted()? } else { self.bare() });
            if self.byte() == Some(self.delimiter) {
                self.at += 1;
            } else if self.at == self.text.len() || self.line_end() {
                return Ok(Some(Record { line, cells }));
            } else {
                return Err(invalid_input(format!(
                    "line {}: text follows the quote that closes a cell; write \"\" for a quote inside",
                    self.line
                )));
            }
        }
    }

    /// Bytes that were read, and all there are; without a byte order mark.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn length(&self) -> usize {
        self.text.len()
    }

    /// Of the place that was come to, from 1.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over CR LF, LF, or CR alone.
    fn line_end(&mut self) -> bool {
        let length = match self.text.as_bytes()[self.at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => return false,
        };
        self.at += length;
        self.line += 1;
        true
    }

    fn bare(&mut self) -> Cow<'a, str> {
        let rest = &self.text[self.at..];
        let end = rest.bytes().position(|byte| byte == self.delimiter || byte == b'\n' || byte == b'\r').unwrap_or(rest.len());
        self.at += end;
        Cow::Borrowed(&rest[..end])
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, Fault> {
        let opened = self.line;
        self.at += 1;
        let mut cell = Cow::Borrowed("");
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find('"') else {
                return Err(invalid_input(format!("line {opened}: a quote is opened and never closed")));
            };
            self.line += line_ends(&rest[..end]);
            self.at += end + 1;
            if cell.is_empty() {
                cell = Cow::Borrowed(&rest[..end]);
            } else {
                cell.to_mut().push_str(&rest[..end]);
            }
            if self.byte() != Some(b'"') {
                return Ok(cell);
            }
            cell.to_mut().push('"');
            self.at += 1;
        }
    }
}

fn line_ends(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = |(place, byte): (usize, &u8)| *byte == b'\n' || *byte == b'\r' && bytes.get(place + 1) != Some(&b'\n');
    bytes.iter().enumerate().filter(|found| ends(*found)).count()
}
