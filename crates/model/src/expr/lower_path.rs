//! Paths and calls: member chains are unrolled from their end to the name, call or value they start at.

use oxc_ast::ast::{CallExpression, ChainElement, Expression};
use oxc_span::{GetSpan, Span};
use serde_json::Value;

use super::function::{self, Function};
use super::lower::{Lower, bare};
use super::prepare::DEFAULT;
use super::problem::{SYNTAX, UNKNOWN_FIELD, UNKNOWN_FUNCTION, UNSUPPORTED};
use super::reference::{PathPart, Reference, ReferenceKind};
use super::scope::{StepField, StepKey};
use super::tree::{Access, Base, Node, Part};
use crate::problem::nearest;

/// A link of a member chain.
enum Link<'e, 'a> {
    Key(String, &'e Expression<'a>),
    Computed(&'e Expression<'a>, &'e Expression<'a>),
    Call(&'e CallExpression<'a>),
    End,
}

fn link<'e, 'a>(expression: &'e Expression<'a>) -> Link<'e, 'a> {
    match expression {
        Expression::StaticMemberExpression(member) => Link::Key(member.property.name.to_string(), &member.object),
        Expression::ComputedMemberExpression(member) => Link::Computed(&member.expression, &member.object),
        Expression::CallExpression(call) => Link::Call(call),
        _ => Link::End,
    }
}

/// The names that stand before a dot without being values.
const NAMESPACES: [&str; 6] = ["Math", "JSON", "Object", "Number", "Array", "Date"];

fn constant(namespace: &str, name: &str) -> Option<Value> {
    Some(match (namespace, name) {
        ("Math", "PI") => Value::from(std::f64::consts::PI),
        ("Math", "E") => Value::from(std::f64::consts::E),
        ("Number", "MAX_SAFE_INTEGER") => Value::from(9_007_199_254_740_991_i64),
        ("Number", "MIN_SAFE_INTEGER") => Value::from(-9_007_199_254_740_991_i64),
        _ => return None,
    })
}

