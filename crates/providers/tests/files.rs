//! Files as steps write, read and pass them on, over files in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mainspring_model::action::{Action, Context, Outcome};
use mainspring_model::file::{FILE_CHUNK, FileValue, FileWriter, Files, NewFile, media_type, safe_name};
use mainspring_model::id::FileId;
use mainspring_model::{Code, Fault};
use mainspring_providers::file;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::net::*;

/// Files in memory; how much one reading gave at most says whether anybody asked for more than a piece.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<Kept>>);

/// What is kept of each file.
type Kept = BTreeMap<FileId, (FileValue, Vec<u8>)>;

struct Writing {
    into: InMemory,
    new: NewFile,
    bytes: Vec<u8>,
}

#[async_trait]
impl Files for InMemory {
    async fn create(&self, new: NewFile) -> Result<Box<dyn FileWriter>, Fault> {
        Ok(Box::new(Writing { into: self.clone(), new, bytes: Vec::new() }))
    }

    async fn find(&self, id: FileId) -> Result<FileValue, Fault> {
        let all = self.0.lock().unwrap();
        all.get(&id).map(|(value, _)| value.clone()).ok_or_else(|| Fault::new(Code::other("FILE_NOT_FOUND"), "it is not there"))
    }

    async fn read(&self, file: &FileValue, no: u32) -> Result<Vec<u8>, Fault> {
        let all = self.0.lock().unwrap();
        let bytes = &all[&file.file].1;
        let from = (no as usize * FILE_CHUNK).min(bytes.len());
        Ok(bytes[from..(from + FILE_CHUNK).min(bytes.len())].to_vec())
    }

    async fn list(&self, limit: u32) -> Result<Vec<FileValue>, Fault> {
        Ok(self.0.lock().unwrap().values().rev().take(limit as usize).map(|(value, _)| value.clone()).collect())
    }

    async fn delete(&self, id: FileId) -> Result<bool, Fault> {
        Ok(self.0.lock().unwrap().remove(&id).is_some())
    }
}

#[async_trait]
impl FileWriter for Writing {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<FileValue, Fault> {
        let mut all = self.into.0.lock().unwrap();
        let id = FileId(Uuid::from_u128(all.len() as u128 + 1));
        let name = safe_name(&self.new.name);
        let sha256 = Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let media_type = media_type(self.new.media_type.as_deref(), &name);
        let value = FileValue { file: id, media_type, name, size: self.bytes.len() as u64, sha256 };
        all.insert(id, (value.clone(), self.bytes));
        Ok(value)
    }
}

pub fn with(files: &InMemory) -> Attempt {
    let mut attempt = Attempt::new();
    attempt.cx.files = Some(Arc::new(files.clone()));
    attempt
}

async fn call(action: &Arc<dyn Action>, params: Value, cx: &Context) -> Result<Value, String> {
    match action.call(params, cx).await {
        Ok(Outcome::Done(output)) => Ok(output.value),
        Ok(other) => panic!("{other:?}"),
        Err(fault) => Err(fault.to_string()),
    }
}

async fn does(name: &str, params: Value, cx: &Context) -> Result<Value, String> {
    let provider = file::provider();
    let action = provider.actions.iter().find(|action| action.spec().name == name).unwrap();
    call(action, params, cx).await
}

#[tokio::test]
async fn what_is_written_is_read() {
    let attempt = with(&InMemory::default());
    let cx = &attempt.cx;
    for (params, kind, expected, media_type) in [
        (json!({"name": "../a.txt", "text": "héllo"}), "text", json!("héllo"), "text/plain"),
        (json!({"name": "a.bin", "base64": "AAEC\n/w=="}), "base64", json!("AAEC/w=="), "application/octet-stream"),
        (json!({"name": "a", "json": {"n": [1, null]}}), "json", json!({"n": [1, null]}), "application/json"),
        (json!({"name": "a", "json": null, "expires_in": "never"}), "json", json!(null), "application/json"),
    ] {
        let written = does("write", params.clone(), cx).await.unwrap();
        assert_eq!(written["media_type"], media_type, "{params}");
        assert_eq!(does("read", json!({"file": written, "as": kind}), cx).await.unwrap(), expected);
        assert_eq!(does("info", json!({"file": written["file"]}), cx).await.unwrap(), written, "by its id alone");
    }
    assert_eq!(does("list", json!({"limit": 2}), cx).await.unwrap().as_array().unwrap().len(), 2);
    let listed = does("list", json!({}), cx).await.unwrap();
    assert_eq!(does("delete", json!({"file": listed[0]}), cx).await.unwrap(), json!({"deleted": true}));
    assert_eq!(does("delete", json!({"file": listed[0]}), cx).await.unwrap(), json!({"deleted": false}));
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let attempt = with(&InMemory::default());
    let cx = &attempt.cx;
    let written = does("write", json!({"name": "a", "base64": "/w=="}), cx).await.unwrap();
    let stranger = json!({"file": Uuid::from_u128(99).to_string(), "size": 3});
    for (action, params, expected) in [
        ("write", json!({"name": "a"}), "one of text, base64 and json"),
        ("write", json!({"name": "a", "text": "", "json": 1}), "one of text, base64 and json"),
        ("write", json!({"name": "a", "base64": "?"}), "base64"),
        ("write", json!({"name": "a", "text": "", "expires_in": "soon"}), "expires_in"),
        ("read", json!({"file": written}), "no UTF-8"),
        ("read", json!({"file": "../../etc/passwd"}), "a file is what"),
        ("read", json!({"file": {"path": "/etc/passwd"}}), "a file is what"),
        ("info", json!({"file": stranger}), "FILE_NOT_FOUND"),
    ] {
        let said = does(action, params.clone(), cx).await.unwrap_err();
        assert!(said.contains(expected), "{params}: {said}");
    }
    let nowhere = Attempt::new();
    assert!(does("list", json!({}), &nowhere.cx).await.unwrap_err().contains("FILE_NOT_FOUND"));
}

