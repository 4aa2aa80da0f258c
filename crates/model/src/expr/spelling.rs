//! Other languages' spellings and JavaScript outside the subset, told from the tokens alone, with what to write instead.

use super::problem::{ExprProblem, SYNTAX, UNSUPPORTED};
use super::token::{Kind, Token};

/// Words that begin or belong to statements; refusing them here also keeps the parser out of its statement code.
const STATEMENTS: [&str; 32] = [
    "if", "else", "for", "while", "do", "switch", "case", "try", "catch", "finally", "throw", "return", "var", "let", "const", "import",
    "export", "with", "debugger", "super", "break", "continue", "function", "class", "extends", "yield", "await", "enum", "void", "delete",
    "package", "static",
];

/// Template engines' filters and our spelling of them.
const FILTERS: [(&str, &str); 16] = [
    ("default", "default(x, …)"),
    ("d", "default(x, …)"),
    ("upper", "x.toUpperCase()"),
    ("lower", "x.toLowerCase()"),
    ("trim", "x.trim()"),
    ("length", "x.length"),
    ("count", "x.length"),
    ("join", "x.join(…)"),
    ("first", "x.first()"),
    ("last", "x.last()"),
    ("tojson", "JSON.stringify(x)"),
    ("json", "JSON.stringify(x)"),
    ("replace", "x.replaceAll(…)"),
    ("round", "round(x)"),
    ("int", "parseInt(x)"),
    ("float", "Number(x)"),
];

fn ends_operand(text: &str, token: Option<&Token>) -> bool {
    token.is_some_and(|token| match token.kind {
        Kind::Word => !matches!(token.text(text), "in" | "and" | "or" | "not" | "typeof" | "instanceof"),
        Kind::Number | Kind::DotIndex | Kind::Text | Kind::Template { hole: false, .. } => true,
        Kind::Punct => matches!(token.text(text), ")" | "]" | "}"),
        _ => false,
    })
}

fn starts_operand(text: &str, token: Option<&Token>) -> bool {
    token.is_some_and(|token| match token.kind {
        Kind::Word => token.text(text) != "in",
        Kind::Number | Kind::Text | Kind::Template { opens: true, .. } => true,
        Kind::Punct => matches!(token.text(text), "(" | "[" | "{" | "!" | "-"),
        _ => false,
    })
}

/// What is wrong with the word at `at`, if anything.
pub(super) fn word(text: &str, tokens: &[Token], at: usize) -> Option<ExprProblem> {
    let before = at.checked_sub(1).map(|i| &tokens[i]);
    let after = tokens.get(at + 1);
    let (left, right) = (before.map_or("", |t| t.text(text)), after.map_or("", |t| t.text(text)));
    let is_field_name = matches!(left, "." | "?.") || (right == ":" && matches!(left, "{" | ","));
    if is_field_name {
        return None;
    }
    let problem = |code, message: &str| Some(ExprProblem::new(code, text, tokens[at].start, message));
    let (after_operand, before_operand) = (ends_operand(text, before), starts_operand(text, after));
    let word = tokens[at].text(text);
    match word {
        "and" if after_operand && before_operand => problem(SYNTAX, "`and` is written `&&`").map(|p| p.fix("&&")),
        "or" if after_operand && before_operand => problem(SYNTAX, "`or` is written `||`").map(|p| p.fix("||")),
        "not" if after_operand && right == "in" => problem(SYNTAX, "`k not in x` is written `!(k in x)`").map(|p| p.fix("!(k in x)")),
        "not" if !after_operand && before_operand => problem(SYNTAX, "`not x` is written `!x`").map(|p| p.fix("!")),
        "is" | "eq" if after_operand && before_operand => problem(SYNTAX, &format!("`{word}` is written `==`")).map(|p| p.fix("==")),
        "undefined" => problem(UNSUPPORTED, "there is no `undefined`; a value that is not there is `null`").map(|p| p.fix("null")),
        "None" | "nil" | "NULL" => problem(SYNTAX, &format!("`{word}` is written `null`")).map(|p| p.fix("null")),
        "True" | "TRUE" => problem(SYNTAX, &format!("`{word}` is written `true`")).map(|p| p.fix("true")),
        "False" | "FALSE" => problem(SYNTAX, &format!("`{word}` is written `false`")).map(|p| p.fix("false")),
        "NaN" | "Infinity" => problem(UNSUPPORTED, &format!("`{word}` is no JSON value")),
        "typeof" => problem(UNSUPPORTED, "`typeof x` is written `type(x)`").map(|p| p.fix("type(x)")),
        "instanceof" => problem(UNSUPPORTED, "there is no `instanceof`; `type(x)` tells what a value is").map(|p| p.fix("type(x)")),
        "new" if right == "Date" => {
            problem(UNSUPPORTED, "there is no `new`; the time is `now()`, and `date(x)` reads a date").map(|p| p.fix("now()"))
        }
        "new" => problem(UNSUPPORTED, "there is no `new`; values are plain JSON"),
        "this" => problem(UNSUPPORTED, "there is no `this`; name what you mean, such as `item`, `inputs` or `steps.<id>.output`"),
        _ if STATEMENTS.contains(&word) => problem(UNSUPPORTED, &format!("`{word}` cannot stand in an expression; use `? :` or methods")),
        "$json" | "$input" | "$node" => {
            let message = format!("there is no `{word}`; a step's result is `steps.<id>.output`, the current item of a loop is `item`");
            problem(SYNTAX, &message).map(|p| p.fix("steps.<id>.output"))
        }
        "$now" | "$today" => problem(SYNTAX, &format!("`{word}` is written `now()`")).map(|p| p.fix("now()")),
        "$vars" | "$env" => {
            problem(SYNTAX, &format!("there is no `{word}`; see `vars`, and `org` for the organization's")).map(|p| p.fix("vars"))
        }
        _ if word.starts_with('$') => problem(SYNTAX, &format!("there is no `{word}`; names do not begin with `$`")),
        _ => None,
    }
}

