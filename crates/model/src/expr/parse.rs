//! An expression: its text, its tree, and what it reads.

use oxc_allocator::Allocator;
use oxc_parser::{ParseOptions, Parser};
use oxc_span::SourceType;

use super::lower::Lower;
use super::prepare::{MAX_PROBLEMS, prepare};
use super::problem::{ExprProblem, SYNTAX};
use super::reference::Reference;
use super::tree::{Access, Base, Node, Part};

/// A checked expression, ready to be evaluated any number of times.
#[derive(Clone, Debug)]
pub struct Expr {
    source: String,
    pub(super) node: Node,
    references: Vec<Reference>,
    ambient: bool,
}

impl Expr {
    /// Reads an expression, without its `${` and `}`.
    ///
    /// # Errors
    /// Everything that is wrong with the text, in the order of its places. Offsets count from the start of `text`.
    pub fn parse(text: &str) -> Result<Expr, Vec<ExprProblem>> {
        let prepared = prepare(text)?;
        // In parentheses, as the plan format says: a `{` begins an object.
        let code = format!("({})", prepared.code);
        let back = |offset: usize| prepared.original(offset.saturating_sub(1).min(prepared.code.len()));
        let allocator = Allocator::default();
        let options = ParseOptions { preserve_parens: true, ..ParseOptions::default() };
        let parsed = Parser::new(&allocator, &code, SourceType::mjs()).with_options(options).parse_expression();
        let tree = parsed.map_err(|found| {
            let mut problems: Vec<ExprProblem> = found
                .iter()
                .map(|diagnostic| {
                    let label = diagnostic.labels.first();
                    let offset = label.map_or(0, |label| back(label.offset() as usize));
                    ExprProblem::new(SYNTAX, text, offset, syntax_message(&diagnostic.message, text, offset))
                })
                .collect();
            problems.truncate(MAX_PROBLEMS);
            problems
        })?;
        let mut lower = Lower::new(text, &back);
        let node = lower.node(&tree);
        if !lower.problems.is_empty() {
            let mut problems = lower.problems;
            problems.sort_by_key(|problem| problem.offset);
            problems.truncate(MAX_PROBLEMS);
            return Err(problems);
        }
        Ok(Expr { source: text.to_owned(), node, references: lower.references, ambient: lower.ambient })
    }

    /// An expression that is always `value`; its source is the value's JSON.
    pub fn constant(value: serde_json::Value) -> Expr {
        Expr { source: value.to_string(), node: Node::Const(value), references: Vec::new(), ambient: false }
    }

    /// A part of another expression.
    pub(super) fn of_node(node: Node) -> Expr {
        Expr { source: String::new(), node, references: Vec::new(), ambient: false }
    }

    /// The text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What is read from outside, in the order of the text; parameters of arrow functions are not listed.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Whether it calls `now()`, `uuid()`, `random()` or their like.
    pub fn uses_ambient(&self) -> bool {
        self.ambient
    }

    /// Whether it gives the same value whatever is in scope.
    pub fn is_constant(&self) -> bool {
        self.references.is_empty() && !self.ambient
    }

    /// The value of an expression that is a single literal (`5`, `'text'`, `true`); lists and objects are not looked into.
    pub fn literal(&self) -> Option<&serde_json::Value> {
        match &self.node {
            Node::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it is nothing but a path with constant parts, such as `steps.a.output.items[0]`.
    pub fn is_path(&self) -> bool {
        let node = if let Node::Guard(inner) = &self.node { inner } else { &self.node };
        let Node::Access(access) = node else { return false };
        let Access { base, parts, .. } = &**access;
        matches!(base, Base::Root(_) | Base::Step(..)) && !parts.iter().any(|part| matches!(part, Part::Dynamic(_)))
    }

    pub(crate) fn moved(mut self, by: usize) -> Expr {
        for reference in &mut self.references {
            reference.offset += by;
        }
        self
    }
}

/// The parser's message in our words, where it has a common cause.
fn syntax_message(message: &str, text: &str, offset: usize) -> String {
    let rest = text.get(offset..).unwrap_or_default();
    if rest.trim().is_empty() || (message.starts_with("Expected") && offset >= text.trim_end().len()) {
        return "the expression ends too early".to_owned();
    }
    let shown: String = rest.chars().take(20).take_while(|c| *c != '\n').collect();
    if message == "Unexpected token" || message.starts_with("Expected") {
        return format!("this cannot stand here: {shown:?}");
    }
    let mut words = message.to_owned();
    if let Some(first) = words.get_mut(0..1) {
        first.make_ascii_lowercase();
    }
    words
}
