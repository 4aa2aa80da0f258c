//! Compiles the expressions and templates of a document, with every problem at its place.

use serde_json::Value;

use super::problems::Problems;
use super::references::{self, Known};
use super::surroundings::Site;
use crate::expr::{self, Expr, PathPart, Reference, ReferenceKind, Template};
use crate::value::pointer_join;

/// Compiles within one plan. Remembers whether anything that it compiled since the last question reads `now()` and the like.
pub(crate) struct Compiler<'p, 'd> {
    pub known: Known<'p, 'd>,
    pub reads_now: bool,
    /// Anything of the plan reads `run.previous`, or `run` as a whole.
    pub reads_previous: bool,
}

impl Compiler<'_, '_> {
    /// An expression field.
    pub(crate) fn expr(
        &mut self,
        value: &Value,
        pointer: &str,
        site: Site<'_>,
        extra: &[&str],
        problems: &mut Problems<'_>,
    ) -> Option<Expr> {
        match expr::field(value) {
            Ok(expr) => {
                let text = value.as_str().unwrap_or_default();
                for reference in expr.references() {
                    references::check(&self.known, site, extra, reference, pointer, text, problems);
                }
                self.reads_previous |= expr.references().iter().any(reads_previous);
                self.reads_now |= expr.uses_ambient();
                Some(expr)
            }
            Err(found) => {
                for problem in found {
                    problems.push_expr(pointer, problem);
                }
                None
            }
        }
    }

    /// A template field.
    pub(crate) fn template(
        &mut self,
        value: &Value,
        pointer: &str,
        site: Site<'_>,
        extra: &[&str],
        problems: &mut Problems<'_>,
    ) -> Option<Template> {
        match Template::parse(value, pointer) {
            Ok(template) => {
                for (inner, reference) in template.references() {
                    let text = value.pointer(&inner).and_then(Value::as_str).unwrap_or_default();
                    references::check(&self.known, site, extra, reference, &format!("{pointer}{inner}"), text, problems);
                }
                self.reads_previous |= template.references().any(|(_, reference)| reads_previous(reference));
                self.reads_now |= template.uses_ambient();
                Some(template)
            }
            Err(found) => {
                for (pointer, problem) in found {
                    problems.push_expr(&pointer, problem);
                }
                self.parts(value, pointer, site, extra, problems);
                None
            }
        }
    }

    /// Of a template that does not parse, checks what the texts read that do.
    fn parts(&mut self, value: &Value, pointer: &str, site: Site<'_>, extra: &[&str], problems: &mut Problems<'_>) {
        match value {
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.parts(item, &format!("{pointer}/{place}"), site, extra, problems);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.parts(field, &pointer_join(pointer, name), site, extra, problems);
                }
            }
            Value::String(text) => {
                let parsed = Template::parse(value, "");
                for (_, reference) in parsed.iter().flat_map(Template::references) {
                    references::check(&self.known, site, extra, reference, pointer, text, problems);
                }
            }
            _ => {}
        }
    }
}

fn reads_previous(reference: &Reference) -> bool {
    let is_run = matches!(&reference.kind, ReferenceKind::Root(name) if name == "run");
    // Without a constant part it is read as a whole, or by a key that is computed.
    is_run && reference.path.first().is_none_or(|part| *part == PathPart::Key("previous".to_owned()))
}
