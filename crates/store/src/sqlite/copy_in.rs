//! Filling an empty folder with the rows of another store.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::id::FileId;
use mainspring_model::store::StoreError;
use mainspring_model::store::copy::{Arrived, Cell, Destination, Head, Row, Sink, Table};
use sqlx::{Connection, Row as _, SqliteConnection};
use uuid::Uuid;

use super::copy_sql::{NUMBER_ORG, NUMBER_PLAN, insert};
use super::departure::marks;
use super::error::Fail;
use super::migrations;
use super::open::{DATABASE_FILE, connect};
use super::values::Bound;
use crate::blobs::BlobFolder;
use crate::copy::arriving::{Arriving, Filling, advance, counted};
use crate::file_folder::{FOLDER as FILES, FileFolder};
use crate::lock::{EngineLock, unwritable};

/// Where all or nothing is made before it gets its place.
const STAGE: &str = "restoring";

/// A folder that is being filled, held with its engine lock.
pub struct Import {
    /// `None` once it is closed.
    connection: Option<SqliteConnection>,
    blobs: BlobFolder,
    files: FileFolder,
    head: Head,
    arrived: Arrived,
    /// Organizations and plans that have their numbers.
    numbered: HashSet<Vec<u8>>,
    now: Millis,
    place: String,
    folder: PathBuf,
    stage: Option<Stage>,
    _lock: EngineLock,
}

/// A folder that goes unless its content got its place.
struct Stage(PathBuf);

impl Drop for Stage {
    fn drop(&mut self) {
        // Best effort: the next one begins by removing it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Import {
    /// `folder` may have a key and nothing else. `head` is the source's.
    ///
    /// # Errors
    /// `NotEmpty`, `Locked`, `Incomplete` (from another source), `Full`, `ReadOnly`, `Failed`.
    pub async fn begin(folder: &Path, head: &Head, filling: Filling, now: Millis) -> Result<Import, StoreError> {
        let failed = |error: std::io::Error| unwritable(folder, &error);
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = EngineLock::take(folder)?;
        let stage = match filling {
            Filling::Stepwise => None,
            Filling::Whole => {
                let stage = folder.join(STAGE);
                match fs::remove_dir_all(&stage) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                    _ => fs::create_dir(&stage).map_err(failed)?,
                }
                Some(Stage(stage))
            }
        };
        if filling == Filling::Whole && folder.join(DATABASE_FILE).exists() {
            refuse_rows(folder).await?;
            let found = format!("the file {DATABASE_FILE}");
            return Err(StoreError::NotEmpty { place: folder.display().to_string(), found });
        }
        let at = stage.as_ref().map_or(folder, |stage| stage.0.as_path());
        let file = at.join(DATABASE_FILE);
        let place = file.display().to_string();
        for kind in ["blobs", FILES] {
            fs::create_dir_all(at.join(kind)).map_err(failed)?;
        }
        let begun = async {
            let mut connection = connect(&file, None).await?;
            migrations::migrate(now, &mut connection).await?;
            let arrived = begin(folder, head, &mut connection).await?;
            Ok::<_, Fail>((connection, arrived))
        };
        let (connection, arrived) = begun.await.map_err(|fail| fail.stored(&place))?;
        Ok(Import {
            connection: Some(connection),
            blobs: BlobFolder::new(at),
            files: FileFolder::new(at),
            head: head.clone(),
            arrived,
            numbered: HashSet::new(),
            now,
            place,
            folder: folder.to_owned(),
            stage,
            _lock: lock,
        })
    }

