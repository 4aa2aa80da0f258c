//! Methods of lists that sort, group and sum.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::sequence::{copied, take};
use super::{Args, Function, Of};
use crate::expr::access;
use crate::expr::eval::{Out, push};
use crate::expr::fuel::Stop;
use crate::expr::number::{self, Num, num};
use crate::expr::operator::{equal, order};
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 13] = [
    Function::new(
        Of::List,
        "sort",
        "list.sort((a, b) => number)",
        "Sorted: numbers by size, texts by character, or by the function; equal items keep their order.",
        "[10, 9, 1].sort()",
        "[1,9,10]",
        sort,
    )
    .takes(0, 1)
    .function(),
    Function::new(
        Of::List,
        "toSorted",
        "list.toSorted((a, b) => number)",
        "The same as sort().",
        "[3, 1, 2].toSorted((a, b) => b - a)",
        "[3,2,1]",
        sort,
    )
    .takes(0, 1)
    .function(),
    Function::new(
        Of::List,
        "sortBy",
        "list.sortBy(item => key or field, direction?)",
        "Sorted by a key of each item; `desc` turns it round, null comes last.",
        "[{n: 2}, {n: 1}].sortBy('n')",
        r#"[{"n":1},{"n":2}]"#,
        sort_by,
    )
    .takes(1, 2)
    .function_or_field(),
    Function::new(Of::List, "reverse", "list.reverse()", "The items from last to first.", "[1, 2].reverse()", "[2,1]", reverse),
    Function::new(Of::List, "toReversed", "list.toReversed()", "The same as reverse().", "[1, 2].toReversed()", "[2,1]", reverse),
    Function::new(
        Of::List,
        "unique",
        "list.unique(item => key or field)",
        "The items without repetitions, by content or by a key; the first of each stays.",
        "[1, 2, 1].unique()",
        "[1,2]",
        unique,
    )
    .takes(0, 1)
    .function_or_field(),
    Function::new(
        Of::List,
        "groupBy",
        "list.groupBy(item => key or field)",
        "An object of lists, by a key of each item.",
        "[{k: 'a', n: 1}, {k: 'b', n: 2}].groupBy('k')",
        r#"{"a":[{"k":"a","n":1}],"b":[{"k":"b","n":2}]}"#,
        group_by,
    )
    .takes(1, 1)
    .function_or_field(),
    Function::new(
        Of::List,
        "keyBy",
        "list.keyBy(item => key or field)",
        "An object of items, by a key of each; the last of each key stays.",
        "[{id: 'x'}].keyBy('id')",
        r#"{"x":{"id":"x"}}"#,
        key_by,
    )
    .takes(1, 1)
    .function_or_field(),
    Function::new(
        Of::List,
        "countBy",
        "list.countBy(item => key or field)",
        "How many items have each key.",
        "['a', 'b', 'a'].countBy(x => x)",
        r#"{"a":2,"b":1}"#,
        count_by,
    )
    .takes(1, 1)
    .function_or_field(),
    Function::new(
        Of::List,
        "sum",
        "list.sum(item => number or field)",
        "The sum of the numbers; null counts as nothing.",
        "[1, 2.5].sum()",
        "3.5",
        sum,
    )
    .takes(0, 1)
    .function_or_field(),
    Function::new(
        Of::List,
        "average",
        "list.average(item => number or field)",
        "The mean of the numbers, or null for none.",
        "[1, 2].average()",
        "1.5",
        average,
    )
    .takes(0, 1)
    .function_or_field(),
    Function::new(
        Of::List,
        "min",
        "list.min(item => key or field)",
        "The item that is least, or null for an empty list.",
        "[3, 1, 2].min()",
        "1",
        min,
    )
    .takes(0, 1)
    .function_or_field(),
    Function::new(
        Of::List,
        "max",
        "list.max(item => key or field)",
        "The item that is greatest, or null for an empty list.",
        "[{n: 1}, {n: 2}].max('n')",
        r#"{"n":2}"#,
        max,
    )
    .takes(0, 1)
    .function_or_field(),
];

