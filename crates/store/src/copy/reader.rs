//! Reading an archive: a source of rows, each of which is checked before it is given on.

use std::io::{self, Read};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::clock::Millis;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{FORM, Head, Sink, Source};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::archive::Made;
use super::frame::{END, END_SIZE, FIRST, Frame, HEAD, Hashing, ROWS, SUM, unpacked};
use super::tally::Tally;

/// An archive whose head was read.
pub struct ArchiveReader<R> {
    input: Hashing<R>,
    head: Head,
    pub made: Made,
}

#[derive(Deserialize)]
struct HeadText {
    form: u32,
    program: String,
    made_at: Millis,
    place: String,
    canary: Option<String>,
    key_ids: Vec<String>,
}

#[derive(Deserialize)]
struct SumText {
    tables: Vec<SumTable>,
}

#[derive(Deserialize)]
struct SumTable {
    name: String,
    rows: u64,
    sha256: String,
}

impl<R: Read + Send> ArchiveReader<R> {
    /// # Errors
    /// `BadBackup`, `NewerBackup`.
    pub fn begin(input: R) -> Result<ArchiveReader<R>, StoreError> {
        let mut input = Hashing::new(input);
        if input.get(FIRST.len() as u64).map_err(unread)?.as_deref() != Some(FIRST) {
            return Err(bad("it does not begin as a backup does"));
        }
        let Some((HEAD, head, _)) = input.next().map_err(unread)? else { return Err(bad("it ends before its head does")) };
        let form: serde_json::Value = serde_json::from_slice(&head).map_err(|_| bad("its head is damaged"))?;
        if let Some(found) = form["form"].as_u64().filter(|found| *found > u64::from(FORM)) {
            return Err(StoreError::NewerBackup { found: u32::try_from(found).unwrap_or(u32::MAX), known: FORM });
        }
        let text: HeadText = serde_json::from_slice(&head).map_err(|_| bad("its head is damaged"))?;
        // There is one form; a later program reads it here, too, and makes it its own.
        if text.form != FORM {
            return Err(bad("its head is damaged"));
        }
        let canary = text.canary.map(|canary| STANDARD.decode(canary)).transpose().map_err(|_| bad("its head is damaged"))?;
        Ok(ArchiveReader {
            input,
            head: Head { place: text.place, canary, key_ids: text.key_ids, part_of: None },
            made: Made { program: text.program, at: text.made_at },
        })
    }

    fn frame(&mut self) -> Result<Frame, StoreError> {
        self.input.next().map_err(unread)?.ok_or_else(|| bad("it is cut off"))
    }
}

#[async_trait]
impl<R: Read + Send> Source for ArchiveReader<R> {
    fn head(&self) -> &Head {
        &self.head
    }

    async fn read(&mut self, to: &mut dyn Sink) -> Result<(), StoreError> {
        let mut tally = Tally::default();
        loop {
            match self.frame()? {
                (ROWS, payload, _) => {
                    let (table, rows) = unpacked(&payload).ok_or_else(|| bad("rows of it are damaged"))?;
                    tally.add(table, &rows);
                    to.take(table, rows).await?;
                }
                (SUM, payload, _) => {
                    let sum: SumText = serde_json::from_slice(&payload).map_err(|_| bad("its sum is damaged"))?;
                    let told: Vec<(&str, u64, String)> =
                        sum.tables.iter().map(|table| (&*table.name, table.rows, table.sha256.clone())).collect();
                    if told != tally.tables().collect::<Vec<_>>() {
                        return Err(bad("its rows are not those that were counted when it was made"));
                    }
                    break;
                }
                _ => return Err(bad("a part of it is of an unknown kind")),
            }
        }
        let (kind, digest, of_all) = self.frame()?;
        if kind != END || digest != of_all {
            return Err(bad("its bytes are not those that were written"));
        }
        match self.input.get(1).map_err(unread)? {
            None => Ok(()),
            Some(_) => Err(bad("something follows its end")),
        }
    }
}

/// Hashes a whole archive of `size` bytes, before anything of it is believed.
///
/// # Errors
/// `BadBackup`.
pub fn check(mut input: impl Read, size: u64) -> Result<(), StoreError> {
    let mut first = vec![0; FIRST.len()];
    if size < FIRST.len() as u64 + END_SIZE || input.read_exact(&mut first).is_err() || first != FIRST {
        return Err(bad("it does not begin as a backup does, or is cut off"));
    }
    let mut hash = Sha256::new_with_prefix(&first);
    let mut body = (&mut input).take(size - END_SIZE - FIRST.len() as u64);
    io::copy(&mut body, &mut HashWriter(&mut hash)).map_err(unread)?;
    let mut end = Vec::new();
    input.read_to_end(&mut end).map_err(unread)?;
    let size = [32, 0, 0, 0];
    match end.as_slice() {
        [END, a, b, c, d, digest @ ..] if [*a, *b, *c, *d] == size && digest == hash.finalize().as_slice() => Ok(()),
        _ => Err(bad("its bytes are not those that were written, or it is cut off")),
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bad(what: &str) -> StoreError {
    StoreError::BadBackup(what.to_owned())
}

fn unread(error: io::Error) -> StoreError {
    StoreError::BadBackup(error.to_string())
}
