//! The params that a custom action declares, in whichever of the three written forms.

use serde_json::{Map, Value, json};

/// One declared param.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Declared {
    pub name: String,
    pub required: bool,
    /// The rest of what was declared, as a JSON Schema.
    pub schema: Value,
}

/// Reads the declaration. `Err` is a sentence about what is wrong, with the place inside.
pub(super) fn declared(written: &Value) -> Result<Vec<Declared>, (String, String)> {
    match written {
        Value::Null => Ok(Vec::new()),
        // A whole schema, as a form builder makes it.
        Value::Object(fields) if fields.get("type") == Some(&json!("object")) && fields.contains_key("properties") => {
            let required: Vec<&str> =
                fields.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let empty = Map::new();
            let properties = fields["properties"].as_object().unwrap_or(&empty);
            Ok(properties
                .iter()
                .map(|(name, schema)| Declared { name: name.clone(), required: required.contains(&name.as_str()), schema: schema.clone() })
                .collect())
        }
        Value::Object(fields) => fields.iter().map(|(name, written)| one(name, written).map_err(|why| (format!("/{name}"), why))).collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let name = item.as_str().or_else(|| item.get("name")?.as_str()).unwrap_or_default();
                let written = if item.is_string() { &Value::Null } else { item };
                match name {
                    "" => Err((format!("/{index}"), "a param needs a name".to_owned())),
                    name => one(name, written).map_err(|why| (format!("/{index}"), why)),
                }
            })
            .collect(),
        _ => Err((String::new(), "params must be an object or a list".to_owned())),
    }
}

/// A schema, a type's name, or nothing.
fn one(name: &str, written: &Value) -> Result<Declared, String> {
    let (schema, required) = match written {
        Value::Null => (json!({}), false),
        Value::String(kind) => (typed(kind)?, false),
        Value::Object(fields) => {
            let required = fields.get("required").and_then(Value::as_bool).unwrap_or(false);
            let mut schema = fields.clone();
            ["required", "name", "in"].iter().for_each(|own| {
                schema.shift_remove(*own);
            });
            if let Some(kind) = schema.get("type").and_then(Value::as_str) {
                typed(kind)?;
            }
            (Value::Object(schema), required)
        }
        _ => return Err("a param is described by a JSON Schema or the name of a type".to_owned()),
    };
    Ok(Declared { name: name.to_owned(), required, schema })
}

fn typed(kind: &str) -> Result<Value, String> {
    match kind {
        "string" | "number" | "integer" | "boolean" | "array" | "object" => Ok(json!({"type": kind})),
        other => Err(format!("\"{other}\" is none of string, number, integer, boolean, array, object")),
    }
}

/// The JSON Schema of all params of an action.
pub(super) fn schema(declared: &[Declared], placeholders: &[String]) -> Value {
    let mut properties = Map::new();
    let mut required: Vec<&str> = Vec::new();
    for name in placeholders {
        properties.insert(name.clone(), json!({"type": ["string", "number"], "description": "Part of the address."}));
        required.push(name);
    }
    for param in declared {
        properties.insert(param.name.clone(), param.schema.clone());
        if param.required && !required.contains(&param.name.as_str()) {
            required.push(&param.name);
        }
    }
    // Fields that nobody declared are sent all the same: a definition is often only a sketch of its API.
    json!({"type": "object", "properties": properties, "required": required})
}
