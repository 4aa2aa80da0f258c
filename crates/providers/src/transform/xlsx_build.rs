//! `transform.xlsx_build`: an Excel workbook of rows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::action::ActionSpec;
use mainspring_model::{Code, Fault};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid_input;
use crate::apart::Bounded;
use crate::logic::bounds::{Weight, at_item, within_items};

const MEDIA_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const MOST_COLUMNS: usize = 1_000;

pub(super) struct XlsxBuild;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The sheets, each with its rows.
    #[schemars(length(min = 1, max = 50))]
    sheets: Vec<Sheet>,
    /// The workbook becomes a file of this name.
    #[serde(default)]
    #[expect(dead_code, reason = "the process that asked makes the file")]
    to_file: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Sheet {
    /// Up to 31 characters, none of [ ] : * ? / and \.
    name: String,
    /// Objects or lists. Objects get a first row with the names of the columns.
    rows: Vec<Value>,
    /// Fields in their order; those of all rows, in the order in which they come first, when absent.
    #[serde(default)]
    columns: Option<Vec<String>>,
}

impl Bounded for XlsxBuild {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({
                "type": "object",
                "properties": {"base64": {"type": "string"}, "media_type": {"type": "string"}, "size": {"type": "integer"}},
            })),
            example: json!({"sheets": [{"name": "Orders", "rows": [{"id": 7, "total": 42.5}]}], "to_file": "orders.xlsx"}),
            ..ActionSpec::of::<Params>(
                "xlsx_build",
                "Write Excel",
                "Makes an Excel workbook (.xlsx) of rows: a file with to_file, else a body that http.post sends.",
            )
        }
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        if params.sheets.is_empty() {
            return Err(Fault::invalid_params("\"sheets\" is empty; a workbook has at least one"));
        }
        within_items("rows", params.sheets.iter().map(|sheet| sheet.rows.len()).sum())?;
        let mut workbook = Workbook::new();
        // The same rows give the same bytes.
        let begin = ExcelDateTime::from_ymd(2000, 1, 1).map_err(unwritable)?;
        workbook.set_properties(&DocProperties::new().set_creation_datetime(&begin));
        let (bold, mut weight) = (Format::new().set_bold(), Weight::default());
        for (index, sheet) in params.sheets.iter().enumerate() {
            let page = workbook.add_worksheet();
            fill(page, sheet, &bold, &mut weight).map_err(|fault| at_item(index, fault))?;
        }
        let bytes = workbook.save_to_buffer().map_err(unwritable)?;
        Ok(json!({"base64": STANDARD.encode(&bytes), "media_type": MEDIA_TYPE, "size": bytes.len()}))
    }
}

fn fill(page: &mut Worksheet, sheet: &Sheet, bold: &Format, weight: &mut Weight) -> Result<(), Fault> {
    page.set_name(&sheet.name).map_err(unwritable)?;
    let columns = columns(sheet)?;
    for (column, name) in (0..).zip(&columns) {
        page.write_string_with_format(0, column, name, bold).map_err(unwritable)?;
    }
    let first = u32::from(!columns.is_empty());
    for (row, value) in (first..).zip(&sheet.rows) {
        weight.add(value)?;
        let cells: Vec<&Value> = match value {
            Value::Object(fields) => columns.iter().map(|name| fields.get(name).unwrap_or(&Value::Null)).collect(),
            Value::Array(cells) if cells.len() <= MOST_COLUMNS => cells.iter().collect(),
            Value::Array(_) => return Err(too_wide()),
            other => return Err(invalid_input(format!("row {} is neither an object nor a list: {other}", row + 1 - first))),
        };
        for (column, cell) in (0..).zip(cells) {
            write(page, row, column, cell).map_err(unwritable)?;
        }
    }
    Ok(())
}

/// None where the rows are lists.
fn columns(sheet: &Sheet) -> Result<Vec<String>, Fault> {
    let columns = match &sheet.columns {
        Some(columns) => columns.clone(),
        None => {
            let names = sheet.rows.iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
            names.collect::<indexmap::IndexSet<_>>().into_iter().cloned().collect()
        }
    };
    if columns.len() > MOST_COLUMNS { Err(too_wide()) } else { Ok(columns) }
}

/// Text stays text: nothing in a row becomes a formula or a link.
fn write(page: &mut Worksheet, row: u32, column: u16, cell: &Value) -> Result<(), XlsxError> {
    match cell {
        Value::Null => Ok(()),
        Value::Bool(is) => page.write_boolean(row, column, *is).map(drop),
        Value::Number(number) => match number.as_f64() {
            // More digits than a cell has: as text, so that none is lost.
            Some(float) if number.as_i64().is_none_or(|whole| whole.abs() < 1 << 53) => page.write_number(row, column, float).map(drop),
            _ => page.write_string(row, column, number.to_string()).map(drop),
        },
        Value::String(text) => page.write_string(row, column, text).map(drop),
        other => page.write_string(row, column, other.to_string()).map(drop),
    }
}

fn too_wide() -> Fault {
    Fault::new(Code::LIMIT_EXCEEDED, format!("a sheet has at most {MOST_COLUMNS} columns here"))
}

fn unwritable(error: XlsxError) -> Fault {
    invalid_input(format!("the workbook cannot be written: {error}"))
}