impl Lower<'_> {
    /// A path or call. `guarded`: it stands in a chain with `?.`.
    pub(super) fn path(&mut self, expression: &Expression, guarded: bool) -> Node {
        self.path_before(expression, Vec::new(), guarded)
    }

    /// The path that ends in `parts`, last one first.
    fn path_before(&mut self, expression: &Expression, mut parts: Vec<Part>, guarded: bool) -> Node {
        let mut at = expression;
        loop {
            match link(at) {
                Link::Key(key, object) => {
                    parts.push(Part::Key(key));
                    at = bare(object);
                }
                Link::Computed(index, object) => {
                    parts.push(self.index(index));
                    at = bare(object);
                }
                Link::Call(call) => {
                    let node = self.call(call, guarded);
                    return self.access(Base::Node(node), parts, guarded);
                }
                Link::End => break,
            }
        }
        let span = at.span();
        match at {
            Expression::Identifier(name) => self.named(name.name.as_str(), span, parts, guarded),
            Expression::ChainExpression(chain) => {
                let inner = match &chain.expression {
                    ChainElement::CallExpression(call) => self.call(call, true),
                    ChainElement::StaticMemberExpression(member) => {
                        self.path_before(bare(&member.object), vec![Part::Key(member.property.name.to_string())], true)
                    }
                    ChainElement::ComputedMemberExpression(member) => {
                        let part = self.index(&member.expression);
                        self.path_before(bare(&member.object), vec![part], true)
                    }
                    _ => {
                        let problem = self.problem(UNSUPPORTED, span, "this is not part of the expression language");
                        self.refuse(problem)
                    }
                };
                self.access(Base::Node(Node::Guard(Box::new(inner))), parts, guarded)
            }
            _ => {
                let base = self.node(at);
                self.access(Base::Node(base), parts, guarded)
            }
        }
    }

    fn index(&mut self, index: &Expression) -> Part {
        let guards = std::mem::take(&mut self.soft);
        let node = self.node(index);
        self.soft = guards;
        match node {
            Node::Const(Value::String(key)) => Part::Key(key),
            Node::Const(Value::Number(number)) if number.is_u64() => {
                Part::Index(number.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX))
            }
            node => Part::Dynamic(node),
        }
    }

    fn access(&mut self, base: Base, reversed: Vec<Part>, guarded: bool) -> Node {
        match base {
            Base::Node(node) if reversed.is_empty() => node,
            base => Node::Access(Box::new(Access { base, parts: reversed.into_iter().rev().collect(), guarded })),
        }
    }

    fn named(&mut self, name: &str, span: Span, mut parts: Vec<Part>, guarded: bool) -> Node {
        if let Some((up, slot)) = self.local(name) {
            return self.access(Base::Local { up, slot, name: name.to_owned() }, parts, guarded);
        }
        if NAMESPACES.contains(&name) {
            let value = match parts.pop() {
                Some(Part::Key(key)) => constant(name, &key),
                _ => None,
            };
            let Some(value) = value else {
                let known: Vec<String> = function::names()
                    .filter(|known| known.starts_with(name) && known.contains('.'))
                    .map(|known| format!("{known}()"))
                    .collect();
                let problem = self
                    .problem(UNKNOWN_FUNCTION, span, format!("`{name}` is no value; its functions are called"))
                    .expected(known.join(", "));
                return self.refuse(problem);
            };
            return self.access(Base::Node(Node::Const(value)), parts, guarded);
        }
        if name == "steps" {
            return self.step(span, parts, guarded);
        }
        if function::function(name).is_some() {
            let problem = self.problem(SYNTAX, span, format!("`{name}` is a function; call it")).fix(format!("{name}()"));
            return self.refuse(problem);
        }
        self.refer(ReferenceKind::Root(name.to_owned()), span, &parts, guarded);
        self.access(Base::Root(name.to_owned()), parts, guarded)
    }

    fn step(&mut self, span: Span, mut parts: Vec<Part>, guarded: bool) -> Node {
        let key = match parts.pop() {
            Some(Part::Key(id)) => StepKey::Id(id),
            Some(Part::Index(index)) => StepKey::Index(index),
            _ => {
                let message = "`steps` is indexed by a literal only, so that what a step reads is known when the plan is saved";
                let problem =
                    self.problem(UNSUPPORTED, span, message).expected("steps.<id>.output, steps[\"<id>\"].output or steps[0].output");
                return self.refuse(problem);
            }
        };
        let label = match &key {
            StepKey::Id(id) => format!("steps.{id}"),
            StepKey::Index(index) => format!("steps[{index}]"),
        };
        let names = StepField::NAMES.map(|(name, _)| name);
        let field = match parts.pop() {
            Some(Part::Key(field)) => field,
            _ => {
                let problem = self.problem(UNKNOWN_FIELD, span, format!("`{label}` is a step, not a value; name one of its fields"));
                return self.refuse(problem.expected(names.join(", ")).fix(format!("{label}.output")));
            }
        };
        let Some((_, found)) = StepField::NAMES.iter().find(|(name, _)| *name == field) else {
            let mut problem = self.problem(UNKNOWN_FIELD, span, format!("`{label}` has no \"{field}\"")).expected(names.join(", "));
            let fix = nearest(&field, names).map_or_else(|| format!("{label}.output.{field}"), |near| format!("{label}.{near}"));
            problem = problem.fix(fix);
            return self.refuse(problem);
        };
        self.refer(ReferenceKind::Step(key.clone(), *found), span, &parts, guarded);
        self.access(Base::Step(key, *found), parts, guarded)
    }

    fn refer(&mut self, kind: ReferenceKind, span: Span, reversed: &[Part], guarded: bool) {
        let path = reversed.iter().rev().map_while(path_part).collect();
        let guarded = guarded || self.soft > 0;
        self.references.push(Reference { kind, path, guarded, offset: self.offset(span) });
    }

    /// How many functions outwards `name` is a parameter, and which one there.
    fn local(&self, name: &str) -> Option<(usize, usize)> {
        self.locals.iter().rev().enumerate().find_map(|(up, names)| names.iter().position(|known| known == name).map(|slot| (up, slot)))
    }

    fn call(&mut self, call: &CallExpression, guarded: bool) -> Node {
        if call.optional && !matches!(bare(&call.callee), Expression::StaticMemberExpression(_)) {
            let problem = self.problem(UNSUPPORTED, call.span, "`f?.()` is not part of the language; functions are always there");
            return self.refuse(problem);
        }
        match bare(&call.callee) {
            Expression::Identifier(name) if self.local(name.name.as_str()).is_some() => {
                let problem = self.problem(UNSUPPORTED, name.span, format!("`{}` is a value, not a function", name.name));
                self.refuse(problem)
            }
            Expression::Identifier(name) if name.name.as_str() == DEFAULT => self.function("default", name.span, call),
            Expression::Identifier(name) => self.function(name.name.as_str(), name.span, call),
            Expression::StaticMemberExpression(member) => {
                let method = member.property.name.as_str();
                if let Expression::Identifier(space) = bare(&member.object)
                    && NAMESPACES.contains(&space.name.as_str())
                    && self.local(space.name.as_str()).is_none()
                {
                    return self.function(&format!("{}.{method}", space.name), space.span, call);
                }
                match self.methods(method, member.property.span) {
                    Some(methods) => self.method(methods, &member.object, call, guarded),
                    None => Node::Const(Value::Null),
                }
            }
            callee => {
                let problem =
                    self.problem(UNSUPPORTED, callee.span(), "only a function or method of the language can be called, by its name");
                self.refuse(problem)
            }
        }
    }

    fn function(&mut self, name: &str, span: Span, call: &CallExpression) -> Node {
        if let Some(found) = function::function(name) {
            return self.function_call(found, call);
        }
        let mut problem = self.problem(UNKNOWN_FUNCTION, span, format!("there is no function `{name}`"));
        if let Some(methods) = function::methods(name) {
            problem =
                self.problem(UNKNOWN_FUNCTION, span, format!("`{name}` is a method: it stands after its value")).fix(methods.signature());
        } else if let Some(other) = function::foreign(name).or_else(|| nearest(name, function::names())) {
            problem = problem.fix(other);
        }
        self.refuse(problem)
    }

    fn methods(&mut self, name: &str, span: Span) -> Option<&'static function::Methods> {
        let found = function::methods(name);
        if found.is_none() {
            let mut problem = self.problem(UNKNOWN_FUNCTION, span, format!("there is no method `{name}`"));
            let as_function = function::function(name).map(|function: &'static Function| function.signature);
            if let Some(other) = function::foreign(name).or(as_function).or_else(|| nearest(name, function::method_names())) {
                problem = problem.fix(other);
            } else if name == "length" {
                problem = problem.fix("length");
            }
            self.problems.push(problem);
        }
        found
    }
}

fn path_part(part: &Part) -> Option<PathPart> {
    match part {
        Part::Key(key) => Some(PathPart::Key(key.clone())),
        Part::Index(index) => Some(PathPart::Index(*index)),
        Part::Dynamic(_) => None,
    }
}
