//! The error codes that the sources can produce, collected from their text.
//!
//! The rule is meant to be forgotten by whoever writes a code: every string literal of the crates that is wholly
//! SCREAMING_SNAKE is one, and so is every name in the `codes!` list, unless `not-codes.txt` says otherwise. A closer look
//! at who calls what would miss the table or constructor that is written tomorrow.

use std::collections::BTreeMap;

use crate::tree::Text;

pub(super) const NOT_CODES: &str = "xtask/not-codes.txt";

/// A code and the first place that names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// The name of its page: `HTTP_401` is `HTTP_STATUS`, `USER_…` is `USER`.
    pub(super) page: String,
    pub(super) code: String,
    pub(super) path: String,
    pub(super) line: usize,
}

const SHORTEST: usize = 5;

/// One `Use` a page, ordered by page.
pub(super) fn collect(texts: &[Text], not_codes: &str) -> Vec<Use> {
    let mut found: BTreeMap<String, Use> = BTreeMap::new();
    for text in texts.iter().filter(|text| produces(text)) {
        let mut in_list = false;
        for (line, words) in product_lines(&text.text) {
            in_list = (in_list || words.starts_with("codes!")) && !words.starts_with(')');
            let literals = literals(words).map(str::to_owned);
            let names = words.split(|c: char| !is_code_char(c)).filter(|_| in_list).map(str::to_owned);
            for code in literals.chain(names).filter(|code| is_code(code) && !excluded(code, not_codes)) {
                let page = page_of(&code).to_owned();
                found.entry(page.clone()).or_insert_with(|| Use { page, code, path: text.path.clone(), line });
            }
        }
    }
    found.into_values().collect()
}

/// The page that explains `code`.
fn page_of(code: &str) -> &str {
    match code.split_once('_') {
        Some(("HTTP", status)) if status.bytes().all(|b| b.is_ascii_digit()) => "HTTP_STATUS",
        Some(("USER", _)) => "USER",
        _ => code,
    }
}

fn produces(text: &Text) -> bool {
    let product = text.path.starts_with("crates/") || text.path.starts_with("packs/");
    product && text.is("rs") && text.path.contains("/src/") && !text.path.contains("/tests/") && !text.path.ends_with("/tests.rs")
}

/// Lines that are no comments, up to the file's test module.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let is_test_module = |pair: &[&str]| pair[0].starts_with("#[cfg(test)]") && pair[1].contains("mod ") && pair[1].ends_with('{');
    let end = lines.windows(2).position(is_test_module).unwrap_or(lines.len());
    lines.into_iter().take(end).enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.starts_with("//"))
}

/// What stands between two quotes with nothing but code characters in it.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices('"').filter(|(at, _)| !line[..*at].ends_with('\\')).filter_map(|(at, _)| {
        let rest = &line[at + 1..];
        let end = rest.find(|c: char| !is_code_char(c))?;
        rest[end..].starts_with('"').then_some(&rest[..end])
    })
}

fn is_code(word: &str) -> bool {
    word.len() >= SHORTEST && word.starts_with(|c: char| c.is_ascii_uppercase()) && !word.ends_with('_')
}

fn is_code_char(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'
}

fn excluded(code: &str, not_codes: &str) -> bool {
    not_codes.lines().any(|line| match line.strip_suffix('*') {
        Some(start) => code.starts_with(start),
        None => line == code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_from_the_list_and_from_literals() {
        let list = "//! Codes.\ncodes!(\n    TIMEOUT, TLS_FAILED,\n    INTERNAL,\n);\nconst OTHER_NAME: u8 = 1;\n";
        let uses = "//! Uses.\n// \"IN_COMMENT\"\nProblem::new(\n    \"CYCLE\", x);\nlet a = [\"HTTP_401\", \"USER_X\", \"HTTP_\", \"GET\", \"MAINSPRING_DATA\"];\n\
                    let json = \"{\\\"ESCAPED\\\": 1}\";\n#[cfg(test)]\nmod tests {\n \"IN_TEST\"\n}\n";
        let text = |path: &str, text: &str| Text { path: path.into(), text: text.into() };
        let texts =
            [text("crates/model/src/fault.rs", list), text("crates/a/src/b.rs", uses), text("crates/a/tests/main.rs", "\"NOT_HERE\"")];
        let found: Vec<_> = collect(&texts, "# why\nMAINSPRING_*\n").into_iter().map(|u| (u.page, u.path, u.line)).collect();
        let (list, uses) = ("crates/model/src/fault.rs".to_owned(), "crates/a/src/b.rs".to_owned());
        let expected = [
            ("CYCLE", &uses, 4),
            ("HTTP_STATUS", &uses, 5),
            ("INTERNAL", &list, 4),
            ("TIMEOUT", &list, 3),
            ("TLS_FAILED", &list, 3),
            ("USER", &uses, 5),
        ];
        assert_eq!(found, expected.map(|(page, path, line)| (page.to_owned(), path.clone(), line)));
    }
}
