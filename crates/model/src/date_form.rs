//! The forms in which dates are written and read: `yyyy-MM-dd HH:mm`. One table for expressions and for steps.

const MAX_BYTES: usize = 200;

/// Letters of a form, and those of strftime.
const FORMS: [(&str, &str); 26] = [
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

/// A form in the letters of strftime. Errors say what is wrong with it.
pub fn letters(form: &str) -> Result<String, String> {
    if form.len() > MAX_BYTES {
        return Err(format!("the form is longer than {MAX_BYTES} bytes"));
    }
    let mut letters = String::new();
    let mut rest = form;
    let literal = |letters: &mut String, text: &str| letters.push_str(&text.replace('%', "%%"));
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (text, after) = quoted.split_once('\'').ok_or("a quote in the form is never closed")?;
            literal(&mut letters, if text.is_empty() { "'" } else { text });
            rest = after;
            continue;
        }
        let (word, after) = rest.split_at(rest.find(|c| c != first).unwrap_or(rest.len()));
        match FORMS.iter().find(|(ours, _)| *ours == word) {
            Some((_, theirs)) => letters.push_str(theirs),
            // T and Z stand for themselves in the forms of RFC 3339.
            None if first.is_ascii_alphabetic() && !matches!(first, 'T' | 'Z') => {
                return Err(format!("{word:?} is no part of a form; words stand in single quotes, parts are yyyy MM dd HH mm ss"));
            }
            None => literal(&mut letters, word),
        }
        rest = after;
    }
    Ok(letters)
}
