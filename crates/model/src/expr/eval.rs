//! Evaluation: one visit per node, values borrowed from the scope until something new is made.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::access;
use super::fuel::{Fuel, MAX_BYTES, Stop};
use super::function::{self, Args};
use super::operator;
use super::parse::Expr;
use super::scope::Scope;
use super::tree::{Entry, Item, Node, Operator, Piece, Target};
use super::words;
use crate::Fault;

/// What evaluation gives: borrowed wherever it can be.
pub(crate) type Out<'e> = Result<Cow<'e, Value>, Stop>;

/// The scope, and the parameters of the arrow functions around. `'p` is how long a call lasts, `'e` how long its values do.
pub(crate) struct Env<'p, 'e> {
    pub scope: &'e dyn Scope,
    pub outer: Option<&'p Env<'p, 'e>>,
    pub values: [Option<&'e Value>; 3],
}

impl Expr {
    /// The expression's value.
    ///
    /// # Errors
    /// `UNRESOLVED_REFERENCE` when a path leads nowhere, `EXPRESSION_FAILED` for everything else, the bounds of size, depth and work included.
    pub fn eval(&self, scope: &dyn Scope, fuel: &mut Fuel) -> Result<Value, Fault> {
        let value = self.run(scope, fuel).map_err(Stop::fault)?;
        fuel.weigh(&value).map_err(Stop::fault)?;
        Ok(value.into_owned())
    }

    /// The expression's value, borrowed when it is a path into the scope. What is borrowed was not made by the expression, so the
    /// bound of 1 MiB does not apply to it: `for_each` reads its list so.
    ///
    /// # Errors
    /// As `eval`.
    pub fn eval_ref<'e>(&'e self, scope: &'e dyn Scope, fuel: &mut Fuel) -> Result<Cow<'e, Value>, Fault> {
        let value = self.run(scope, fuel).map_err(Stop::fault)?;
        if let Cow::Owned(made) = &value {
            fuel.weigh(made).map_err(Stop::fault)?;
        }
        Ok(value)
    }

    /// Whether the expression holds, for `if`, `until` and `where`: null, false and 0 do not, lists and objects do.
    ///
    /// # Errors
    /// As `eval`; a text is `EXPRESSION_FAILED`, because "false" and "no" would hold.
    pub fn truthy(&self, scope: &dyn Scope, fuel: &mut Fuel) -> Result<bool, Fault> {
        let value = self.run(scope, fuel).map_err(Stop::fault)?;
        holds(&value)
    }

    pub(super) fn run<'e>(&'e self, scope: &'e dyn Scope, fuel: &mut Fuel) -> Out<'e> {
        eval(&self.node, &Env { scope, outer: None, values: [None; 3] }, fuel)
    }
}

/// Whether what a condition gave holds.
///
/// # Errors
/// A text is `EXPRESSION_FAILED`, because "false" and "no" would hold.
pub fn holds(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::String(text) => {
            let shown = words::shorten(text, 40);
            let message = format!(
                "the condition gives the text {shown:?}, which is neither true nor false; compare it, such as `x == 'yes'` or `x != ''`"
            );
            Err(Stop::failed(message).fault())
        }
        value => Ok(truthy(value)),
    }
}

/// JavaScript's truthiness.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

pub(crate) fn eval<'e>(node: &'e Node, env: &Env<'_, 'e>, fuel: &mut Fuel) -> Out<'e> {
    fuel.spend(1)?;
    match node {
        Node::Const(value) => Ok(Cow::Borrowed(value)),
        Node::Access(path) => access::read(path, env, fuel),
        Node::Fold(first, rest) => fold(first, rest, env, fuel),
        Node::Choose(cases, otherwise) => {
            for (test, then) in cases {
                if truthy(&*eval(test, env, fuel)?) {
                    return eval(then, env, fuel);
                }
            }
            eval(otherwise, env, fuel)
        }
        Node::Not(inner) => Ok(Cow::Owned(Value::Bool(!truthy(&*eval(inner, env, fuel)?)))),
        Node::Guard(inner) => match eval(inner, env, fuel) {
            Err(Stop::Chain) => Ok(Cow::Owned(Value::Null)),
            result => result,
        },
        Node::Call(call) => match &call.target {
            Target::Function(function) => (function.native)(&mut Args::new(function, call, None, env, fuel)),
            Target::Method(methods, receiver) => {
                let receiver_value = eval(receiver, env, fuel)?;
                let function = function::choose(methods, &receiver_value, receiver, call.guarded, fuel)?;
                if call.args.len() < usize::from(function.min) || call.args.len() > usize::from(function.max) {
                    let message = format!("`{}` takes other arguments here: {}", function.name, function.signature);
                    return Err(Stop::failed(message));
                }
                (function.native)(&mut Args::new(function, call, Some(receiver_value), env, fuel))
            }
        },
        Node::Template(pieces) => template(pieces, env, fuel),
        Node::List(items) => list(items, env, fuel),
        Node::Object(entries) => object(entries, env, fuel),
        Node::Negate(inner) => operator::negate(&*eval(inner, env, fuel)?),
        Node::Same(inner) => match eval(inner, env, fuel)? {
            value if value.is_number() => Ok(value),
            value => Err(Stop::failed(format!("`+` before {} makes no number; write Number(x)", words::kind(&value)))),
        },
    }
}

