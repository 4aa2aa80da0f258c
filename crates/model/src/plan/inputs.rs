//! A plan's inputs: their declaration as one JSON Schema, and what a run is given checked against it.

use std::sync::{Arc, OnceLock};

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value, json};

use super::code;
use super::near::{meant, nearest};
use super::problems::{MAX_LISTED, Origins, Problems};
use super::schema_error;
use crate::Problem;
use crate::value::{pointer_join, type_name};

/// The plan's inputs: a JSON Schema object made of the declared properties, and the defaults.
#[derive(Clone, Debug, Default)]
pub struct InputSpec {
    /// `{type: object, properties, required, additionalProperties: false}`; `None` when the plan declares no inputs and takes anything.
    pub schema: Option<Value>,
    pub defaults: Vec<(String, Value)>,
    /// Compiled once: a webhook's run must not wait for it.
    validator: OnceLock<Option<Arc<Validator>>>,
}

impl InputSpec {
    /// The inputs of a run: `given` (null counts as none given) with the defaults filled in.
    ///
    /// # Errors
    /// `INVALID_INPUT` for each input that does not fit, at `/inputs/<name>…`.
    pub fn accept(&self, given: &Value) -> Result<Value, Vec<Problem>> {
        let mut inputs = match given {
            Value::Null => Map::new(),
            Value::Object(inputs) => inputs.clone(),
            other => {
                let message = format!("inputs are an object of name and value; this is {}", type_name(other));
                return Err(vec![Problem::new(code::INVALID_INPUT, "/inputs", message).expected("an object")]);
            }
        };
        let Some(schema) = &self.schema else { return Ok(Value::Object(inputs)) };
        for (name, value) in &self.defaults {
            if !inputs.contains_key(name) {
                inputs.insert(name.clone(), value.clone());
            }
        }
        let inputs = Value::Object(inputs);
        let validator = self.validator.get_or_init(|| build(schema).ok().map(Arc::new));
        let Some(validator) = validator else { return Ok(inputs) };
        if validator.is_valid(&inputs) {
            return Ok(inputs);
        }
        let misfits = validator.iter_errors(&inputs).flat_map(|error| schema_error::explain(&error, schema, "input"));
        Err(misfits
            .take(MAX_LISTED)
            .map(|misfit| {
                let problem = Problem::new(code::INVALID_INPUT, format!("/inputs{}", misfit.path), misfit.message);
                Problem { expected: misfit.expected, fix: misfit.fix, ..problem }
            })
            .collect())
    }

    /// Fields that are declared outside of a plan document, in the form of its inputs.
    ///
    /// # Errors
    /// What is wrong with a declaration, at `/inputs/<name>…`.
    pub fn of(fields: &Map<String, Value>) -> Result<InputSpec, Vec<Problem>> {
        let mut problems = Problems::new(None, Origins::default());
        let spec = declare(fields, &mut problems);
        problems.settle(spec)
    }

    /// The declared names.
    pub fn names(&self) -> Vec<&str> {
        let properties = self.schema.as_ref().and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect()
    }
}

