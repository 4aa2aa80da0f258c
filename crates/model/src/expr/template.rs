//! Templates: any JSON with `${…}` in its texts, compiled once; what holds none is kept as it is.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::eval;
use super::fuel::{Fuel, MAX_DEPTH, Stop};
use super::parse::Expr;
use super::problem::{ExprProblem, LIMIT};
use super::reference::Reference;
use super::scope::Scope;
use super::segment::{Segment, segments};
use super::words;
use crate::Fault;

/// A compiled template.
#[derive(Clone, Debug)]
pub struct Template(Form);

#[derive(Clone, Debug)]
enum Form {
    Literal(Value),
    /// Text that is exactly one expression: the value keeps its type.
    Whole(Box<Expr>),
    Text(Vec<Piece>),
    List(Vec<Form>),
    Object(Vec<(String, Form)>),
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Expr(Expr),
}

impl Template {
    /// Compiles a value that stands at the JSON pointer `pointer` of its document.
    ///
    /// # Errors
    /// All problems, each with the pointer of the text it is in; offsets count from the start of that text.
    pub fn parse(value: &Value, pointer: &str) -> Result<Template, Vec<(String, ExprProblem)>> {
        let mut problems = Vec::new();
        let form = compile(value, &mut pointer.to_owned(), 0, &mut problems);
        if problems.is_empty() { Ok(Template(form)) } else { Err(problems) }
    }

    /// A template that is always `value`; nothing in it is read as an expression.
    pub fn literal(value: Value) -> Template {
        Template(Form::Literal(value))
    }

    /// Whether it holds no expression, and its value if so.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.0 {
            Form::Literal(value) => Some(value),
            _ => None,
        }
    }

    pub fn is_literal(&self) -> bool {
        self.as_literal().is_some()
    }

    /// The expression, when the template is exactly one.
    pub fn as_expr(&self) -> Option<&Expr> {
        match &self.0 {
            Form::Whole(expr) => Some(expr),
            _ => None,
        }
    }

    /// The value with every expression evaluated.
    ///
    /// # Errors
    /// As `Expr::eval`; the bounds count for the whole value.
    pub fn eval(&self, scope: &dyn Scope, fuel: &mut Fuel) -> Result<Value, Fault> {
        match &self.0 {
            Form::Literal(value) => Ok(value.clone()),
            form => {
                let value = run(form, scope, fuel).map_err(Stop::fault)?;
                // nothing else says how much the parts make together
                fuel.weigh(&value).map_err(Stop::fault)?;
                Ok(value.into_owned())
            }
        }
    }

    /// Every expression with the pointer of its text, relative to the template.
    pub fn expressions(&self) -> Vec<(String, &Expr)> {
        let mut found = Vec::new();
        collect(&self.0, &mut String::new(), &mut found);
        found
    }

    /// What is read from outside, with the pointer of the text it stands in, relative to the template; offsets count from the start of
    /// that text.
    pub fn references(&self) -> impl Iterator<Item = (String, &Reference)> {
        self.expressions()
            .into_iter()
            .flat_map(|(pointer, expr)| expr.references().iter().map(move |reference| (pointer.clone(), reference)))
    }

    /// Whether any expression calls `now()`, `uuid()`, `random()` or their like.
    pub fn uses_ambient(&self) -> bool {
        self.expressions().iter().any(|(_, expr)| expr.uses_ambient())
    }

    /// Whether it gives the same value whatever is in scope.
    pub fn is_constant(&self) -> bool {
        self.expressions().iter().all(|(_, expr)| expr.is_constant())
    }

    /// The parts of an object template, for checks of single fields; `None` for anything else. A literal has none.
    pub fn fields(&self) -> Option<impl Iterator<Item = (&str, Template)>> {
        match &self.0 {
            Form::Object(fields) => Some(fields.iter().map(|(key, form)| (key.as_str(), Template(form.clone())))),
            _ => None,
        }
    }
}

