//! Methods of lists that look at, choose and change items.

use std::borrow::Cow;

use serde_json::Value;

use super::sequence::take;
use super::{Args, Function, Of, bool_value, text_value};
use crate::expr::eval::{Out, push, truthy};
use crate::expr::fuel::Stop;
use crate::expr::operator::equal;
use crate::expr::words;

pub(super) const FUNCTIONS: [Function; 21] = [
    Function::new(
        Of::List,
        "map",
        "list.map((item, index) => value)",
        "The function's value for each item.",
        "[1, 2].map(x => x * 10)",
        "[10,20]",
        map,
    )
    .takes(1, 1)
    .function(),
    Function::new(
        Of::List,
        "filter",
        "list.filter((item, index) => condition)",
        "The items for which the condition holds.",
        "[1, 2, 3].filter(x => x > 1)",
        "[2,3]",
        filter,
    )
    .takes(1, 1)
    .function(),
    Function::new(
        Of::List,
        "find",
        "list.find((item, index) => condition)",
        "The first item for which the condition holds, or null.",
        "[{id: 1}, {id: 2}].find(x => x.id == 2)",
        r#"{"id":2}"#,
        find,
    )
    .takes(1, 1)
    .function(),
    Function::new(
        Of::List,
        "findLast",
        "list.findLast((item, index) => condition)",
        "The last item for which the condition holds, or null.",
        "[1, 2, 3].findLast(x => x < 3)",
        "2",
        find_last,
    )
    .takes(1, 1)
    .function(),
    Function::new(
        Of::List,
        "findIndex",
        "list.findIndex((item, index) => condition)",
        "The place of the first item for which the condition holds, or -1.",
        "[1, 2].findIndex(x => x == 2)",
        "1",
        find_index,
    )
    .takes(1, 1)
    .function(),
    Function::new(
        Of::List,
        "some",
        "list.some((item, index) => condition)",
        "Whether the condition holds for an item.",
        "[1, 2].some(x => x > 1)",
        "true",
        some,
    )
    .takes(1, 1)
    .function(),
    Function::new(
        Of::List,
        "every",
        "list.every((item, index) => condition)",
        "Whether the condition holds for every item.",
        "[1, 2].every(x => x > 1)",
        "false",
        every,
    )
    .takes(1, 1)
    .function(),
    Function::new(
        Of::List,
        "reduce",
        "list.reduce((gathered, item, index) => value, start?)",
        "Gathers the items into one value, from `start` or the first item.",
        "[1, 2, 3].reduce((sum, x) => sum + x, 0)",
        "6",
        reduce,
    )
    .takes(1, 2)
    .function(),
    Function::new(
        Of::List,
        "flatMap",
        "list.flatMap((item, index) => list)",
        "The function's lists in one list.",
        "[1, 2].flatMap(x => [x, x])",
        "[1,1,2,2]",
        flat_map,
    )
    .takes(1, 1)
    .function(),
    Function::new(
        Of::List,
        "flat",
        "list.flat(depth?)",
        "Lists inside the list dissolved, one level or `depth` levels.",
        "[1, [2, [3]]].flat()",
        "[1,2,[3]]",
        flat,
    )
    .takes(0, 1),
    Function::new(
        Of::List,
        "join",
        "list.join(separator?)",
        "The items as one text; `,` stands between them unless given.",
        "['a', 1, null].join('-')",
        r#""a-1-""#,
        join,
    )
    .takes(0, 1),
    Function::new(Of::List, "first", "list.first()", "The first item, or null.", "[1, 2].first()", "1", first),
    Function::new(Of::List, "last", "list.last()", "The last item, or null.", "[1, 2].last()", "2", last),
    Function::new(
        Of::List,
        "compact",
        "list.compact()",
        "The items without null and empty texts.",
        "[1, null, ''].compact()",
        "[1]",
        compact,
    ),
    Function::new(Of::List, "chunk", "list.chunk(size)", "Lists of up to `size` items each.", "[1, 2, 3].chunk(2)", "[[1,2],[3]]", chunk)
        .takes(1, 1),
    Function::new(
        Of::List,
        "zip",
        "list.zip(other)",
        "Pairs of the items at the same place, up to the shorter list's end.",
        "['a', 'b'].zip([1, 2])",
        r#"[["a",1],["b",2]]"#,
        zip,
    )
    .takes(1, 1),
    Function::new(
        Of::List,
        "intersection",
        "list.intersection(other)",
        "The items that are also in the other list.",
        "[1, 2, 3].intersection([2, 3, 4])",
        "[2,3]",
        intersection,
    )
    .takes(1, 1),
    Function::new(
        Of::List,
        "difference",
        "list.difference(other)",
        "The items that are not in the other list.",
        "[1, 2, 3].difference([2])",
        "[1,3]",
        difference,
    )
    .takes(1, 1),
    Function::new(Of::List, "union", "list.union(other)", "The items of both lists, each once.", "[1, 2].union([2, 3])", "[1,2,3]", union)
        .takes(1, 1),
    Function::new(
        Of::None,
        "range",
        "range(start, end, step?)",
        "The whole numbers from start to before end.",
        "range(0, 3)",
        "[0,1,2]",
        range,
    )
    .takes(2, 3),
    Function::new(Of::None, "Array.isArray", "Array.isArray(x)", "Whether x is a list.", "Array.isArray([])", "true", is_array).takes(1, 1),
];