    /// The bytes of a blob or of a piece of a file.
    fn put(&self, row: &Row) -> Result<(), StoreError> {
        match row.as_slice() {
            [_, Cell::Text(address), Cell::Bytes(bytes)] if self.blobs.put(bytes, self.now)? == *address => Ok(()),
            [_, Cell::Text(address), Cell::Bytes(_)] => {
                Err(StoreError::Differs(format!("the bytes of the blob {address} are not those of its address")))
            }
            [_, Cell::Bytes(id), Cell::Whole(no), Cell::Bytes(bytes)] => match (Uuid::from_slice(id), u32::try_from(*no)) {
                (Ok(id), Ok(no)) => self.files.restore(FileId(id), no, bytes),
                _ => Err(StoreError::Invalid("a piece of no file".to_owned())),
            },
            _ => Err(StoreError::Invalid("a blob without bytes".to_owned())),
        }
    }

    async fn write(&mut self, table: &Table, rows: &[Row]) -> Result<(), Fail> {
        let Some(connection) = &mut self.connection else { return Err(StoreError::Closed.into()) };
        sqlx::query("begin immediate").execute(&mut *connection).await?;
        let written = async {
            for row in rows {
                if table.name == "runs" {
                    for (sql, id) in [(NUMBER_ORG, &row[0]), (NUMBER_PLAN, &row[2])] {
                        if let Cell::Bytes(id) = id
                            && self.numbered.insert(id.clone())
                        {
                            sqlx::query(sql).bind(id.clone()).execute(&mut *connection).await?;
                        }
                    }
                }
                sqlx::query_with(insert(table.name), bound(row).0).execute(&mut *connection).await?;
            }
            advance(&mut self.arrived, table, rows);
            note(&Arriving::new(&self.head.place, &self.arrived), &mut *connection).await
        };
        let written = written.await;
        let end = if written.is_ok() { "commit" } else { "rollback" };
        let ended = sqlx::query(end).execute(connection).await;
        written?;
        ended?;
        Ok(())
    }
}

#[async_trait]
impl Sink for Import {
    async fn take(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        if matches!(table.name, "blobs" | "file_chunks") {
            // Durable before it is noted that they arrived; written again they are the same.
            for row in &rows {
                self.put(row)?;
            }
            let place = self.place.clone();
            advance(&mut self.arrived, table, &rows);
            let Some(connection) = &mut self.connection else { return Err(StoreError::Closed) };
            return note(&Arriving::new(&self.head.place, &self.arrived), connection).await.map_err(|fail| fail.stored(&place));
        }
        let place = self.place.clone();
        self.write(table, &rows).await.map_err(|fail| fail.stored(&place))
    }
}

#[async_trait]
impl Destination for Import {
    fn arrived(&self) -> Arrived {
        self.arrived.clone()
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        let place = self.place.clone();
        let Some(mut connection) = self.connection.take() else { return Err(StoreError::Closed) };
        let done = async {
            sqlx::query("update store_state set canary = ?1, arriving = null, plans_revision = plans_revision + 1 where only_row = 1")
                .bind(self.head.canary.clone())
                .execute(&mut connection)
                .await?;
            // Into the one file, which then stands for itself.
            sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut connection).await?;
            connection.close().await?;
            Ok::<_, Fail>(())
        };
        done.await.map_err(|fail| fail.stored(&place))?;
        let Some(stage) = &self.stage else { return Ok(()) };
        publish(&stage.0, &self.folder).map_err(|error| unwritable(&self.folder, &error))
    }
}

