//! CSS selectors as far as they are of use for taking data out of pages: read once, then matched from right to left.
//!
//! Of our own: the crates that match selectors are under a licence that `deny.toml` does not let in.

use super::html_tree::Tree;

/// A list of alternatives.
pub(super) struct Selector(pub Vec<Chain>);

/// The last compound is the element itself; each other one stands before the combinator that follows it.
pub(super) struct Chain {
    pub last: Compound,
    pub before: Vec<(Combinator, Compound)>,
}

#[derive(Clone, Copy)]
pub(super) enum Combinator {
    Descendant,
    Child,
    Next,
    Later,
}

#[derive(Default)]
pub(super) struct Compound(pub Vec<Test>);

pub(super) enum Test {
    Name(String),
    Id(String),
    Class(String),
    Attribute {
        name: String,
        how: How,
        value: String,
        ignore_case: bool,
    },
    /// `an + b`, counted from 1; from the end; only among those of its name.
    Nth {
        a: i64,
        b: i64,
        last: bool,
        of_type: bool,
    },
    Empty,
    Not(Selector),
    Is(Selector),
}

#[derive(Clone, Copy)]
pub(super) enum How {
    There,
    Equal,
    Word,
    Dash,
    Start,
    End,
    Within,
}

impl Selector {
    pub(super) fn matches(&self, tree: &Tree, node: usize) -> bool {
        self.0.iter().any(|chain| chain.last.matches(tree, node) && holds(tree, node, &chain.before))
    }
}

/// Whether what stands before `node` is as the rest of the chain says, from right to left.
fn holds(tree: &Tree, node: usize, before: &[(Combinator, Compound)]) -> bool {
    let Some(((combinator, compound), rest)) = before.split_last() else { return true };
    let fits = |candidate: usize| compound.matches(tree, candidate) && holds(tree, candidate, rest);
    let parent = tree.nodes[node].parent;
    let place = tree.nodes[node].place;
    match combinator {
        Combinator::Child => parent.is_some_and(fits),
        Combinator::Descendant => std::iter::successors(parent, |node| tree.nodes[*node].parent).any(fits),
        Combinator::Next => place > 0 && parent.and_then(|parent| tree.elements(parent).nth(place - 1)).is_some_and(fits),
        Combinator::Later => parent.is_some_and(|parent| tree.elements(parent).take(place).any(fits)),
    }
}

impl Compound {
    fn matches(&self, tree: &Tree, node: usize) -> bool {
        tree.nodes[node].name().is_some() && self.0.iter().all(|test| test.holds(tree, node))
    }
}

impl Test {
    fn holds(&self, tree: &Tree, node: usize) -> bool {
        let element = &tree.nodes[node];
        match self {
            Test::Name(name) => element.name() == Some(name),
            Test::Id(id) => element.attribute("id") == Some(id),
            Test::Class(class) => element.attribute("class").is_some_and(|all| all.split_ascii_whitespace().any(|one| one == class)),
            Test::Attribute { name, how, value, ignore_case } => element.attribute(name).is_some_and(|found| {
                if *ignore_case { how.fits(&found.to_lowercase(), &value.to_lowercase()) } else { how.fits(found, value) }
            }),
            Test::Nth { a, b, last, of_type } => nth(tree, node, *last, *of_type).is_some_and(|place| {
                let left = place - b;
                if *a == 0 { left == 0 } else { left % a == 0 && left / a >= 0 }
            }),
            Test::Empty => element.children.iter().all(|child| match &tree.nodes[*child].kind {
                super::html_tree::Kind::Text(text) => text.is_empty(),
                super::html_tree::Kind::Element { .. } => false,
                super::html_tree::Kind::Other => true,
            }),
            Test::Not(selector) => !selector.matches(tree, node),
            Test::Is(selector) => selector.matches(tree, node),
        }
    }
}

fn nth(tree: &Tree, node: usize, last: bool, of_type: bool) -> Option<i64> {
    let parent = tree.nodes[node].parent?;
    let alike = |other: &usize| !of_type || tree.nodes[*other].name() == tree.nodes[node].name();
    let count = |place: Option<usize>| place.and_then(|place| i64::try_from(place + 1).ok());
    if !of_type && !last {
        return count(Some(tree.nodes[node].place));
    }
    if last {
        count(tree.elements(parent).rev().filter(alike).position(|other| other == node))
    } else {
        count(tree.elements(parent).filter(alike).position(|other| other == node))
    }
}

impl How {
    fn fits(self, found: &str, value: &str) -> bool {
        match self {
            How::There => true,
            How::Equal => found == value,
            How::Word => !value.is_empty() && found.split_ascii_whitespace().any(|word| word == value),
            How::Dash => found == value || found.strip_prefix(value).is_some_and(|rest| rest.starts_with('-')),
            How::Start => !value.is_empty() && found.starts_with(value),
            How::End => !value.is_empty() && found.ends_with(value),
            How::Within => !value.is_empty() && found.contains(value),
        }
    }
}
