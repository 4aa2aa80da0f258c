//! Says in plain words why a value does not fit a JSON Schema.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::fields::{one_of, preview_quoted};
use super::near::{meant, nearest, shown, some_of};
use super::problems::MAX_LISTED;
use crate::value::{pointer_join, type_name};

/// One misfit.
pub(crate) struct Misfit {
    /// JSON pointer within the value.
    pub path: String,
    /// The field's name is what is wrong, not its value.
    pub key: bool,
    /// A field is missing; `path` is where it would stand.
    pub absent: bool,
    pub message: String,
    pub expected: Option<String>,
    pub fix: Option<String>,
}

/// All misfits of one error: an object can have several unknown fields. `noun` says what a field is: `param`, `input`.
pub(crate) fn explain(error: &ValidationError<'_>, schema: &Value, noun: &str) -> Vec<Misfit> {
    let path = error.instance_path().as_str().to_owned();
    let one = |message: String, expected: Option<String>| {
        vec![Misfit {
            path: path.clone(),
            key: false,
            absent: false,
            message: format!("{} {message}", subject(&path, noun)),
            expected,
            fix: None,
        }]
    };
    let found = || found(error.instance());
    match error.kind() {
        ValidationErrorKind::Type { kind } => {
            let expected = types(kind);
            one(format!("must be {expected}, found {}", found()), Some(expected))
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let path = pointer_join(&path, name);
            let message = format!("the {noun} \"{}\" is missing", dotted(&path));
            vec![Misfit { path, key: false, absent: true, message, expected: Some(name.to_owned()), fix: None }]
        }
        ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = known_names(error, schema);
            let unknown = unexpected.iter().take(MAX_LISTED).map(|name| {
                let path = pointer_join(&path, name);
                let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                let message = meant(format!("there is no {noun} \"{}\"", dotted(&path)), near.as_deref());
                Misfit {
                    path,
                    key: true,
                    absent: false,
                    message,
                    expected: Some(some_of(known.iter().map(String::as_str))).filter(|names| !names.is_empty()),
                    fix: near,
                }
            });
            unknown.collect()
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .map(|option| option.as_str().map_or_else(|| option.to_string(), str::to_owned))
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let near = error.instance().as_str().and_then(|text| nearest(text, words.iter().copied())).map(str::to_owned);
            let mut misfits = one(format!("must be {}, found {}", one_of(&words), found()), Some(words.join(", ")));
            misfits.iter_mut().for_each(|misfit| misfit.fix.clone_from(&near));
            misfits
        }
        ValidationErrorKind::Constant { expected_value } => {
            one(format!("must be {expected_value}, found {}", found()), Some(expected_value.to_string()))
        }
        ValidationErrorKind::Minimum { limit } => {
            one(format!("must be at least {limit}, found {}", found()), Some(format!("at least {limit}")))
        }
        ValidationErrorKind::Maximum { limit } => {
            one(format!("must be at most {limit}, found {}", found()), Some(format!("at most {limit}")))
        }
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            one(format!("must be more than {limit}, found {}", found()), Some(format!("more than {limit}")))
        }
        ValidationErrorKind::ExclusiveMaximum { limit } => {
            one(format!("must be less than {limit}, found {}", found()), Some(format!("less than {limit}")))
        }
        ValidationErrorKind::MinLength { limit } => {
            one(format!("must have at least {limit} characters"), Some(format!("at least {limit} characters")))
        }
        ValidationErrorKind::MaxLength { limit } => {
            one(format!("must have at most {limit} characters"), Some(format!("at most {limit} characters")))
        }
        ValidationErrorKind::MinItems { limit } => {
            one(format!("must have at least {limit} items"), Some(format!("at least {limit} items")))
        }
        ValidationErrorKind::MaxItems { limit } => one(format!("must have at most {limit} items"), Some(format!("at most {limit} items"))),
        ValidationErrorKind::Pattern { pattern } => one(format!("must match {pattern}, found {}", found()), Some(pattern.clone())),
        ValidationErrorKind::Format { format } => one(format!("must be of the form \"{format}\", found {}", found()), Some(format.clone())),
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => choices(error, schema, noun, context),
        ValidationErrorKind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().map(shown).unwrap_or_default();
            let reason = match inner.kind() {
                ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}"),
                _ => "cannot stand there".to_owned(),
            };
            one(format!("has the name \"{name}\", which {reason}"), None)
        }
        _ => one(format!("does not fit: {error}"), None),
    }
}

/// Of several forms none fitted: name them when only the types differ, otherwise go into the form that came nearest.
fn choices(error: &ValidationError<'_>, schema: &Value, noun: &str, context: &[Vec<ValidationError<'static>>]) -> Vec<Misfit> {
    let path = error.instance_path().as_str();
    let mut wanted: Vec<String> = Vec::new();
    for own in context.iter().flatten().filter(|own| own.instance_path().as_str() == path) {
        if let ValidationErrorKind::Type { kind } = own.kind()
            && !wanted.contains(&types(kind))
        {
            wanted.push(types(kind));
        }
    }
    let of_type = |errors: &&Vec<ValidationError<'static>>| {
        !errors.iter().any(|own| own.instance_path().as_str() == path && matches!(own.kind(), ValidationErrorKind::Type { .. }))
    };
    if let Some(nearest) = context.iter().filter(of_type).min_by_key(|errors| errors.len()) {
        return nearest.iter().flat_map(|own| explain(own, schema, noun)).collect();
    }
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let expected = one_of(&wanted);
    let message = format!("{} must be {expected}, found {}", subject(path, noun), found(error.instance()));
    vec![Misfit { path: path.to_owned(), key: false, absent: false, message, expected: Some(expected), fix: None }]
}

fn subject(path: &str, noun: &str) -> String {
    if path.is_empty() { format!("the {noun}s") } else { format!("the {noun} \"{}\"", dotted(path)) }
}

/// `/a/0/b` as `a[0].b`.
fn dotted(path: &str) -> String {
    let mut text = String::new();
    for part in path.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !text.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&format!("[{part}]"));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(&part);
        }
    }
    shown(&text)
}

fn found(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null => "null".to_owned(),
        other => format!("the {} {}", type_name(other), preview_quoted(other)),
    }
}

fn types(kind: &TypeKind) -> String {
    let names: Vec<&str> = match kind {
        TypeKind::Single(one) => vec![type_word(*one)],
        // Null last: it is the way to leave a thing out, not what is wanted.
        TypeKind::Multiple(several) => {
            let (null, mut words): (Vec<_>, Vec<_>) = several.iter().map(type_word).partition(|word| *word == "null");
            words.extend(null);
            words
        }
    };
    one_of(&names)
}

fn type_word(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "text",
    }
}

/// The fields that the schema which refused a field does have.
fn known_names(error: &ValidationError<'_>, schema: &Value) -> Vec<String> {
    let at = error.schema_path().as_str();
    let parent = at.rsplit_once('/').map_or("", |(parent, _)| parent);
    let properties = schema.pointer(parent).and_then(|parent| parent.get("properties")).and_then(Value::as_object);
    properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
}
