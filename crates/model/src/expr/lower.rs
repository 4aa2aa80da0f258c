//! From the parser's tree to ours: whatever is not in the subset is refused here with the right spelling.

use oxc_ast::ast::{ArrayExpressionElement, Expression, NumericLiteral, ObjectPropertyKind, PropertyKey, PropertyKind, TemplateLiteral};
use oxc_span::{GetSpan, Span};
use oxc_syntax::operator::{BinaryOperator, LogicalOperator, UnaryOperator};
use serde_json::Value;

use super::fuel::MAX_DEPTH;
use super::problem::{ExprProblem, LIMIT, SYNTAX, UNSUPPORTED};
use super::reference::Reference;
use super::tree::{Entry, Item, Node, Operator, Piece};

pub(super) struct Lower<'p> {
    pub(super) text: &'p str,
    back: &'p dyn Fn(usize) -> usize,
    pub(super) problems: Vec<ExprProblem>,
    pub(super) references: Vec<Reference>,
    pub(super) ambient: bool,
    /// Parameter names of the arrow functions around, innermost last.
    pub(super) locals: Vec<Vec<String>>,
    /// Greater than zero under `??` or `default()`.
    pub(super) soft: u32,
    depth: usize,
}

impl<'p> Lower<'p> {
    pub(super) fn new(text: &'p str, back: &'p dyn Fn(usize) -> usize) -> Lower<'p> {
        Lower { text, back, problems: Vec::new(), references: Vec::new(), ambient: false, locals: Vec::new(), soft: 0, depth: 0 }
    }

    pub(super) fn offset(&self, span: Span) -> usize {
        (self.back)(span.start as usize)
    }

    pub(super) fn problem(&self, code: &'static str, span: Span, message: impl Into<String>) -> ExprProblem {
        ExprProblem::new(code, self.text, self.offset(span), message)
    }

    /// Notes a problem and gives a stand-in, so that the rest is still checked.
    pub(super) fn refuse(&mut self, problem: ExprProblem) -> Node {
        self.problems.push(problem);
        Node::Const(Value::Null)
    }

    fn unsupported(&mut self, span: Span, message: &str) -> Node {
        let problem = self.problem(UNSUPPORTED, span, message);
        self.refuse(problem)
    }

    pub(super) fn node(&mut self, expression: &Expression) -> Node {
        self.deeper(expression, Lower::any)
    }

    /// One level down with `lower`, within the bound.
    pub(super) fn deeper(&mut self, expression: &Expression, lower: fn(&mut Self, &Expression) -> Node) -> Node {
        if self.depth == MAX_DEPTH {
            let message = format!("the expression nests deeper than {MAX_DEPTH}; split it over several steps or `vars`");
            let problem = self.problem(LIMIT, expression.span(), message);
            return self.refuse(problem);
        }
        self.depth += 1;
        let node = lower(self, bare(expression));
        self.depth -= 1;
        node
    }

    fn any(&mut self, expression: &Expression) -> Node {
        let span = expression.span();
        match expression {
            Expression::NullLiteral(_) => Node::Const(Value::Null),
            Expression::BooleanLiteral(literal) => Node::Const(Value::Bool(literal.value)),
            Expression::NumericLiteral(literal) => self.number(literal),
            Expression::StringLiteral(literal) if literal.lone_surrogates => self.surrogate(span),
            Expression::StringLiteral(literal) => Node::Const(Value::String(literal.value.to_string())),
            Expression::TemplateLiteral(literal) => self.template(literal),
            Expression::ArrayExpression(list) => {
                let items = list.elements.iter().map(|element| match element {
                    ArrayExpressionElement::SpreadElement(spread) => Item::Spread(self.node(&spread.argument)),
                    ArrayExpressionElement::Elision(hole) => Item::One(self.unsupported(hole.span, "a list has no holes; write `null`")),
                    element => Item::One(self.node(element.to_expression())),
                });
                Node::List(items.collect())
            }
            Expression::ObjectExpression(object) => Node::Object(object.properties.iter().map(|property| self.entry(property)).collect()),
            Expression::UnaryExpression(unary) => match unary.operator {
                UnaryOperator::LogicalNot => Node::Not(Box::new(self.node(&unary.argument))),
                UnaryOperator::UnaryNegation => match bare(&unary.argument) {
                    Expression::NumericLiteral(literal) => negative(self.number(literal)),
                    _ => Node::Negate(Box::new(self.node(&unary.argument))),
                },
                UnaryOperator::UnaryPlus => Node::Same(Box::new(self.node(&unary.argument))),
                _ => self.unsupported(span, &format!("`{}` is not part of the language", unary.operator.as_str())),
            },
            Expression::BinaryExpression(_) | Expression::LogicalExpression(_) => self.fold(expression),
            Expression::ConditionalExpression(_) => self.choose(expression),
            Expression::ArrowFunctionExpression(_) => {
                self.unsupported(span, "a function can stand only as an argument of a method that takes one, such as `list.map(x => x.id)`")
            }
            Expression::SequenceExpression(_) => self.unsupported(span, "there is no comma operator; a list is written `[a, b]`"),
            Expression::AssignmentExpression(_) | Expression::UpdateExpression(_) => {
                self.unsupported(span, "nothing can be assigned; comparing is `==`")
            }
            Expression::BigIntLiteral(literal) => {
                let problem = self
                    .problem(UNSUPPORTED, span, "integers are written without `n`; they are exact to 64 bits")
                    .fix(literal.value.to_string());
                self.refuse(problem)
            }
            Expression::TaggedTemplateExpression(_) => {
                self.unsupported(span, "there are no tagged templates; write the template literal alone")
            }
            Expression::Identifier(_) | Expression::CallExpression(_) | Expression::ChainExpression(_) => self.path(expression, false),
            Expression::StaticMemberExpression(_) | Expression::ComputedMemberExpression(_) => self.path(expression, false),
            _ => self.unsupported(span, "this is JavaScript, but not part of the expression language"),
        }
    }

    fn surrogate(&mut self, span: Span) -> Node {
        let problem =
            self.problem(SYNTAX, span, "this text holds half of a surrogate pair, which is no character; write the whole character");
        self.refuse(problem)
    }

    fn number(&mut self, literal: &NumericLiteral) -> Node {
        let raw = literal.raw.map_or(String::new(), |raw| raw.replace('_', ""));
        if raw.len() > 1 && raw.starts_with('0') && raw.as_bytes()[1].is_ascii_digit() {
            let problem =
                self.problem(SYNTAX, literal.span, format!("{raw} begins with a 0; a number does not, and a code of digits is text"));
            return self.refuse(problem.fix(format!("'{raw}'")));
        }
        let (digits, radix) = match raw.get(0..2).map(str::to_ascii_lowercase).as_deref() {
            Some("0x") => (&raw[2..], 16),
            Some("0o") => (&raw[2..], 8),
            Some("0b") => (&raw[2..], 2),
            _ => (raw.as_str(), 10),
        };
        let value = if digits.bytes().all(|byte| (byte as char).is_digit(radix)) {
            // one over i64 is kept for a minus before it; u64 is what JSON can hold
            u64::from_str_radix(digits, radix).ok().map(Value::from)
        } else if !raw.contains('.') && literal.value.fract() == 0.0 && literal.value.abs() < 9e15 {
            // `1e3` is the integer it looks like
            Some(Value::from(literal.value as i64))
        } else {
            serde_json::Number::from_f64(literal.value).map(Value::Number)
        };
        value.map_or_else(
            || {
                let message =
                    format!("{raw} does not fit: integers are exact to 64 bits, other numbers reach 1.8e308; keep longer ones as text");
                let problem = self.problem(LIMIT, literal.span, message).fix(format!("'{raw}'"));
                self.refuse(problem)
            },
            Node::Const,
        )
    }

    fn template(&mut self, literal: &TemplateLiteral) -> Node {
        let mut pieces = Vec::new();
        for (i, quasi) in literal.quasis.iter().enumerate() {
            match &quasi.value.cooked {
                Some(_) if quasi.lone_surrogates => {
                    self.surrogate(quasi.span);
                }
                Some(text) if !text.is_empty() => pieces.push(Piece::Text(text.to_string())),
                _ => {}
            }
            if let Some(expression) = literal.expressions.get(i) {
                pieces.push(Piece::Node(self.node(expression)));
            }
        }
        match pieces.as_slice() {
            [] => Node::Const(Value::String(String::new())),
            [Piece::Text(text)] => Node::Const(Value::String(text.clone())),
            _ => Node::Template(pieces.into()),
        }
    }

    fn entry(&mut self, property: &ObjectPropertyKind) -> Entry {
        let property = match property {
            ObjectPropertyKind::SpreadProperty(spread) => return Entry::Spread(self.node(&spread.argument)),
            ObjectPropertyKind::ObjectProperty(property) => property,
        };
        if property.kind != PropertyKind::Init || property.method {
            return Entry::Spread(self.unsupported(property.span, "an object holds values only, no methods"));
        }
        let key = match &property.key {
            PropertyKey::StaticIdentifier(name) => Some(name.name.to_string()),
            PropertyKey::StringLiteral(literal) if !literal.lone_surrogates => Some(literal.value.to_string()),
            PropertyKey::NumericLiteral(literal) => match self.number(literal) {
                Node::Const(key) => Some(key.to_string()),
                _ => None,
            },
            _ => None,
        };
        match key {
            Some(key) => Entry::Field(key, self.node(&property.value)),
            None if property.computed => Entry::Computed(self.node(property.key.to_expression()), self.node(&property.value)),
            None => Entry::Spread(self.unsupported(property.span, "a field's name is a name, a text or `[an expression]`")),
        }
    }

    /// A chain of binary operators, unrolled along its left side.
    fn fold(&mut self, expression: &Expression) -> Node {
        let mut steps = Vec::new();
        let mut left = expression;
        loop {
            left = match left {
                Expression::BinaryExpression(binary) => {
                    steps.push((binary_operator(binary.operator), binary.span, &binary.right));
                    bare(&binary.left)
                }
                Expression::LogicalExpression(logical) => {
                    let operator = match logical.operator {
                        LogicalOperator::And => Operator::And,
                        LogicalOperator::Or => Operator::Or,
                        LogicalOperator::Coalesce => Operator::Otherwise,
                    };
                    steps.push((Some(operator), logical.span, &logical.right));
                    bare(&logical.left)
                }
                _ => break,
            };
        }
        // all that stands left of a `??` may be missing
        let guards = steps.iter().rev().map(|(operator, ..)| u32::from(*operator == Some(Operator::Otherwise)));
        let mut guarding: u32 = guards.clone().sum();
        self.soft += guarding;
        let first = self.node(left);
        self.soft -= guarding;
        let mut rest = Vec::with_capacity(steps.len());
        for ((operator, span, right), guard) in steps.iter().rev().zip(guards) {
            guarding -= guard;
            self.soft += guarding;
            let right = self.node(right);
            self.soft -= guarding;
            match operator {
                Some(operator) => rest.push((*operator, right)),
                None => {
                    self.unsupported(*span, "this operator is not part of the language");
                }
            }
        }
        Node::Fold(Box::new(first), rest.into())
    }

    fn choose(&mut self, expression: &Expression) -> Node {
        let mut cases = Vec::new();
        let mut at = expression;
        while let Expression::ConditionalExpression(condition) = at {
            cases.push((self.node(&condition.test), self.node(&condition.consequent)));
            at = bare(&condition.alternate);
        }
        Node::Choose(cases.into(), Box::new(self.node(at)))
    }
}

