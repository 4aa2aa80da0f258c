//! `file.rows`: the rows of a CSV or JSON Lines file, a page at a time, so that a file of any size is worked through in little memory.

use mainspring_model::action::{ActionResult, ActionSpec, Context, Effect, Outcome, Output, TypedAction};
use mainspring_model::file::FileValue;
use mainspring_model::value::from_json;
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Given;
use super::read::part;
use crate::logic::bounds::Weight;
use crate::transform::csv_cells::{delimiter, guess};
use crate::transform::csv_parse::{Types, comma, counted, names};
use crate::transform::csv_reader::Reader;

/// Bytes that are looked at for one page: also the longest row.
const PAGE: u64 = 4 << 20;
/// Bytes that are looked at first: enough for the rows of most pages.
const FIRST: u64 = 512 << 10;

pub(super) struct Rows;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    file: Given,
    /// By the media type when absent.
    #[serde(default)]
    format: Option<Format>,
    /// Of CSV. True: the first row names the columns, and each row becomes an object. False: each row becomes a list.
    #[serde(default = "yes")]
    header: bool,
    /// Of CSV: what separates cells: one character, or the word tab.
    #[serde(default = "comma")]
    delimiter: String,
    /// Of CSV.
    #[serde(default)]
    types: Types,
    /// Rows of one page: 1,000 unless written, 10,000 at most. There are fewer when they are large.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 10000))]
    limit: usize,
    /// Where to go on: `next` of the page before; the beginning when absent or null.
    #[serde(default)]
    from: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Format {
    Csv,
    /// One JSON value on each line.
    Jsonl,
}

/// Where a page begins, and what is known by then.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Place {
    offset: u64,
    /// From 1.
    line: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<String>>,
    /// Cells of each row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width: Option<usize>,
}

fn yes() -> bool {
    true
}

fn thousand() -> usize {
    1_000
}

impl TypedAction for Rows {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            effect: Effect::Read,
            output: Some(json!({"type": "object", "properties": {"items": {"type": "array"}, "next": {"type": ["object", "null"]}}})),
            example: json!({"file": "${steps.download.output}", "types": "auto", "limit": 500}),
            ..ActionSpec::of::<Params>(
                "rows",
                "Read rows",
                "Gives the rows of a CSV or JSON Lines file a page at a time: items, and next, which is null at the end.",
            )
        }
    }

    async fn call(&self, params: Params, cx: &Context) -> ActionResult {
        let file = params.file.find(cx).await?;
        let format = params.format.unwrap_or(if file.media_type.contains("json") { Format::Jsonl } else { Format::Csv });
        let begin = params.from.clone().unwrap_or(Place { offset: 0, line: 1, columns: None, width: None });
        let rest = file.size.saturating_sub(begin.offset);
        let limit = params.limit.clamp(1, 10_000);
        let mut bytes = Vec::new();
        let (items, next) = loop {
            let upto = if bytes.is_empty() { FIRST } else { PAGE }.min(rest);
            bytes.extend(part(&file, begin.offset + bytes.len() as u64, upto - bytes.len() as u64, cx).await?);
            let ends = upto == rest;
            let text = whole_characters(&bytes, ends).ok_or_else(|| invalid(&file, "it is no UTF-8 text"))?;
            let page = match format {
                Format::Csv => csv(text, ends, limit, &params, begin.clone(), &file)?,
                Format::Jsonl => jsonl(text, ends, limit, begin.clone(), &file)?,
            };
            if ends || upto == PAGE || page.0.len() == limit {
                break page;
            }
        };
        if items.is_empty() && next.as_ref().is_some_and(|next| next.offset == params.from.map_or(0, |from| from.offset)) {
            let message = format!("{}: a row has more than {PAGE} bytes", file.name);
            return Err(Fault::new(Code::LIMIT_EXCEEDED, message));
        }
        let message = format!("{} rows of {}", items.len(), file.name);
        Ok(Outcome::Done(Output::new(json!({"items": items, "next": next})).message(message)))
    }
}

type Page = (Vec<Value>, Option<Place>);

fn csv(text: &str, ends: bool, limit: usize, params: &Params, begin: Place, file: &FileValue) -> Result<Page, Fault> {
    let mut reader = Reader::new(text, delimiter(&params.delimiter)?);
    // A byte order mark is no part of what the reader counts.
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() as u64 } else { 0 };
    let mut at = begin.clone();
    let (mut items, mut weight) = (Vec::new(), Weight::default());
    while items.len() < limit {
        let record = match reader.next() {
            Ok(Some(record)) => record,
            Ok(None) if ends => return Ok((items, None)),
            Ok(None) => break,
            // A quote may be closed by what comes later.
            Err(_) if !ends => break,
            Err(fault) => return Err(invalid(file, &at_line(&fault.message, begin.line))),
        };
        // What touches the end of what was read may go on behind it.
        if !ends && reader.at() == reader.length() {
            break;
        }
        let line = begin.line + record.line - 1;
        if params.header && at.columns.is_none() {
            at.width = Some(record.cells.len());
            at.columns = Some(names(record.cells));
        } else {
            let wanted = *at.width.get_or_insert(record.cells.len());
            if record.cells.len() != wanted {
                return Err(invalid(file, &format!("line {line} has {}, the first has {wanted}", counted(record.cells.len()))));
            }
            let cells = record.cells.into_iter().map(|cell| match params.types {
                Types::Text => Value::String(cell.into_owned()),
                Types::Auto => guess(&cell),
            });
            let row = match &at.columns {
                Some(columns) => Value::Object(columns.iter().cloned().zip(cells).collect()),
                None => Value::Array(cells.collect()),
            };
            if weight.add(&row).is_err() {
                break;
            }
            items.push(row);
        }
        at.offset = begin.offset + mark + reader.at() as u64;
        at.line = begin.line + reader.line() - 1;
    }
    let next = (at.offset < file.size).then_some(at);
    Ok((items, next))
}

fn jsonl(text: &str, ends: bool, limit: usize, begin: Place, file: &FileValue) -> Result<Page, Fault> {
    let mut at = begin;
    let (mut items, mut weight, mut rest) = (Vec::new(), Weight::default(), text);
    while items.len() < limit && !rest.is_empty() {
        let (line, length) = match rest.find('\n') {
            Some(end) => (&rest[..end], end + 1),
            None if ends => (rest, rest.len()),
            None => break,
        };
        if !line.trim().trim_start_matches('\u{feff}').is_empty() {
            let value = from_json(line.trim().trim_start_matches('\u{feff}'))
                .map_err(|error| invalid(file, &format!("line {} is no JSON: {error}", at.line)))?;
            if weight.add(&value).is_err() {
                break;
            }
            items.push(value);
        }
        (rest, at.offset, at.line) = (&rest[length..], at.offset + length as u64, at.line + 1);
    }
    let next = (at.offset < file.size).then_some(at);
    Ok((items, next))
}

/// The reader counts lines from where the page begins.
fn at_line(message: &str, first: usize) -> String {
    let Some((line, rest)) = message.strip_prefix("line ").and_then(|rest| rest.split_once(':')) else { return message.to_owned() };
    line.parse::<usize>().map_or_else(|_| message.to_owned(), |line| format!("line {}:{rest}", line + first - 1))
}

/// Without a character that is cut at the end; `None` when something else is wrong.
fn whole_characters(bytes: &[u8], ends: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if !ends && error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

fn invalid(file: &FileValue, why: &str) -> Fault {
    Fault::new(Code::INVALID_INPUT, format!("{}: {why}", file.name))
}