fn fold<'e>(first: &'e Node, rest: &'e [(Operator, Node)], env: &Env<'_, 'e>, fuel: &mut Fuel) -> Out<'e> {
    let is_guard = |(operator, _): &&(Operator, Node)| *operator == Operator::Otherwise;
    // whatever stands left of a `??` may be missing
    let mut guards = u32::try_from(rest.iter().filter(is_guard).count()).expect("a text of 16 KiB holds fewer operators");
    let mut value = soft(guards, fuel, |fuel| eval(first, env, fuel));
    for (operator, right) in rest {
        let left = match (value, operator) {
            (Err(Stop::Soft), Operator::Otherwise) => Cow::Owned(Value::Null),
            (Err(Stop::Soft), _) => {
                value = Err(Stop::Soft);
                continue;
            }
            (left, _) => left?,
        };
        if *operator == Operator::Otherwise {
            guards -= 1;
        }
        value = match operator {
            Operator::Otherwise if !left.is_null() => Ok(left),
            Operator::And if !truthy(&left) => Ok(left),
            Operator::Or if truthy(&left) => Ok(left),
            Operator::And | Operator::Or | Operator::Otherwise => soft(guards, fuel, |fuel| eval(right, env, fuel)),
            operator => soft(guards, fuel, |fuel| eval(right, env, fuel)).and_then(|right| operator::apply(*operator, left, &right, fuel)),
        };
    }
    value
}

/// Evaluates under `guards` more guards against missing values.
fn soft<'e>(guards: u32, fuel: &mut Fuel, eval: impl FnOnce(&mut Fuel) -> Out<'e>) -> Out<'e> {
    fuel.soft += guards;
    let value = eval(fuel);
    fuel.soft -= guards;
    value
}

fn template<'e>(pieces: &'e [Piece], env: &Env<'_, 'e>, fuel: &mut Fuel) -> Out<'e> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(piece) => words::push(&mut text, piece, fuel)?,
            Piece::Node(node) => {
                let value = eval(node, env, fuel)?;
                words::push_value(&mut text, &value, fuel)?;
            }
        }
    }
    Ok(Cow::Owned(Value::String(text)))
}

fn list<'e>(items: &'e [Item], env: &Env<'_, 'e>, fuel: &mut Fuel) -> Out<'e> {
    let mut list = Vec::with_capacity(items.len());
    let mut size = 0;
    for item in items {
        match item {
            Item::One(node) => {
                let value = eval(node, env, fuel)?;
                push(&mut list, value, &mut size, fuel)?;
            }
            Item::Spread(node) => match eval(node, env, fuel)? {
                Cow::Borrowed(Value::Array(items)) => {
                    items.iter().try_for_each(|item| push(&mut list, Cow::Borrowed(item), &mut size, fuel))?
                }
                Cow::Owned(Value::Array(items)) => {
                    items.into_iter().try_for_each(|item| push(&mut list, Cow::Owned(item), &mut size, fuel))?
                }
                other => return Err(Stop::failed(format!("`...` in a list spreads a list; this is {}", words::kind(&other)))),
            },
        }
    }
    Ok(Cow::Owned(Value::Array(list)))
}

/// Adds to a list that is being made, within the bounds. `size` is the list's so far.
pub(crate) fn push(list: &mut Vec<Value>, item: Cow<Value>, size: &mut usize, fuel: &mut Fuel) -> Result<(), Stop> {
    *size += 1 + fuel.weigh(&item)?;
    check(*size)?;
    list.push(item.into_owned());
    Ok(())
}

/// Sets a field of an object that is being made, within the bounds. `size` is the object's so far.
pub(crate) fn set(object: &mut Map<String, Value>, key: String, item: Cow<Value>, size: &mut usize, fuel: &mut Fuel) -> Result<(), Stop> {
    *size += key.len() + 3 + fuel.weigh(&item)?;
    fuel.produce(key.len(), *size)?;
    object.insert(key, item.into_owned());
    Ok(())
}

fn check(size: usize) -> Result<(), Stop> {
    if size > MAX_BYTES {
        Err(Stop::failed(format!("the expression makes a value of more than 1 MiB ({MAX_BYTES} bytes), the bound for expressions")))
    } else {
        Ok(())
    }
}

fn object<'e>(entries: &'e [Entry], env: &Env<'_, 'e>, fuel: &mut Fuel) -> Out<'e> {
    let mut object = Map::with_capacity(entries.len());
    let mut size = 0;
    for entry in entries {
        match entry {
            Entry::Field(key, node) => {
                let value = eval(node, env, fuel)?;
                set(&mut object, key.clone(), value, &mut size, fuel)?;
            }
            Entry::Computed(key, node) => {
                let key = access::key(&*eval(key, env, fuel)?)?;
                let value = eval(node, env, fuel)?;
                set(&mut object, key, value, &mut size, fuel)?;
            }
            Entry::Spread(node) => match &*eval(node, env, fuel)? {
                Value::Null => {}
                Value::Object(fields) => {
                    fields.iter().try_for_each(|(key, item)| set(&mut object, key.clone(), Cow::Borrowed(item), &mut size, fuel))?;
                }
                other => return Err(Stop::failed(format!("`...` in an object spreads an object; this is {}", words::kind(other)))),
            },
        }
    }
    Ok(Cow::Owned(Value::Object(object)))
}