/// The expression inside any parentheses.
pub(super) fn bare<'e, 'a>(mut expression: &'e Expression<'a>) -> &'e Expression<'a> {
    while let Expression::ParenthesizedExpression(inner) = expression {
        expression = &inner.expression;
    }
    expression
}

fn binary_operator(operator: BinaryOperator) -> Option<Operator> {
    Some(match operator {
        BinaryOperator::Equality | BinaryOperator::StrictEquality => Operator::Equal,
        BinaryOperator::Inequality | BinaryOperator::StrictInequality => Operator::Unequal,
        BinaryOperator::LessThan => Operator::Less,
        BinaryOperator::LessEqualThan => Operator::LessEqual,
        BinaryOperator::GreaterThan => Operator::Greater,
        BinaryOperator::GreaterEqualThan => Operator::GreaterEqual,
        BinaryOperator::Addition => Operator::Add,
        BinaryOperator::Subtraction => Operator::Subtract,
        BinaryOperator::Multiplication => Operator::Multiply,
        BinaryOperator::Division => Operator::Divide,
        BinaryOperator::Remainder => Operator::Remainder,
        BinaryOperator::Exponential => Operator::Power,
        BinaryOperator::In => Operator::In,
        _ => return None,
    })
}

/// A literal with a minus before it. Left as an operation when it does not fit, so that evaluation reports it.
fn negative(node: Node) -> Node {
    let Node::Const(Value::Number(number)) = &node else { return node };
    let value = match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(value), ..) => value.checked_neg().map(Value::from),
        (_, Some(value), _) => i64::try_from(-i128::from(value)).ok().map(Value::from),
        (.., Some(value)) => serde_json::Number::from_f64(-value).map(Value::Number),
        _ => None,
    };
    value.map_or_else(|| Node::Negate(Box::new(node)), Node::Const)
}
