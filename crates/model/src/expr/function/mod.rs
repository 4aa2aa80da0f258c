//! The closed table of functions and methods: one entry serves the parser, the evaluator and the reference page.

mod args;
mod calendar;
mod date;
mod encode;
mod general;
mod hash;
mod json;
mod list;
mod list_order;
mod math;
mod object;
pub(super) mod pattern;
mod sequence;
mod text;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use serde_json::Value;

pub(crate) use args::Args;

use super::access;
use super::eval::Out;
use super::fuel::{Fuel, Stop};
use super::missing;
use super::tree::Node;
use super::words;

/// A function or method as the reference page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionDoc {
    /// `trim`, `Math.max`, …
    pub name: &'static str,
    /// The family it is listed under: `text`, `list`, `number`, `object`, `date`, `json`, `encoding`, `pattern`, `general`.
    pub family: &'static str,
    /// `text.split(separator, limit?)`.
    pub signature: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// An expression without names from a scope.
    pub example: &'static str,
    /// What the example gives, as JSON; `None` when it differs from run to run.
    pub result: Option<&'static str>,
}

/// What a method belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// No method: called by its name alone.
    None,
    Text,
    List,
    Number,
    Object,
    Bool,
}

type Native = for<'c, 'e> fn(&mut Args<'c, 'e>) -> Out<'e>;

/// An entry of the table.
pub(crate) struct Function {
    pub name: &'static str,
    pub of: Of,
    pub signature: &'static str,
    pub min: u8,
    /// 255: any number.
    pub max: u8,
    /// Bit i: argument i must be a function.
    pub functions: u8,
    /// Bit i: argument i may be a function or a value.
    pub either: u8,
    /// Calls a recorded source.
    pub ambient: bool,
    /// The argument that is a pattern; flags, if any, are the last argument.
    pub pattern: Option<usize>,
    pub native: Native,
    pub doc: FunctionDoc,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signature)
    }
}

impl Function {
    const fn new(
        of: Of,
        name: &'static str,
        signature: &'static str,
        doc: &'static str,
        example: &'static str,
        result: &'static str,
        native: Native,
    ) -> Function {
        let doc = FunctionDoc { name, family: "", signature, doc, example, result: if result.is_empty() { None } else { Some(result) } };
        Function { name, of, signature, min: 0, max: 0, functions: 0, either: 0, ambient: false, pattern: None, native, doc }
    }

    const fn takes(mut self, min: u8, max: u8) -> Function {
        (self.min, self.max) = (min, max);
        self
    }

    /// The first argument is a function.
    const fn function(mut self) -> Function {
        self.functions = 1;
        self
    }

    /// The first argument is a function or the name of a field.
    const fn function_or_field(mut self) -> Function {
        self.either = 1;
        self
    }

    const fn ambient(mut self) -> Function {
        self.ambient = true;
        self
    }

    const fn pattern(mut self, at: usize) -> Function {
        self.pattern = Some(at);
        self
    }

    pub(crate) fn takes_function(&self, argument: usize) -> bool {
        argument < 8 && (self.functions | self.either) >> argument & 1 == 1
    }

    pub(crate) fn needs_function(&self, argument: usize) -> bool {
        argument < 8 && self.functions >> argument & 1 == 1
    }
}

/// The methods of one name, by what they belong to.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    variants: [Option<&'static Function>; 5],
}

impl Methods {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Function> {
        self.variants.iter().flatten().copied()
    }

    pub(crate) fn signature(&self) -> String {
        self.iter().map(|function| function.signature).collect::<Vec<_>>().join(" or ")
    }
}

const FAMILIES: [(&str, &[Function]); 13] = [
    ("general", &general::FUNCTIONS),
    ("text", &text::FUNCTIONS),
    ("text and list", &sequence::FUNCTIONS),
    ("list", &list::FUNCTIONS),
    ("list", &list_order::FUNCTIONS),
    ("number", &math::FUNCTIONS),
    ("object", &object::FUNCTIONS),
    ("date", &date::FUNCTIONS),
    ("date", &calendar::FUNCTIONS),
    ("json", &json::FUNCTIONS),
    ("encoding", &encode::FUNCTIONS),
    ("hash", &hash::FUNCTIONS),
    ("pattern", &pattern::FUNCTIONS),
];

