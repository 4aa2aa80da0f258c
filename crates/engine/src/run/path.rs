//! Step paths, `outer[3].inner[0]`: the name of one unit of work within a run, the same on every attempt and node.

/// One part of a path: a step's id and, inside a loop, the item or pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    pub id: &'a str,
    pub index: Option<u32>,
}

/// The parts of a path, outermost first. `None` when the text is no path.
pub fn parse(path: &str) -> Option<Vec<Part<'_>>> {
    path.split('.').map(part).collect()
}

fn part(text: &str) -> Option<Part<'_>> {
    let Some((id, rest)) = text.split_once('[') else {
        return (!text.is_empty()).then_some(Part { id: text, index: None });
    };
    let index = rest.strip_suffix(']')?.parse().ok()?;
    Some(Part { id, index: Some(index) })
}

/// `prefix` + `id`, with the item's index when there is one.
pub fn join(prefix: &str, id: &str, index: Option<u32>) -> String {
    match index {
        None if prefix.is_empty() => id.to_owned(),
        None => format!("{prefix}{id}"),
        Some(index) => format!("{prefix}{id}[{index}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_back_as_it_was_written() {
        let inner = join(&format!("{}.", join("", "outer", Some(3))), "inner", Some(0));
        assert_eq!(inner, "outer[3].inner[0]");
        assert_eq!(parse(&inner), Some(vec![Part { id: "outer", index: Some(3) }, Part { id: "inner", index: Some(0) }]));
        assert_eq!(parse("a[x]"), None);
        assert_eq!(parse("a..b"), None);
    }
}
