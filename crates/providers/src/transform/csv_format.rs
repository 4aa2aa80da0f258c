//! `transform.csv_format`: writes a list of rows as CSV text, as RFC 4180 has it.

use indexmap::IndexSet;
use mainspring_model::Fault;
use mainspring_model::action::{ActionSpec, Context};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::logic::bounds::{Weight, at_item, kind};
use crate::logic::list::Items;
use crate::logic::path::Path;

use super::csv_cells::{delimiter, text, write};
use super::csv_parse::comma;

pub(super) struct CsvFormat;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The columns in order: paths into each row; a missing value is an empty cell. Without it: every field that occurs, in the
    /// order of first appearance. Rows that are lists are written as they are, and this is only their header.
    columns: Option<Vec<String>>,
    /// True: the first line names the columns.
    #[serde(default = "yes")]
    header: bool,
    /// What separates cells: one character, or the word tab.
    #[serde(default = "comma")]
    delimiter: String,
    /// True: a cell that a spreadsheet would run as a formula (= + - @ at its start, and no number) gets a ' before it. For data that strangers wrote.
    #[serde(default)]
    escape_formulas: bool,
    /// True: begin with a byte order mark, by which Excel knows UTF-8.
    #[serde(default)]
    bom: bool,
}

fn yes() -> bool {
    true
}

impl Items for CsvFormat {
    type Params = Params;
    const LIST: &'static str = "rows";

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({"type": "string"})),
            example: json!({"rows": [{"name": "Ada", "city": "Oslo, Norway"}, {"name": "Bo \"B\"", "age": 41}]}),
            ..ActionSpec::of::<Params>("csv_format", "Write CSV", "Writes a list of rows as CSV text.")
        }
    }

    fn run(&self, rows: Vec<Value>, params: Params, _: &Context) -> Result<Value, Fault> {
        let mut table = Table {
            text: String::from(if params.bom { "\u{feff}" } else { "" }),
            weight: Weight::default(),
            delimiter: delimiter(&params.delimiter)?,
            escape_formulas: params.escape_formulas,
        };
        let names = params.columns.clone().unwrap_or_else(|| field_names(&rows));
        // Names that were found are keys, whatever characters they have; names that were written are paths.
        let paths = params.columns.iter().flatten().map(|name| Path::parse(name));
        let paths: Vec<Path> = paths.collect::<Result<_, _>>().map_err(|error| Fault::invalid_params(format!("\"columns\": {error}")))?;
        if params.header && !names.is_empty() {
            table.row(names.iter().map(|name| Value::from(name.as_str())).collect::<Vec<_>>().iter())?;
        }
        for (index, row) in rows.iter().enumerate() {
            match row {
                Value::Object(_) if params.columns.is_some() => table.row(paths.iter().map(|path| path.get_or_null(row))),
                Value::Object(fields) => table.row(names.iter().map(|name| fields.get(name).unwrap_or(&Value::Null))),
                Value::Array(cells) => table.row(cells.iter()),
                other => Err(Fault::invalid_params(format!("a row must be an object or a list; this is {}", kind(other)))),
            }
            .map_err(|fault| at_item(index, fault))?;
        }
        Ok(Value::String(table.text))
    }
}

fn field_names(rows: &[Value]) -> Vec<String> {
    let names: IndexSet<&String> = rows.iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys).collect();
    names.into_iter().cloned().collect()
}

struct Table {
    text: String,
    weight: Weight,
    delimiter: u8,
    escape_formulas: bool,
}

impl Table {
    fn row<'a>(&mut self, cells: impl ExactSizeIterator<Item = &'a Value>) -> Result<(), Fault> {
        let before = self.text.len();
        let alone = cells.len() == 1;
        for (place, value) in cells.enumerate() {
            if place > 0 {
                self.text.push(char::from(self.delimiter));
            }
            let cell = text(value);
            // A number is no formula, also when a minus begins it.
            let formula = value.is_string() && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
            if self.escape_formulas && formula {
                write(&format!("'{cell}"), self.delimiter, alone, &mut self.text);
            } else {
                write(&cell, self.delimiter, alone, &mut self.text);
            }
        }
        self.text.push_str("\r\n");
        self.weight.add_bytes(self.text.len() - before)
    }
}
