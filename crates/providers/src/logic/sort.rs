//! `logic.sort`: puts items in order by one or several fields; equals keep the order they had.

use std::borrow::Cow;
use std::cmp::Ordering;

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::bounds::kind;
use super::compare::compare;
use super::list::Items;
use super::path::Path;

pub(super) struct Sort;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A path into each item, or a list of paths or {by, order}, the first being the most important. Without it items are compared themselves.
    by: Option<Fields>,
    /// For every field that has no order of its own.
    #[serde(default)]
    order: Order,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Order {
    /// Null and missing values, then small to large; text by code points.
    #[default]
    Asc,
    /// The other way round, null last.
    Desc,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    by: Path,
    order: Option<Order>,
}

struct Fields(Vec<Field>);

impl<'de> Deserialize<'de> for Fields {
    // Not `untagged`, whose error would only say that no variant fits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        let field = |value: Value| match value {
            Value::String(text) => Path::parse(&text).map(|by| Field { by, order: None }).map_err(D::Error::custom),
            value @ Value::Object(_) => serde_json::from_value(value).map_err(D::Error::custom),
            other => Err(D::Error::custom(format!("\"by\" must be a path or a list of paths or {{by, order}}; it has {}", kind(&other)))),
        };
        match Value::deserialize(deserializer)? {
            Value::Array(list) => list.into_iter().map(field).collect::<Result<_, _>>().map(Fields),
            one => field(one).map(|field| Fields(vec![field])),
        }
    }
}

impl JsonSchema for Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let path = Path::json_schema(generator);
        let order = Order::json_schema(generator);
        let field = json!({
            "type": "object", "properties": {"by": path, "order": order}, "required": ["by"], "additionalProperties": false,
        });
        json_schema!({"anyOf": [path, field, {"type": "array", "items": {"anyOf": [path, field]}}]})
    }
}

impl Items for Sort {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array"})),
            example: json!({"items": [{"name": "Bo", "age": 36}, {"name": "Ada", "age": 36}, {"name": "Cy", "age": 41}],
                "by": [{"by": "age", "order": "desc"}, "name"]}),
            ..ActionSpec::of::<Params>("sort", "Sort", "Puts the items of a list in order, by themselves or by their fields.")
        }
    }

    fn run(&self, items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        // One column of keys per field, so that the comparison itself cannot fail.
        let columns: Vec<(Vec<&Value>, Order)> = match &params.by {
            None => vec![(items.iter().collect(), params.order)],
            Some(Fields(fields)) => fields
                .iter()
                .map(|field| (items.iter().map(|item| field.by.get_or_null(item)).collect(), field.order.unwrap_or(params.order)))
                .collect(),
        };
        let names = params.by.iter().flat_map(|Fields(fields)| fields).map(|field| Some(&field.by)).chain([None]);
        columns.iter().zip(names).try_for_each(|((column, _), name)| check(column, name))?;

        let mut places: Vec<usize> = (0..items.len()).collect();
        places.sort_by(|&a, &b| {
            columns.iter().fold(Ordering::Equal, |so_far, (column, order)| {
                so_far.then_with(|| {
                    let ascending = order_of(column[a], column[b]);
                    if *order == Order::Desc { ascending.reverse() } else { ascending }
                })
            })
        });
        let mut items: Vec<Option<Value>> = items.into_iter().map(Some).collect();
        Ok(places.into_iter().filter_map(|place| items[place].take()).collect())
    }
}

/// Null before everything; [`check`] has made sure that the rest is of one type.
fn order_of(a: &Value, b: &Value) -> Ordering {
    compare(a, b).unwrap_or_else(|| b.is_null().cmp(&a.is_null()))
}

fn check(column: &[&Value], name: Option<&Path>) -> Result<(), Fault> {
    let what = name.map_or_else(String::new, |name| format!("'s \"{name}\""));
    let mut present = column.iter().enumerate().filter(|(_, value)| !value.is_null());
    let Some((first, sample)) = present.next() else { return Ok(()) };
    if compare(sample, sample).is_none() {
        return Err(Fault::invalid_params(format!("item {first}{what} is {}, which has no order; sort by a field in it", kind(sample))));
    }
    match present.find(|(_, value)| compare(sample, value).is_none()) {
        None => Ok(()),
        Some((index, other)) => Err(Fault::invalid_params(format!(
            "item {first}{what} is {} and item {index}{what} is {}: these have no order between them; make them one type first, with map",
            kind(sample),
            kind(other)
        ))),
    }
}
