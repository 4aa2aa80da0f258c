//! What fuzzing starts from: the expressions and documents of the plan format's page, of the example plans and of the model's tests.
//!
//! Knows only the standard library, because `cargo x fuzz` writes the same seeds into files for libFuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Longer texts are documents or tables of their own; a fuzzer only loses time on them.
const LONGEST: usize = 2_000;

/// Texts that may be expressions, most of them are. `root` is the root of the checkout.
pub fn expressions(root: &Path) -> io::Result<Vec<String>> {
    let mut found = BTreeSet::new();
    for file in [&[root.join("docs/plan-format.md")][..], &files(&root.join("plans"), "yaml")?].concat() {
        let text = fs::read_to_string(&file)?;
        found.extend(between(&text, "`", "`"));
        found.extend(between(&text, "${", "}"));
        found.extend(between(&text, "${", "}").map(|inner| format!("${{{inner}}} and {{{{{inner}}}}}")));
        found.extend(between(&text, "if: ", "\n"));
    }
    for file in files(&root.join("crates/model/tests/expr"), "rs")? {
        found.extend(literals(&fs::read_to_string(&file)?));
    }
    Ok(found.into_iter().filter(|text| !text.trim().is_empty() && text.len() <= LONGEST).collect())
}

/// Texts that are plans, or wrong in a way that somebody thought of.
pub fn documents(root: &Path) -> io::Result<Vec<String>> {
    let mut found = BTreeSet::new();
    let page = fs::read_to_string(root.join("docs/plan-format.md"))?;
    found.extend(between(&page, "```yaml\n", "```"));
    for file in files(&root.join("plans"), "yaml")? {
        found.insert(fs::read_to_string(&file)?);
    }
    for file in files(&root.join("crates/model/tests/plan"), "rs")? {
        found.extend(literals(&fs::read_to_string(&file)?).into_iter().filter(|text| text.contains("steps") || text.contains("action")));
    }
    Ok(found.into_iter().filter(|text| text.len() <= 2 * LONGEST).collect())
}

/// Texts that are schedules, or nearly.
pub fn schedules(root: &Path) -> io::Result<Vec<String>> {
    let mut found = BTreeSet::new();
    for file in files(&root.join("crates/model/tests"), "rs")?.into_iter().chain(files(&root.join("crates/model/src/cron"), "rs")?) {
        let literals = literals(&fs::read_to_string(&file)?);
        found.extend(
            literals.into_iter().filter(|text| text.starts_with('@') || text.split(' ').count() == 5 || text.split(' ').count() == 6),
        );
    }
    let more = [
        "0 9 * * MON-FRI",
        "*/5 * * * *",
        "0 0 29 2 *",
        "@daily",
        "0 0 1,15 * ?",
        "30 2 * * SUN#1",
        "0 0 L * *",
        "59 59 23 31 12 *",
        "Europe/Berlin",
    ];
    found.extend(more.map(str::to_owned));
    Ok(found.into_iter().filter(|text| text.len() <= 200).collect())
}

/// Rows of journals, one of each kind.
pub fn journals(_: &Path) -> io::Result<Vec<String>> {
    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    let bodies = [
        r#""kind":"started","path":"a","attempt":1,"now":5,"once":true"#,
        r#""kind":"attempted","path":"a[3].b","attempt":2,"status":"retrying","provider":"http","action":"get","latency_us":12,"error":{"code":"HTTP_503","class":"transient","message":"m","retryable":true,"effect":"sent","retry_after_ms":7},"retry_at":9"#,
        r#""kind":"attempted","path":"a","attempt":1,"status":"success","provider":"t","action":"x","step_number":0,"latency_us":0,"port":"yes","output":{"n":[1.5,-2,null,"é"]},"message":"m","metadata":{"k":1},"beside":["b"],"mark":"respond""#,
        r#""kind":"attempted","path":"a","attempt":1,"status":"success","provider":"t","action":"x","latency_us":0,"blob":{"sha256":"00","size":9,"preview":"p"}"#,
        r#""kind":"skipped","path":"a""#,
        r#""kind":"opened","path":"a","attempt":1,"items":3"#,
        r#""kind":"waiting","path":"a","attempt":1,"until":9"#,
        r#""kind":"body_failed","path":"a","attempt":1,"error":{"code":"X","class":"input","message":"m","retryable":false,"effect":"unsent"},"retry_at":null"#,
        r#""kind":"body_timed_out","path":"a","attempt":1"#,
        r#""kind":"pass","path":"a","index":2,"value":9007199254740993"#,
        r#""kind":"closed","path":"a""#,
        r#""kind":"cancel_requested","by":"me""#,
        r#""kind":"timed_out","limit":"deadline""#,
    ];
    let called = format!(r#"{{"seq":1,"at":2,"kind":"called","path":"a","attempt":1,"child":"{ID}"}}"#);
    Ok(bodies.iter().map(|body| format!(r#"{{"seq":1,"at":2,{body}}}"#)).chain([called]).collect())
}

fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn between<'t>(text: &'t str, open: &'t str, close: &'t str) -> impl Iterator<Item = String> + 't {
    let mut rest = text;
    std::iter::from_fn(move || {
        let from = rest.find(open)? + open.len();
        let length = rest[from..].find(close)?;
        let found = rest[from..from + length].to_owned();
        rest = &rest[from + length + close.len()..];
        Some(found)
    })
}

/// The string literals of a Rust source, near enough: a comment's quotes only make a seed more.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.peek() == Some(&'"') => drop(chars.next()),
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match c {
                        '\\' => match chars.next() {
                            Some('n') => text.push('\n'),
                            Some('t') => text.push('\t'),
                            Some('0') => text.push('\0'),
                            // A literal that goes on in the next line.
                            Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                            Some(other) => text.push(other),
                            None => break,
                        },
                        c => text.push(c),
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}
