//! `transform.csv_parse`: reads CSV text into a list of objects, one per row.

use std::borrow::Cow;
use std::collections::HashSet;

use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::bounds::{Weight, within_items};
use crate::logic::pure::Pure;

use super::csv_cells::{delimiter, guess};
use super::csv_reader::{Reader, Record};
use super::invalid_input;

pub(super) struct CsvParse;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The CSV text.
    text: String,
    /// True: the first row names the columns, and each row becomes an object. False: each row becomes a list.
    #[serde(default = "yes")]
    header: bool,
    /// What separates cells: one character, or the word tab.
    #[serde(default = "comma")]
    delimiter: String,
    #[serde(default)]
    types: Types,
}

/// What cells become.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Types {
    /// Text as it is.
    #[default]
    Text,
    /// Numbers, true and false where a cell is plainly one, null where it is empty, else text. 007 and 1E5 stay text.
    Auto,
}

fn yes() -> bool {
    true
}

pub(crate) fn comma() -> String {
    ",".to_owned()
}

impl Pure for CsvParse {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "array", "items": {"type": ["object", "array"]}})),
            example: json!({"text": "name,city,age\r\nAda,\"Oslo, Norway\",36\r\nBo,,41\r\n", "types": "auto"}),
            ..ActionSpec::of::<Params>("csv_parse", "Read CSV", "Reads CSV text into a list with one object per row.")
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let mut reader = Reader::new(&params.text, delimiter(&params.delimiter)?);
        let names = if params.header { reader.next()?.map(|record| names(record.cells)) } else { None };
        let mut width = names.as_ref().map(|names| (names.len(), "the header"));
        let mut weight = Weight::default();
        let mut rows = Vec::new();
        while let Some(Record { line, cells }) = reader.next()? {
            let (wanted, whose) = *width.get_or_insert((cells.len(), "the first row"));
            if cells.len() != wanted {
                let message = format!("line {line} has {}, {whose} has {wanted}", counted(cells.len()));
                return Err(invalid_input(message));
            }
            within_items("the list of rows", rows.len() + 1)?;
            let cells = cells.into_iter().map(|cell| match params.types {
                Types::Text => Value::String(cell.into_owned()),
                Types::Auto => guess(&cell),
            });
            let row = match &names {
                Some(names) => Value::Object(names.iter().cloned().zip(cells).collect()),
                None => Value::Array(cells.collect()),
            };
            weight.add(&row)?;
            rows.push(row);
        }
        Ok(Value::Array(rows))
    }
}

pub(crate) fn counted(cells: usize) -> String {
    if cells == 1 { "1 cell".to_owned() } else { format!("{cells} cells") }
}

/// The columns' names. A name that is missing or repeated gets a number, so that no cell is lost.
pub(crate) fn names(cells: Vec<Cow<'_, str>>) -> Vec<String> {
    let written: HashSet<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(cells.len());
    for (place, cell) in cells.iter().enumerate() {
        let cell = cell.trim();
        let mut name = if cell.is_empty() { format!("column_{}", place + 1) } else { cell.to_owned() };
        let mut number = 2;
        // A made name also keeps clear of those that are written further on.
        while taken.contains(&name) || (name != cell && written.contains(&name)) {
            name = if cell.is_empty() { format!("column_{}_{number}", place + 1) } else { format!("{cell}_{number}") };
            number += 1;
        }
        taken.insert(name.clone());
        names.push(name);
    }
    names
}
