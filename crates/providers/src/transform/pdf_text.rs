//! `transform.pdf_text`: the text of a PDF document, page by page.

use std::time::Duration;

use lopdf::Document;
use mainspring_model::action::ActionSpec;
use mainspring_model::{Code, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::invalid_input;
use crate::apart::{Bounded, given};
use crate::logic::bounds::Weight;

/// What the text of one page may unpack to, in bytes.
const MOST_OF_PAGE: usize = 32 << 20;

pub(super) struct PdfText;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The document: a file, base64 text, or an object {base64}, as http.get gives it.
    #[schemars(extend("type" = ["string", "object"]))]
    document: Value,
    /// Pages from the first on that are read: 100 unless written. Others are counted only.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 2_000))]
    limit: usize,
}

fn hundred() -> usize {
    100
}

impl Bounded for PdfText {
    type Params = Params;

    fn spec(&self) -> ActionSpec {
        ActionSpec {
            output: Some(json!({
                "type": "object",
                "properties": {
                    "text": {"type": "string", "description": "Of all pages that were read."},
                    "pages": {"type": "array", "items": {"type": "string"}, "description": "The text of each."},
                    "count": {"type": "integer", "description": "Pages of the document."},
                },
            })),
            example: json!({"document": "${steps.download.output}"}),
            ..ActionSpec::of::<Params>(
                "pdf_text",
                "Text of a PDF",
                "Gives the text of a PDF document, page by page. Pages that are pictures have none.",
            )
        }
    }

    fn files(&self) -> &'static [&'static str] {
        &["document"]
    }

    fn within(&self, _: &Value) -> Result<Duration, Fault> {
        Ok(Duration::from_secs(30))
    }

    fn run(&self, params: Params) -> Result<Value, Fault> {
        let bytes = given("document", &params.document)?;
        let document = Document::load_mem(&bytes).map_err(|error| unreadable(&error))?;
        drop(bytes);
        if document.is_encrypted() {
            return Err(invalid_input("the document has a password; save it without one"));
        }
        let numbers: Vec<u32> = document.get_pages().into_keys().collect();
        let (mut pages, mut weight) = (Vec::new(), Weight::default());
        for number in numbers.iter().take(params.limit.clamp(1, 2_000)) {
            let text = document.extract_text_with_limit(&[*number], MOST_OF_PAGE);
            let text = text.map_err(|error| invalid_input(format!("page {number} cannot be read: {error}")))?;
            // It stands in the output twice.
            weight.add_bytes(text.len() * 2)?;
            pages.push(text.trim().to_owned());
        }
        if pages.is_empty() {
            return Err(Fault::new(Code::INVALID_INPUT, "the document has no page"));
        }
        Ok(json!({"text": pages.join("\n\n"), "pages": pages, "count": numbers.len()}))
    }
}

fn unreadable(error: &lopdf::Error) -> Fault {
    invalid_input(format!("it is no PDF document that can be read: {error}"))
}