type Compare<'c> = dyn FnMut(usize, usize) -> Result<Ordering, Stop> + 'c;

/// The places 0 to `count` in order. A merge of our own: a comparison can fail, and need not be consistent.
fn sorted(count: usize, compare: &mut Compare) -> Result<Vec<usize>, Stop> {
    let mut from: Vec<usize> = (0..count).collect();
    let mut into = Vec::with_capacity(count);
    let mut width = 1;
    while width < count {
        into.clear();
        for run in from.chunks(width * 2) {
            let (left, right) = run.split_at(width.min(run.len()));
            let (mut l, mut r) = (0, 0);
            while l < left.len() && r < right.len() {
                if compare(right[r], left[l])?.is_lt() {
                    into.push(right[r]);
                    r += 1;
                } else {
                    into.push(left[l]);
                    l += 1;
                }
            }
            into.extend_from_slice(&left[l..]);
            into.extend_from_slice(&right[r..]);
        }
        std::mem::swap(&mut from, &mut into);
        width *= 2;
    }
    Ok(from)
}

fn picked<'e>(list: &[Value], places: &[usize], args: &mut Args<'_, 'e>) -> Out<'e> {
    let (mut made, mut size) = (Vec::new(), 0);
    for place in places {
        push(&mut made, Cow::Borrowed(&list[*place]), &mut size, args.fuel)?;
    }
    Ok(Cow::Owned(Value::Array(made)))
}

fn sort<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    args.fuel.spend(list.len() as u64)?;
    let by_function = args.is_function(0);
    let places = sorted(list.len(), &mut |a, b| {
        if !by_function {
            return order("sort", &list[a], &list[b], args.fuel);
        }
        match &*args.call(0, [Some(&list[a]), Some(&list[b]), None])? {
            Value::Number(number) => Ok(number::compare(num(number), Num::Int(0))),
            other => {
                Err(args.failed(format!("the function gives a number, less than 0 when a comes first; this is {}", words::kind(other))))
            }
        }
    })?;
    picked(&list, &places, args)
}

/// The keys of all items, made once, within the bounds.
fn keys(list: &[Value], args: &mut Args) -> Result<Vec<Value>, Stop> {
    let field = args.field()?;
    let (mut keys, mut size) = (Vec::new(), 0);
    for (i, item) in list.iter().enumerate() {
        let index = Value::from(i);
        let key = args.key_of(field.as_deref(), item, &index)?;
        push(&mut keys, key, &mut size, args.fuel)?;
    }
    Ok(keys)
}

fn sort_by<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let keys = keys(&list, args)?;
    let down = match &*args.text_or(1, "asc")? {
        "asc" => false,
        "desc" => true,
        other => return Err(args.failed(format!("the direction is \"asc\" or \"desc\", not {:?}", words::shorten(other, 20)))),
    };
    let places = sorted(list.len(), &mut |a, b| {
        let (a, b) = (&keys[a], &keys[b]);
        let nulls = a.is_null().cmp(&b.is_null());
        if a.is_null() || b.is_null() {
            args.fuel.spend(1)?;
            return Ok(nulls);
        }
        args.fuel.spend(1)?;
        let found = order("sortBy", a, b, args.fuel)?;
        Ok(if down { found.reverse() } else { found })
    })?;
    picked(&list, &places, args)
}

fn reverse<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let mut made = copied(&list, args)?;
    if let Cow::Owned(Value::Array(items)) = &mut made {
        items.reverse();
    }
    Ok(made)
}

fn unique<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let keys = keys(&list, args)?;
    let mut places: Vec<usize> = Vec::new();
    let mut others: Vec<usize> = Vec::new();
    // texts, the common case, are found by hash; anything else by comparing
    let mut texts: HashSet<&str> = HashSet::new();
    'items: for (i, key) in keys.iter().enumerate() {
        if let Value::String(text) = key {
            args.fuel.spend(1 + text.len() as u64 / 16)?;
            if texts.insert(text) {
                places.push(i);
            }
            continue;
        }
        for other in &others {
            if equal(key, &keys[*other], args.fuel)? {
                continue 'items;
            }
        }
        others.push(i);
        places.push(i);
    }
    picked(&list, &places, args)
}