/// What lies beside the database's file comes first: that file is what makes a folder one that has something.
fn publish(stage: &Path, folder: &Path) -> std::io::Result<()> {
    for kind in ["blobs", FILES] {
        fs::create_dir_all(folder.join(kind))?;
        for prefix in fs::read_dir(stage.join(kind))? {
            let prefix = prefix?;
            let into = folder.join(kind).join(prefix.file_name());
            fs::create_dir_all(&into)?;
            for blob in fs::read_dir(prefix.path())? {
                let blob = blob?;
                fs::rename(blob.path(), into.join(blob.file_name()))?;
            }
            File::open(&into)?.sync_all()?;
        }
        File::open(folder.join(kind))?.sync_all()?;
    }
    File::open(stage.join(DATABASE_FILE))?.sync_all()?;
    // Left by a database that somebody removed, they would be taken for this one's.
    for beside in ["-wal", "-shm"] {
        match fs::remove_file(folder.join(format!("{DATABASE_FILE}{beside}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(stage.join(DATABASE_FILE), folder.join(DATABASE_FILE))?;
    File::open(folder)?.sync_all()
}

/// Goes on where an interrupted copy of this source was, or begins in an empty database.
async fn begin(folder: &Path, head: &Head, connection: &mut SqliteConnection) -> Result<Arrived, Fail> {
    let place = folder.display().to_string();
    match marks(connection).await? {
        (Some(arriving), _) if arriving.from == head.place => return Ok(arriving.arrived()),
        (Some(arriving), _) => return Err(StoreError::Incomplete { place, from: arriving.from }.into()),
        (None, Some(to)) => return Err(StoreError::Moved { place, to }.into()),
        (None, None) => {}
    }
    let found = rows(connection).await?;
    if !found.is_empty() {
        return Err(StoreError::NotEmpty { place, found: counted(&found) }.into());
    }
    note(&Arriving::new(&head.place, &Arrived::default()), connection).await?;
    Ok(Arrived::default())
}

async fn note(arriving: &Arriving, connection: &mut SqliteConnection) -> Result<(), Fail> {
    sqlx::query("update store_state set arriving = ?1 where only_row = 1").bind(arriving.text()?).execute(connection).await?;
    Ok(())
}

/// What an existing database has, when it can be asked.
async fn refuse_rows(folder: &Path) -> Result<(), StoreError> {
    let looked = async {
        let mut connection = connect(&folder.join(DATABASE_FILE), None).await?;
        let found = rows(&mut connection).await?;
        connection.close().await?;
        Ok::<_, Fail>(found)
    };
    match looked.await {
        Ok(found) if !found.is_empty() => Err(StoreError::NotEmpty { place: folder.display().to_string(), found: counted(&found) }),
        _ => Ok(()),
    }
}

/// How many of what, where there is any. A table of numbers alone is none.
async fn rows(connection: &mut SqliteConnection) -> Result<Vec<(&'static str, i64)>, Fail> {
    let counts = [
        ("plans", "select count(*) from plans"),
        ("runs", "select count(*) from runs"),
        ("schedules", "select count(*) from schedules"),
        ("trigger_states", "select count(*) from trigger_states"),
        ("integrations", "select count(*) from integrations"),
        ("credentials", "select count(*) from credentials"),
        ("api_keys", "select count(*) from api_keys"),
        ("data_keys", "select count(*) from data_keys"),
        ("remembered_answers", "select count(*) from idempotency"),
        ("feature_flags", "select count(*) from feature_flags"),
        ("notification_rules", "select count(*) from notification_rules"),
        ("notifications", "select count(*) from notifications"),
        ("outbox", "select count(*) from outbox"),
        ("plan_versions", "select count(*) from plan_versions"),
        ("organization_totals", "select count(*) from organization_totals"),
        ("egress_rules", "select count(*) from egress_rules"),
        ("users", "select count(*) from users"),
        ("organizations", "select count(*) from organizations"),
        ("audit_log", "select count(*) from audit_log"),
        ("signals", "select count(*) from signals"),
        ("state_values", "select count(*) from state_values"),
        ("state_seen", "select count(*) from state_seen"),
        ("files", "select count(*) from files"),
    ];
    let mut found = Vec::new();
    for (name, sql) in counts {
        let count: i64 = sqlx::query(sql).fetch_one(&mut *connection).await?.try_get(0)?;
        if count > 0 {
            found.push((name, count));
        }
    }
    Ok(found)
}

fn bound(row: &Row) -> Bound {
    let mut bound = Bound::with_room(row.len());
    for cell in row {
        match cell {
            Cell::Null => bound.add(None::<i64>),
            Cell::Whole(number) => bound.add(*number),
            Cell::Text(text) => bound.add(text.clone()),
            Cell::Bytes(bytes) => bound.add(bytes.clone()),
        };
    }
    bound
}
