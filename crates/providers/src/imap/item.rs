//! What stands in a response: words, texts, and lists of them.

use super::wire::{Part, broken};
use mainspring_model::Fault;

/// Lists in lists.
const DEEPEST: usize = 16;
/// Items of one response.
const MOST_ITEMS: usize = 100_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A word; `NIL` is one, and so is all of `BODY[HEADER.FIELDS (DATE)]`.
    Word(String),
    /// Quoted, or a literal: what came of it, and how much was sent.
    Text(Vec<u8>, u64),
    List(Vec<Item>),
}

impl Item {
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Item::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn number<N: std::str::FromStr>(&self) -> Option<N> {
        self.word()?.parse().ok()
    }

    /// A text, or a word in its place.
    pub(super) fn text(&self) -> Option<(&[u8], u64)> {
        match self {
            Item::Word(word) if word.eq_ignore_ascii_case("nil") => None,
            Item::Word(word) => Some((word.as_bytes(), word.len() as u64)),
            Item::Text(bytes, size) => Some((bytes, *size)),
            Item::List(_) => None,
        }
    }

    /// As [`Item::text`], without a copy: a message is large.
    pub(super) fn into_text(self) -> Option<(Vec<u8>, u64)> {
        match self {
            Item::Text(bytes, size) => Some((bytes, size)),
            other => other.text().map(|(bytes, size)| (bytes.to_vec(), size)),
        }
    }
}

/// The items of a response.
///
/// # Errors
/// `BAD_RESPONSE` for brackets and quotes that do not close, and for lists that are too deep.
pub(super) fn items(parts: Vec<Part>) -> Result<Vec<Item>, Fault> {
    let mut open: Vec<Vec<Item>> = vec![Vec::new()];
    let mut count = 0;
    for part in parts {
        let text = match part {
            Part::Literal { bytes, size } => {
                top(&mut open).push(Item::Text(bytes, size));
                continue;
            }
            Part::Text(text) => text,
        };
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            count += 1;
            if count > MOST_ITEMS {
                return Err(broken("a response has too many items"));
            }
            match byte {
                b' ' | b'\t' => at += 1,
                b'(' if open.len() > DEEPEST => return Err(broken("a response has lists that are too deep")),
                b'(' => {
                    open.push(Vec::new());
                    at += 1;
                }
                b')' => {
                    let list = open.pop().unwrap_or_default();
                    if open.is_empty() {
                        return Err(broken("a response closes a list that is not open"));
                    }
                    top(&mut open).push(Item::List(list));
                    at += 1;
                }
                b'"' => {
                    let (quoted, end) = quoted(&text, at + 1)?;
                    let size = quoted.len() as u64;
                    top(&mut open).push(Item::Text(quoted, size));
                    at = end;
                }
                _ => {
                    let end = word_end(&text, at);
                    top(&mut open).push(Item::Word(String::from_utf8_lossy(&text[at..end]).into_owned()));
                    at = end;
                }
            }
        }
    }
    match <[Vec<Item>; 1]>::try_from(open) {
        Ok([items]) => Ok(items),
        Err(_) => Err(broken("a response does not close its lists")),
    }
}

fn top(open: &mut [Vec<Item>]) -> &mut Vec<Item> {
    open.last_mut().expect("the outermost list is never taken off")
}

/// The text, and where it ends behind its quote.
fn quoted(text: &[u8], mut at: usize) -> Result<(Vec<u8>, usize), Fault> {
    let mut found = Vec::new();
    loop {
        match text.get(at) {
            Some(b'"') => return Ok((found, at + 1)),
            Some(b'\\') if at + 1 < text.len() => {
                found.push(text[at + 1]);
                at += 2;
            }
            Some(byte) => {
                found.push(*byte);
                at += 1;
            }
            None => return Err(broken("a response does not close its quotes")),
        }
    }
}

/// What may have a section behind it; to any other word a bracket is a letter, in a keyword such as `$x[1`.
const WITH_SECTION: [&str; 4] = ["BODY", "BODY.PEEK", "binary", "binary.size"];

/// What is in the brackets of a section belongs to its word.
fn word_end(text: &[u8], from: usize) -> usize {
    let mut bracket = false;
    for (at, byte) in text.iter().enumerate().skip(from) {
        match byte {
            b'[' if WITH_SECTION.iter().any(|name| text[from..at].eq_ignore_ascii_case(name.as_bytes())) => bracket = true,
            b']' => bracket = false,
            b' ' | b'\t' | b'(' | b')' | b'"' if !bracket => return at.max(from + 1),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Item>, Fault> {
        items(vec![Part::Text(text.as_bytes().to_vec())])
    }

    fn word(text: &str) -> Item {
        Item::Word(text.to_owned())
    }

    #[test]
    fn items_of_a_response() {
        let text = |text: &str| Item::Text(text.as_bytes().to_vec(), text.len() as u64);
        let found = read(r#"* 12 FETCH (UID 7 FLAGS (\Seen $a) X NIL BODY[HEADER.FIELDS (A B)]<0> "a \"b\" \\")"#).unwrap();
        let inner = vec![
            word("UID"),
            word("7"),
            word("FLAGS"),
            Item::List(vec![word("\\Seen"), word("$a")]),
            word("X"),
            word("NIL"),
            word("BODY[HEADER.FIELDS (A B)]<0>"),
            text("a \"b\" \\"),
        ];
        assert_eq!(found, [word("*"), word("12"), word("FETCH"), Item::List(inner)]);
        assert_eq!(read("[x y").unwrap(), [word("[x"), word("y")]);
        let flags = Item::List(vec![word("$x[1"), word("\\Seen")]);
        let expected = [word("FLAGS"), flags, word("body[x y]"), word("Binary.Size[1 2")];
        assert_eq!(read(r"FLAGS ($x[1 \Seen) body[x y] Binary.Size[1 2").unwrap(), expected);
    }

    #[test]
    fn what_does_not_close_is_no_response() {
        for bad in ["(", ")", "(()", "\"a", "\"a\\", "a (b))"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(&"(".repeat(100_000)).is_err());
        assert!(read(&"a ".repeat(100_000)).is_err());
    }
}