/// Calls `add` with each item's key, as a field's name.
fn by_key(list: &[Value], args: &mut Args, mut add: impl FnMut(String, &Value, &mut Args) -> Result<(), Stop>) -> Result<(), Stop> {
    let field = args.field()?;
    for (i, item) in list.iter().enumerate() {
        let index = Value::from(i);
        let key = match &*args.key_of(field.as_deref(), item, &index)? {
            Value::Null => "null".to_owned(),
            Value::Bool(key) => key.to_string(),
            key => access::key(key)?,
        };
        args.reserve(key.len())?;
        add(key, item, args)?;
    }
    Ok(())
}

fn group_by<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let (mut groups, mut size) = (Map::new(), 0);
    by_key(&list, args, |key, item, args| {
        size += key.len();
        match groups.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(group) => push(group, Cow::Borrowed(item), &mut size, args.fuel),
            _ => Ok(()),
        }
    })?;
    Ok(Cow::Owned(Value::Object(groups)))
}

fn key_by<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let (mut made, mut size) = (Map::new(), 0);
    by_key(&list, args, |key, item, args| crate::expr::eval::set(&mut made, key, Cow::Borrowed(item), &mut size, args.fuel))?;
    Ok(Cow::Owned(Value::Object(made)))
}

fn count_by<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let (mut made, mut size) = (Map::new(), 0);
    by_key(&list, args, |key, _, args| {
        let count = made.get(&key).and_then(Value::as_u64).unwrap_or(0) + 1;
        crate::expr::eval::set(&mut made, key, Cow::Owned(Value::from(count)), &mut size, args.fuel)
    })?;
    Ok(Cow::Owned(Value::Object(made)))
}

/// The sum of the keys, and how many there were.
fn total(args: &mut Args) -> Result<(Num, usize), Stop> {
    let list = args.this_list();
    let field = args.field()?;
    let (mut sum, mut count) = (Num::Int(0), 0);
    for (i, item) in list.iter().enumerate() {
        let index = Value::from(i);
        let key = args.key_of(field.as_deref(), item, &index)?;
        let number = match &*key {
            Value::Null => continue,
            Value::Number(number) => num(number),
            other => return Err(args.failed(format!("item {i} is {}, not a number", words::kind(other)))),
        };
        count += 1;
        sum = match (sum, number) {
            (Num::Int(a), Num::Int(b)) => Num::Int(a + b),
            (a, b) => Num::Float(a.float() + b.float()),
        };
    }
    Ok((sum, count))
}

fn sum<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    Ok(Cow::Owned(match total(args)?.0 {
        Num::Int(sum) => number::from_int(sum).ok_or_else(|| number::overflow("sum"))?,
        Num::Float(sum) => number::from_float(sum, "sum")?,
    }))
}

fn average<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (sum, count) = total(args)?;
    if count == 0 {
        return Ok(Cow::Owned(Value::Null));
    }
    number::from_float(sum.float() / count as f64, "average").map(Cow::Owned)
}

fn best<'e>(args: &mut Args<'_, 'e>, wanted: Ordering) -> Out<'e> {
    let list = args.this_list();
    let keys = keys(&list, args)?;
    let mut best: Option<usize> = None;
    for (i, key) in keys.iter().enumerate().filter(|(_, key)| !key.is_null()) {
        let better = match best {
            None => true,
            Some(best) => order(args.name(), key, &keys[best], args.fuel)? == wanted,
        };
        if better {
            best = Some(i);
        }
    }
    Ok(best.map_or(Cow::Owned(Value::Null), |best| take(list, best)))
}

fn min<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    best(args, Ordering::Less)
}

fn max<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    best(args, Ordering::Greater)
}
