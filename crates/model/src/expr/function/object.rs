//! Functions and methods of objects.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::text::texts;
use super::{Args, Function, Of, bool_value};
use crate::expr::access;
use crate::expr::eval::{Out, push, set};
use crate::expr::fuel::{MAX_DEPTH, Stop};
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 13] = [
    Function::new(
        Of::None,
        "Object.keys",
        "Object.keys(object)",
        "The names of the fields.",
        "Object.keys({a: 1, b: 2})",
        r#"["a","b"]"#,
        keys,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "Object.values",
        "Object.values(object)",
        "The values of the fields.",
        "Object.values({a: 1, b: 2})",
        "[1,2]",
        values,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "Object.entries",
        "Object.entries(object)",
        "Pairs of name and value.",
        "Object.entries({a: 1})",
        r#"[["a",1]]"#,
        entries,
    )
    .takes(1, 1),
    Function::new(
        Of::None,
        "Object.fromEntries",
        "Object.fromEntries(pairs)",
        "The object of such pairs.",
        "Object.fromEntries([['a', 1]])",
        r#"{"a":1}"#,
        from_entries,
    )
    .takes(1, 1),
    Function::new(Of::Object, "keys", "object.keys()", "The names of the fields.", "({a: 1, b: 2}).keys()", r#"["a","b"]"#, keys),
    Function::new(Of::Object, "values", "object.values()", "The values of the fields.", "({a: 1, b: 2}).values()", "[1,2]", values),
    Function::new(Of::Object, "entries", "object.entries()", "Pairs of name and value.", "({a: 1}).entries()", r#"[["a",1]]"#, entries),
    Function::new(
        Of::Object,
        "has",
        "object.has(name)",
        "Whether there is a field of this name; its value may be null.",
        "({a: null}).has('a')",
        "true",
        has,
    )
    .takes(1, 1),
    Function::new(
        Of::Object,
        "pick",
        "object.pick(name, …)",
        "Only these fields; names or a list of names.",
        "({a: 1, b: 2}).pick('a')",
        r#"{"a":1}"#,
        pick,
    )
    .takes(1, 255),
    Function::new(
        Of::Object,
        "omit",
        "object.omit(name, …)",
        "All but these fields; names or a list of names.",
        "({a: 1, b: 2}).omit('a')",
        r#"{"b":2}"#,
        omit,
    )
    .takes(1, 255),
    Function::new(
        Of::Object,
        "merge",
        "object.merge(other, …)",
        "The fields of all, later ones winning; objects inside are merged too.",
        "({a: {x: 1}}).merge({a: {y: 2}})",
        r#"{"a":{"x":1,"y":2}}"#,
        merge,
    )
    .takes(1, 255),
    Function::new(
        Of::Object,
        "compact",
        "object.compact()",
        "The fields that are neither null nor an empty text.",
        "({a: 1, b: null}).compact()",
        r#"{"a":1}"#,
        compact,
    ),
    Function::new(
        Of::Object,
        "get",
        "object.get(path, otherwise?)",
        "The value at a path in a text, `a.b.0`, or `otherwise`.",
        "({a: {b: [5]}}).get('a.b.0')",
        "5",
        get,
    )
    .takes(1, 2),
];

/// The object: what the method was called on, or argument 0.
fn fields<'e>(args: &mut Args<'_, 'e>) -> Result<Cow<'e, Value>, Stop> {
    let value = if args.is_method() { args.this() } else { args.value(0)? };
    match &*value {
        Value::Object(_) => Ok(value),
        other => Err(args.failed(format!("this takes an object, not {}", words::kind(other)))),
    }
}

fn map(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("checked to be an object")
}

fn keys<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = fields(args)?;
    texts(map(&object).keys().map(String::as_str), args)
}

fn values<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = fields(args)?;
    let (mut made, mut size) = (Vec::new(), 0);
    for value in map(&object).values() {
        push(&mut made, Cow::Borrowed(value), &mut size, args.fuel)?;
    }
    Ok(Cow::Owned(Value::Array(made)))
}

fn entries<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = fields(args)?;
    let (mut made, mut size) = (Vec::new(), 0);
    for (key, value) in map(&object) {
        args.fuel.weigh(value)?;
        push(&mut made, Cow::Owned(Value::Array(vec![Value::from(key.as_str()), value.clone()])), &mut size, args.fuel)?;
    }
    Ok(Cow::Owned(Value::Array(made)))
}

