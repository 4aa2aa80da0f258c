//! Methods that text and lists share, and places counted from either end.

use std::borrow::Cow;

use serde_json::Value;

use super::text::characters;
use super::{Args, Function, Of, bool_value, text_value};
use crate::expr::eval::{Out, push};
use crate::expr::fuel::Stop;
use crate::expr::operator::equal;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 12] = [
    Function::new(
        Of::Text,
        "includes",
        "text.includes(part)",
        "Whether the text holds `part`.",
        "'hello'.includes('ell')",
        "true",
        text_includes,
    )
    .takes(1, 1),
    Function::new(
        Of::List,
        "includes",
        "list.includes(x)",
        "Whether an item equals x, by content.",
        "[1, [2]].includes([2])",
        "true",
        list_includes,
    )
    .takes(1, 1),
    Function::new(
        Of::Text,
        "indexOf",
        "text.indexOf(part)",
        "The place of the first `part`, or -1.",
        "'hello'.indexOf('l')",
        "2",
        text_index_of,
    )
    .takes(1, 1),
    Function::new(
        Of::List,
        "indexOf",
        "list.indexOf(x)",
        "The place of the first item equal to x, or -1.",
        "['a', 'b'].indexOf('b')",
        "1",
        list_index_of,
    )
    .takes(1, 1),
    Function::new(
        Of::Text,
        "lastIndexOf",
        "text.lastIndexOf(part)",
        "The place of the last `part`, or -1.",
        "'hello'.lastIndexOf('l')",
        "3",
        text_last_index_of,
    )
    .takes(1, 1),
    Function::new(
        Of::List,
        "lastIndexOf",
        "list.lastIndexOf(x)",
        "The place of the last item equal to x, or -1.",
        "[1, 2, 1].lastIndexOf(1)",
        "2",
        list_last_index_of,
    )
    .takes(1, 1),
    Function::new(
        Of::Text,
        "slice",
        "text.slice(start?, end?)",
        "The characters from start to before end; negative places count from the end.",
        "'hello'.slice(-3, -1)",
        r#""ll""#,
        text_slice,
    )
    .takes(0, 2),
    Function::new(
        Of::List,
        "slice",
        "list.slice(start?, end?)",
        "The items from start to before end; negative places count from the end.",
        "[1, 2, 3].slice(1)",
        "[2,3]",
        list_slice,
    )
    .takes(0, 2),
    Function::new(
        Of::Text,
        "at",
        "text.at(place)",
        "The character at a place, or null; negative places count from the end.",
        "'abc'.at(-1)",
        r#""c""#,
        text_at,
    )
    .takes(1, 1),
    Function::new(
        Of::List,
        "at",
        "list.at(place)",
        "The item at a place, or null; negative places count from the end.",
        "[1, 2].at(-1)",
        "2",
        list_at,
    )
    .takes(1, 1),
    Function::new(
        Of::Text,
        "concat",
        "text.concat(more, …)",
        "The texts joined; other values by the template rule.",
        "'a'.concat('b', 1)",
        r#""ab1""#,
        text_concat,
    )
    .takes(0, 255),
    Function::new(
        Of::List,
        "concat",
        "list.concat(more, …)",
        "The items of all lists; what is no list is one item.",
        "[1].concat([2, 3], 4)",
        "[1,2,3,4]",
        list_concat,
    )
    .takes(0, 255),
];

/// A place counted from either end, kept within 0 and `length`.
fn place(n: i64, length: usize) -> usize {
    if n < 0 {
        length.saturating_sub(usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(n).unwrap_or(usize::MAX).min(length)
    }
}

/// A place counted from either end, if it is one.
fn exact_place(n: i64, length: usize) -> Option<usize> {
    let n = if n < 0 { n.checked_add(i64::try_from(length).ok()?)? } else { n };
    usize::try_from(n).ok().filter(|n| *n < length)
}

/// One item of a list, without copying when the list is borrowed.
pub(super) fn take(list: Cow<'_, [Value]>, at: usize) -> Cow<'_, Value> {
    match list {
        Cow::Borrowed(items) => Cow::Borrowed(&items[at]),
        Cow::Owned(mut items) => Cow::Owned(items.swap_remove(at)),
    }
}

fn text_includes<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, part) = (args.this_text(), args.text(0)?);
    args.scan(&text)?;
    bool_value(text.contains(&*part))
}

fn list_includes<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let found = position(args, false)?;
    bool_value(found.is_some())
}

fn position(args: &mut Args, backwards: bool) -> Result<Option<usize>, Stop> {
    let (list, wanted) = (args.this_list(), args.value(0)?);
    for n in 0..list.len() {
        let at = if backwards { list.len() - 1 - n } else { n };
        if equal(&list[at], &wanted, args.fuel)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn place_value<'e>(place: Option<usize>) -> Out<'e> {
    Ok(Cow::Owned(place.map_or(Value::from(-1), Value::from)))
}

fn text_index_of<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, part) = (args.this_text(), args.text(0)?);
    args.scan(&text)?;
    place_value(text.find(&*part).map(|at| text[..at].chars().count()))
}

fn text_last_index_of<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (text, part) = (args.this_text(), args.text(0)?);
    args.scan(&text)?;
    place_value(text.rfind(&*part).map(|at| text[..at].chars().count()))
}

fn list_index_of<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    place_value(position(args, false)?)
}

fn list_last_index_of<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    place_value(position(args, true)?)
}

fn text_slice<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.this_text();
    args.scan(&text)?;
    let length = text.chars().count();
    let (start, end) = (place(args.int_or(0, 0)?, length), place(args.int_or(1, i64::MAX)?, length));
    text_value(characters(&text, start, end))
}

fn list_slice<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let (start, end) = (place(args.int_or(0, 0)?, list.len()), place(args.int_or(1, i64::MAX)?, list.len()));
    copied(&list[start..end.max(start)], args)
}

/// A new list of these items, within the bounds.
pub(super) fn copied<'e>(items: &[Value], args: &mut Args<'_, 'e>) -> Out<'e> {
    let (mut made, mut size) = (Vec::new(), 0);
    for item in items {
        push(&mut made, Cow::Borrowed(item), &mut size, args.fuel)?;
    }
    Ok(Cow::Owned(Value::Array(made)))
}

fn text_at<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.this_text();
    args.scan(&text)?;
    let place = exact_place(args.int_or(0, 0)?, text.chars().count());
    let found = place.and_then(|place| text.chars().nth(place));
    Ok(Cow::Owned(found.map_or(Value::Null, |c| Value::String(c.to_string()))))
}

fn list_at<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    Ok(match exact_place(args.int_or(0, 0)?, list.len()) {
        Some(place) => take(list, place),
        None => Cow::Owned(Value::Null),
    })
}

fn text_concat<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let text = args.this_text();
    let mut made = String::new();
    words::push(&mut made, &text, args.fuel)?;
    for i in 0..args.count() {
        let more = args.value(i)?;
        words::push_value(&mut made, &more, args.fuel)?;
    }
    text_value(made)
}

fn list_concat<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let (mut made, mut size) = (Vec::new(), 0);
    for item in list.iter() {
        push(&mut made, Cow::Borrowed(item), &mut size, args.fuel)?;
    }
    for i in 0..args.count() {
        match &*args.value(i)? {
            Value::Array(more) => more.iter().try_for_each(|item| push(&mut made, Cow::Borrowed(item), &mut size, args.fuel))?,
            one => push(&mut made, Cow::Borrowed(one), &mut size, args.fuel)?,
        }
    }
    Ok(Cow::Owned(Value::Array(made)))
}
