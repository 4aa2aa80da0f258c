//! Rows gathered for one call of a sink.

use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Cell, Row, Sink, Table};

const ROWS: usize = 500;
const BYTES: usize = 2 << 20;

/// Rows of one table and organization, given on when they are many or large.
pub(crate) struct Batch<'a> {
    table: &'static Table,
    to: &'a mut dyn Sink,
    rows: Vec<Row>,
    bytes: usize,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(table: &'static Table, to: &'a mut dyn Sink) -> Batch<'a> {
        Batch { table, to, rows: Vec::new(), bytes: 0 }
    }

    pub(crate) async fn push(&mut self, row: Row) -> Result<(), StoreError> {
        let size = row.iter().map(|cell| match cell {
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
            _ => 8,
        });
        self.bytes += size.sum::<usize>();
        self.rows.push(row);
        if self.rows.len() >= ROWS || self.bytes >= BYTES { self.flush().await } else { Ok(()) }
    }

    pub(crate) async fn flush(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        match std::mem::take(&mut self.rows) {
            rows if rows.is_empty() => Ok(()),
            rows => self.to.take(self.table, rows).await,
        }
    }
}