#[tokio::test]
async fn a_large_file_is_read_in_parts() {
    let files = InMemory::default();
    let attempt = with(&files);
    let mut writer = files.create(NewFile::default()).await.unwrap();
    let all: Vec<u8> = (0..9 << 20).map(|at: usize| b'a' + (at % 23) as u8).collect();
    writer.write(&all).await.unwrap();
    let file = json!(writer.finish().await.unwrap());
    let said = does("read", json!({"file": file}), &attempt.cx).await.unwrap_err();
    assert!(said.contains("offset and length"), "{said}");
    for (offset, length) in [(0, 5), (FILE_CHUNK - 2, 5), (all.len() - 3, 99), (all.len(), 1), (all.len() + 7, 1)] {
        let part = does("read", json!({"file": file, "offset": offset, "length": length}), &attempt.cx).await.unwrap();
        let (from, to) = (offset.min(all.len()), (offset + length).min(all.len()));
        assert_eq!(part.as_str().unwrap().as_bytes(), &all[from..to.max(from)]);
    }
}

fn large(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 7 + at / 253) as u8).collect()
}

#[tokio::test]
async fn an_answer_becomes_a_file_beyond_the_cap_of_bodies() {
    let bytes = large(20 << 20);
    let sent = bytes.clone();
    let server = Server::start(move |_| {
        reply(200, &[("content-type", "text/csv"), ("content-disposition", "attachment; filename*=UTF-8''a%20b%2B.csv")], sent.clone())
    })
    .await;
    let files = InMemory::default();
    let params = json!({"url": server.url("/export?x=1"), "response": "file"});
    let output = with(&files).call(&dev(), "http.request", params).await.unwrap().value;
    assert_eq!((&output["name"], &output["media_type"], &output["size"]), (&json!("a b+.csv"), &json!("text/csv"), &json!(bytes.len())));
    assert!(files.0.lock().unwrap().values().next().unwrap().1 == bytes);
    let without = Attempt::new().call(&dev(), "http.request", json!({"url": server.url("/"), "response": "file"})).await.unwrap_err();
    assert_eq!(without.code.as_str(), "FILE_NOT_FOUND");
    let plain = Server::start(|_| reply(500, &[], "no")).await;
    let failed = with(&files).call(&dev(), "http.request", json!({"url": plain.url("/a/b.txt"), "response": "file"})).await.unwrap_err();
    assert_eq!(failed.code.as_str(), "HTTP_500");
    let named = Server::start(|_| reply(200, &[], "x")).await;
    let output = with(&files).call(&dev(), "http.request", json!({"url": named.url("/a/b.txt?c=/d"), "response": "file"})).await.unwrap();
    assert_eq!((&output.value["name"], &output.value["media_type"]), (&json!("b.txt"), &json!("text/plain")));
    assert_eq!(files.0.lock().unwrap().len(), 2, "what failed left nothing");
}

