//! Messages as people and programs write them, and as nobody should: what is read of each is one snapshot.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainspring_model::file::{FileValue, FileWriter};
use mainspring_model::id::FileId;
use serde_json::Map;

use super::*;

fn corpus() -> BTreeMap<String, Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: std::path::PathBuf| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap());
    entries.filter(|path| path.extension().is_some_and(|kind| kind == "eml")).map(named).collect()
}

fn parsed(bytes: &[u8], whole: bool) -> Value {
    parse(params(bytes, whole)).unwrap()
}

#[test]
fn each_message_of_the_corpus() {
    let corpus = corpus();
    assert!(corpus.len() >= 30, "{}", corpus.len());
    let empty = Message::empty().fields;
    let read: BTreeMap<&str, Map<String, Value>> = corpus
        .iter()
        .map(|(name, bytes)| {
            let Value::Object(mut fields) = parsed(bytes, true) else { panic!("{name}") };
            assert!(fields.keys().eq(empty.keys()), "{name}: the same fields in all");
            // What every one of them has would only hide the rest.
            fields.retain(|field, value| empty[field] != *value && field != "headers");
            for one in fields.get_mut("attachments").and_then(Value::as_array_mut).into_iter().flatten() {
                let bytes = STANDARD.decode(one["base64"].as_str().unwrap()).unwrap();
                one["base64"] = json!(bytes.escape_ascii().to_string());
            }
            (name.as_str(), fields)
        })
        .collect();
    insta::assert_json_snapshot!(read);
}

#[test]
fn a_header_is_read_without_its_body() {
    let corpus = corpus();
    let fields = parsed(&corpus["15-reply"], false);
    assert_eq!((&fields["subject"], &fields["text"]), (&json!("Re: Hello"), &json!("")));
    assert_eq!(fields["headers"]["received"], "from a by b; Tue, 3 Nov 2026 13:00:01 +0000\nfrom b by c; Tue, 3 Nov 2026 13:00:02 +0000");
    assert_eq!((&fields["headers"]["x-priority"], &fields["headers"]["list-id"]), (&json!("1"), &json!("Köln <koeln.example.net>")));
    assert_eq!(parsed(&corpus["12-mixed-nested"], false)["attachments"], json!([]));
}

#[test]
fn whatever_is_cut_or_turned_is_read_somehow() {
    // As long as `nothing` the fields are all there.
    let empty = Message::empty().fields;
    for (name, bytes) in corpus() {
        for end in (0..bytes.len()).step_by(7) {
            let Value::Object(fields) = parsed(&bytes[..end], true) else { panic!("{name}") };
            assert!(fields.keys().eq(empty.keys()), "{name} up to {end}");
        }
        let mut turned = bytes.clone();
        (0..turned.len()).step_by(5).for_each(|at| turned[at] = turned[at].rotate_left(3));
        parsed(&turned, true);
    }
}

