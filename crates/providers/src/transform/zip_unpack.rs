//! `transform.zip_unpack`: what is in a ZIP archive, within bounds however much it claims to hold.

use std::io::{Cursor, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::action::ActionSpec;
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use zip::ZipArchive;

use super::invalid_input;
use super::zip_pack::named;
use crate::apart::{Bounded, given};
use crate::logic::bounds::{MAX_OUTPUT, Weight, at_item};

pub(super) struct ZipUnpack;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The archive: base64 text, an object {base64}, as http.get gives it, or a file.
    #[schemars(extend("type" = ["string", "object"]))]
    archive: Value,
    /// Only entries whose name ends so: .csv
    #[serde(default)]
    ending: String,
    /// False: only names and sizes.
    #[serde(default = "yes")]
    content: bool,
    /// True: each entry becomes a file, in its file instead of text or base64.
    #[serde(default)]
    to_file: bool,
}

fn yes() -> bool {
    true
}

const MOST: usize = 10_000;

impl Bounded for ZipUnpack {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({
                "type": "array",
                "items": {"type": "object", "properties": {
                    "name": {"type": "string"}, "size": {"type": "integer"},
                    "text": {"type": "string", "description": "The content, when it is UTF-8."},
                    "base64": {"type": "string", "description": "The content otherwise."},
                    "file": {"type": "object", "description": "The content, with to_file."},
                }},
            })),
            example: json!({"archive": "UEsDBBQAAAAIAAAAIQDeG8v9DQAAAAsAAAAFAAAAYS5jc3bLTNHJ4+Uy1DHi5QIAUEsBAhQDFAAAAAgAAAAhAN4by/0NAAAACwAAAAUAAAAAAAAAAAAAAIABAAAAAGEuY3N2UEsFBgAAAAABAAEAMwAAADAAAAAAAA==", "content": false}),
            ..ActionSpec::of::<Params>("zip_unpack", "Unpack ZIP", "Gives the entries of a ZIP archive.")
        }
    }

    fn files(&self) -> &'static [&'static str] {
        &["archive"]
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let bytes = given("archive", &params.archive)?;
        let unreadable = |error: &dyn std::fmt::Display| invalid_input(format!("it is no ZIP archive that can be read: {error}"));
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
        if archive.len() > MOST {
            return Err(Fault::new(
                Code::LIMIT_EXCEEDED,
                format!("the archive has {} entries; {MOST} are unpacked at most", archive.len()),
            ));
        }
        if params.to_file && !params.content {
            return Err(Fault::invalid_params("\"to_file\" makes files of the contents, and \"content\" is false; leave one of them out"));
        }
        let mut weight = Weight::default();
        let mut entries = Vec::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| at_item(index, unreadable(&error)))?;
            if entry.is_dir() {
                continue;
            }
            let name = entry.name().map_err(|error| at_item(index, unreadable(&error)))?.into_owned();
            named(&name).map_err(|fault| at_item(index, fault))?;
            if !name.ends_with(&params.ending) {
                continue;
            }
            let mut value = json!({"name": name, "size": entry.size()});
            if params.content {
                // Sizes are claims; what comes out is counted.
                let mut content = Vec::new();
                let read = entry.by_ref().take(MAX_OUTPUT as u64 + 1).read_to_end(&mut content);
                read.map_err(|error| at_item(index, unreadable(&error)))?;
                weight.add_bytes(content.len()).map_err(|fault| at_item(index, fault))?;
                value["size"] = Value::from(content.len());
                match String::from_utf8(content) {
                    Ok(text) => value["text"] = Value::String(text),
                    Err(other) => value["base64"] = Value::String(STANDARD.encode(other.into_bytes())),
                }
            }
            entries.push(value);
        }
        Ok(Value::Array(entries))
    }
}