#[tokio::test]
async fn a_file_leaves_as_a_body_and_in_a_form() {
    let bytes = large(3 * FILE_CHUNK + 5);
    let files = InMemory::default();
    let mut writer = files.create(NewFile { name: "a\"b.csv".to_owned(), ..NewFile::default() }).await.unwrap();
    writer.write(&bytes).await.unwrap();
    let file = json!(writer.finish().await.unwrap());
    let server = Server::start(|_| reply(200, &[], "ok")).await;
    let params = json!({"url": server.url("/"), "method": "PUT", "body": file, "body_type": "binary"});
    with(&files).call(&dev(), "http.request", params).await.unwrap();
    let seen = server.only();
    assert_eq!((seen.header("content-type"), seen.header("content-length")), ("text/csv", bytes.len().to_string().as_str()));
    assert!(seen.body == bytes);

    let server = Server::start(|_| reply(200, &[], "ok")).await;
    let body = json!({"note": "hi", "files": [file, file], "small": {"filename": "s.txt", "text": "small"}});
    let params = json!({"url": server.url("/"), "method": "POST", "body": body, "body_type": "multipart"});
    with(&files).call(&dev(), "http.request", params).await.unwrap();
    let seen = server.only();
    assert_eq!(seen.header("content-length"), seen.body.len().to_string());
    let boundary = seen.header("content-type").strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
    let head = "Content-Disposition: form-data; name=\"files\"; filename=\"a_b.csv\"\r\nContent-Type: text/csv\r\n\r\n";
    let part = [format!("--{boundary}\r\n{head}").as_bytes(), &bytes, b"\r\n"].concat();
    let first = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n");
    let small = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"small\"; filename=\"s.txt\"\r\nContent-Type: application/octet-stream\r\n\r\n\
         small\r\n--{boundary}--\r\n"
    );
    assert!(seen.body == [first.as_bytes(), &part, &part, small.as_bytes()].concat());
    let strange = json!({"url": server.url("/"), "method": "POST", "body": {"file": "../x"}, "body_type": "binary"});
    assert_eq!(with(&files).call(&dev(), "http.request", strange).await.unwrap_err().code, Code::INVALID_PARAMS);
}

#[tokio::test]
async fn a_redirect_sends_the_file_anew_and_never_elsewhere() {
    let files = InMemory::default();
    let mut writer = files.create(NewFile::default()).await.unwrap();
    writer.write(&large(FILE_CHUNK + 1)).await.unwrap();
    let file = json!(writer.finish().await.unwrap());
    let server = Server::start(|seen| match seen.path.as_str() {
        "/one" => reply(307, &[("location", "/two")], ""),
        "/away" => reply(307, &[("location", "http://localhost:1/")], ""),
        _ => reply(200, &[], seen.body.len().to_string()),
    })
    .await;
    let ask = |path: &str| json!({"url": server.url(path), "method": "PUT", "body": file, "body_type": "binary", "response": "text"});
    let output = with(&files).call(&dev(), "http.request", ask("/one")).await.unwrap();
    assert_eq!(output.value, json!((FILE_CHUNK + 1).to_string()));
    assert_eq!(with(&files).call(&dev(), "http.request", ask("/away")).await.unwrap_err().code, Code::BAD_RESPONSE);
}

/// Every row of a file, by pages of this size.
async fn all_rows(file: &Value, more: &Value, limit: usize, cx: &Context) -> Result<(Vec<Value>, usize), String> {
    let (mut rows, mut pages, mut from) = (Vec::new(), 0, Value::Null);
    loop {
        let mut params = json!({"file": file, "limit": limit, "from": from});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let page = does("rows", params, cx).await?;
        rows.extend(page["items"].as_array().unwrap().clone());
        pages += 1;
        from = page["next"].clone();
        if from.is_null() {
            return Ok((rows, pages));
        }
    }
}

#[tokio::test]
async fn rows_come_in_pages_as_they_would_all_at_once() {
    let attempt = with(&InMemory::default());
    let cx = &attempt.cx;
    let csv = "\u{feff}name,note,n\r\nAda,\"two\r\nlines, \"\"quoted\"\"\",1\r\n\r\nBéa,it's \"so\",2\rCy,,3\nDee,end,4";
    let expected = [
        json!({"name": "Ada", "note": "two\r\nlines, \"quoted\"", "n": 1}),
        json!({"name": "Béa", "note": "it's \"so\"", "n": 2}),
        json!({"name": "Cy", "note": null, "n": 3}),
        json!({"name": "Dee", "note": "end", "n": 4}),
    ];
    let file = does("write", json!({"name": "a.csv", "text": csv}), cx).await.unwrap();
    for limit in [1, 2, 3, 4, 9] {
        let (rows, pages) = all_rows(&file, &json!({"types": "auto"}), limit, cx).await.unwrap();
        assert_eq!(rows, expected, "{limit} at a time");
        assert_eq!(pages, 4_usize.div_ceil(limit), "{limit} at a time");
    }
    let (rows, _) = all_rows(&file, &json!({"header": false}), 2, cx).await.unwrap();
    assert_eq!((rows.len(), &rows[0]), (5, &json!(["name", "note", "n"])));
    let file = does("write", json!({"name": "a.jsonl", "text": "{\"a\": 1}\n\n[2]\r\n\"é\""}), cx).await.unwrap();
    for limit in [1, 2, 9] {
        let (rows, _) = all_rows(&file, &json!({}), limit, cx).await.unwrap();
        assert_eq!(rows, [json!({"a": 1}), json!([2]), json!("é")]);
    }
    let file = does("write", json!({"name": "empty.csv", "text": ""}), cx).await.unwrap();
    assert_eq!(all_rows(&file, &json!({}), 1, cx).await.unwrap(), (vec![], 1));
}