fn compile(value: &Value, pointer: &mut String, depth: usize, problems: &mut Vec<(String, ExprProblem)>) -> Form {
    if depth > MAX_DEPTH {
        problems.push((pointer.clone(), ExprProblem::new(LIMIT, "", 0, format!("the value nests deeper than {MAX_DEPTH}"))));
        return Form::Literal(Value::Null);
    }
    let length = pointer.len();
    match value {
        Value::String(text) => compile_text(text, pointer, problems),
        Value::Array(items) => {
            let mut forms = Vec::with_capacity(items.len());
            for (i, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{i}"));
                forms.push(compile(item, pointer, depth + 1, problems));
                pointer.truncate(length);
            }
            if forms.iter().all(|form| matches!(form, Form::Literal(_))) {
                return Form::Literal(forms.into_iter().map(literal).collect());
            }
            Form::List(forms)
        }
        Value::Object(fields) => {
            let mut forms = Vec::with_capacity(fields.len());
            for (key, item) in fields {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                forms.push((key.clone(), compile(item, pointer, depth + 1, problems)));
                pointer.truncate(length);
            }
            if forms.iter().all(|(_, form)| matches!(form, Form::Literal(_))) {
                return Form::Literal(Value::Object(forms.into_iter().map(|(key, form)| (key, literal(form))).collect()));
            }
            Form::Object(forms)
        }
        other => Form::Literal(other.clone()),
    }
}

fn literal(form: Form) -> Value {
    match form {
        Form::Literal(value) => value,
        _ => unreachable!("all parts were seen to be literal"),
    }
}

fn compile_text(text: &str, pointer: &str, problems: &mut Vec<(String, ExprProblem)>) -> Form {
    let segments = match segments(text) {
        Ok(segments) => segments,
        Err(problem) => {
            problems.push((pointer.to_owned(), problem));
            return Form::Literal(Value::Null);
        }
    };
    let mut pieces = Vec::with_capacity(segments.len());
    for segment in &segments {
        match segment {
            Segment::Text { text, .. } => pieces.push(Piece::Text(text.clone().into_owned())),
            Segment::Expr { start, end } => match Expr::parse(&text[*start..*end]) {
                Ok(expr) => pieces.push(Piece::Expr(expr.moved(*start))),
                Err(found) => problems.extend(found.into_iter().map(|problem| (pointer.to_owned(), problem.moved(text, *start)))),
            },
        }
    }
    if matches!(pieces.as_slice(), [Piece::Expr(_)]) {
        let Some(Piece::Expr(expr)) = pieces.pop() else { unreachable!("it was seen a line above") };
        return Form::Whole(Box::new(expr));
    }
    if pieces.iter().any(|piece| matches!(piece, Piece::Expr(_))) {
        return Form::Text(pieces);
    }
    Form::Literal(Value::String(pieces.into_iter().map(|piece| if let Piece::Text(text) = piece { text } else { String::new() }).collect()))
}

fn run<'e>(form: &'e Form, scope: &'e dyn Scope, fuel: &mut Fuel) -> eval::Out<'e> {
    match form {
        Form::Literal(value) => Ok(Cow::Borrowed(value)),
        Form::Whole(expr) => expr.run(scope, fuel),
        Form::Text(pieces) => {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(piece) => words::push(&mut text, piece, fuel)?,
                    Piece::Expr(expr) => words::push_value(&mut text, &*expr.run(scope, fuel)?, fuel)?,
                }
            }
            Ok(Cow::Owned(Value::String(text)))
        }
        Form::List(forms) => {
            let (mut list, mut size) = (Vec::with_capacity(forms.len()), 0);
            for form in forms {
                let value = run(form, scope, fuel)?;
                eval::push(&mut list, value, &mut size, fuel)?;
            }
            Ok(Cow::Owned(Value::Array(list)))
        }
        Form::Object(forms) => {
            let (mut object, mut size) = (Map::with_capacity(forms.len()), 0);
            for (key, form) in forms {
                let value = run(form, scope, fuel)?;
                eval::set(&mut object, key.clone(), value, &mut size, fuel)?;
            }
            Ok(Cow::Owned(Value::Object(object)))
        }
    }
}

fn collect<'f>(form: &'f Form, pointer: &mut String, found: &mut Vec<(String, &'f Expr)>) {
    let length = pointer.len();
    match form {
        Form::Literal(_) => {}
        Form::Whole(expr) => found.push((pointer.clone(), expr)),
        Form::Text(pieces) => found.extend(pieces.iter().filter_map(|piece| match piece {
            Piece::Expr(expr) => Some((pointer.clone(), expr)),
            Piece::Text(_) => None,
        })),
        Form::List(forms) => {
            for (i, form) in forms.iter().enumerate() {
                pointer.push_str(&format!("/{i}"));
                collect(form, pointer, found);
                pointer.truncate(length);
            }
        }
        Form::Object(forms) => {
            for (key, form) in forms {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                collect(form, pointer, found);
                pointer.truncate(length);
            }
        }
    }
}
