//! Provider `transform`: pure changes of data between two steps: JSON, CSV, text, dates, encodings and fields of items.

mod base64_decode;
mod base64_encode;
mod csv_cells;
mod csv_format;
mod csv_parse;
mod csv_reader;
mod date_form;
mod date_format;
mod date_read;
mod flatten;
mod hash;
mod html_escape;
mod join_text;
mod json_parse;
mod json_stringify;
mod lines;
mod number_format;
mod omit;
mod pick;
mod regex_extract;
mod rename;
mod split_text;
mod unflatten;
mod url_parse;

use std::collections::BTreeMap;

use mainspring_model::catalog::Provider;
use mainspring_model::{Code, Fault};

use crate::logic::list::over_items;
use crate::logic::pure::pure;

/// The provider, actions in the order that documents show them.
pub fn provider() -> Provider {
    Provider {
        id: "transform".to_owned(),
        title: "Transform".to_owned(),
        category: "Data".to_owned(),
        version: 1,
        description: "Read and write JSON, CSV, dates, numbers and text; pick and rename fields; encode and hash.".to_owned(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![
            pure(json_parse::JsonParse),
            pure(json_stringify::JsonStringify),
            pure(csv_parse::CsvParse),
            over_items(csv_format::CsvFormat),
            over_items(pick::Pick),
            over_items(omit::Omit),
            over_items(rename::Rename),
            pure(flatten::Flatten),
            pure(unflatten::Unflatten),
            pure(date_format::DateFormat),
            pure(number_format::NumberFormat),
            pure(split_text::SplitText),
            over_items(join_text::JoinText),
            pure(lines::Lines),
            pure(regex_extract::RegexExtract),
            pure(url_parse::UrlParse),
            pure(html_escape::HtmlEscape),
            pure(base64_encode::Base64Encode),
            pure(base64_decode::Base64Decode),
            pure(hash::Hash),
        ],
        aliases: BTreeMap::new(),
    }
}

/// Data that does not have the form it should: the params fit, what came in them does not.
fn invalid_input(message: impl Into<String>) -> Fault {
    Fault::new(Code::INVALID_INPUT, message)
}
