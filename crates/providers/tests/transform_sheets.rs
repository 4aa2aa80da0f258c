//! Provider `transform`: workbooks and PDF documents, also those that claim or hold too much.

use std::io::{Cursor, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::logic_fake::*;

fn built(sheets: Value) -> Value {
    value("transform.xlsx_build", json!({"sheets": sheets}))
}

/// The same workbook with one of its parts changed.
fn with_part(workbook: &Value, name: &str, change: impl Fn(String) -> String) -> String {
    let bytes = STANDARD.decode(workbook["base64"].as_str().unwrap()).unwrap();
    let mut old = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..old.len() {
        let mut part = old.by_index(index).unwrap();
        let part_name = part.name().unwrap().into_owned();
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        new.start_file(part_name.as_str(), SimpleFileOptions::default()).unwrap();
        let text = if part_name == name { change(text) } else { text };
        new.write_all(text.as_bytes()).unwrap();
    }
    STANDARD.encode(new.finish().unwrap().into_inner())
}

#[test]
fn what_is_built_is_parsed() {
    let rows = json!([{"id": 7, "name": "Jürgen", "total": 42.5, "paid": true}, {"id": 8, "note": "=1+1", "name": null}]);
    let workbook = built(json!([{"name": "Orders", "rows": rows}, {"name": "Raw", "rows": [["a", 1], ["b", null, "c"]]}]));
    assert_eq!(workbook["media_type"], "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    let parsed = value("transform.xlsx_parse", json!({"workbook": workbook}));
    assert_eq!((&parsed["sheet"], &parsed["sheets"]), (&json!("Orders"), &json!(["Orders", "Raw"])));
    assert_eq!(
        parsed["rows"],
        json!([
            {"id": 7, "name": "Jürgen", "total": 42.5, "paid": true, "note": null},
            {"id": 8, "name": null, "total": null, "paid": null, "note": "=1+1"},
        ])
    );
    let raw = value("transform.xlsx_parse", json!({"workbook": workbook["base64"], "sheet": "Raw", "header": false}));
    assert_eq!(raw["rows"], json!([["a", 1], ["b", null, "c"]]));
    let skipped = value("transform.xlsx_parse", json!({"workbook": workbook, "sheet": "Raw", "header": false, "skip": 1}));
    assert_eq!(skipped["rows"], json!([["b", null, "c"]]));
    let ordered = built(json!([{"name": "A", "columns": ["b", "a"], "rows": [{"a": 1, "b": 2, "c": 3}]}]));
    let ordered = value("transform.xlsx_parse", json!({"workbook": ordered, "header": false}));
    assert_eq!(ordered["rows"], json!([["b", "a"], [2, 1]]));
    assert_eq!(
        workbook,
        built(json!([{"name": "Orders", "rows": rows}, {"name": "Raw", "rows": [["a", 1], ["b", null, "c"]]}])),
        "the same each time"
    );
}

#[test]
fn what_is_no_workbook_or_too_much_of_one_is_refused() {
    let workbook = built(json!([{"name": "A", "rows": [[1], [2], [3]]}]));
    let parse = |workbook: Value, more: Value| {
        let mut params = json!({"workbook": workbook});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        error("transform.xlsx_parse", params)
    };
    for (given, more, expected) in [
        (json!("!"), json!({}), "base64"),
        (json!(STANDARD.encode("no archive")), json!({}), "no .xlsx workbook"),
        (value("transform.zip_pack", json!({"entries": [{"name": "a", "text": "b"}]})), json!({}), "no .xlsx workbook"),
        (workbook.clone(), json!({"sheet": "B"}), "there is no sheet \"B\"; there are A"),
        (workbook.clone(), json!({"limit": 1}), "more rows than \"limit\" allows"),
        (json!(with_part(&workbook, "xl/worksheets/sheet1.xml", |xml| xml.replace("r=\"A3\"", "r=\"XFD3\""))), json!({}), "column 16384"),
        (
            json!(with_part(&workbook, "xl/worksheets/sheet1.xml", |xml| xml.replace("r=\"A3\"", "r=\"A1048576\""))),
            json!({}),
            "row 1048576",
        ),
        (json!(with_part(&workbook, "xl/worksheets/sheet1.xml", |_| "<a".repeat(10))), json!({}), "no .xlsx workbook"),
        (json!(with_part(&workbook, "docProps/app.xml", |_| " ".repeat(257 << 20))), json!({}), "unpacks to"),
    ] {
        let said = parse(given, more.clone()).to_string();
        assert!(said.contains(expected), "{more}: {said}");
    }
    for (sheets, expected) in [
        (json!([]), "at least one"),
        (json!([{"name": "a/b", "rows": []}]), "cannot be written"),
        (json!([{"name": "A", "rows": []}, {"name": "A", "rows": []}]), "cannot be written"),
        (json!([{"name": "A", "rows": [1]}]), "row 1 is neither"),
        (json!([{"name": "A", "rows": [vec![1; 1_001]]}]), "1000 columns"),
    ] {
        let said = error("transform.xlsx_build", json!({"sheets": sheets})).to_string();
        assert!(said.contains(expected), "{said}");
    }
}

/// A document with these texts, one to a page.
fn pdf(pages: &[&str]) -> String {
    let kids: Vec<String> = (0..pages.len()).map(|page| format!("{} 0 R", 4 + page * 2)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Count {} /Kids [{}] >>", pages.len(), kids.join(" ")),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    for (page, text) in pages.iter().enumerate() {
        let content = format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET");
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + page * 2
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let (mut text, mut places) = ("%PDF-1.4\n".to_owned(), Vec::new());
    for (number, object) in (1..).zip(&objects) {
        places.push(text.len());
        text += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let table = text.len();
    text += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        text += &format!("{place:010} 00000 n \n");
    }
    text += &format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    STANDARD.encode(text)
}

#[test]
fn the_text_of_a_document_is_read_page_by_page() {
    let document = pdf(&["Invoice 42", "Thank you"]);
    let read = value("transform.pdf_text", json!({"document": document}));
    assert_eq!(read, json!({"text": "Invoice 42\n\nThank you", "pages": ["Invoice 42", "Thank you"], "count": 2}));
    let first = value("transform.pdf_text", json!({"document": {"base64": document}, "limit": 1}));
    assert_eq!((&first["pages"], &first["count"]), (&json!(["Invoice 42"]), &json!(2)));
    for damaged in ["", "no document", "%PDF-1.4\n%%EOF"] {
        let said = error("transform.pdf_text", json!({"document": STANDARD.encode(damaged)})).to_string();
        assert!(said.contains("INVALID_INPUT"), "{damaged}: {said}");
    }
}
