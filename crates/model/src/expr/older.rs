//! The older spelling `{{path}}` of `${path}`.

use super::parse::Expr;
use super::reference::ReferenceKind;
use super::segment::{Segment, segments};

/// The longest `{{…}}` that is looked into, in bytes.
const MAX_INNER: usize = 1024;

/// `text` with every `{{path}}` that parses, and whose names are in scope, written `${path}`. Other `{{…}}` stays as it is.
/// `None` when nothing changes. `steps` is given to `root_in_scope` like any other name.
pub fn normalise(text: &str, root_in_scope: &dyn Fn(&str) -> bool) -> Option<String> {
    rewrite(text, &|inner| {
        let expr = Expr::parse(inner).ok()?;
        let known = expr.references().iter().all(|reference| match &reference.kind {
            ReferenceKind::Root(name) => root_in_scope(name),
            ReferenceKind::Step(..) => root_in_scope("steps"),
        });
        (known && !expr.references().is_empty()).then(|| inner.to_owned())
    })
}

/// `text` with every `{{inner}}` for which `new` gives an expression written `${expression}`; what `new` refuses stays as it is.
/// `inner` comes without white space around it. `None` when nothing changes.
pub fn rewrite(text: &str, new: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if !text.contains("{{") {
        return None;
    }
    // an unclosed `${` is reported where the template is parsed
    let found = segments(text).ok()?;
    let mut made = String::with_capacity(text.len());
    let mut changed = false;
    for segment in &found {
        match segment {
            Segment::Expr { start, end } => made.push_str(&text[start - 2..end + 1]),
            Segment::Text { start, end, .. } => changed |= rewrite_plain(&text[*start..*end], new, &mut made),
        }
    }
    changed.then_some(made)
}

fn rewrite_plain(text: &str, new: &dyn Fn(&str) -> Option<String>, made: &mut String) -> bool {
    let mut changed = false;
    let mut rest = text;
    while let Some(close) = rest.find("}}") {
        // the innermost pair: an opening further left would hold another opening
        let found = rest[..close].rfind("{{").filter(|open| close - open <= MAX_INNER);
        // `$${{…}}` is a plain `${` followed by text
        let found = found.filter(|open| !rest[..*open].ends_with('$'));
        let expression = found.and_then(|open| Some((open, new(rest[open + 2..close].trim())?)));
        match expression {
            Some((open, expression)) => {
                made.push_str(&rest[..open]);
                made.push_str("${");
                made.push_str(&expression);
                made.push('}');
                changed = true;
            }
            None => made.push_str(&rest[..close + 2]),
        }
        rest = &rest[close + 2..];
    }
    made.push_str(rest);
    changed
}
