//! Rows on their way: from a source into a destination, counted, and past those that are there already.

use async_trait::async_trait;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Arrived, Destination, Row, Sink, Source, Table};

use super::arriving::advance;
use super::tally::Tally;

/// Copies what is not there yet, and gives the tally of the whole source. `told` hears how many rows went by.
///
/// # Errors
/// Those of both stores; `Differs` when the rows that are there are not the first ones of this source.
pub async fn transfer(source: &mut dyn Source, to: &mut dyn Destination, told: &mut (dyn FnMut(u64) + Send)) -> Result<Tally, StoreError> {
    let there = to.arrived();
    let mut passage = Passage { to, there, seen: Arrived::default(), tally: Tally::default(), told };
    source.read(&mut passage).await?;
    if passage.seen.rows < passage.there.rows {
        return Err(changed());
    }
    Ok(passage.tally)
}

struct Passage<'a> {
    to: &'a mut dyn Destination,
    there: Arrived,
    /// Of the rows that are there: counted again, to see whether they are the same.
    seen: Arrived,
    tally: Tally,
    told: &'a mut (dyn FnMut(u64) + Send),
}

#[async_trait]
impl Sink for Passage<'_> {
    async fn take(&mut self, table: &'static Table, mut rows: Vec<Row>) -> Result<(), StoreError> {
        self.tally.add(table, &rows);
        let missing = self.there.rows - self.seen.rows;
        if missing > 0 {
            let rest = rows.split_off(rows.len().min(usize::try_from(missing).unwrap_or(usize::MAX)));
            advance(&mut self.seen, table, &rows);
            if self.seen.rows == self.there.rows && self.seen.chain != self.there.chain {
                return Err(changed());
            }
            rows = rest;
        }
        if !rows.is_empty() {
            self.to.take(table, rows).await?;
        }
        (self.told)(self.tally.rows());
        Ok(())
    }
}

fn changed() -> StoreError {
    StoreError::Differs("the source has changed since a part of it was copied; empty the destination and begin again".to_owned())
}

/// Counts and hashes all rows of a source.
///
/// # Errors
/// The source's.
pub async fn tally(source: &mut dyn Source) -> Result<Tally, StoreError> {
    let mut counting = Counting(Tally::default());
    source.read(&mut counting).await?;
    Ok(counting.0)
}

struct Counting(Tally);

#[async_trait]
impl Sink for Counting {
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        self.0.add(table, &rows);
        Ok(())
    }
}
