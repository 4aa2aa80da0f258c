//! Problems of a document as a compiler shows them: file, line and column, the source line with a mark, and the fix.

use mainspring_model::Problem;

use super::document::Document;
use super::terminal::Style;
use super::text::{plain, plural};

pub(crate) fn counted(problems: usize) -> String {
    plural(problems, "problem")
}

/// All of them, each with its place. Without a document they have only their pointers.
pub(crate) fn render(document: Option<&Document>, problems: &[Problem], style: Style, width: usize) -> String {
    let lines: Vec<&str> = document.map(|document| document.text.lines().collect()).unwrap_or_default();
    problems.iter().map(|problem| one(document.map(|document| document.name.as_str()), &lines, problem, style, width)).collect()
}

fn one(name: Option<&str>, lines: &[&str], problem: &Problem, style: Style, width: usize) -> String {
    let place = match (name, problem.line, problem.column) {
        (Some(name), Some(line), column) => format!("{name}:{line}:{}: ", column.unwrap_or(1)),
        (Some(name), ..) if problem.pointer.is_empty() => format!("{name}: "),
        (Some(name), ..) => format!("{name}: {}: ", problem.pointer),
        (None, ..) if problem.pointer.is_empty() => String::new(),
        (None, ..) => format!("{}: ", problem.pointer.trim_start_matches('/').replace('/', ".")),
    };
    let mut text = format!("{}{}: {}\n", style.bold(&plain(&place)), style.red(&problem.code), plain(&problem.message));
    let number = problem.line.map(|line| line.to_string()).unwrap_or_default();
    let gutter = " ".repeat(number.len());
    if let Some(source) = problem.line.and_then(|line| lines.get(line as usize - 1)) {
        let column = problem.column.unwrap_or(1).max(1) as usize - 1;
        let (shown, at, length) = window(source, column, width.saturating_sub(number.len() + 4).max(20));
        text.push_str(&format!("{}{shown}\n", style.dim(&format!("{number} | "))));
        text.push_str(&format!("{}{}{}\n", style.dim(&format!("{gutter} | ")), " ".repeat(at), style.red(&"^".repeat(length))));
    }
    if let Some(expected) = problem.expected.as_deref().filter(|expected| !problem.message.contains(*expected)) {
        text.push_str(&format!("{} {} {}\n", gutter, style.dim("= expected:"), plain(expected)));
    }
    if let Some(fix) = &problem.fix {
        text.push_str(&format!("{} {} {}\n", gutter, style.green("= write:"), plain(fix)));
    }
    text
}

/// The part of a line around `column` that fits, where the column is in it, and how much to underline.
fn window(source: &str, column: usize, most: usize) -> (String, usize, usize) {
    let chars: Vec<char> = source.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let column = column.min(chars.len());
    let word = chars[column..].iter().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$')).count().max(1);
    let start = if chars.len() <= most { 0 } else { column.saturating_sub(most / 2).min(chars.len() - most) };
    let end = chars.len().min(start + most);
    let shown: String = chars[start..end].iter().collect();
    let at = column - start;
    (plain(shown.trim_end()).into_owned(), at, word.min((end - start).saturating_sub(at)).max(1))
}

/// A note about an earlier document.
pub(crate) fn note(name: &str, note: &str, style: Style) -> String {
    format!("{}: {}: {}\n", style.bold(name), style.yellow("note"), plain(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_and_the_fix() {
        let text = "name: Pay\nsteps:\n\t- {id: a, parms: {url: x}}\n".to_owned();
        let document = Document { name: "pay.yaml".into(), text };
        let problems = [
            Problem::new("UNKNOWN_FIELD", "/steps/0/parms", "there is no field \"parms\"")
                .at(3, 12)
                .expected("one of params, needs")
                .fix("params"),
            Problem::new("MISSING_FIELD", "", "a plan needs a \"name\"").expected("name"),
            Problem::new("INVALID_VALUE", "/name", "text with \u{1b}[2J"),
        ];
        insta::assert_snapshot!(render(Some(&document), &problems, Style::default(), 80), @r#"
        pay.yaml:3:12: UNKNOWN_FIELD: there is no field "parms"
        3 |  - {id: a, parms: {url: x}}
          |            ^^^^^
          = expected: one of params, needs
          = write: params
        pay.yaml: MISSING_FIELD: a plan needs a "name"
        pay.yaml: /name: INVALID_VALUE: text with �[2J
        "#);
    }

    #[test]
    fn inputs_are_named_without_a_file() {
        let problems = [Problem::new("INVALID_INPUT", "/inputs/amount", "\"amount\" is missing")];
        assert_eq!(render(None, &problems, Style::default(), 80), "inputs.amount: INVALID_INPUT: \"amount\" is missing\n");
    }

    #[test]
    fn a_long_line_is_shown_around_its_problem() {
        let source = format!("{}target{}", "a ".repeat(60), " b".repeat(60));
        let (shown, at, length) = window(&source, 120, 40);
        assert_eq!((shown.chars().skip(at).take(length).collect::<String>(), shown.chars().count() <= 40), ("target".to_owned(), true));
        assert_eq!(window("", 5, 40), (String::new(), 0, 1));
    }
}