fn from_entries<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let pairs = args.list(0)?;
    let (mut made, mut size) = (Map::new(), 0);
    for pair in pairs.iter() {
        match pair.as_array().map(Vec::as_slice) {
            Some([key, value]) => set(&mut made, access::key(key)?, Cow::Borrowed(value), &mut size, args.fuel)?,
            _ => return Err(args.failed("each item is a list of a name and a value")),
        }
    }
    Ok(Cow::Owned(Value::Object(made)))
}

fn has<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = fields(args)?;
    let name = access::key(&*args.value(0)?)?;
    bool_value(map(&object).contains_key(&name))
}

/// The names given as arguments, one by one or as lists.
fn names(args: &mut Args) -> Result<Vec<String>, Stop> {
    let mut names = Vec::new();
    for i in 0..args.count() {
        match &*args.value(i)? {
            Value::Array(list) => {
                for name in list {
                    args.fuel.spend(1)?;
                    names.push(access::key(name)?);
                }
            }
            name => names.push(access::key(name)?),
        }
    }
    Ok(names)
}

fn pick<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = fields(args)?;
    let names = names(args)?;
    let (mut made, mut size) = (Map::new(), 0);
    for name in names {
        if let Some(value) = map(&object).get(&name) {
            set(&mut made, name, Cow::Borrowed(value), &mut size, args.fuel)?;
        }
    }
    Ok(Cow::Owned(Value::Object(made)))
}

fn omit<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = fields(args)?;
    let names: std::collections::HashSet<String> = names(args)?.into_iter().collect();
    kept(&object, args, |key, _| !names.contains(key))
}

fn compact<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = fields(args)?;
    kept(&object, args, |_, value| !value.is_null() && value.as_str() != Some(""))
}

fn kept<'e>(object: &Value, args: &mut Args<'_, 'e>, keep: impl Fn(&str, &Value) -> bool) -> Out<'e> {
    let (mut made, mut size) = (Map::new(), 0);
    for (key, value) in map(object).iter().filter(|(key, value)| keep(key, value)) {
        set(&mut made, key.clone(), Cow::Borrowed(value), &mut size, args.fuel)?;
    }
    Ok(Cow::Owned(Value::Object(made)))
}

fn merge<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    fn into(target: &mut Map<String, Value>, from: &Map<String, Value>, depth: usize, args: &mut Args) -> Result<(), Stop> {
        for (key, value) in from {
            args.reserve(key.len())?;
            match (target.get_mut(key), value) {
                (Some(Value::Object(target)), Value::Object(from)) if depth < MAX_DEPTH => into(target, from, depth + 1, args)?,
                _ => {
                    target.insert(key.clone(), value.clone());
                }
            }
        }
        Ok(())
    }
    let object = fields(args)?;
    args.fuel.weigh(&object)?;
    let mut made = map(&object).clone();
    for i in 0..args.count() {
        let other = args.value(i)?;
        args.fuel.weigh(&other)?;
        match &*other {
            Value::Null => {}
            Value::Object(from) => into(&mut made, from, 0, args)?,
            other => return Err(args.failed(format!("argument {} is an object; this is {}", i + 1, words::kind(other)))),
        }
        // several arguments may add up to more than each of them
        let whole = Value::Object(made);
        args.fuel.weigh(&whole)?;
        made = match whole {
            Value::Object(fields) => fields,
            _ => unreachable!("it was one a line above"),
        };
    }
    Ok(Cow::Owned(Value::Object(made)))
}

fn get<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let object = fields(args)?;
    let path = args.text(0)?;
    args.scan(&path)?;
    let mut found = Some(&*object);
    for part in path.split('.') {
        args.fuel.spend(1)?;
        found = match found {
            Some(Value::Object(fields)) => fields.get(part),
            Some(Value::Array(items)) => part.parse().ok().and_then(|place: usize| items.get(place)),
            _ => None,
        };
    }
    match found {
        Some(value) => {
            args.fuel.weigh(value)?;
            Ok(Cow::Owned(value.clone()))
        }
        None => args.value(1),
    }
}
