//! Reading everything: one read transaction, beside whoever writes.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mainspring_model::file::FILE_CHUNK;
use mainspring_model::id::FileId;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Cell, Head, Kind, Row, Sink, Source, TABLES, Table};
use sqlx::sqlite::SqliteRow;
use sqlx::{ConnectOptions, Row as _, SqliteConnection};

use super::copy_sql::{KEPT, NEEDING, ORGANIZATIONS, select};
use super::departure::{existing, marks};
use super::error::Fail;
use super::id_of;
use super::migrations;
use super::open::base;
use crate::blobs::BlobFolder;
use crate::copy::batch::Batch;
use crate::file_folder::FileFolder;
use crate::shared::texts::{FIRST, LAST, short};

/// A folder's database as it was at one moment. The write-ahead log keeps growing while it is open.
pub struct Whole {
    connection: SqliteConnection,
    folder: std::path::PathBuf,
    head: Head,
    organizations: Vec<Vec<u8>>,
    blobs: BlobFolder,
    files: FileFolder,
    /// Runs that were pruned since this moment, known by a blob that went with them, and files that were removed: they are left out.
    pruned: HashSet<Vec<u8>>,
}

impl Whole {
    /// Needs no lock and changes nothing.
    ///
    /// # Errors
    /// `NotFound`, `Pending` (the version that wrote it can read it), `Newer`, `ChangedMigration`, `Failed`.
    pub async fn open(folder: &Path) -> Result<Whole, StoreError> {
        let file = existing(folder)?;
        let opened = async {
            let mut connection = base(&file).read_only(true).row_buffer_size(64).connect().await?;
            let pending = migrations::state(&mut connection).await?.pending;
            if !pending.is_empty() {
                return Err(StoreError::Pending { names: pending }.into());
            }
            // The first read after `begin` is the moment.
            sqlx::query("begin").execute(&mut connection).await?;
            let part_of = marks(&mut connection).await?.0.map(|arriving| arriving.from);
            let canary = sqlx::query("select canary from store_state where only_row = 1").fetch_one(&mut connection).await?.try_get(0)?;
            let rows = sqlx::query("select distinct kek_id from data_keys order by 1").fetch_all(&mut connection).await?;
            let key_ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            let rows = sqlx::query(ORGANIZATIONS).fetch_all(&mut connection).await?;
            let organizations = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            Ok::<_, Fail>((connection, Head { place: folder.display().to_string(), canary, key_ids, part_of }, organizations))
        };
        let (connection, head, organizations) = opened.await.map_err(|fail| fail.stored(&file.display().to_string()))?;
        let (blobs, files) = (BlobFolder::new(folder), FileFolder::new(folder));
        Ok(Whole { connection, folder: folder.to_owned(), head, organizations, blobs, files, pruned: HashSet::new() })
    }

    async fn read_table(&mut self, table: &'static Table, org: &[u8], to: &mut dyn Sink) -> Result<(), StoreError> {
        let place = self.head.place.clone();
        let pruned = match table.name {
            "runs" | "run_blobs" | "journal" | "files" => Some(&self.pruned),
            _ => None,
        };
        let mut batch = Batch::new(table, to);
        let mut rows = sqlx::query(select(table.name)).bind(org.to_vec()).fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(|error| Fail::Sql(error).stored(&place))? {
            let row = cells(table, &row).map_err(|fail| fail.stored(&place))?;
            let left_out = pruned.is_some_and(|pruned| matches!(&row[1], Cell::Bytes(id) if pruned.contains(id)));
            if !left_out {
                batch.push(row).await?;
            }
        }
        batch.flush().await
    }

    /// Blobs are files, which no transaction holds: a run's may go while this reads.
    async fn read_blobs(&mut self, table: &'static Table, org: &[u8], to: &mut dyn Sink) -> Result<(), StoreError> {
        let rows = sqlx::query(select(table.name)).bind(org.to_vec()).fetch_all(&mut self.connection).await.map_err(|e| self.said(e))?;
        let addresses: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(|e| self.said(e))?;
        let mut batch = Batch::new(table, to);
        for address in addresses {
            match self.blobs.get(&address) {
                Ok(bytes) => batch.push(vec![Cell::Bytes(org.to_vec()), Cell::Text(address), Cell::Bytes(bytes)]).await?,
                Err(error @ StoreError::NotFound { .. }) => self.leave_out(&address, error).await?,
                Err(error) => return Err(error),
            }
        }
        batch.flush().await
    }

