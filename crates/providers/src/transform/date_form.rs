//! The forms of dates: the letters of the expression function `formatDate` (`yyyy-MM-dd`), or those of strftime (`%Y-%m-%d`).

use std::borrow::Cow;

/// Letters of a form and the library's; the table is that of `formatDate`, so that one spelling works in both places.
const WORDS: [(&str, &str); 26] = [
    ("yyyy", "%Y"),
    ("YYYY", "%Y"),
    ("yy", "%y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%-m"),
    ("dd", "%d"),
    ("DD", "%d"),
    ("d", "%-d"),
    ("D", "%-d"),
    ("EEEE", "%A"),
    ("EEE", "%a"),
    ("HH", "%H"),
    ("H", "%-H"),
    ("hh", "%I"),
    ("h", "%-I"),
    ("mm", "%M"),
    ("m", "%-M"),
    ("ss", "%S"),
    ("s", "%-S"),
    ("SSS", "%3f"),
    ("a", "%p"),
    ("ZZ", "%:z"),
    ("z", "%Z"),
];

const MAX_BYTES: usize = 200;

/// The form in the library's letters. A form with a `%` has them already. Errors: what is wrong, to stand behind the form.
pub(super) fn form(text: &str) -> Result<Cow<'_, str>, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    if text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut letters = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (literal, after) = quoted.split_once('\'').ok_or("a quote is never closed")?;
            letters.push_str(if literal.is_empty() { "'" } else { literal });
            rest = after;
            continue;
        }
        let (word, after) = rest.split_at(rest.find(|c| c != first).unwrap_or(rest.len()));
        match WORDS.iter().find(|(ours, _)| *ours == word) {
            Some((_, theirs)) => letters.push_str(theirs),
            // T and Z stand for themselves in the forms of RFC 3339.
            None if first.is_ascii_alphabetic() && !matches!(first, 'T' | 'Z') => {
                return Err(format!("{word:?} is no part of a form; words stand in single quotes, parts are yyyy MM dd HH mm ss"));
            }
            None => letters.push_str(word),
        }
        rest = after;
    }
    Ok(Cow::Owned(letters))
}
