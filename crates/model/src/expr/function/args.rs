//! What a function is called with: arguments are evaluated when it asks for them, and checked for their type.

use std::borrow::Cow;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::Function;
use crate::expr::access;
use crate::expr::eval::{Env, Out, eval};
use crate::expr::fuel::{Fuel, Stop};
use crate::expr::number::{Num, num};
use crate::expr::scope::Ambient;
use crate::expr::tree::{Arg, Call};
use crate::expr::words;

pub(crate) struct Args<'c, 'e> {
    function: &'static Function,
    call: &'e Call,
    receiver: Option<Cow<'e, Value>>,
    env: &'c Env<'c, 'e>,
    pub fuel: &'c mut Fuel,
}

impl<'c, 'e> Args<'c, 'e> {
    pub(crate) fn new(
        function: &'static Function,
        call: &'e Call,
        receiver: Option<Cow<'e, Value>>,
        env: &'c Env<'c, 'e>,
        fuel: &'c mut Fuel,
    ) -> Args<'c, 'e> {
        Args { function, call, receiver, env, fuel }
    }

    pub(super) fn count(&self) -> usize {
        self.call.args.len()
    }

    pub(super) fn name(&self) -> &'static str {
        self.function.name
    }

    pub(super) fn ambient(&self) -> &'e dyn Ambient {
        self.env.scope.ambient()
    }

    /// The pattern compiled when the expression was parsed.
    pub(super) fn prepared(&self) -> Option<&'e Arc<Regex>> {
        self.call.pattern.as_ref()
    }

    /// A fault that names the function.
    pub(super) fn failed(&self, message: impl AsRef<str>) -> Stop {
        Stop::failed(format!("{}(): {}", self.name(), message.as_ref()))
    }

    pub(super) fn is_method(&self) -> bool {
        self.function.of != super::Of::None
    }

    /// The value the method was called on. Taken once.
    pub(super) fn this(&mut self) -> Cow<'e, Value> {
        self.receiver.take().expect("a method takes its receiver once")
    }

    pub(super) fn this_text(&mut self) -> Cow<'e, str> {
        match self.this() {
            Cow::Borrowed(Value::String(text)) => Cow::Borrowed(text),
            Cow::Owned(Value::String(text)) => Cow::Owned(text),
            _ => unreachable!("methods are chosen by the type of their receiver"),
        }
    }

    pub(super) fn this_list(&mut self) -> Cow<'e, [Value]> {
        match self.this() {
            Cow::Borrowed(Value::Array(items)) => Cow::Borrowed(items),
            Cow::Owned(Value::Array(items)) => Cow::Owned(items),
            _ => unreachable!("methods are chosen by the type of their receiver"),
        }
    }

    /// Argument `i`, if it was given.
    pub(super) fn maybe(&mut self, i: usize) -> Result<Option<Cow<'e, Value>>, Stop> {
        match self.call.args.get(i) {
            Some(Arg::Value(node)) => eval(node, self.env, self.fuel).map(Some),
            Some(Arg::Arrow(_)) => Err(self.failed("a function cannot stand here for a value")),
            None => Ok(None),
        }
    }

    /// Argument `i`; null when it was not given.
    pub(super) fn value(&mut self, i: usize) -> Out<'e> {
        Ok(self.maybe(i)?.unwrap_or(Cow::Owned(Value::Null)))
    }

    fn wrong(&self, i: usize, wanted: &str, value: &Value) -> Stop {
        let hint = match (wanted, value) {
            (_, Value::Null) => "; write `x ?? …` for what may be missing",
            ("text", _) => "; write String(x)",
            ("a number" | "a whole number", Value::String(_)) => "; write Number(x)",
            _ => "",
        };
        self.failed(format!("argument {} is {wanted}; this is {}{hint}", i + 1, words::kind(value)))
    }

    /// Argument `i` as text.
    pub(super) fn text(&mut self, i: usize) -> Result<Cow<'e, str>, Stop> {
        match self.value(i)? {
            Cow::Borrowed(Value::String(text)) => Ok(Cow::Borrowed(text)),
            Cow::Owned(Value::String(text)) => Ok(Cow::Owned(text)),
            other => Err(self.wrong(i, "text", &other)),
        }
    }

    /// Argument `i` as text, or `otherwise` when it was not given.
    pub(super) fn text_or(&mut self, i: usize, otherwise: &'e str) -> Result<Cow<'e, str>, Stop> {
        if i < self.count() { self.text(i) } else { Ok(Cow::Borrowed(otherwise)) }
    }

    pub(super) fn list(&mut self, i: usize) -> Result<Cow<'e, [Value]>, Stop> {
        match self.value(i)? {
            Cow::Borrowed(Value::Array(items)) => Ok(Cow::Borrowed(items)),
            Cow::Owned(Value::Array(items)) => Ok(Cow::Owned(items)),
            other => Err(self.wrong(i, "a list", &other)),
        }
    }

    pub(super) fn number(&mut self, i: usize) -> Result<Num, Stop> {
        match &*self.value(i)? {
            Value::Number(number) => Ok(num(number)),
            other => Err(self.wrong(i, "a number", other)),
        }
    }

    /// Argument `i` as a whole number, or `otherwise` when it was not given or is null.
    pub(super) fn int_or(&mut self, i: usize, otherwise: i64) -> Result<i64, Stop> {
        match &*self.value(i)? {
            Value::Null => Ok(otherwise),
            Value::Number(number) => match num(number).int() {
                Some(value) => Ok(i64::try_from(value).unwrap_or(i64::MAX)),
                None => Err(self.failed(format!("argument {} is a whole number; this is {number}", i + 1))),
            },
            other => Err(self.wrong(i, "a whole number", other)),
        }
    }

    /// Whether argument `i` is a function.
    pub(super) fn is_function(&self, i: usize) -> bool {
        matches!(self.call.args.get(i), Some(Arg::Arrow(_)))
    }

    /// Calls the function that is argument `i`.
    pub(super) fn call<'x>(&mut self, i: usize, values: [Option<&'x Value>; 3]) -> Out<'x>
    where
        'e: 'x,
    {
        let Some(Arg::Arrow(body)) = self.call.args.get(i) else {
            return Err(self.failed("a function is needed here, such as `x => x.id`"));
        };
        self.fuel.spend(1)?;
        let env: Env<'_, 'x> = Env { scope: self.env.scope, outer: Some(self.env), values };
        eval(body, &env, self.fuel)
    }

    /// Calls the function that is argument `i` with an element and its index.
    pub(super) fn each<'x>(&mut self, i: usize, item: &'x Value, index: &'x Value) -> Out<'x>
    where
        'e: 'x,
    {
        self.call(i, [Some(item), Some(index), None])
    }

    /// The key of an element: by the function that is argument 0, by the field it names, or the element itself without one.
    pub(super) fn key_of<'x>(&mut self, field: Option<&str>, item: &'x Value, index: &'x Value) -> Out<'x>
    where
        'e: 'x,
    {
        if self.is_function(0) {
            return self.each(0, item, index);
        }
        self.fuel.spend(1)?;
        match field {
            None => Ok(Cow::Borrowed(item)),
            Some(field) => match item.get(field) {
                Some(value) => Ok(Cow::Borrowed(value)),
                None => Ok(Cow::Owned(Value::Null)),
            },
        }
    }

    /// The field that argument 0 names, when it is no function.
    pub(super) fn field(&mut self) -> Result<Option<String>, Stop> {
        match self.count() {
            0 => Ok(None),
            _ if self.is_function(0) => Ok(None),
            _ => access::key(&*self.value(0)?).map(Some),
        }
    }
}

impl<'e> Args<'_, 'e> {
    /// Argument `i`, or `None` when it is null or something it reads is missing.
    pub(super) fn lenient(&mut self, i: usize) -> Result<Option<Cow<'e, Value>>, Stop> {
        self.fuel.soft += 1;
        let value = self.value(i);
        self.fuel.soft -= 1;
        match value {
            Err(Stop::Soft) => Ok(None),
            Ok(value) if value.is_null() => Ok(None),
            value => value.map(Some),
        }
    }

    /// Pays for looking at a whole text.
    pub(super) fn scan(&mut self, text: &str) -> Result<(), Stop> {
        self.fuel.spend(1 + text.len() as u64 / 16)
    }

    /// Pays for a text about to be made, before it is.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<(), Stop> {
        self.fuel.produce(bytes, bytes)
    }
}
