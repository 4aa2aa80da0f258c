//! Reading a path, part by part, without copying what it passes.

use std::borrow::Cow;

use serde_json::Value;

use super::eval::{Env, Out, eval};
use super::fuel::{Fuel, Stop};
use super::missing;
use super::tree::{Access, Base, Part};
use super::words;

/// A part with its computed key.
pub(super) enum Place<'e> {
    Key(Cow<'e, str>),
    Index(usize),
    /// A number that is no place in a list: negative, or with a fraction.
    Nowhere(String),
}

pub(super) fn read<'e>(path: &'e Access, env: &Env<'_, 'e>, fuel: &mut Fuel) -> Out<'e> {
    let mut value = match &path.base {
        Base::Root(name) => match env.scope.root(name) {
            Some(value) => value,
            None => return Err(stop(path.guarded, fuel, || missing::root(name, env.scope))),
        },
        Base::Step(key, field) => match env.scope.step(key, *field) {
            Some(value) => value,
            None => return Err(stop(path.guarded, fuel, || missing::step(key, env.scope))),
        },
        Base::Local { up, slot, .. } => local(*up, *slot, env),
        Base::Node(node) => eval(node, env, fuel)?,
    };
    for (i, part) in path.parts.iter().enumerate() {
        fuel.spend(1)?;
        let place = match part {
            Part::Key(key) => Place::Key(Cow::Borrowed(key.as_str())),
            Part::Index(index) => Place::Index(*index),
            Part::Dynamic(node) => place(eval(node, env, fuel)?)?,
        };
        if let Value::String(text) = &*value {
            fuel.spend(text.len() as u64 / 64)?;
        }
        value = match step(value, &place) {
            Ok(value) => value,
            Err(found) => return Err(stop(path.guarded, fuel, || missing::part(path, i, &place, &found))),
        };
    }
    Ok(value)
}

/// How the absence of something ends: quietly under a guard, where no message is made.
pub(super) fn stop(guarded: bool, fuel: &Fuel, message: impl FnOnce() -> Stop) -> Stop {
    match (guarded, fuel.soft) {
        (true, _) => Stop::Chain,
        (false, 0) => message(),
        (false, _) => Stop::Soft,
    }
}

fn local<'e>(up: usize, slot: usize, env: &Env<'_, 'e>) -> Cow<'e, Value> {
    let mut values = &env.values;
    let mut outer = env.outer;
    for _ in 0..up {
        let frame = outer.expect("parameters are counted when the expression is parsed");
        (values, outer) = (&frame.values, frame.outer);
    }
    values[slot].map_or(Cow::Owned(Value::Null), Cow::Borrowed)
}

/// What stands at `place` in `value`, or `value` itself when nothing does.
fn step<'e>(value: Cow<'e, Value>, place: &Place) -> Result<Cow<'e, Value>, Cow<'e, Value>> {
    match value {
        Cow::Borrowed(borrowed) => match look(borrowed, place) {
            Some(found) => Ok(Cow::Borrowed(found)),
            None => derived(borrowed, place).map(Cow::Owned).ok_or(value),
        },
        Cow::Owned(mut owned) => match derived(&owned, place) {
            Some(found) => Ok(Cow::Owned(found)),
            None => match find(&mut owned, place) {
                Some(found) => Ok(Cow::Owned(found.take())),
                None => Err(Cow::Owned(owned)),
            },
        },
    }
}

fn look<'e>(value: &'e Value, place: &Place) -> Option<&'e Value> {
    match (value, place) {
        (Value::Object(fields), Place::Key(key)) => fields.get(key.as_ref()),
        (Value::Array(items), Place::Index(index)) => items.get(*index),
        (Value::Object(fields), Place::Index(index)) => fields.get(&index.to_string()),
        (Value::Object(fields), Place::Nowhere(key)) => fields.get(key),
        _ => None,
    }
}

fn find<'e>(value: &'e mut Value, place: &Place) -> Option<&'e mut Value> {
    match (value, place) {
        (Value::Object(fields), Place::Key(key)) => fields.get_mut(key.as_ref()),
        (Value::Array(items), Place::Index(index)) => items.get_mut(*index),
        (Value::Object(fields), Place::Index(index)) => fields.get_mut(&index.to_string()),
        (Value::Object(fields), Place::Nowhere(key)) => fields.get_mut(key),
        _ => None,
    }
}

/// What is not stored but computed: `length`, and the characters of a text.
fn derived(value: &Value, place: &Place) -> Option<Value> {
    match (value, place) {
        (Value::Array(items), Place::Key(key)) if key == "length" => Some(items.len().into()),
        (Value::String(text), Place::Key(key)) if key == "length" => Some(text.chars().count().into()),
        (Value::String(text), Place::Index(index)) => text.chars().nth(*index).map(|c| Value::String(c.to_string())),
        _ => None,
    }
}

fn place<'e>(value: Cow<'e, Value>) -> Result<Place<'e>, Stop> {
    Ok(match value {
        Cow::Borrowed(Value::String(key)) => Place::Key(Cow::Borrowed(key)),
        Cow::Owned(Value::String(key)) => Place::Key(Cow::Owned(key)),
        value => match (&*value, super::number::index(&value)) {
            (_, Some(index)) => Place::Index(index),
            (Value::Number(number), None) => Place::Nowhere(words::number_text(number)),
            (other, None) => return Err(Stop::failed(format!("`[…]` takes a text or a number; this is {}", words::kind(other)))),
        },
    })
}

/// The name of a field as an object takes it: a text, or a number written out.
pub(super) fn key(value: &Value) -> Result<String, Stop> {
    match value {
        Value::String(key) => Ok(key.clone()),
        Value::Number(number) => Ok(words::number_text(number)),
        other => Err(Stop::failed(format!("the name of a field is a text; this is {}", words::kind(other)))),
    }
}
