//! Before parsing: bounds on length and nesting (the parser recurses), other languages' spellings, and `.0` rewritten to `[0]`.

use super::fuel::MAX_DEPTH;
use super::problem::{ExprProblem, LIMIT, SYNTAX, UNSUPPORTED};
use super::spelling;
use super::token::{Kind, Scanner, Token};

/// The longest expression, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;

/// Text that the parser can read safely, and how its offsets lead back.
pub(crate) struct Prepared {
    pub code: String,
    /// Offsets in `code` after which one byte more has been inserted.
    inserted: Vec<usize>,
}

impl Prepared {
    /// The offset in the original text of an offset in `code`.
    pub(crate) fn original(&self, offset: usize) -> usize {
        offset - self.inserted.partition_point(|at| *at < offset)
    }
}

/// Checks the tokens of `text`; all problems at once.
pub(crate) fn prepare(text: &str) -> Result<Prepared, Vec<ExprProblem>> {
    if text.len() > MAX_LENGTH {
        let message = format!("the expression is {} bytes long; at most {MAX_LENGTH} are read", text.len());
        return Err(vec![ExprProblem::new(LIMIT, text, 0, message)]);
    }
    let tokens: Vec<Token> = Scanner::new(text, 0).collect();
    if tokens.is_empty() {
        return Err(vec![ExprProblem::new(SYNTAX, text, 0, "the expression is empty")]);
    }
    let mut problems: Vec<ExprProblem> = (0..tokens.len()).filter_map(|at| token_problem(text, &tokens, at)).collect();
    problems.extend(nesting_problem(text, &tokens));
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.offset);
        problems.dedup_by_key(|problem| problem.offset);
        problems.truncate(MAX_PROBLEMS);
        return Err(problems);
    }
    Ok(rewritten(text, &tokens))
}

/// What the parser sees in place of `default`, a reserved word; no name of an author's begins with `$`.
pub(super) const DEFAULT: &str = "$efault";

fn rewritten(text: &str, tokens: &[Token]) -> Prepared {
    let (mut code, mut inserted, mut copied) = (String::with_capacity(text.len() + 8), Vec::new(), 0);
    for (i, token) in tokens.iter().enumerate() {
        let word = token.text(text);
        let next_to =
            |at: Option<usize>, words: &[&str]| at.and_then(|at| tokens.get(at)).is_some_and(|token| words.contains(&token.text(text)));
        if token.kind == Kind::DotIndex {
            code.push_str(&text[copied..token.start]);
            code.push('[');
            code.push_str(&word[1..]);
            inserted.push(code.len());
            code.push(']');
        } else if word == "default" && next_to(Some(i + 1), &["("]) && !next_to(i.checked_sub(1), &[".", "?."]) {
            code.push_str(&text[copied..token.start]);
            code.push_str(DEFAULT);
        } else {
            continue;
        }
        copied = token.end;
    }
    code.push_str(&text[copied..]);
    Prepared { code, inserted }
}

/// As many problems as help; a text in another language has hundreds.
pub(crate) const MAX_PROBLEMS: usize = 20;

fn token_problem(text: &str, tokens: &[Token], at: usize) -> Option<ExprProblem> {
    let token = &tokens[at];
    let problem = |code, message: &str| ExprProblem::new(code, text, token.start, message);
    let word = token.text(text);
    match token.kind {
        Kind::Comment => Some(problem(UNSUPPORTED, "a comment cannot stand in an expression; `notes` of the step is the place for it")),
        Kind::Unclosed => Some(problem(
            SYNTAX,
            match word.as_bytes()[0] {
                b'/' => "this is never closed",
                b'`' | b'}' => "this template literal is never closed",
                _ => "this text is never closed",
            },
        )),
        Kind::Stray => Some(problem(SYNTAX, &format!("{word:?} cannot stand here"))),
        Kind::Regex => {
            let body = word[1..].rsplit_once('/').map_or("", |(body, _)| body);
            let flags = word.rsplit('/').next().unwrap_or_default();
            let pattern = serde_json::to_string(body).expect("text is JSON");
            let fix = if flags.is_empty() { format!("matches(text, {pattern})") } else { format!("matches(text, {pattern}, \"{flags}\")") };
            Some(
                problem(UNSUPPORTED, "there are no regular-expression literals; a pattern is text, given to matches(text, pattern, flags)")
                    .fix(fix),
            )
        }
        Kind::Word => spelling::word(text, tokens, at),
        Kind::Punct => spelling::punct(text, tokens, at),
        Kind::Number | Kind::DotIndex | Kind::Text | Kind::Template { .. } => None,
    }
}

/// Bounds everything on which a recursive-descent parser recurses: brackets, and within one bracket the operators that
/// group from the right (`? :`, `=>`, `**`, `=`) and runs of prefix operators.
fn nesting_problem(text: &str, tokens: &[Token]) -> Option<ExprProblem> {
    let problem = |offset, message: String| Some(ExprProblem::new(SYNTAX, text, offset, message));
    let mut outer: Vec<(usize, usize, Token)> = Vec::new();
    let (mut depth, mut base, mut prefixes, mut operand) = (0, 0, 0, false);
    for token in tokens {
        let word = token.text(text);
        let bracket = |set: &[&str]| token.kind == Kind::Punct && set.contains(&word);
        if token.kind == (Kind::Template { opens: true, hole: true }) || bracket(&["(", "[", "{"]) {
            outer.push((base, depth, *token));
            base = depth + prefixes + 1;
            (depth, prefixes, operand) = (base, 0, false);
        } else if token.kind == (Kind::Template { opens: false, hole: false }) || bracket(&[")", "]", "}"]) {
            // the parser sees the text in parentheses of its own, which must not pair with brackets of the text
            let opened = outer.pop().filter(|(.., opened)| closing(opened.text(text)) == closing(word));
            let Some((outer_base, outer_depth, _)) = opened else {
                return problem(token.start, format!("this {word:?} closes nothing"));
            };
            (base, depth) = (outer_base, outer_depth);
            (prefixes, operand) = (0, true);
        } else if token.kind == (Kind::Template { opens: false, hole: true }) {
            (depth, prefixes, operand) = (base, 0, false);
        } else if token.kind == Kind::Punct || (token.kind == Kind::Word && word == "in") {
            match word {
                "," => depth = base,
                "?" | "=>" | "**" => depth += 1,
                "!" | "-" | "+" | "..." if !operand => prefixes += 1,
                _ => {}
            }
            operand = false;
        } else {
            (prefixes, operand) = (0, true);
        }
        if depth + prefixes > MAX_DEPTH {
            let message = format!("the expression nests deeper than {MAX_DEPTH}; split it over several steps or `vars`");
            return Some(ExprProblem::new(LIMIT, text, token.start, message));
        }
    }
    let (.., opened) = outer.pop()?;
    problem(opened.start, format!("this {:?} is never closed", opened.text(text)))
}

/// The bracket that closes what `bracket` opens, or `bracket` itself when it closes; a template literal's hole closes with `}`.
fn closing(bracket: &str) -> char {
    match bracket.as_bytes()[0] {
        b'(' | b')' => ')',
        b'[' | b']' => ']',
        b'{' => '{',
        b'`' => '}',
        _ if bracket.len() == 1 => '{',
        _ => '}',
    }
}