static FAMILY_TABLE: [(&str, &[Function]); 13] = FAMILIES;

struct Table {
    functions: HashMap<&'static str, &'static Function>,
    methods: HashMap<&'static str, Methods>,
    docs: Vec<FunctionDoc>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { functions: HashMap::new(), methods: HashMap::new(), docs: Vec::new() };
    for (family, functions) in &FAMILY_TABLE {
        for function in *functions {
            table.docs.push(FunctionDoc { family, ..function.doc });
            let twin = match function.of {
                Of::None => table.functions.insert(function.name, function),
                of => table.methods.entry(function.name).or_default().variants[of as usize - 1].replace(function),
            };
            assert!(twin.is_none(), "{} stands twice in the table", function.signature);
        }
    }
    table
});

/// Every function and method, by family, for the reference page.
pub fn functions() -> &'static [FunctionDoc] {
    &TABLE.docs
}

pub(crate) fn function(name: &str) -> Option<&'static Function> {
    TABLE.functions.get(name).copied()
}

pub(crate) fn methods(name: &str) -> Option<&'static Methods> {
    TABLE.methods.get(name)
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FAMILY_TABLE.iter().flat_map(|(_, functions)| functions.iter()).filter(|f| f.of == Of::None).map(|f| f.name)
}

pub(crate) fn method_names() -> impl Iterator<Item = &'static str> {
    FAMILY_TABLE.iter().flat_map(|(_, functions)| functions.iter()).filter(|f| f.of != Of::None).map(|f| f.name)
}

/// The method that fits the value it is called on.
pub(crate) fn choose(
    methods: &'static Methods,
    value: &Value,
    receiver: &Node,
    guarded: bool,
    fuel: &Fuel,
) -> Result<&'static Function, Stop> {
    let of = match value {
        Value::String(_) => Of::Text,
        Value::Array(_) => Of::List,
        Value::Number(_) => Of::Number,
        Value::Object(_) => Of::Object,
        Value::Bool(_) => Of::Bool,
        Value::Null => {
            let name = methods.iter().next().map_or("", |f| f.name);
            return Err(access::stop(guarded, fuel, || missing::receiver(receiver, name)));
        }
    };
    methods.variants[of as usize - 1].ok_or_else(|| {
        let name = methods.iter().next().map_or("", |f| f.name);
        Stop::failed(format!("{} has no {name}(); the method is {}", words::kind(value), methods.signature()))
    })
}

/// Names of other languages and libraries, and ours.
pub(crate) fn foreign(name: &str) -> Option<&'static str> {
    Some(match name {
        "len" | "size" | "count" => "length",
        "upper" | "upcase" | "toUpper" => "toUpperCase",
        "lower" | "downcase" | "toLower" => "toLowerCase",
        "capitalize" => "toTitleCase",
        "strip" => "trim",
        "contains" | "contain" => "includes",
        "starts_with" | "startswith" => "startsWith",
        "ends_with" | "endswith" => "endsWith",
        "substr" => "slice",
        "hasOwnProperty" | "hasKey" => "has",
        "forEach" | "collect" => "map",
        "fold" | "inject" => "reduce",
        "any" => "some",
        "all" => "every",
        "push" | "append" => "concat",
        "where" | "select" => "filter",
        "int" | "toInt" => "parseInt",
        "float" | "number" | "toNumber" => "Number",
        "str" | "string" => "String",
        "bool" | "boolean" => "Boolean",
        "match" | "test" | "regex" | "search" => "matches",
        "typeof" | "typeOf" => "type",
        "toDate" | "parseDate" | "Date" => "date",
        "dateFormat" | "format" | "strftime" => "formatDate",
        "plus" | "addDate" | "dateAdd" => "addTime",
        "btoa" | "base64Encode" => "base64",
        "atob" | "base64Decode" => "fromBase64",
        "stringify" | "toJson" | "toJSON" | "json" => "JSON.stringify",
        "parseJson" | "fromJson" => "JSON.parse",
        "ifEmpty" | "ifempty" | "coalesce" => "default",
        _ => return None,
    })
}

/// A text as a value.
fn text_value<'e>(text: impl Into<String>) -> Out<'e> {
    Ok(Cow::Owned(Value::String(text.into())))
}

fn bool_value<'e>(value: bool) -> Out<'e> {
    Ok(Cow::Owned(Value::Bool(value)))
}