    /// The bytes of files, piece by piece; one that goes while this reads is left out.
    async fn read_files(&mut self, table: &'static Table, org: &[u8], to: &mut dyn Sink) -> Result<(), StoreError> {
        let rows = sqlx::query(select(table.name)).bind(org.to_vec()).fetch_all(&mut self.connection).await.map_err(|e| self.said(e))?;
        let ids: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(|e| self.said(e))?;
        let mut batch = Batch::new(table, to);
        for id in ids {
            let file = FileId(id_of(&id).map_err(|fail| fail.stored(&self.head.place))?);
            let mut bytes = match self.files.whole(file) {
                Ok(bytes) => bytes,
                Err(error @ StoreError::NotFound { .. }) => {
                    self.forget(id, error).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for no in 0.. {
                let mut piece = Vec::new();
                let read = bytes.by_ref().take(FILE_CHUNK as u64).read_to_end(&mut piece);
                if read.map_err(|error| StoreError::Failed(format!("the bytes of the file {file}: {error}")))? == 0 {
                    break;
                }
                batch.push(vec![Cell::Bytes(org.to_vec()), Cell::Bytes(id.clone()), Cell::Whole(no), Cell::Bytes(piece)]).await?;
            }
        }
        batch.flush().await
    }

    /// `missing` stays the answer when the file is there even now.
    async fn forget(&mut self, id: Vec<u8>, missing: StoreError) -> Result<(), StoreError> {
        let file = self.folder.join(super::DATABASE_FILE);
        let now = async {
            let mut fresh = base(&file).read_only(true).connect().await?;
            sqlx::query(KEPT).bind(id.clone()).fetch_optional(&mut fresh).await
        };
        if now.await.map_err(|e| self.said(e))?.is_some() {
            return Err(StoreError::Failed(format!("{missing} any more, and its row is there: it is gone from the folder files")));
        }
        self.pruned.insert(id);
        Ok(())
    }

    /// `missing` stays the answer when a run needs the blob even now.
    async fn leave_out(&mut self, address: &str, missing: StoreError) -> Result<(), StoreError> {
        let file = self.folder.join(super::DATABASE_FILE);
        let now = async {
            let mut fresh = base(&file).read_only(true).connect().await?;
            sqlx::query(NEEDING).bind(address).fetch_optional(&mut fresh).await
        };
        if now.await.map_err(|e| self.said(e))?.is_some() {
            return Err(StoreError::Failed(format!("{missing} any more, and a run needs it: its file is gone from the folder blobs")));
        }
        let rows = sqlx::query(NEEDING).bind(address).fetch_all(&mut self.connection).await.map_err(|e| self.said(e))?;
        for row in rows {
            self.pruned.insert(row.try_get(0).map_err(|e| self.said(e))?);
        }
        Ok(())
    }

    fn said(&self, error: sqlx::Error) -> StoreError {
        Fail::Sql(error).stored(&self.head.place)
    }
}

#[async_trait]
impl Source for Whole {
    fn head(&self) -> &Head {
        &self.head
    }

    async fn read(&mut self, to: &mut dyn Sink) -> Result<(), StoreError> {
        for org in self.organizations.clone() {
            for table in TABLES {
                match table.name {
                    "blobs" => self.read_blobs(table, &org, to).await?,
                    "file_chunks" => self.read_files(table, &org, to).await?,
                    _ => self.read_table(table, &org, to).await?,
                }
            }
        }
        Ok(())
    }
}

fn cells(table: &Table, row: &SqliteRow) -> Result<Row, Fail> {
    let cell = |(at, (_, kind)): (usize, &(&str, Kind))| {
        Ok(match kind {
            Kind::Id | Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Cell::Bytes),
            Kind::Whole | Kind::Flag => row.try_get::<Option<i64>, _>(at)?.map(Cell::Whole),
            Kind::Moment => row.try_get::<Option<i64>, _>(at)?.map(|moment| Cell::Whole(moment.clamp(FIRST, LAST))),
            Kind::Text | Kind::Json => row.try_get::<Option<String>, _>(at)?.map(Cell::Text),
            Kind::Key => row.try_get::<Option<String>, _>(at)?.map(|key| Cell::Text(short(&key).into_owned())),
        }
        .unwrap_or(Cell::Null))
    };
    table.columns.iter().enumerate().map(cell).collect()
}