/// What is wrong with the punctuation at `at`, if anything.
pub(super) fn punct(text: &str, tokens: &[Token], at: usize) -> Option<ExprProblem> {
    let problem = |code, message: &str| Some(ExprProblem::new(code, text, tokens[at].start, message));
    let left = at.checked_sub(1).map_or("", |i| tokens[i].text(text));
    let after = tokens.get(at + 1);
    match tokens[at].text(text) {
        "|" if after.is_some_and(|t| t.kind == Kind::Word) => {
            let name = after.map_or("", |t| t.text(text));
            let ours =
                FILTERS.iter().find(|(filter, _)| *filter == name).map_or_else(|| format!("x.{name}()"), |(_, ours)| (*ours).to_owned());
            problem(SYNTAX, &format!("there are no filters; `x | {name}` is a method or a function here: `{ours}`")).map(|p| p.fix(ours))
        }
        "|" => problem(UNSUPPORTED, "there are no bit operators; `or` is `||`").map(|p| p.fix("||")),
        "&" => problem(UNSUPPORTED, "there are no bit operators; `and` is `&&`").map(|p| p.fix("&&")),
        op @ ("^" | "~" | "<<" | ">>" | ">>>") => {
            let power = if op == "^" { "; a power is `**`" } else { "" };
            problem(UNSUPPORTED, &format!("there are no bit operators{power}"))
        }
        "=" => problem(SYNTAX, "`=` would assign, and nothing can be assigned; comparing is `==`").map(|p| p.fix("==")),
        "<>" => problem(SYNTAX, "`<>` is written `!=`").map(|p| p.fix("!=")),
        "=~" => problem(SYNTAX, "`a =~ b` is written `matches(a, b)`").map(|p| p.fix("matches(a, b)")),
        "->" => problem(SYNTAX, "`->` is written `=>` in a function and `.` in a path"),
        op @ (":=" | "++" | "--" | "+=" | "-=" | "*=" | "/=" | "%=" | "&=" | "|=" | "^=" | "**=" | "<<=" | ">>=" | ">>>=" | "&&="
        | "||=" | "??=") => problem(UNSUPPORTED, &format!("`{op}` would assign, and nothing can be assigned")),
        ";" => problem(UNSUPPORTED, "an expression is one value; there are no statements, and no `;`"),
        "{" if left == "=>" => {
            let message = "the body of a function is one expression, not a block; an object as its value stands in parentheses";
            problem(UNSUPPORTED, message).map(|p| p.fix("x => ({…})"))
        }
        "{" if left == ")" => problem(UNSUPPORTED, "a block of statements cannot stand in an expression"),
        "(" if left == "?." => {
            problem(UNSUPPORTED, "`f?.()` is not part of the language; functions are always there: `f()`").map(|p| p.fix("("))
        }
        _ => None,
    }
}
