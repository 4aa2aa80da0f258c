//! `transform.xlsx_parse`: the rows of one sheet of an Excel workbook, cell by cell, within bounds whatever the file claims to hold.

use std::io::Cursor;
use std::time::Duration;

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, Xlsx, XlsxError};
use mainspring_model::action::ActionSpec;
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zip::ZipArchive;

use super::csv_parse::names;
use super::invalid_input;
use crate::apart::{Bounded, given};
use crate::logic::bounds::{MAX_ITEMS, Weight};

/// What the parts of a workbook may say that they unpack to, in bytes; what they do unpack to is bounded by the helper's memory.
const MOST_UNPACKED: u64 = 256 << 20;
/// Columns of a sheet that are looked at.
const MOST_COLUMNS: u32 = 1_000;

pub(super) struct XlsxParse;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The workbook: a file, base64 text, or an object {base64}, as http.get gives it.
    #[schemars(extend("type" = ["string", "object"]))]
    workbook: Value,
    /// The sheet's name; the first sheet when absent.
    #[serde(default)]
    sheet: Option<String>,
    /// True: the first row names the columns, and each row becomes an object. False: each row becomes a list.
    #[serde(default = "yes")]
    header: bool,
    /// Rows to leave out above the first one.
    #[serde(default)]
    skip: u32,
    /// Rows at most, without the header: 10,000 unless written. There is an error when the sheet has more.
    #[serde(default = "ten_thousand")]
    #[schemars(range(min = 1, max = 100_000))]
    limit: usize,
}

fn yes() -> bool {
    true
}

fn ten_thousand() -> usize {
    10_000
}

impl Bounded for XlsxParse {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({
                "type": "object",
                "properties": {
                    "sheet": {"type": "string"},
                    "sheets": {"type": "array", "items": {"type": "string"}, "description": "The names of all sheets."},
                    "rows": {"type": "array"},
                },
            })),
            example: json!({"workbook": "${steps.download.output}", "sheet": "Orders"}),
            ..ActionSpec::of::<Params>(
                "xlsx_parse",
                "Read Excel",
                "Gives the rows of a sheet of an Excel workbook (.xlsx): texts, numbers, true and false; dates as ISO text; what formulas gave last.",
            )
        }
    }

    fn files(&self) -> &'static [&'static str] {
        &["workbook"]
    }

    fn within(&self, _: &Value) -> Result<Duration, Fault> {
        Ok(Duration::from_secs(20))
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let bytes = given("workbook", &params.workbook)?;
        unpacks_within(&bytes)?;
        let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(unreadable)?;
        let sheets: Vec<String> =
            workbook.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet).map(|sheet| sheet.name.clone()).collect();
        let sheet = match params.sheet {
            Some(name) if sheets.contains(&name) => name,
            Some(name) => return Err(invalid_input(format!("there is no sheet \"{name}\"; there are {}", sheets.join(", ")))),
            None => sheets.first().cloned().ok_or_else(|| invalid_input("the workbook has no sheet with cells"))?,
        };
        let rows = rows(&mut workbook, &sheet, params.skip, params.limit.clamp(1, MAX_ITEMS) + usize::from(params.header))?;
        let rows = if params.header { named(rows)? } else { rows.into_iter().map(Value::Array).collect() };
        Ok(json!({"sheet": sheet, "sheets": sheets, "rows": rows}))
    }
}