/// The declared inputs as one schema. `required: true` and `default` stand in the properties.
pub(crate) fn declare(inputs: &Map<String, Value>, problems: &mut Problems<'_>) -> InputSpec {
    if inputs.is_empty() {
        return InputSpec::default();
    }
    let (mut properties, mut required, mut defaults) = (Map::new(), Vec::new(), Vec::new());
    let before = problems.count();
    for (name, declared) in inputs {
        let Value::Object(declared) = declared else { continue };
        let mut property = declared.clone();
        match declared.get("required") {
            Some(Value::Bool(is_required)) => {
                property.shift_remove("required");
                if *is_required {
                    required.push(Value::String(name.clone()));
                }
            }
            // A list is JSON Schema's own word, for the fields of an object.
            None | Some(Value::Array(_)) => {}
            Some(other) => {
                let pointer = pointer_join(&pointer_join("/inputs", name), "required");
                problems.push(super::fields::wrong_type(&pointer, "\"required\" is true or false", "true or false", other));
                property.shift_remove("required");
            }
        }
        let property = Value::Object(property);
        check_property(name, &property, declared.get("default"), problems);
        if let Some(default) = declared.get("default") {
            defaults.push((name.clone(), default.clone()));
        }
        properties.insert(name.clone(), property);
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    let spec = InputSpec { schema: Some(schema), defaults, validator: OnceLock::new() };
    if problems.count() == before
        && let Some(schema) = &spec.schema
    {
        match build(schema) {
            Ok(validator) => drop(spec.validator.set(Some(Arc::new(validator)))),
            Err(reason) => problems.push(Problem::new(code::INVALID_SCHEMA, "/inputs", format!("the inputs are no JSON Schema: {reason}"))),
        }
    }
    spec
}

fn check_property(name: &str, property: &Value, default: Option<&Value>, problems: &mut Problems<'_>) {
    let pointer = pointer_join("/inputs", name);
    let mut refuse = |inner: &str, message: String| problems.push(Problem::new(code::INVALID_SCHEMA, format!("{pointer}{inner}"), message));
    if let Some(word) = property.get("type").and_then(Value::as_str).filter(|word| !TYPES.contains(word)) {
        let near = TYPE_NAMES.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours).or_else(|| nearest(word, TYPES));
        let message = format!("there is no type \"{word}\"");
        let problem = Problem::new(code::INVALID_SCHEMA, format!("{pointer}/type"), meant(message, near)).expected(TYPES.join(", "));
        problems.push(near.map_or_else(|| problem.clone(), |near| problem.clone().fix(near)));
        return;
    }
    if let Some(at) = reference(property, 0) {
        return refuse(&at, "an input's schema is written out: references ($ref and the like) are not read".to_owned());
    }
    if let Some(error) = jsonschema::draft202012::meta::validator().iter_errors(property).next() {
        return refuse(error.instance_path().as_str(), format!("the input \"{name}\" is no JSON Schema: {error}"));
    }
    match (build(property), default) {
        (Err(reason), _) => refuse("", format!("the input \"{name}\" is no JSON Schema: {reason}")),
        (Ok(validator), Some(default)) => {
            if let Some(error) = validator.iter_errors(default).next() {
                refuse("/default", format!("the default of \"{name}\" does not fit its own declaration: {error}"));
            }
        }
        (Ok(_), None) => {}
    }
}

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/// What other languages call them.
const TYPE_NAMES: [(&str, &str); 9] = [
    ("text", "string"),
    ("str", "string"),
    ("int", "integer"),
    ("float", "number"),
    ("double", "number"),
    ("bool", "boolean"),
    ("list", "array"),
    ("map", "object"),
    ("dict", "object"),
];

/// Patterns run in linear time; nothing is fetched, because this build has no resolver for it.
pub(crate) fn build(schema: &Value) -> Result<Validator, String> {
    jsonschema::options().with_pattern_options(PatternOptions::regex()).build(schema).map_err(|error| error.to_string())
}

/// Where a reference stands: one that leads back to itself would never end.
fn reference(schema: &Value, depth: usize) -> Option<String> {
    let fields = schema.as_object()?;
    if depth > super::grow::MAX_DEPTH {
        return Some(String::new());
    }
    for word in ["$ref", "$dynamicRef", "$recursiveRef", "$id", "$schema"] {
        if fields.contains_key(word) {
            return Some(format!("/{word}"));
        }
    }
    for (word, value) in fields {
        let inner =
            |part: &str, inner: &Value| reference(inner, depth + 1).map(|at| format!("{}{at}", pointer_join(&format!("/{word}"), part)));
        let found = match (word.as_str(), value) {
            ("properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions", Value::Object(map)) => {
                map.iter().find_map(|(name, schema)| inner(name, schema))
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(list)) => {
                list.iter().enumerate().find_map(|(place, schema)| inner(&place.to_string(), schema))
            }
            ("default" | "const" | "enum" | "examples", _) => None,
            (_, Value::Object(_)) => reference(value, depth + 1).map(|at| format!("/{word}{at}")),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}
