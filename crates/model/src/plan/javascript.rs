//! Whether a text is the body of a JavaScript function: what can be said of user code before any run.

use oxc_allocator::Allocator;
use oxc_ast::ast::Statement;
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType};

/// What a param's schema says as its `contentMediaType` when its text is such a body.
pub(crate) const MEDIA_TYPE: &str = "text/javascript";

/// Longer code is left to the run: a save must stay quick.
const MOST: usize = 1 << 20;

/// What stands around the body, as the sandbox writes it.
const BEFORE: &str = "(async function step(input) {";
const AFTER: &str = "\n})";

/// Where the text stops being one, line and column from 1 (in characters), and why. `None`: nothing is wrong with its form.
pub(crate) fn misfit(body: &str) -> Option<(u32, u32, String)> {
    if body.len() > MOST {
        return None;
    }
    let code = format!("{BEFORE}{body}{AFTER}");
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, &code, SourceType::script()).parse();
    let (offset, why) = match parsed.diagnostics.first() {
        Some(found) => (found.labels.first().map_or(0, |label| label.offset() as usize), found.message.to_string()),
        // A body that closes its function and goes on is no body, though all together may be a script.
        None => match &parsed.program.body[..] {
            [Statement::ExpressionStatement(only)] if only.span().end as usize == code.len() => return None,
            [first, ..] => (first.span().end as usize, "the function ends before its body does".to_owned()),
            [] => (0, "the function ends before its body does".to_owned()),
        },
    };
    let before = body.get(..offset.saturating_sub(BEFORE.len()).min(body.len())).unwrap_or(body);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let why = if why.starts_with("Expected") || why == "Unexpected token" { "this cannot stand here".to_owned() } else { lower(&why) };
    Some((u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX), why))
}

fn lower(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_lowercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_body_may_return_and_await() {
        for body in
            ["", "return 1", "return await input.x", "// only a comment", "let x = 08; with (input) { return y }", "return `${input.a}`"]
        {
            assert_eq!(misfit(body), None, "{body}");
        }
    }

    #[test]
    fn what_is_no_body_is_told_with_its_place() {
        let place = |body: &str| misfit(body).map(|(line, column, _)| (line, column));
        assert_eq!(place("const a = 1;\nreturn a +;"), Some((2, 11)));
        assert_eq!(place("if (x) {\n  return 1\n"), Some((3, 1)), "{:?}", misfit("if (x) {\n  return 1\n"));
        assert_eq!(place("}); (function () {"), Some((1, 4)));
        assert!(place("return (").is_some());
        assert_eq!(misfit(&"(".repeat(MOST + 1)), None, "left to the run");
    }
}
