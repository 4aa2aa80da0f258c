//! Provider `transform`: pure changes of data between two steps: JSON, CSV, XML, HTML, text, dates, encodings and fields of items.

mod base64_decode;
mod base64_encode;
pub(crate) mod csv_cells;
mod csv_format;
pub(crate) mod csv_parse;
pub(crate) mod csv_reader;
mod date_add;
mod date_diff;
mod date_form;
mod date_format;
mod date_parts;
mod date_read;
mod date_start_of;
mod date_zone;
mod flatten;
mod hash;
mod hex_decode;
mod hex_encode;
mod html_escape;
mod html_select;
mod html_selector;
mod html_selector_read;
mod html_text;
mod html_to_markdown;
mod html_to_text;
mod html_tree;
mod join_text;
mod json_parse;
mod json_stringify;
mod jsonl_format;
mod jsonl_parse;
mod lines;
mod markdown_to_html;
mod number_format;
mod omit;
mod pdf_text;
mod pick;
mod regex_extract;
mod regex_pattern;
mod regex_replace;
mod regex_test;
mod rename;
mod similarity;
mod split_text;
mod template;
mod unflatten;
mod url_build;
mod url_parse;
mod uuid;
mod xlsx_build;
mod xlsx_parse;
mod xml_format;
mod xml_parse;
mod zip_pack;
mod zip_unpack;

use std::collections::BTreeMap;

use mainspring_model::action::erase;
use mainspring_model::catalog::Provider;
use mainspring_model::{Code, Fault};

use crate::apart::Apart;
use crate::logic::list::over_items;
use crate::logic::pure::pure;

/// What a person reads of a page.
pub(crate) fn text_of_html(html: &str) -> String {
    html_text::text(&html_tree::Tree::parse(html), 0)
}

/// The provider, actions in the order that documents show them.
pub fn provider(apart: &Apart) -> Provider {
    Provider {
        id: "transform".to_owned(),
        title: "Transform".to_owned(),
        category: "Data".to_owned(),
        version: 1,
        description: "Read and write JSON, JSON Lines, CSV, XML, HTML, Markdown, ZIP, Excel, dates, numbers and text; pick and rename fields; compare, encode and hash."
            .to_owned(),
        credential: Vec::new(),
        hosts: Vec::new(),
        verify: None,
        actions: vec![
            pure(json_parse::JsonParse),
            pure(json_stringify::JsonStringify),
            pure(jsonl_parse::JsonlParse),
            over_items(jsonl_format::JsonlFormat),
            pure(csv_parse::CsvParse),
            over_items(csv_format::CsvFormat),
            apart.action("transform", xml_parse::XmlParse),
            pure(xml_format::XmlFormat),
            apart.action("transform", html_select::HtmlSelect),
            apart.action("transform", html_to_text::HtmlToText),
            apart.action("transform", html_to_markdown::ToMarkdown),
            apart.action("transform", markdown_to_html::MarkdownToHtml),
            apart.action("transform", template::Template),
            apart.action("transform", zip_pack::ZipPack),
            apart.action("transform", zip_unpack::ZipUnpack),
            apart.action("transform", xlsx_parse::XlsxParse),
            apart.action("transform", xlsx_build::XlsxBuild),
            apart.action("transform", pdf_text::PdfText),
            over_items(pick::Pick),
            over_items(omit::Omit),
            over_items(rename::Rename),
            pure(flatten::Flatten),
            pure(unflatten::Unflatten),
            pure(date_format::DateFormat),
            pure(date_parts::DateParts),
            pure(date_add::DateAdd),
            pure(date_diff::DateDiff),
            pure(date_start_of::DateStartOf),
            pure(number_format::NumberFormat),
            pure(split_text::SplitText),
            over_items(join_text::JoinText),
            pure(lines::Lines),
            pure(regex_extract::RegexExtract),
            pure(regex_test::RegexTest),
            pure(regex_replace::RegexReplace),
            pure(similarity::Similarity),
            pure(url_parse::UrlParse),
            pure(url_build::UrlBuild),
            pure(html_escape::HtmlEscape),
            pure(base64_encode::Base64Encode),
            pure(base64_decode::Base64Decode),
            pure(hex_encode::HexEncode),
            pure(hex_decode::HexDecode),
            pure(hash::Hash),
            erase(uuid::Uuid),
        ],
        aliases: BTreeMap::new(),
    }
}

/// Data that does not have the form it should: the params fit, what came in them does not.
fn invalid_input(message: impl Into<String>) -> Fault {
    Fault::new(Code::INVALID_INPUT, message)
}
