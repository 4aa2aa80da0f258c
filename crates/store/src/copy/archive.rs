//! Writing an archive: rows go into it as they come, and nothing but one batch is kept in memory.

use std::io::{self, Write};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainspring_model::clock::Millis;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{FORM, Head, Row, Sink, Table, number_of};
use serde_json::json;

use super::frame::{END, FIRST, HEAD, Hashing, ROWS, SUM, packed};
use super::tally::Tally;

/// What an archive says of its making.
#[derive(Clone, Debug)]
pub struct Made {
    /// The version of the program.
    pub program: String,
    pub at: Millis,
}

/// An archive that is being written.
pub struct Archive<W> {
    out: Hashing<W>,
    tally: Tally,
    /// Puts a failure of writing in words.
    failed: Box<dyn Fn(io::Error) -> StoreError + Send + Sync>,
}

impl<W: Write + Send> Archive<W> {
    /// # Errors
    /// What `failed` makes of a failure to write.
    pub fn begin(
        out: W,
        head: &Head,
        made: &Made,
        failed: impl Fn(io::Error) -> StoreError + Send + Sync + 'static,
    ) -> Result<Archive<W>, StoreError> {
        let mut archive = Archive { out: Hashing::new(out), tally: Tally::default(), failed: Box::new(failed) };
        let head = json!({
            "form": FORM, "program": made.program, "made_at": made.at, "place": head.place,
            "canary": head.canary.as_ref().map(|canary| STANDARD.encode(canary)), "key_ids": head.key_ids,
        });
        let begun = archive.out.put(FIRST).and_then(|()| archive.out.frame(HEAD, head.to_string().as_bytes()));
        begun.map_err(&archive.failed)?;
        Ok(archive)
    }

    /// The writer, whose bytes are still to be made durable, with what was written to it and how many bytes.
    ///
    /// # Errors
    /// As [`Archive::begin`].
    pub fn finish(mut self) -> Result<(W, Tally, u64), StoreError> {
        let tables: Vec<_> =
            self.tally.tables().map(|(name, rows, sha256)| json!({ "name": name, "rows": rows, "sha256": sha256 })).collect();
        let ended = self.out.frame(SUM, json!({ "tables": tables }).to_string().as_bytes());
        let digest = self.out.digest();
        let ended = ended.and_then(|()| self.out.frame(END, &digest)).and_then(|()| self.out.inner.flush());
        ended.map_err(&self.failed)?;
        Ok((self.out.inner, self.tally, self.out.bytes))
    }
}

#[async_trait]
impl<W: Write + Send> Sink for Archive<W> {
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        self.tally.add(table, &rows);
        let packed = packed(number_of(table), &rows);
        packed.and_then(|packed| self.out.frame(ROWS, &packed)).map_err(&self.failed)
    }
}