#[test]
fn what_is_too_long_is_cut_and_said() {
    let letter = |kind: &str, body: &str| format!("Subject: a\r\nContent-Type: text/{kind}\r\n\r\n{body}").into_bytes();
    let fields = parsed(&letter("plain", &"é".repeat(1 << 20)), true);
    assert_eq!((fields["text"].as_str().unwrap().len(), &fields["body_error"]["code"]), (1 << 20, &json!("MESSAGE_TOO_LARGE")));
    let fields = parsed(&letter("html", &format!("<p>{}", "x".repeat(3 << 20))), true);
    assert_eq!((fields["html"].as_str().unwrap().len(), &fields["body_error"]["code"]), (2 << 20, &json!("MESSAGE_TOO_LARGE")));
    let many: String = (0..150).map(|n| format!("--b\r\nContent-Type: application/x; name=n{n}\r\n\r\n{n}\r\n")).collect();
    let fields = parsed(format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{many}--b--\r\n").as_bytes(), true);
    assert_eq!((fields["attachments"].as_array().unwrap().len(), &fields["attachments_error"]["code"]), (100, &json!("LIMIT_EXCEEDED")));
    let long =
        format!("Subject: {0}\r\nTo: {1}\r\nX: {0}\r\n{2}\r\n", "s".repeat(100_000), "a@b.c,".repeat(5_000), "Y: 1\r\n".repeat(5_000));
    let fields = parsed(long.as_bytes(), true);
    assert_eq!((fields["subject"].as_str().unwrap().len(), fields["to"].as_array().unwrap().len()), (2_000, 1_000));
    assert!(fields.to_string().len() < 200_000, "{}", fields.to_string().len());
    let fields = parsed(format!("From: {} <{}@b.c>\r\n\r\n", "n".repeat(900), "a".repeat(900)).as_bytes(), true);
    assert_eq!(fields["from"], json!({"name": "n".repeat(320), "address": "a".repeat(320)}));
}

#[test]
fn nesting_ends() {
    let deep: String = (0..20_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
    assert_eq!(parsed(deep.as_bytes(), true)["subject"], "");
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(20_000);
    assert_eq!(parsed(messages.as_bytes(), true)["subject"], "");
}

/// Id, name and bytes.
type Written = (FileId, String, Vec<u8>);

/// Keeps what is written, up to a number of files; `refuses` what follows.
#[derive(Clone, Default)]
struct Kept {
    files: Arc<Mutex<Vec<Written>>>,
    room: usize,
    refuses: &'static str,
}

struct Writing(Kept, NewFile, Vec<u8>);

#[async_trait]
impl Files for Kept {
    async fn create(&self, new: NewFile) -> Result<Box<dyn FileWriter>, Fault> {
        if self.files.lock().unwrap().len() >= self.room {
            return Err(Fault::new(Code::other(self.refuses), "no more"));
        }
        Ok(Box::new(Writing(self.clone(), new, Vec::new())))
    }
    async fn find(&self, _: FileId) -> Result<FileValue, Fault> {
        unreachable!()
    }
    async fn read(&self, _: &FileValue, _: u32) -> Result<Vec<u8>, Fault> {
        unreachable!()
    }
    async fn list(&self, _: u32) -> Result<Vec<FileValue>, Fault> {
        unreachable!()
    }
    async fn delete(&self, id: FileId) -> Result<bool, Fault> {
        self.files.lock().unwrap().retain(|(kept, ..)| *kept != id);
        Ok(true)
    }
}

#[async_trait]
impl FileWriter for Writing {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.2.extend_from_slice(bytes);
        Ok(())
    }
    async fn finish(self: Box<Self>) -> Result<FileValue, Fault> {
        let Writing(kept, new, bytes) = *self;
        let mut files = kept.files.lock().unwrap();
        let file = FileId(uuid::Uuid::from_u128(files.len() as u128 + 1));
        let value = FileValue {
            file,
            name: new.name.clone(),
            media_type: new.media_type.unwrap_or_default(),
            size: bytes.len() as u64,
            sha256: String::new(),
        };
        files.push((file, new.name, bytes));
        Ok(value)
    }
}

#[tokio::test]
async fn attachments_become_files() {
    let bytes = corpus().remove("12-mixed-nested").unwrap();
    let kept = Kept { room: 9, ..Kept::default() };
    let message = read(&Apart::here(), bytes.clone(), None, &kept, 1).await.unwrap();
    assert_eq!(message.fields["attachments"][0]["name"], "report.pdf");
    assert_eq!(message.fields["attachments"][1]["media_type"], "text/csv");
    assert_eq!(message.files.len(), 2);
    let latin = b"name;city\r\nJos\xe9;K\xf6ln";
    assert_eq!(kept.files.lock().unwrap()[1].2, latin, "the bytes as they were sent");

    let full = Kept { room: 1, refuses: "FILE_QUOTA", ..Kept::default() };
    let message = read(&Apart::here(), bytes.clone(), None, &full, 1).await.unwrap();
    let found = (message.files.len(), &message.fields["attachments_error"]["code"], &message.fields["text"]);
    assert_eq!(found, (1, &json!("FILE_QUOTA"), &json!("The report is attached.")));

    let broken = Kept { room: 1, refuses: "STORE_UNAVAILABLE", ..Kept::default() };
    let fault = read(&Apart::here(), bytes.clone(), None, &broken, 1).await.unwrap_err();
    assert_eq!((fault.code.as_str(), broken.files.lock().unwrap().len()), ("STORE_UNAVAILABLE", 0), "nothing of it stays");

    let large = Fault::new(Code::other("MESSAGE_TOO_LARGE"), "it is");
    let message = read(&Apart::here(), bytes, Some(large), &kept, 1).await.unwrap();
    let found = (&message.fields["subject"], &message.fields["body_error"]["code"], message.files.len(), &message.fields["text"]);
    assert_eq!(found, (&json!("Report"), &json!("MESSAGE_TOO_LARGE"), 0, &json!("")));
}
