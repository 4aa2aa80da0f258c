//! `logic.aggregate`: counts, sums and the like over a list, or over each group of it.
//!
//! Without `by` the output is one object; with `by` a list of objects, one per group, that begin with the group's fields.

use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::aggregate_op::{Op, apply};
use super::group::grouped;
use super::list::Items;
use super::path::{Keys, Path};

pub(super) struct Aggregate;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// A path or a list of paths to group by. Each becomes a field of the output, named by its last part. Missing is null.
    by: Option<Keys>,
    /// Name of an output field → what to compute.
    #[schemars(with = "std::collections::BTreeMap<String, Field>", extend("minProperties" = 1))]
    fields: indexmap::IndexMap<String, Field>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Field {
    op: Op,
    /// A path to the value in each item; without it the item itself. Null and missing values do not count, except for first and last.
    of: Option<Path>,
}

impl Items for Aggregate {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": ["object", "array"]})),
            example: json!({
                "items": [{"region": "EU", "amount": 12.5}, {"region": "US", "amount": 7}, {"region": "EU", "amount": 30}],
                "by": "region",
                "fields": {"orders": {"op": "count"}, "total": {"op": "sum", "of": "amount"}},
            }),
            ..ActionSpec::of::<Params>("aggregate", "Aggregate", "Counts, sums, averages and the like, over all items or by group.")
        }
    }

    fn run(&self, items: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        if params.fields.is_empty() {
            return Err(Fault::invalid_params(
                "\"fields\" is empty; name at least one, such as {\"total\": {\"op\": \"sum\", \"of\": \"amount\"}}",
            ));
        }
        let places: Vec<usize> = (0..items.len()).collect();
        let Some(by) = &params.by else {
            return row(&items, &places, &params, Map::new()).map(Value::Object);
        };
        if let Some(path) = by.paths().iter().find(|path| params.fields.contains_key(path.name())) {
            return Err(Fault::invalid_params(format!(
                "\"fields\" has \"{0}\", which \"by\" already names; call the field otherwise",
                path.name()
            )));
        }
        let groups = grouped(places, |place| by.of(&items[*place]));
        groups.into_iter().map(|(_, places)| row(&items, &places, &params, by.columns(&items[places[0]])).map(Value::Object)).collect()
    }
}

/// The fields over the items at `places`, which errors name.
fn row(items: &[Value], places: &[usize], params: &Params, mut row: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    for (name, field) in &params.fields {
        let values: Vec<(usize, &Value)> =
            places.iter().map(|&place| (place, field.of.as_ref().map_or(&items[place], |path| path.get_or_null(&items[place])))).collect();
        let value = apply(field.op, &values).map_err(|mut fault| {
            fault.message = format!("field \"{name}\": {}", fault.message);
            fault
        })?;
        row.insert(name.clone(), value);
    }
    Ok(row)
}
