//! Files as plans see them: a value that names one, and the way to its bytes, which never stand in expressions.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::id::FileId;

/// Bytes are carried and kept in pieces of this size.
pub const FILE_CHUNK: usize = 256 << 10;

/// Bytes of a name.
const MOST_NAME: usize = 255;
const MOST_TYPE: usize = 127;

/// What a step gives and takes instead of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileValue {
    /// Its id.
    #[schemars(with = "String")]
    pub file: FileId,
    /// As it was given, without folders and without characters that deceive.
    pub name: String,
    /// As its sender declared it; nothing rests on it.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Of its bytes, in lower-case hex.
    pub sha256: String,
}

/// What is told of a file before its bytes.
#[derive(Clone, Debug, Default)]
pub struct NewFile {
    pub name: String,
    /// Guessed from the name when it is not given.
    pub media_type: Option<String>,
    /// `Some(None)`: it stays until it is removed; `None`: as long as the operator keeps files of runs.
    pub expires_in_ms: Option<Option<u64>>,
}

/// The files of one organization, as an attempt of a step reaches them.
#[async_trait]
pub trait Files: Send + Sync {
    /// Begins a file; it is there when its writer has finished, and not before.
    ///
    /// # Errors
    /// `FILE_QUOTA` when no room is left.
    async fn create(&self, new: NewFile) -> Result<Box<dyn FileWriter>, Fault>;

    /// # Errors
    /// `FILE_NOT_FOUND`.
    async fn find(&self, id: FileId) -> Result<FileValue, Fault>;

    /// Piece `no` of [`FILE_CHUNK`] bytes; empty behind the end.
    async fn read(&self, file: &FileValue, no: u32) -> Result<Vec<u8>, Fault>;

    /// The newest, at most `limit`.
    async fn list(&self, limit: u32) -> Result<Vec<FileValue>, Fault>;

    /// `false` when there was none.
    async fn delete(&self, id: FileId) -> Result<bool, Fault>;
}

/// A file that is being written. Dropped before its end nothing of it stays.
#[async_trait]
pub trait FileWriter: Send {
    /// # Errors
    /// `FILE_TOO_LARGE`, `FILE_QUOTA`; nothing more can be written then.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault>;

    /// Durable when this returns.
    async fn finish(self: Box<Self>) -> Result<FileValue, Fault>;
}

/// A name that is safe to show, to save under and to put into a header: no folders, no control characters, none that turns the
/// direction of writing, at most 255 bytes.
pub fn safe_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name = String::new();
    for c in last.chars().filter(|c| !deceives(*c)) {
        // Windows knows these as more than letters of a name.
        let c = if matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|') { '_' } else { c };
        if name.len() + c.len_utf8() > MOST_NAME {
            break;
        }
        name.push(c);
    }
    let name = name.trim().trim_end_matches('.').trim();
    if name.is_empty() || name.chars().all(|c| c == '.') { "file".to_owned() } else { name.to_owned() }
}

/// Control characters, and what is not seen but changes what is: marks of direction, joiners, line ends, tags.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `type/subtype` in lower case, without parameters; what the name says when that is none.
pub fn media_type(given: Option<&str>, name: &str) -> String {
    let bare = given.and_then(|given| given.split(';').next()).map(|bare| bare.trim().to_ascii_lowercase());
    match bare {
        Some(bare) if is_media_type(&bare) => bare,
        _ => by_name(name).to_owned(),
    }
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    text.len() <= MOST_TYPE && text.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
}

fn by_name(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "csv" => "text/csv",
        "gif" => "image/gif",
        "gz" => "application/gzip",
        "htm" | "html" => "text/html",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "md" => "text/markdown",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "tsv" => "text/tab-separated-values",
        "txt" | "log" => "text/plain",
        "webp" => "image/webp",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_deceives() {
        let cases = [
            ("report.csv", "report.csv"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\a b.txt", "a b.txt"),
            ("a\0b\r\nc.txt", "abc.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("Übersicht 2026.pdf", "Übersicht 2026.pdf"),
            ("..", "file"),
            ("", "file"),
            ("a/", "file"),
            (" . ", "file"),
            ("con:aux\"<>|?*.txt", "con_aux______.txt"),
        ];
        for (given, expected) in cases {
            assert_eq!(safe_name(given), expected, "{given:?}");
        }
        for given in ["x".repeat(1_000), "é".repeat(1_000), "\u{202e}".repeat(1_000)] {
            let name = safe_name(&given);
            assert!(!name.is_empty() && name.len() <= MOST_NAME, "{} bytes", name.len());
        }
    }

    #[test]
    fn types_are_declared_or_guessed_from_the_name() {
        assert_eq!(media_type(Some("Text/CSV; charset=utf-8"), "a.bin"), "text/csv");
        assert_eq!(media_type(Some("no type\r\nx: y"), "a.csv"), "text/csv");
        assert_eq!(media_type(Some(""), "A.JPG"), "image/jpeg");
        assert_eq!(media_type(None, "unknown"), "application/octet-stream");
        assert_eq!(media_type(Some(&format!("a/{}", "b".repeat(200))), "a.zip"), "application/zip");
    }
}
