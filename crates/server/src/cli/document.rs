//! A document's text: from a file, or from standard input when the name is `-`.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use mainspring_model::plan;

use super::exit::Exit;
use super::failure::Failure;

/// A text and what to call it in messages.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Standard input, which can be read once.
#[derive(Default)]
pub(crate) struct Stdin {
    taken_by: Option<String>,
}

impl Stdin {
    /// Everything that stands in `file`, or in standard input for `-`. `reader` names the argument that asks.
    pub(crate) fn read(&mut self, file: &str, reader: &str) -> Result<Document, Failure> {
        if file != "-" {
            return read_file(file);
        }
        if let Some(first) = &self.taken_by {
            return Err(Failure::usage(format!("standard input can be read once, and {first} reads it already; give {reader} a file")));
        }
        self.taken_by = Some(reader.to_owned());
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .take(plan::MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable("standard input", &error))?;
        document("<stdin>", bytes)
    }
}

fn read_file(file: &str) -> Result<Document, Failure> {
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => return Err(Failure::usage(format!("{file} is a folder; name a file in it"))),
        Ok(found) if found.len() > plan::MAX_BYTES as u64 => return Err(too_large(file)),
        _ => {}
    }
    document(file, fs::read(Path::new(file)).map_err(|error| unreadable(file, &error))?)
}

fn document(name: &str, bytes: Vec<u8>) -> Result<Document, Failure> {
    if bytes.len() > plan::MAX_BYTES {
        return Err(too_large(name));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Document { name: name.to_owned(), text }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("{name}:{line}: the text is not UTF-8 from byte {} on", at + 1);
            Err(Failure::new(Exit::Invalid, plan::code::SYNTAX, message).next("save the file as UTF-8"))
        }
    }
}

fn too_large(name: &str) -> Failure {
    Failure::new(Exit::Invalid, plan::code::DOCUMENT_LIMIT, format!("{name} has more than {} bytes", plan::MAX_BYTES))
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => Failure::not_found(name).next("check the path; `-` reads standard input"),
        _ => Failure::new(Exit::Invalid, "INVALID_REQUEST", format!("{name} cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("latin.yaml"), b"name: x\nsteps: \xe9").unwrap();
        let mut stdin = Stdin::default();
        let mut failed = |file: &str| {
            let failure = stdin.read(file, "FILE").unwrap_err();
            (failure.exit as u8, failure.message.replace(&path(""), ""))
        };
        assert_eq!(failed(&path("none.yaml")), (5, "none.yaml does not exist".to_owned()));
        assert_eq!(failed(&path("latin.yaml")), (3, "latin.yaml:2: the text is not UTF-8 from byte 16 on".to_owned()));
        assert_eq!(failed(folder.path().to_str().unwrap()).0, 2);
    }
}