/// A list under construction.
struct Made {
    items: Vec<Value>,
    size: usize,
}

impl Made {
    fn new() -> Made {
        Made { items: Vec::new(), size: 0 }
    }

    fn add(&mut self, item: Cow<Value>, args: &mut Args) -> Result<(), Stop> {
        push(&mut self.items, item, &mut self.size, args.fuel)
    }

    fn done<'e>(self) -> Out<'e> {
        Ok(Cow::Owned(Value::Array(self.items)))
    }
}

fn map<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let mut made = Made::new();
    for (i, item) in list.iter().enumerate() {
        let index = Value::from(i);
        let value = args.each(0, item, &index)?;
        made.add(value, args)?;
    }
    made.done()
}

/// Whether the condition that is argument 0 holds for an item.
fn holds(args: &mut Args, item: &Value, i: usize) -> Result<bool, Stop> {
    let index = Value::from(i);
    let value = args.each(0, item, &index)?;
    Ok(truthy(&value))
}

fn filter<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let mut made = Made::new();
    for (i, item) in list.iter().enumerate() {
        if holds(args, item, i)? {
            made.add(Cow::Borrowed(item), args)?;
        }
    }
    made.done()
}

fn position(list: &[Value], args: &mut Args, backwards: bool) -> Result<Option<usize>, Stop> {
    for n in 0..list.len() {
        let i = if backwards { list.len() - 1 - n } else { n };
        if holds(args, &list[i], i)? {
            return Ok(Some(i));
        }
    }
    Ok(None)
}

fn item_or_null(list: Cow<'_, [Value]>, at: Option<usize>) -> Out<'_> {
    Ok(at.map_or(Cow::Owned(Value::Null), |at| take(list, at)))
}

fn find<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let at = position(&list, args, false)?;
    item_or_null(list, at)
}

fn find_last<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let at = position(&list, args, true)?;
    item_or_null(list, at)
}

fn find_index<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let at = position(&list, args, false)?;
    Ok(Cow::Owned(at.map_or(Value::from(-1), Value::from)))
}

fn some<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    bool_value(position(&list, args, false)?.is_some())
}

fn every<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    for (i, item) in list.iter().enumerate() {
        if !holds(args, item, i)? {
            return bool_value(false);
        }
    }
    bool_value(true)
}

fn reduce<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let (mut gathered, from) = match (args.count(), list.first()) {
        (2, _) => (args.value(1)?.into_owned(), 0),
        (_, Some(first)) => (first.clone(), 1),
        (_, None) => return Err(args.failed("the list is empty and no start value is given")),
    };
    args.fuel.weigh(&gathered)?;
    for (i, item) in list.iter().enumerate().skip(from) {
        let index = Value::from(i);
        let next = args.call(0, [Some(&gathered), Some(item), Some(&index)])?;
        args.fuel.weigh(&next)?;
        gathered = next.into_owned();
    }
    Ok(Cow::Owned(gathered))
}

