//! The plans about files: what they keep, pass on, read and remove.

use mainspring_model::file::{Files, NewFile};
use mainspring_model::id::Owner;
use mainspring_model::run::StepStatus::{Skipped, Success};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::World;
use crate::servers::{board, file};

pub const ORDERS: &str = "orders-file.yaml";
pub const PASSED_ON: &str = "pass-a-download-on.yaml";
pub const UPLOAD: &str = "read-an-upload.yaml";
pub const SUM: &str = "sum-a-large-file.yaml";
pub const ROWS: &str = "invoice-each-row.yaml";
pub const WORKBOOK: &str = "orders-workbook.yaml";
pub const PDF: &str = "text-of-a-pdf.yaml";
pub const TIDY: &str = "tidy-files.yaml";

impl World {
    async fn keep(&self, name: &str, bytes: &[u8]) -> Value {
        let new = NewFile { name: name.to_owned(), ..NewFile::default() };
        let mut writer = self.app.engine.files(Owner::LOCAL).create(new).await.unwrap();
        writer.write(bytes).await.unwrap();
        json!(writer.finish().await.unwrap())
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn orders_become_files() {
    let world = World::open().await;
    let plan = world.save(ORDERS).await;
    let run = world.run(&plan, json!({})).await;
    let (csv, report) = (&run.output()["csv"], &run.output()["report"]);
    let text = "sku,pieces,cents\r\nK-1,2,5490\r\nC-2,6,2450\r\nM-3,1,24900\r\n";
    assert_eq!(
        (&csv["name"], &csv["media_type"], &csv["size"], &csv["sha256"]),
        (&json!("orders.csv"), &json!("text/csv"), &json!(text.len()), &json!(sha256(text.as_bytes())))
    );
    let kept = world.app.store.get_file(Owner::LOCAL.org, report["file"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((kept.run, kept.step.as_deref(), kept.owner), (Some(run.id), Some("report"), Owner::LOCAL));
    assert!(kept.expires_at.is_some(), "what steps write does not stay for ever");
    let bytes = world.app.engine.files(Owner::LOCAL).read(&kept.value, 0).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), json!({"source": sha256(text.as_bytes()), "pieces": 9, "cents": 50_580}));
}

#[tokio::test]
async fn a_download_is_passed_on_and_leaves_nothing() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let (from, to) = (file("/export.csv", "text/csv", bytes.clone()).await, board().await);
    let world = World::open().await;
    let plan = world.save(PASSED_ON).await;
    let run = world.run(&plan, json!({"from": from.url("/export.csv"), "to": to.url("/report")})).await;
    assert_eq!(run.output(), &json!({"name": "export.csv", "size": bytes.len(), "removed": true}));
    let sent = &to.asked()[0];
    assert!(sent.header("content-type").starts_with("multipart/form-data; boundary="));
    assert!(sent.body.windows(64).any(|part| part == sha256(&bytes).as_bytes()));
    let begins = sent.body.windows(bytes.len().min(4_096)).position(|part| part == &bytes[..4_096]).unwrap();
    assert!(sent.body[begins..begins + bytes.len()] == bytes);
    assert_eq!(world.app.store.file_totals(Owner::LOCAL.org).await.unwrap().files, 0);
}

#[tokio::test]
async fn an_upload_is_read_by_its_kind() {
    let world = World::open().await;
    let plan = world.save(UPLOAD).await;
    let run = world.run(&plan, json!({"document": world.keep("a.json", b"{\"n\": [1]}").await})).await;
    assert_eq!(run.output(), &json!({"name": "a.json", "value": {"n": [1]}, "beginning": null}));
    assert_eq!((run.step("whole").status, run.step("beginning").status), (Success, Skipped));
    let id = world.keep("a.png", b"\x89PNG and more than sixteen bytes").await["file"].clone();
    let run = world.run(&plan, json!({"document": {"file": id}})).await;
    assert_eq!(run.output(), &json!({"name": "a.png", "value": null, "beginning": "iVBORyBhbmQgbW9yZSB0aA=="}));
}

#[tokio::test]
async fn files_are_removed_by_name() {
    let world = World::open().await;
    for name in ["export-1.csv", "notes.txt", "export-2.csv"] {
        world.keep(name, b"12345").await;
    }
    let plan = world.save(TIDY).await;
    let run = world.run(&plan, json!({})).await;
    assert_eq!(run.output(), &json!({"removed": 2, "bytes": 10}));
    let left = world.app.engine.files(Owner::LOCAL).list(9).await.unwrap();
    assert_eq!(left.into_iter().map(|file| file.name).collect::<Vec<_>>(), ["notes.txt"]);
}

#[tokio::test]
async fn a_large_file_is_added_up_page_by_page() {
    let world = World::open().await;
    let rows: String = (0..2_500).map(|n| format!("{n},\"item {n}\",{}\n", n * 3)).collect();
    let document = world.keep("orders.csv", format!("no,name,cents\n{rows}").as_bytes()).await;
    let plan = world.save(SUM).await;
    let run = world.run(&plan, json!({"document": document, "page": 1_000})).await;
    assert_eq!(run.output(), &json!({"rows": 2_500, "sum": 3 * 2_500 * 2_499 / 2}));
    assert_eq!(run.count("attempted"), 6, "three pages, and what was known after each");
}

#[tokio::test]
async fn each_row_becomes_an_invoice_and_the_rows_that_cannot_are_named() {
    let world = World::open().await;
    let rows: String = (1..=1_200).map(|n| format!("{n},{}\n", if n % 500 == 0 { 0 } else { 100 })).collect();
    let document = world.keep("orders.csv", format!("no,cents\n{rows}").as_bytes()).await;
    let plan = world.save(ROWS).await;
    let run = world.run(&plan, json!({"document": document})).await;
    let refused = |n: u32| json!({"row": n, "order": n, "why": format!("Order {n} has no amount.")});
    assert_eq!(run.output(), &json!({"invoices": 1_198, "tax": 1_198 * 19, "refused": [refused(500), refused(1_000)]}));
}

#[tokio::test]
async fn a_hundred_thousand_rows_pass_and_none_stands_in_the_journal() {
    let world = World::open().await;
    let rows: String = (0..100_000).map(|n| format!("{{\"n\": {n}, \"text\": \"canary {n}\"}}\n")).collect();
    let document = world.keep("rows.jsonl", rows.as_bytes()).await;
    let text = "name: All rows
inputs: {document: {type: object}}
steps:
  - {id: all, for_each: inputs.document, batch: 250, max_parallel: 2, action: logic.set, params: {sum: \"${item.reduce((sum, row) => sum + row.n, 0)}\"}}
output: ${steps.all.output.reduce((sum, batch) => sum + batch.sum, 0)}
";
    let plan = world.save_text("all-rows.yaml", text).await;
    let run = world.run(&plan, json!({"document": document})).await;
    assert_eq!((run.output(), run.count("attempted")), (&json!(99_999_u64 * 50_000), 400));
    let history = world.app.store.history(run.id).await.unwrap();
    assert!(!serde_json::to_string(&history).unwrap().contains("canary"), "a row stands in the journal");
}

#[tokio::test]
async fn a_row_that_is_broken_is_told_before_any_is_worked_on() {
    let world = World::open().await;
    let plan = world.save(ROWS).await;
    let rows: String = (0..700).map(|n| format!("{n},1\n")).collect();
    let document = world.keep("orders.csv", format!("no,cents\n{rows}700,1,2\n").as_bytes()).await;
    let run = world.run(&plan, json!({"document": document})).await;
    let error = run.ending.error.as_ref().unwrap();
    assert_eq!((error.code.as_str(), run.count("attempted")), ("INVALID_INPUT", 0));
    assert!(error.message.starts_with("orders.csv: line 702 has 3 cells"), "{}", error.message);
    let run = world.run(&plan, json!({"document": {"file": "0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10"}})).await;
    assert_eq!(run.ending.error.as_ref().unwrap().code.as_str(), "FILE_NOT_FOUND");
}

#[tokio::test]
async fn a_workbook_is_added_up_and_packed() {
    let world = World::open().await;
    let build = "name: Build
steps:
  - {id: book, action: transform.xlsx_build, params: {to_file: orders.xlsx, sheets: [{name: Orders, rows: [
      {customer: Ada, total: 10.5}, {customer: Bo, total: 1}, {customer: Ada, total: 2}]}]}}
output: ${steps.book.output}
";
    let book = world.run(&world.save_text("build.yaml", build).await, json!({})).await.output().clone();
    assert_eq!(book["name"], "orders.xlsx");
    let plan = world.save(WORKBOOK).await;
    let run = world.run(&plan, json!({"workbook": book})).await;
    let customers = json!([{"customer": "Ada", "orders": 2, "total": 12.5}, {"customer": "Bo", "orders": 1, "total": 1}]);
    assert_eq!(run.output()["customers"], customers);
    assert_eq!(run.output()["archive"]["media_type"], "application/zip");
    let unpack = "name: Unpack
inputs: {archive: {type: object}}
steps:
  - {id: parts, action: transform.zip_unpack, params: {archive: \"${inputs.archive}\", to_file: true}}
output: ${steps.parts.output}
";
    let plan = world.save_text("unpack.yaml", unpack).await;
    let run = world.run(&plan, json!({"archive": run.output()["archive"]})).await;
    assert_eq!(run.output()[0]["file"]["sha256"], book["sha256"]);
    assert_eq!(run.output()[1]["file"]["name"], "customers.xlsx");
}

#[tokio::test]
async fn the_number_of_an_invoice_is_read_out_of_a_pdf() {
    let world = World::open().await;
    let page = "BT /F1 12 Tf 72 720 Td (Invoice 4711) Tj ET";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Count 1 /Kids [3 0 R] >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>".to_owned(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{page}\nendstream", page.len()),
    ];
    let (mut text, mut table) = ("%PDF-1.4\n".to_owned(), String::new());
    for (number, object) in (1..).zip(&objects) {
        table += &format!("{:010} 00000 n \n", text.len());
        text += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let begin = text.len();
    text += &format!("xref\n0 6\n0000000000 65535 f \n{table}trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{begin}\n%%EOF\n");
    let document = world.keep("invoice.pdf", text.as_bytes()).await;
    let plan = world.save(PDF).await;
    let run = world.run(&plan, json!({"document": document})).await;
    assert_eq!(run.output(), &json!({"pages": 1, "invoice": "4711"}));
}
