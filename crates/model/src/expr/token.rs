//! A scanner for JavaScript's tokens, for what must be known before or without parsing: where a `${` ends, how deep brackets nest, `.0`.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Number,
    /// `.0` after a path.
    DotIndex,
    Text,
    /// A piece of a template literal: it starts with a backtick (`opens`) or the `}` of a hole, and ends with a backtick or `${` (`hole`).
    Template {
        opens: bool,
        hole: bool,
    },
    Punct,
    Regex,
    Comment,
    /// A text, template literal or comment that never ends.
    Unclosed,
    /// A character that starts no token.
    Stray,
}

/// A token's kind and its bytes in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    pub(crate) fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.end]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Open {
    Paren,
    Bracket,
    Brace,
    Hole,
}

/// Longest first, so that the first that fits is the token.
const PUNCTUATION: [&str; 37] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "<>", "=>", "==", "!=", "<=", ">=", "&&", "||", "??",
    "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**", ":=", "->", "=~",
];

pub(crate) struct Scanner<'t> {
    text: &'t str,
    at: usize,
    open: Vec<Open>,
    /// Whether the last token ends an operand, so that `/` divides and `.0` indexes.
    operand: bool,
    /// Set when a `}` closed nothing: the end of the `${` the scanner started in.
    closed: bool,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str, at: usize) -> Scanner<'t> {
        Scanner { text, at, open: Vec::new(), operand: false, closed: false }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn take(&mut self, kind: Kind, length: usize) -> Token {
        let start = self.at;
        self.at = (start + length).min(self.text.len());
        Token { kind, start, end: self.at }
    }

    /// A template literal's characters, from its backtick or the `}` of a hole.
    fn template(&mut self, opens: bool) -> Token {
        let bytes = self.rest().as_bytes();
        let mut i = 1;
        while i < bytes.len() {
            match bytes[i] {
                b'\\' => i += 1,
                b'`' => {
                    self.operand = true;
                    return self.take(Kind::Template { opens, hole: false }, i + 1);
                }
                b'$' if bytes.get(i + 1) == Some(&b'{') => {
                    self.open.push(Open::Hole);
                    self.operand = false;
                    return self.take(Kind::Template { opens, hole: true }, i + 2);
                }
                _ => {}
            }
            i += 1;
        }
        self.take(Kind::Unclosed, bytes.len())
    }

    fn quoted(&mut self, quote: u8) -> Token {
        let bytes = self.rest().as_bytes();
        let mut i = 1;
        while i < bytes.len() {
            match bytes[i] {
                b'\\' => i += 1,
                b'\n' => break,
                byte if byte == quote => {
                    self.operand = true;
                    return self.take(Kind::Text, i + 1);
                }
                _ => {}
            }
            i += 1;
        }
        self.take(Kind::Unclosed, bytes.len())
    }

    /// `//…`, `/*…*/` and `<!--…`.
    fn comment(&mut self) -> Option<Token> {
        let rest = self.rest();
        if let Some(inside) = rest.strip_prefix("/*") {
            return Some(match inside.find("*/") {
                Some(end) => self.take(Kind::Comment, end + 4),
                None => self.take(Kind::Unclosed, rest.len()),
            });
        }
        let line = rest.starts_with("//") || rest.starts_with("<!--");
        line.then(|| self.take(Kind::Comment, rest.find('\n').unwrap_or(rest.len())))
    }

    fn regex(&mut self) -> Token {
        let bytes = self.rest().as_bytes();
        let (mut i, mut class) = (1, false);
        while i < bytes.len() {
            match bytes[i] {
                b'\\' => i += 1,
                b'[' => class = true,
                b']' => class = false,
                b'\n' => break,
                b'/' if !class => {
                    i += 1;
                    while bytes.get(i).is_some_and(u8::is_ascii_alphabetic) {
                        i += 1;
                    }
                    self.operand = true;
                    return self.take(Kind::Regex, i);
                }
                _ => {}
            }
            i += 1;
        }
        self.take(Kind::Unclosed, bytes.len())
    }

    fn number(&mut self) -> Token {
        let bytes = self.rest().as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            let sign_of_exponent =
                matches!(bytes[i], b'+' | b'-') && i > 0 && matches!(bytes[i - 1], b'e' | b'E') && !self.rest().starts_with("0x");
            if !(bytes[i].is_ascii_alphanumeric() || matches!(bytes[i], b'.' | b'_') || sign_of_exponent) {
                break;
            }
            i += 1;
        }
        self.operand = true;
        self.take(Kind::Number, i)
    }

    fn punct(&mut self, first: char) -> Token {
        let rest = self.rest();
        let digit_follows = rest.as_bytes().get(2).is_some_and(u8::is_ascii_digit);
        let length = match PUNCTUATION.iter().find(|p| rest.starts_with(**p)) {
            // `a?.5:1` is a condition
            Some(&"?.") if digit_follows => 1,
            Some(found) => found.len(),
            None => 1,
        };
        match first {
            '(' => self.open.push(Open::Paren),
            '[' => self.open.push(Open::Bracket),
            '{' => self.open.push(Open::Brace),
            ')' => self.close(Open::Paren),
            ']' => self.close(Open::Bracket),
            _ => {}
        }
        self.operand = matches!(first, ')' | ']');
        self.take(Kind::Punct, length)
    }

    fn close(&mut self, open: Open) {
        if self.open.last() == Some(&open) {
            self.open.pop();
        }
    }

    /// A `}` ends the nearest brace or hole; brackets left open inside are the parser's to report.
    fn brace(&mut self) -> Token {
        while matches!(self.open.last(), Some(Open::Paren | Open::Bracket)) {
            self.open.pop();
        }
        match self.open.pop() {
            Some(Open::Hole) => self.template(false),
            Some(_) => {
                self.operand = true;
                self.take(Kind::Punct, 1)
            }
            None => {
                self.closed = true;
                self.take(Kind::Punct, 1)
            }
        }
    }
}

impl Iterator for Scanner<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
        let first = self.rest().chars().next()?;
        if let Some(comment) = self.comment() {
            return Some(comment);
        }
        let digit_follows = self.rest().as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        Some(match first {
            '`' => self.template(true),
            '"' | '\'' => self.quoted(first as u8),
            '}' => self.brace(),
            '0'..='9' => self.number(),
            '.' if digit_follows && self.operand => {
                let digits = self.rest()[1..].bytes().take_while(u8::is_ascii_digit).count();
                self.take(Kind::DotIndex, digits + 1)
            }
            '.' if digit_follows => self.number(),
            '/' if !self.operand => self.regex(),
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                let rest = self.rest();
                let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '\u{200c}' | '\u{200d}');
                let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
                let token = self.take(Kind::Word, length);
                self.operand = !matches!(&rest[..length], "in" | "typeof" | "void" | "delete" | "instanceof" | "and" | "or" | "not");
                token
            }
            c if c.is_ascii_punctuation() && !matches!(c, '#' | '@' | '\\') => self.punct(first),
            c => self.take(Kind::Stray, c.len_utf8()),
        })
    }
}

/// The offset of the `}` that ends a `${` whose content starts at byte `start`, or `None` when it is never closed.
pub(crate) fn hole_end(text: &str, start: usize) -> Option<usize> {
    let mut scanner = Scanner::new(text, start);
    while let Some(token) = scanner.next() {
        if scanner.closed {
            return Some(token.start);
        }
    }
    None
}