#[tokio::test]
async fn rows_of_a_large_file_and_of_hostile_ones() {
    let files = InMemory::default();
    let attempt = with(&files);
    let cx = &attempt.cx;
    let mut writer = files.create(NewFile { name: "large.csv".to_owned(), ..NewFile::default() }).await.unwrap();
    writer.write(b"n,text\n").await.unwrap();
    // Pages end inside rows, quotes and characters.
    for n in 0..20_000 {
        writer.write(format!("{n},\"é {} \"\"\n\"\"\"\n", "x".repeat(n % 1_511)).as_bytes()).await.unwrap();
    }
    let file = json!(writer.finish().await.unwrap());
    let (rows, pages) = all_rows(&file, &json!({"types": "auto"}), 10_000, cx).await.unwrap();
    assert!(rows.iter().zip(0..).all(|(row, n)| row["n"] == n) && rows.len() == 20_000 && pages > 3, "{} rows, {pages} pages", rows.len());
    let long = format!("a,b\n1,{}\n", "x".repeat(5 << 20));
    for (name, text, expected) in [
        ("ragged.csv", "a,b\n1,2\n3\n", "line 3 has 1 cell"),
        ("open.csv", "a,b\n1,2\n3,\"4", "line 3: a quote"),
        ("long.csv", long.as_str(), "more than 4194304 bytes"),
        ("bad.jsonl", "1\n{\n", "line 2 is no JSON"),
    ] {
        let mut writer = files.create(NewFile { name: name.to_owned(), ..NewFile::default() }).await.unwrap();
        writer.write(text.as_bytes()).await.unwrap();
        let file = json!(writer.finish().await.unwrap());
        let said = all_rows(&file, &json!({}), 1, cx).await.unwrap_err();
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[tokio::test]
async fn archives_take_and_give_files() {
    let files = InMemory::default();
    let written = async |name: &str, text: &str| {
        let params = json!({"name": name, "text": text});
        with(&files).call(&dev(), "file.write", params).await.unwrap().value
    };
    let (one, two) = (written("one.txt", "Grüße").await, written("two.txt", "").await);
    let entries = json!([{"name": "a/one.txt", "file": one}, {"name": "two.txt", "file": two["file"]}, {"name": "three.txt", "text": "3"}]);
    let packed = with(&files).call(&dev(), "transform.zip_pack", json!({"entries": entries, "to_file": "all.zip"})).await.unwrap().value;
    assert_eq!((&packed["name"], &packed["media_type"]), (&json!("all.zip"), &json!("application/zip")));
    let unpacked = with(&files).call(&dev(), "transform.zip_unpack", json!({"archive": packed, "to_file": true})).await.unwrap().value;
    let shown: Vec<_> =
        unpacked.as_array().unwrap().iter().map(|entry| (&entry["name"], &entry["file"]["name"], &entry["file"]["size"])).collect();
    assert_eq!(json!(shown), json!([["a/one.txt", "one.txt", 7], ["two.txt", "two.txt", 0], ["three.txt", "three.txt", 1]]));
    assert_eq!(unpacked[0]["file"]["sha256"], one["sha256"]);
    assert!(unpacked[0].get("text").is_none() && unpacked[0].get("base64").is_none());
    let gone = with(&files).call(&dev(), "transform.zip_unpack", json!({"archive": {"file": Uuid::nil()}})).await.unwrap_err();
    assert_eq!(gone.code.as_str(), "FILE_NOT_FOUND");
    let large = vec![0; (16 << 20) + 1];
    let mut writer = files.create(NewFile { name: "large.zip".to_owned(), ..NewFile::default() }).await.unwrap();
    writer.write(&large).await.unwrap();
    let large = json!(writer.finish().await.unwrap());
    let refused = with(&files).call(&dev(), "transform.zip_unpack", json!({"archive": large})).await.unwrap_err();
    assert_eq!(refused.code, Code::LIMIT_EXCEEDED);
}
