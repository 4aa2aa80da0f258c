//! Names in messages: the one that was probably meant, and all of them cut to a length that people read.

use crate::problem;

/// Longer names are not compared: the comparison's cost is the product of both lengths.
const MAX_COMPARED: usize = 100;
/// Characters of a name that a message shows.
const MAX_SHOWN: usize = 80;
/// Bytes of a pointer that a problem carries.
const MAX_POINTER: usize = 1_000;

/// The name among `known` that `given` most likely meant, or `None` when nothing is near.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if given.len() > MAX_COMPARED {
        return None;
    }
    let (length, limit) = (given.chars().count(), (given.chars().count() / 3).max(1));
    problem::nearest(given, known.into_iter().filter(|name| name.len() <= MAX_COMPARED && name.chars().count().abs_diff(length) <= limit))
}

/// A name, cut off where a hostile one would fill the page.
pub(crate) fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// The pointer of the nearest enclosing value whose pointer is not too long.
pub(crate) fn short_pointer(pointer: String) -> String {
    if pointer.len() <= MAX_POINTER {
        return pointer;
    }
    let mut end = MAX_POINTER;
    while !pointer.is_char_boundary(end) {
        end -= 1;
    }
    let end = pointer[..end].rfind('/').unwrap_or(0);
    pointer[..end].to_owned()
}

/// A sentence with the name that was probably meant.
pub(crate) fn meant(message: String, near: Option<&str>) -> String {
    match near {
        Some(near) => format!("{message}; did you mean \"{near}\"?"),
        None => message,
    }
}

/// Names in a row, cut off where nobody reads on.
pub(crate) fn some_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const LISTED: usize = 20;
    let mut names = names.into_iter();
    let mut text = names.by_ref().take(LISTED).map(shown).collect::<Vec<_>>().join(", ");
    let more = names.count();
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