/// Refuses what says itself that it is too large, before any of it is unpacked.
fn unpacks_within(bytes: &[u8]) -> Result<(), Fault> {
    let unreadable = |error: &dyn std::fmt::Display| invalid_input(format!("it is no .xlsx workbook that can be read: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let mut total = 0_u64;
    for index in 0..archive.len() {
        total = total.saturating_add(archive.by_index_raw(index).map_err(|error| unreadable(&error))?.size());
    }
    if total > MOST_UNPACKED {
        let message = format!("the workbook unpacks to {total} bytes; {MOST_UNPACKED} are read at most");
        return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
    }
    Ok(())
}

/// Rows from the first that has a cell on, each as long as its last cell that has a value.
fn rows(workbook: &mut Xlsx<Cursor<Vec<u8>>>, sheet: &str, skip: u32, most: usize) -> Result<Vec<Vec<Value>>, Fault> {
    let mut cells = workbook.worksheet_cells_reader(sheet).map_err(unreadable)?;
    let (mut rows, mut weight): (Vec<Vec<Value>>, _) = (Vec::new(), Weight::default());
    let mut first = None;
    while let Some(cell) = cells.next_cell().map_err(unreadable)? {
        let (row, column) = cell.get_position();
        let value = value(cell.get_value());
        if value.is_null() || row < skip {
            continue;
        }
        let at = row.checked_sub(*first.get_or_insert(row));
        let at = at.ok_or_else(|| invalid_input(format!("its rows are out of order at row {}", row + 1)))? as usize;
        if at >= most {
            let message = format!("the sheet has more rows than \"limit\" allows; row {} is beyond it", row + 1);
            return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
        }
        if column >= MOST_COLUMNS {
            let message = format!("row {} has a cell in column {}; {MOST_COLUMNS} are read", row + 1, column + 1);
            return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
        }
        weight.add(&value)?;
        while rows.len() <= at {
            weight.add_bytes(2)?;
            rows.push(Vec::new());
        }
        let cells = &mut rows[at];
        while cells.len() <= column as usize {
            weight.add_bytes(5)?;
            cells.push(Value::Null);
        }
        cells[column as usize] = value;
    }
    Ok(rows)
}

/// Rows as objects by the names in the first; empty rows are left out.
fn named(rows: Vec<Vec<Value>>) -> Result<Vec<Value>, Fault> {
    // A column without a name in the header has a number for one.
    let widest = rows.iter().map(Vec::len).max().unwrap_or_default();
    let mut rows = rows.into_iter();
    let mut header = rows.next().unwrap_or_default();
    header.resize(widest, Value::Null);
    let header = header.into_iter().map(|cell| match cell {
        Value::String(text) => text.into(),
        Value::Null => String::new().into(),
        other => other.to_string().into(),
    });
    let columns = names(header.collect());
    let around: usize = columns.iter().map(|name| name.len() + 8).sum();
    let (mut objects, mut weight) = (Vec::new(), Weight::default());
    for row in rows.filter(|row| !row.is_empty()) {
        // Each row has all names, however short it is.
        weight.add_bytes(around)?;
        let mut cells = row.into_iter();
        let object: Map<String, Value> = columns.iter().map(|name| (name.clone(), cells.next().unwrap_or(Value::Null))).collect();
        objects.push(Value::Object(object));
    }
    Ok(objects)
}

fn value(cell: &DataRef<'_>) -> Value {
    match cell {
        DataRef::Int(number) => json!(number),
        // Excel knows no whole numbers: what is one reads as one.
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => json!(*number as i64),
        DataRef::Float(number) => json!(number),
        DataRef::String(text) => json!(text),
        DataRef::SharedString(text) => json!(text),
        DataRef::Bool(is) => json!(is),
        DataRef::DateTime(moment) => date(moment),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => json!(text),
        DataRef::Error(_) | DataRef::Empty => Value::Null,
    }
}

/// `2026-11-22`, with the time when there is one; times alone and durations are days, as Excel has them.
fn date(moment: &ExcelDateTime) -> Value {
    if moment.is_duration() || moment.as_f64() < 1.0 {
        return json!(moment.as_f64());
    }
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second, milli) {
        (0, 0, 0, 0) => json!(date),
        (_, _, _, 0) => json!(format!("{date}T{hour:02}:{minute:02}:{second:02}")),
        _ => json!(format!("{date}T{hour:02}:{minute:02}:{second:02}.{milli:03}")),
    }
}

fn unreadable(error: XlsxError) -> Fault {
    match error {
        XlsxError::Password => invalid_input("the workbook has a password; save it without one"),
        error => invalid_input(format!("it is no .xlsx workbook that can be read: {error}")),
    }
}
