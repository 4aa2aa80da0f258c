//! Expression fields (`if`, `until`, `for_each`, …): text that is bare or wholly one `${…}`, or true or false.

use serde_json::Value;

use super::parse::Expr;
use super::problem::{ExprProblem, SYNTAX};
use super::segment::{Segment, segments};

/// Reads an expression field.
///
/// # Errors
/// The problems of the expression; a text that mixes `${…}` with other text, and values that are neither text, true nor false.
pub fn field(value: &Value) -> Result<Expr, Vec<ExprProblem>> {
    let text = match value {
        Value::Bool(_) => return Ok(Expr::constant(value.clone())),
        Value::String(text) => text,
        other => {
            let message = format!("an expression is text, true or false; this is {}", super::words::kind(other));
            return Err(vec![ExprProblem::new(SYNTAX, "", 0, message).expected("text, true or false")]);
        }
    };
    let found = segments(text).map_err(|problem| vec![problem])?;
    let solid: Vec<&Segment> =
        found.iter().filter(|segment| !matches!(segment, Segment::Text { text, .. } if text.trim().is_empty())).collect();
    match solid.as_slice() {
        [Segment::Expr { start, end }] => {
            let parsed = Expr::parse(&text[*start..*end]);
            parsed
                .map(|expr| expr.moved(*start))
                .map_err(|problems| problems.into_iter().map(|problem| problem.moved(text, *start)).collect())
        }
        // `${` inside a bare expression belongs to a template literal
        all if all.iter().any(|segment| matches!(segment, Segment::Expr { .. })) && !text.contains('`') => {
            let bare: String = found
                .iter()
                .map(|segment| match segment {
                    Segment::Text { start, end, .. } => text[*start..*end].to_owned(),
                    Segment::Expr { start, end } => text[*start..*end].to_owned(),
                })
                .collect();
            let offset = text.find("${").unwrap_or(0);
            let message = "this field is one expression: write it bare, or wholly as one `${…}`, not a mix";
            Err(vec![ExprProblem::new(SYNTAX, text, offset, message).fix(bare.trim())])
        }
        _ => Expr::parse(text),
    }
}