fn flat_map<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let mut made = Made::new();
    for (i, item) in list.iter().enumerate() {
        let index = Value::from(i);
        match args.each(0, item, &index)? {
            Cow::Borrowed(Value::Array(more)) => more.iter().try_for_each(|item| made.add(Cow::Borrowed(item), args))?,
            Cow::Owned(Value::Array(more)) => more.into_iter().try_for_each(|item| made.add(Cow::Owned(item), args))?,
            one => made.add(one, args)?,
        }
    }
    made.done()
}

fn flat<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    fn dissolve(items: &[Value], depth: i64, made: &mut Made, args: &mut Args) -> Result<(), Stop> {
        for item in items {
            match item {
                Value::Array(inner) if depth > 0 => {
                    args.fuel.spend(1)?;
                    dissolve(inner, depth - 1, made, args)?;
                }
                item => made.add(Cow::Borrowed(item), args)?,
            }
        }
        Ok(())
    }
    let list = args.this_list();
    let depth = args.int_or(0, 1)?;
    let mut made = Made::new();
    dissolve(&list, depth, &mut made, args)?;
    made.done()
}

fn join<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (list, separator) = (args.this_list(), args.text_or(0, ",")?);
    let mut made = String::new();
    for (i, item) in list.iter().enumerate() {
        if i > 0 {
            words::push(&mut made, &separator, args.fuel)?;
        }
        words::push_value(&mut made, item, args.fuel)?;
    }
    text_value(made)
}

fn first<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let at = (!list.is_empty()).then_some(0);
    item_or_null(list, at)
}

fn last<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let at = list.len().checked_sub(1);
    item_or_null(list, at)
}

fn compact<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let mut made = Made::new();
    for item in list.iter().filter(|item| !item.is_null() && item.as_str() != Some("")) {
        made.add(Cow::Borrowed(item), args)?;
    }
    made.done()
}

fn chunk<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let list = args.this_list();
    let size = usize::try_from(args.int_or(0, 0)?).unwrap_or(0);
    if size == 0 {
        return Err(args.failed("the size is a whole number of at least 1"));
    }
    let mut made = Made::new();
    for items in list.chunks(size) {
        let (mut inner, mut size) = (Vec::new(), made.size);
        items.iter().try_for_each(|item| push(&mut inner, Cow::Borrowed(item), &mut size, args.fuel))?;
        made.add(Cow::Owned(Value::Array(inner)), args)?;
    }
    made.done()
}

fn zip<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (list, other) = (args.this_list(), args.list(0)?);
    let mut made = Made::new();
    for (a, b) in list.iter().zip(other.iter()) {
        args.fuel.weigh(a)?;
        args.fuel.weigh(b)?;
        made.add(Cow::Owned(Value::Array(vec![a.clone(), b.clone()])), args)?;
    }
    made.done()
}

fn holds_item(list: &[Value], wanted: &Value, args: &mut Args) -> Result<bool, Stop> {
    for item in list {
        if equal(item, wanted, args.fuel)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn kept<'e>(args: &mut Args<'_, 'e>, when: bool) -> Out<'e> {
    let (list, other) = (args.this_list(), args.list(0)?);
    let mut made = Made::new();
    for item in list.iter() {
        if holds_item(&other, item, args)? == when {
            made.add(Cow::Borrowed(item), args)?;
        }
    }
    made.done()
}

fn intersection<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    kept(args, true)
}

fn difference<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    kept(args, false)
}

fn union<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (list, other) = (args.this_list(), args.list(0)?);
    let mut made = Made::new();
    for item in list.iter().chain(other.iter()) {
        if !holds_item(&made.items, item, args)? {
            made.add(Cow::Borrowed(item), args)?;
        }
    }
    made.done()
}

fn range<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    let (start, end, step) = (args.int_or(0, 0)?, args.int_or(1, 0)?, args.int_or(2, 1)?);
    if step == 0 {
        return Err(args.failed("the step is not 0"));
    }
    let (mut made, mut at) = (Made::new(), start);
    while (step > 0 && at < end) || (step < 0 && at > end) {
        made.add(Cow::Owned(Value::from(at)), args)?;
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    made.done()
}

fn is_array<'e>(args: &mut Args<'_, 'e>) -> Out<'e> {
    bool_value(args.value(0)?.is_array())
}
