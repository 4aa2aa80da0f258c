//! Arguments of functions and methods: how many, which are functions, and constant patterns compiled once.

use std::sync::Arc;

use oxc_ast::ast::{Argument, ArrowFunctionBody, ArrowFunctionExpression, BindingPattern, CallExpression, Expression};
use oxc_span::{GetSpan, Span};
use serde_json::Value;

use super::function::{self, Function, Methods, pattern};
use super::lower::{Lower, bare};
use super::problem::{SYNTAX, UNSUPPORTED, WRONG_ARGUMENTS};
use super::tree::{Access, Arg, Base, Call, Node, Target};

/// An arrow function is given at most the element, its index and, in `reduce`, what was gathered so far.
const MAX_PARAMETERS: usize = 3;

impl Lower<'_> {
    pub(super) fn function_call(&mut self, function: &'static Function, call: &CallExpression) -> Node {
        self.ambient |= function.ambient;
        let soft = u32::from(function.name == "default");
        self.soft += soft;
        let args = self.args(&[function], function.signature, call);
        self.soft -= soft;
        let pattern = self.pattern(function, &args, call.span);
        Node::Call(Box::new(Call { target: Target::Function(function), args, guarded: false, pattern }))
    }

    pub(super) fn method(&mut self, methods: &'static Methods, receiver: &Expression, call: &CallExpression, guarded: bool) -> Node {
        // The receiver is one more level, whatever it is: chains of calls are bounded with it.
        let receiver = if guarded { self.deeper(receiver, |lower, receiver| lower.path(receiver, true)) } else { self.node(receiver) };
        let variants: Vec<&'static Function> = methods.iter().collect();
        let args = self.args(&variants, &methods.signature(), call);
        Node::Call(Box::new(Call { target: Target::Method(methods, receiver), args, guarded, pattern: None }))
    }

    fn args(&mut self, variants: &[&'static Function], signature: &str, call: &CallExpression) -> Box<[Arg]> {
        let count = call.arguments.len();
        let (min, max) = variants.iter().fold((usize::MAX, 0), |(min, max), f| (min.min(f.min.into()), max.max(f.max.into())));
        if count < min || count > max {
            let takes = match (min, max) {
                (0, 0) => "no arguments".to_owned(),
                (1, 1) => "1 argument".to_owned(),
                (_, 255) => format!("at least {min}"),
                _ if min == max => format!("{min} arguments"),
                _ => format!("{min} to {max} arguments"),
            };
            let problem = self.problem(WRONG_ARGUMENTS, call.span, format!("`{}` takes {takes}; {count} given", variants[0].name));
            self.problems.push(problem.expected(signature));
        }
        let args = call.arguments.iter().enumerate().map(|(i, argument)| match argument {
            Argument::SpreadElement(spread) => {
                let problem = self.problem(UNSUPPORTED, spread.span, "a call has no spread arguments; give the list itself");
                Arg::Value(self.refuse(problem))
            }
            argument => self.arg(variants, i, signature, bare(argument.to_expression())),
        });
        args.collect()
    }

    fn arg(&mut self, variants: &[&'static Function], i: usize, signature: &str, argument: &Expression) -> Arg {
        let may_be_arrow = variants.iter().any(|f| f.takes_function(i));
        let must_be_arrow = variants.iter().all(|f| f.needs_function(i));
        let named = match argument {
            Expression::Identifier(name) if may_be_arrow => function::function(name.name.as_str()).filter(|f| f.min <= 1 && f.max >= 1),
            _ => None,
        };
        match argument {
            Expression::ArrowFunctionExpression(arrow) if may_be_arrow => Arg::Arrow(self.arrow(arrow)),
            Expression::ArrowFunctionExpression(arrow) => {
                let problem =
                    self.problem(WRONG_ARGUMENTS, arrow.span, format!("argument {} is a value, not a function", i + 1)).expected(signature);
                Arg::Value(self.refuse(problem))
            }
            // `list.map(String)` is `list.map(x => String(x))`
            _ if let Some(function) = named => {
                self.ambient |= function.ambient;
                let element =
                    Access { base: Base::Local { up: 0, slot: 0, name: "item".to_owned() }, parts: Box::default(), guarded: false };
                let args = Box::new([Arg::Value(Node::Access(Box::new(element)))]);
                Arg::Arrow(Node::Call(Box::new(Call { target: Target::Function(function), args, guarded: false, pattern: None })))
            }
            _ if must_be_arrow => {
                let message = format!("argument {} is a function of the element, such as `x => x.id`", i + 1);
                let problem = self.problem(WRONG_ARGUMENTS, argument.span(), message).expected(signature);
                Arg::Value(self.refuse(problem))
            }
            _ => Arg::Value(self.node(argument)),
        }
    }

    fn arrow(&mut self, arrow: &ArrowFunctionExpression) -> Node {
        let mut names = Vec::new();
        let plain = arrow.params.rest.is_none() && arrow.params.items.iter().all(|item| item.initializer.is_none());
        if arrow.r#async || !plain || arrow.params.items.len() > MAX_PARAMETERS {
            let message = format!("a function has at most {MAX_PARAMETERS} parameters, plain names without `...` or default values");
            return self.refuse_arrow(arrow.span, &message);
        }
        for item in &arrow.params.items {
            match &item.pattern {
                BindingPattern::BindingIdentifier(name) if name.name.as_str() == "steps" => {
                    return self.refuse_arrow(item.span, "a parameter cannot be called `steps`; that name is the plan's steps");
                }
                BindingPattern::BindingIdentifier(name) => names.push(name.name.to_string()),
                _ => return self.refuse_arrow(item.span, "a parameter is a plain name; read its fields by path, `x => x.id`"),
            }
        }
        let ArrowFunctionBody::FunctionBody(block) = &arrow.body else {
            self.locals.push(names);
            let node = self.node(arrow.body.to_expression());
            self.locals.pop();
            return node;
        };
        self.refuse_arrow(block.span, "the body of a function is one expression, not a block")
    }

    fn refuse_arrow(&mut self, span: Span, message: &str) -> Node {
        let problem = self.problem(UNSUPPORTED, span, message);
        self.refuse(problem)
    }

    /// A constant pattern is checked and compiled when the plan is saved, not on every evaluation.
    fn pattern(&mut self, function: &Function, args: &[Arg], span: Span) -> Option<Arc<regex::Regex>> {
        let place = function.pattern?;
        let constant = |at: usize| match args.get(at) {
            Some(Arg::Value(Node::Const(Value::String(text)))) => Some(Some(text.as_str())),
            None => Some(None),
            _ => None,
        };
        let (text, flags) = (constant(place)??, constant(usize::from(function.max) - 1)?);
        match pattern::compile(text, flags.unwrap_or_default()) {
            Ok(regex) => Some(Arc::new(regex)),
            Err(message) => {
                let problem = self.problem(SYNTAX, span, message);
                self.problems.push(problem);
                None
            }
        }
    }
}
