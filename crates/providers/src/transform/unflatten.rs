//! `transform.unflatten`: nested fields from names with dots, the way back from `flatten`.

use indexmap::IndexMap;
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::flatten::{dot, objects};
use super::invalid_input;
use crate::logic::pure::Pure;

pub(super) struct Unflatten;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// An object, or a list of objects, each of which is changed.
    value: Value,
    /// What stands between the parts of a name.
    #[serde(default = "dot")]
    #[schemars(length(min = 1))]
    separator: String,
}

/// As deep as expressions let a value be.
const MAX_DEPTH: usize = 64;

/// A level that is being built is kept apart from a value that came in: a name may lead through the one, not the other.
enum Node {
    Level(IndexMap<String, Node>),
    Leaf(Value),
}

impl Pure for Unflatten {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": ["object", "array"]})),
            example: json!({"value": {"id": 7, "customer.name": "Ada", "customer.tags.0": "new", "customer.tags.1": "eu"}}),
            ..ActionSpec::of::<Params>("unflatten", "Unflatten", "Makes nested fields of names such as customer.name.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        objects(params.value, &params.separator, |fields, separator| {
            let mut nested = IndexMap::new();
            for (name, value) in fields {
                place(&mut nested, &name, value, separator)?;
            }
            Ok(nested.into_iter().map(|(name, node)| (name, node.into_value())).collect())
        })
    }
}

fn place(level: &mut IndexMap<String, Node>, name: &str, value: Value, separator: &str) -> Result<(), Fault> {
    if name.matches(separator).count() >= MAX_DEPTH {
        return Err(invalid_input(format!("\"{name}\" has more than {MAX_DEPTH} parts")));
    }
    let clash = || invalid_input(format!("\"{name}\" is in the way of another field, or the other way round"));
    let (way, last) = name.rsplit_once(separator).map_or((None, name), |(way, last)| (Some(way), last));
    let mut level = level;
    for part in way.into_iter().flat_map(|way| way.split(separator)) {
        match level.entry(part.to_owned()).or_insert_with(|| Node::Level(IndexMap::new())) {
            Node::Level(inner) => level = inner,
            Node::Leaf(_) => return Err(clash()),
        }
    }
    match level.insert(last.to_owned(), Node::Leaf(value)) {
        None => Ok(()),
        Some(_) => Err(clash()),
    }
}

impl Node {
    /// A level whose names are 0, 1, 2 and so on is a list.
    fn into_value(self) -> Value {
        match self {
            Node::Leaf(value) => value,
            Node::Level(level) => {
                let is_list = (0..level.len()).all(|index| level.contains_key(&index.to_string()));
                if is_list {
                    let mut level = level;
                    let items = (0..level.len())
                        .filter_map(|index| level.get_mut(&index.to_string()).map(|node| std::mem::replace(node, Node::Leaf(Value::Null))));
                    items.collect::<Vec<_>>().into_iter().map(Node::into_value).collect()
                } else {
                    Value::Object(level.into_iter().map(|(name, node)| (name, node.into_value())).collect())
                }
            }
        }
    }
}
