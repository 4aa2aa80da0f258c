//! Rows of an earlier system's tables of credentials: JSON, JSON Lines, CSV, or the `COPY` blocks of a dump.

use serde_json::{Map, Value};

/// One row: column → text. Columns without a value are not there.
pub(super) type Row = Map<String, Value>;

/// Columns that a table of credentials has; a table without them is another one.
const NEEDED: &str = "encrypted_value";

/// The rows of all tables with encrypted values, in their order.
///
/// # Errors
/// What is wrong with the text, without any of it.
pub(super) fn read(text: &str) -> Result<Vec<Row>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let begins = text.trim_start();
    let rows = if begins.starts_with('[') || begins.starts_with('{') {
        json(text)?
    } else if text.lines().any(|line| line.starts_with("COPY ")) {
        copied(text)?
    } else {
        csv(text)?
    };
    let rows: Vec<Row> = rows.into_iter().filter(|row| row.contains_key(NEEDED)).collect();
    if rows.is_empty() { Err(format!("no row with a column {NEEDED} is in it")) } else { Ok(rows) }
}

fn json(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (n, value) in serde_json::Deserializer::from_str(text).into_iter::<Value>().enumerate() {
        let value = value.map_err(|error| format!("value {} is no JSON, at line {} column {}", n + 1, error.line(), error.column()))?;
        gather(value, &mut rows);
    }
    Ok(rows)
}

/// A row, a list of rows, or an object of tables.
fn gather(value: Value, rows: &mut Vec<Row>) {
    match value {
        Value::Array(items) => items.into_iter().for_each(|item| gather(item, rows)),
        Value::Object(fields) if fields.contains_key(NEEDED) => {
            rows.push(fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, text_of(value))).collect());
        }
        Value::Object(tables) => tables.into_iter().for_each(|(_, table)| gather(table, rows)),
        _ => {}
    }
}

fn text_of(value: Value) -> Value {
    match value {
        Value::String(_) => value,
        other => Value::String(other.to_string()),
    }
}

/// What `pg_dump` writes: `COPY table (columns) FROM stdin;`, rows with tabs, and `\.`.
fn copied(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let mut columns: Option<Vec<String>> = None;
    for (n, line) in text.lines().enumerate() {
        let wrong = || format!("line {} of the dump does not fit its COPY", n + 1);
        match &columns {
            Some(_) if line == "\\." => columns = None,
            Some(names) => {
                let cells: Vec<&str> = line.split('\t').collect();
                if cells.len() != names.len() {
                    return Err(wrong());
                }
                let known = names.iter().zip(cells).filter(|(_, cell)| *cell != "\\N");
                rows.push(known.map(|(name, cell)| (name.clone(), Value::String(unescaped(cell)))).collect());
            }
            None if line.starts_with("COPY ") => {
                let list = line.split_once('(').and_then(|(_, rest)| rest.split_once(')')).ok_or_else(wrong)?.0;
                columns = Some(list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect());
            }
            None => {}
        }
    }
    Ok(rows)
}

fn unescaped(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    let mut rest = cell.chars();
    while let Some(one) = rest.next() {
        match (one, if one == '\\' { rest.next() } else { None }) {
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some(other)) => out.push(other),
            (one, _) => out.push(one),
        }
    }
    out
}

/// A header and its rows, as RFC 4180 has them.
fn csv(text: &str) -> Result<Vec<Row>, String> {
    let mut lines = records(text)?.into_iter();
    let header = lines.next().unwrap_or_default();
    let mut rows = Vec::new();
    for (n, cells) in lines.enumerate() {
        if cells.len() != header.len() {
            return Err(format!("row {} has {} values, and the header has {}", n + 1, cells.len(), header.len()));
        }
        let known = header.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        rows.push(known.map(|(name, cell)| (name.trim().to_owned(), Value::String(cell))).collect());
    }
    Ok(rows)
}

fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut records = Vec::new();
    let (mut record, mut cell) = (Vec::new(), String::new());
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(one) = rest.next() {
        match one {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            _ if quoted => cell.push(one),
            '"' if cell.is_empty() => quoted = true,
            ',' => record.push(std::mem::take(&mut cell)),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            _ => cell.push(one),
        }
    }
    if quoted {
        return Err("a quoted value of the CSV does not end".to_owned());
    }
    if !cell.is_empty() || !record.is_empty() {
        record.push(cell);
        records.push(record);
    }
    records.retain(|record| record.len() > 1 || record.iter().any(|cell| !cell.is_empty()));
    Ok(records)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(text: &str) -> Result<Value, String> {
        read(text).map(|rows| rows.into_iter().map(Value::Object).collect())
    }

    #[test]
    fn rows_are_read_in_every_form() {
        let one = json!([{ "user_id": "u", "provider": "openai", "type": "api_key", "encrypted_value": "gA==" }]);
        let copy = "SET x = 1;\nCOPY public.other (id) FROM stdin;\n7\n\\.\n\
                    COPY public.provider_credentials (user_id, provider, type, encrypted_value, expires_at) FROM stdin;\n\
                    u\topenai\tapi_key\tgA==\t\\N\n\\.\nselect 1;\n";
        for text in [
            one.to_string(),
            one[0].to_string(),
            json!({ "provider_credentials": one, "plans": [{ "id": 1 }] }).to_string(),
            "user_id,provider,type,encrypted_value,expires_at\r\nu,openai,\"api_key\",gA==,\r\n".to_owned(),
            copy.to_owned(),
        ] {
            assert_eq!(rows(&text), Ok(one.clone()), "{text}");
        }
        let two = format!("{}\n{}\n", one[0], one[0]);
        assert_eq!(rows(&two).map(|rows| rows.as_array().map(Vec::len)), Ok(Some(2)));
    }

    #[test]
    fn cells_are_unescaped() {
        assert_eq!(
            rows("encrypted_value,name\n\"a \"\"b\"\",\nc\",d").unwrap(),
            json!([{ "encrypted_value": "a \"b\",\nc", "name": "d" }])
        );
        assert_eq!(
            rows("COPY t (encrypted_value, name) FROM stdin;\na\\\\b\\tc\t\\N\n\\.\n").unwrap(),
            json!([{ "encrypted_value": "a\\b\tc" }])
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        for text in [
            "",
            "hunter2",
            "a,b\n1",
            "[{\"encrypted_value\": \"hunter2\"",
            "encrypted_value\n\"hunter2",
            "COPY t (encrypted_value, b) FROM stdin;\nhunter2\n",
        ] {
            let said = rows(text).unwrap_err();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
