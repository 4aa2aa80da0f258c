//! Copies of a whole store: rows come back the same from either database, and what is damaged or cut short leaves nothing.

mod archive;
mod erased;
mod filled;
mod forgotten;
mod schema;
mod steps;
mod upgrade;

use std::path::Path;

use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Destination, Source};
use mainspring_store::copy::{Archive, ArchiveReader, Filling, Made, Tally, tally, transfer};
use mainspring_store::postgres::{self, OpenOptions};
use mainspring_store::{SqliteImport, SqliteSnapshot};

use crate::suite::make::START;

/// The archive of a source, and the tally of its rows.
async fn archived(source: &mut dyn Source) -> (Vec<u8>, Tally) {
    let made = Made { program: "test".to_owned(), at: START };
    let failed = |error: std::io::Error| StoreError::Failed(error.to_string());
    let mut archive = Archive::begin(Vec::new(), source.head(), &made, failed).unwrap();
    source.read(&mut archive).await.unwrap();
    let (bytes, tally, size) = archive.finish().unwrap();
    assert_eq!(bytes.len() as u64, size);
    (bytes, tally)
}

async fn of_folder(folder: &Path) -> SqliteSnapshot {
    SqliteSnapshot::open(folder).await.unwrap()
}

async fn of_database(options: &OpenOptions) -> postgres::Whole {
    postgres::Whole::open(options).await.unwrap()
}

async fn counted(mut source: impl Source) -> Tally {
    tally(&mut source).await.unwrap()
}

async fn into_folder(folder: &Path, bytes: &[u8]) -> Result<Tally, StoreError> {
    let mut archive = ArchiveReader::begin(bytes)?;
    let import = SqliteImport::begin(folder, archive.head(), Filling::Whole, START).await?;
    restored(&mut archive, Box::new(import)).await
}

async fn into_database(options: &OpenOptions, bytes: &[u8]) -> Result<Tally, StoreError> {
    let mut archive = ArchiveReader::begin(bytes)?;
    let import = postgres::Import::begin(options, archive.head(), Filling::Whole).await?;
    restored(&mut archive, Box::new(import)).await
}

async fn restored(source: &mut dyn Source, mut to: Box<dyn Destination>) -> Result<Tally, StoreError> {
    let sent = transfer(source, &mut *to, &mut |_| {}).await?;
    to.finish().await?;
    Ok(sent)
}
