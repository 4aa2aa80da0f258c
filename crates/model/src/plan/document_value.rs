//! JSON Schemas of the values that stand in many fields: durations, expressions, templates, input declarations.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! named_schema {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

named_schema!(
    /// `500ms`, `30s`, `5m`, `2h`, `7d`, or seconds.
    Duration,
    {
        "description": "`500ms`, `30s`, `5m`, `2h`, `7d`, or a number of seconds.",
        "oneOf": [
            { "type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?\s*$" },
            { "type": "number", "minimum": 0 }
        ]
    }
);

named_schema!(
    /// An expression field.
    Expression,
    {
        "description": "An expression: text, bare or wholly one `${…}`; or true or false.",
        "type": ["string", "boolean"]
    }
);

named_schema!(
    /// What `for_each` goes through.
    Items,
    {
        "description": "An expression that gives a list or a file, a list read as a template, or {file, format, header, delimiter, types}: the rows of a file.",
        "type": ["string", "array", "object"]
    }
);

named_schema!(
    /// A template field.
    Template,
    { "description": "Any JSON with `${…}` inside texts, at any depth." }
);

named_schema!(
    /// An input's declaration.
    InputSchema,
    {
        "description": "A JSON Schema; `required: true` makes a run without this input be refused, `default` stands in for it.",
        "type": "object",
        "properties": { "required": { "type": ["boolean", "array"] } }
    }
);
