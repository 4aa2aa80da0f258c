//! Opening: the folder, the lock, the connections and the migrations, each refusal in words that say what to do.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU32};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainspring_model::clock::Clock;
use mainspring_model::store::{FileBytes, Migrations, StoreError};
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqliteConnection};
use tokio::sync::Notify;

use super::error::Fail;
use super::writer::{Beginning, Writer};
use super::{SqliteStore, departure, migrations};
use crate::blobs::BlobFolder;
use crate::file_folder::FileFolder;
use crate::lock::{EngineLock, unwritable};

/// The database's name in its folder.
pub const DATABASE_FILE: &str = "mainspring.db";

/// How long a write waits for another process: its commands make short writes only.
const BUSY: Duration = Duration::from_secs(5);

/// How a store is opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// Made when it is missing.
    pub folder: PathBuf,
    /// Take `engine.lock`: this process will drive runs. Without it only short writes are made and nothing can be claimed.
    pub hold_engine_lock: bool,
    pub clock: Arc<dyn Clock>,
    /// Reading connections, opened when they are first needed.
    pub readers: u32,
    /// The file never grows beyond this many pages of 4 KiB; the disk alone bounds it when `None`.
    pub max_pages: Option<u32>,
    /// Apply what is missing; without it a database with pending migrations is refused.
    pub auto_migrate: bool,
    /// How many runs of each organization may be at work; as many as there are when `None`.
    pub places: Option<u32>,
    /// Where the bytes of files go instead of the folder.
    pub objects: Option<Arc<dyn FileBytes>>,
}

/// What the database of a folder has and lacks. Makes and changes nothing.
///
/// # Errors
/// `Newer`, `ChangedMigration`, `Failed`.
pub async fn migration_state(folder: &Path) -> Result<Migrations, StoreError> {
    let file = folder.join(DATABASE_FILE);
    if !file.exists() {
        return Ok(Migrations { applied: Vec::new(), pending: migrations::names() });
    }
    let state = async {
        let mut connection = base(&file).read_only(true).connect().await?;
        migrations::state(&mut connection).await
    };
    state.await.map_err(|fail: Fail| fail.stored(&file.display().to_string()))
}

impl OpenOptions {
    /// For the process that drives runs.
    pub fn new(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> OpenOptions {
        OpenOptions {
            folder: folder.into(),
            hold_engine_lock: true,
            clock,
            readers: 3,
            max_pages: None,
            auto_migrate: true,
            places: None,
            objects: None,
        }
    }
}

impl SqliteStore {
    /// Opens the store of a folder, and makes it when there is none.
    ///
    /// # Errors
    /// `ReadOnly` (also: not a directory), `Full`, `Locked`, `Newer`, `ChangedMigration`, `Pending`, `Incomplete`, `Moved`, `Failed`.
    pub async fn open(options: OpenOptions) -> Result<Arc<SqliteStore>, StoreError> {
        fs::create_dir_all(&options.folder).map_err(|error| unwritable(&options.folder, &error))?;
        let lock = if options.hold_engine_lock { Some(EngineLock::take(&options.folder)?) } else { None };
        let file = options.folder.join(DATABASE_FILE);
        let place: Arc<str> = file.display().to_string().into();
        // One process at a time: the change to WAL mode and the migrations meet nobody halfway.
        let _turn = turn(options.folder.clone()).await?;
        let mut connection = connect(&file, options.max_pages).await.map_err(|fail| fail.stored(&place))?;
        let epoch = prepare(&place, lock.is_some(), options.auto_migrate, &*options.clock, &mut connection)
            .await
            .map_err(|fail| fail.stored(&place))?;
        let arrived = Arc::new(Notify::new());
        let writer = Writer::start(Beginning {
            connection,
            epoch,
            clock: Arc::clone(&options.clock),
            arrived: Arc::clone(&arrived),
            place: Arc::clone(&place),
            lock,
        })?;
        let reading = base(&file).read_only(true).row_buffer_size(256);
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            .min_connections(0)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(Duration::from_secs(30))
            .connect_lazy_with(reading);
        Ok(Arc::new(SqliteStore {
            writer,
            readers,
            clock: options.clock,
            blobs: Arc::new(BlobFolder::new(&options.folder)),
            files: FileFolder::new(&options.folder),
            objects: options.objects,
            epoch,
            places: options.places,
            arrived,
            waiting: AtomicU32::new(0),
            place,
            sweep: AtomicU8::new(0),
            touched: Mutex::default(),
        }))
    }
}

/// Waits for others that open the same folder right now.
pub(super) async fn turn(folder: PathBuf) -> Result<File, StoreError> {
    let taken = tokio::task::spawn_blocking(move || {
        let path = folder.join("open.lock");
        let failed = |error: std::io::Error| unwritable(&path, &error);
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    });
    taken.await.unwrap_or(Err(StoreError::Closed))
}

pub(super) fn base(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(BUSY)
        // There are no foreign keys: runs outlive plans, and the writer's statements keep the rest together.
        .foreign_keys(false)
        .statement_cache_capacity(256)
        .disable_statement_logging()
}

pub(super) async fn connect(file: &Path, max_pages: Option<u32>) -> Result<SqliteConnection, Fail> {
    let mut options = base(file)
        .create_if_missing(true)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .thread_name(|_| "store-sqlite".to_owned())
        // Checkpoints of 16 MiB: rarer ones write each hot page fewer times, larger ones make the pause felt.
        .pragma("wal_autocheckpoint", "4000")
        // Above the checkpoint size, so that in ordinary work the log is written over and not grown again.
        .pragma("journal_size_limit", "67108864")
        .pragma("cache_size", "-16384")
        .pragma("temp_store", "memory");
    if let Some(pages) = max_pages {
        options = options.pragma("max_page_count", pages.to_string());
    }
    Ok(options.connect().await?)
}

/// Migrates, and begins a generation when this process will drive runs. Gives the epoch.
async fn prepare(place: &str, drives: bool, migrate: bool, clock: &dyn Clock, connection: &mut SqliteConnection) -> Result<i64, Fail> {
    if !migrate {
        let names = migrations::state(connection).await?.pending;
        if !names.is_empty() {
            return Err(StoreError::Pending { names }.into());
        }
    }
    migrations::migrate(clock.now(), connection).await?;
    departure::refuse(place, connection).await?;
    if !drives {
        return Ok(0);
    }
    // Whoever wrote them is no more: there was but one.
    sqlx::query("update file_uploads set due_at = 0").execute(&mut *connection).await?;
    let row = sqlx::query("update store_state set generation = generation + 1 where only_row = 1 returning generation")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}
