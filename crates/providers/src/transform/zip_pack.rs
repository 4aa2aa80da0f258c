//! `transform.zip_pack`: a ZIP archive of texts and bytes.

use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::Fault;
use mainspring_model::action::ActionSpec;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::invalid_input;
use crate::apart::Bounded;
use crate::file::Given;
use crate::logic::bounds::{Weight, at_item, within_items};

pub(super) struct ZipPack;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The entries, each with its name (folders by slashes) and its content as text, as base64 or as a file.
    #[schemars(length(max = 10_000))]
    entries: Vec<Entry>,
    /// The archive becomes a file of this name.
    #[serde(default)]
    #[expect(dead_code, reason = "the process that asked makes the file")]
    to_file: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Entry {
    name: String,
    text: Option<String>,
    base64: Option<String>,
    /// A file, as a file step or an upload gave it, or its id.
    #[serde(default)]
    #[schemars(with = "Option<Given>")]
    #[expect(dead_code, reason = "its bytes come as base64")]
    file: Option<serde::de::IgnoredAny>,
}

impl Bounded for ZipPack {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({
                "type": "object",
                "properties": {"base64": {"type": "string"}, "media_type": {"type": "string"}, "size": {"type": "integer"}},
            })),
            example: json!({"entries": [{"name": "report/orders.csv", "text": "id,total\r\n7,42\r\n"}, {"name": "logo.bin", "base64": "AAEC"}]}),
            ..ActionSpec::of::<Params>(
                "zip_pack",
                "Pack ZIP",
                "Packs texts and bytes into a ZIP archive, given as a body that http.post sends.",
            )
        }
    }

    fn files(&self) -> &'static [&'static str] {
        &["entries"]
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        within_items("entries", params.entries.len())?;
        let mut weight = Weight::default();
        let mut names = BTreeSet::new();
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (index, entry) in params.entries.iter().enumerate() {
            let packed = named(&entry.name).and_then(|()| {
                if !names.insert(entry.name.clone()) {
                    return Err(invalid_input(format!("there are two entries with the name \"{}\"", entry.name)));
                }
                let bytes = content(entry)?;
                weight.add_bytes(bytes.len())?;
                let failed = |error: &dyn std::fmt::Display| invalid_input(format!("\"{}\" cannot be packed: {error}", entry.name));
                archive.start_file(entry.name.as_str(), SimpleFileOptions::default()).map_err(|error| failed(&error))?;
                archive.write_all(&bytes).map_err(|error| failed(&error))
            });
            packed.map_err(|fault| at_item(index, fault))?;
        }
        let bytes = archive.finish().map_err(|error| invalid_input(format!("the archive cannot be written: {error}")))?;
        let bytes = bytes.into_inner();
        Ok(json!({"base64": STANDARD.encode(&bytes), "media_type": "application/zip", "size": bytes.len()}))
    }
}

fn content(entry: &Entry) -> Result<Vec<u8>, Fault> {
    match (&entry.text, &entry.base64) {
        (Some(text), None) => Ok(text.clone().into_bytes()),
        (None, Some(base64)) => {
            STANDARD.decode(base64.trim()).map_err(|error| invalid_input(format!("its base64 cannot be read: {error}")))
        }
        _ => Err(invalid_input(format!("\"{}\" needs \"text\" or \"base64\", and not both", entry.name))),
    }
}

/// A name that every program unpacks below the folder that it was told, and to the same place.
pub(super) fn named(name: &str) -> Result<(), Fault> {
    let climbs = name.split('/').any(|part| matches!(part, "" | "." | ".."));
    if climbs || name.len() > 1_000 || name.contains(['\\', ':']) || name.chars().any(char::is_control) {
        let shown: String = name.chars().take(100).collect();
        return Err(invalid_input(format!("{shown:?} is no name for an entry: folders by /, without .. and : and \\")));
    }
    Ok(())
}
