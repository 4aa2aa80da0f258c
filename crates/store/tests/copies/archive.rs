//! Archives: from one database to the other and back, damaged at every place, and onto what is not empty.

use std::path::Path;

use mainspring_model::clock::FakeClock;
use mainspring_model::id::Owner;
use mainspring_model::run::RunStatus;
use mainspring_model::store::copy::Source;
use mainspring_store::copy::{ArchiveReader, Filling, check, transfer};
use mainspring_store::postgres::PostgresStore;
use mainspring_store::{DATABASE_FILE, SqliteImport};
use serde_json::json;

use super::filled::{CANARY, fill};
use super::{archived, counted, into_database, into_folder, of_database, of_folder};
use crate::postgres::database::Database;
use crate::sqlite::open;
use crate::suite::make::{START, World, code, page};

async fn sqlite() -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::at(START);
    World::new(open(folder.path(), &clock).await.unwrap(), clock, folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_and_back_through_both_databases_is_the_same_by_hash() {
    let world = sqlite().await;
    fill(&world).await;
    // Beside the store that is open and holds the lock.
    let (bytes, first) = archived(&mut of_folder(world.folder.path()).await).await;
    for (table, rows, _) in first.tables() {
        assert!(rows >= 2, "{table} has {rows} rows: a copy that loses it would not be seen");
    }
    let (database, back) = (Database::make().await, tempfile::tempdir().unwrap());
    let options = database.options();
    assert_eq!(into_database(&options, &bytes).await.unwrap(), first);
    let (again, second) = archived(&mut of_database(&options).await).await;
    assert_eq!(first.difference(&second), None);
    // Of a database that somebody removed: it is not taken for the restored one's.
    std::fs::copy(world.folder.path().join("mainspring.db-wal"), back.path().join("mainspring.db-wal")).unwrap();
    into_folder(back.path(), &again).await.unwrap();
    let snapshot = of_folder(back.path()).await;
    assert_eq!((snapshot.head().canary.as_deref(), snapshot.head().key_ids.len()), (Some(CANARY), 1));
    assert_eq!(first.difference(&counted(snapshot).await), None);
    let names: Vec<_> = std::fs::read_dir(back.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name == "restoring"), "{names:?}");

    // What was restored works: lists, blobs, and the runs that were held go on as queued ones.
    let store = open(back.path(), &FakeClock::at(START + 1_000)).await.unwrap();
    let restored = World::new(store, world.clock.clone(), tempfile::tempdir().unwrap());
    let ours = world.store.list_runs(Owner::LOCAL.org, &Default::default(), &page(100)).await.unwrap().items;
    let theirs = restored.store.list_runs(Owner::LOCAL.org, &Default::default(), &page(100)).await.unwrap().items;
    assert_eq!(ours.len(), theirs.len());
    for (one, other) in ours.iter().zip(&theirs) {
        let expected = if one.status == RunStatus::Running { RunStatus::Queued } else { one.status };
        assert_eq!((one.id, expected, &one.plan_name, one.created_at), (other.id, other.status, &other.plan_name, other.created_at));
        assert_eq!(world.store.history(one.id).await.unwrap(), restored.store.history(one.id).await.unwrap());
    }
    assert_eq!(
        world.store.list_credentials(&Owner::LOCAL, None).await.unwrap(),
        restored.store.list_credentials(&Owner::LOCAL, None).await.unwrap()
    );
    assert_eq!(
        world.store.monitoring(Owner::LOCAL.org).await.unwrap().total_executions,
        restored.store.monitoring(Owner::LOCAL.org).await.unwrap().total_executions
    );
    let claimed = restored.store.claim(100).await.unwrap();
    assert!(claimed.len() >= 4, "queued ones and held ones: {}", claimed.len());
    let nodes = PostgresStore::open(options).await.unwrap();
    mainspring_model::store::Health::close(&*nodes).await;
    restored.store.close().await;
    world.store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_anywhere_is_refused_and_leaves_nothing() {
    let world = sqlite().await;
    for n in 1..4 {
        world.store.create_plan(crate::suite::make::plan_id(n), world.plan(&format!("Plan {n}"))).await.unwrap();
        world.ended(RunStatus::Success).await;
    }
    let (bytes, _) = archived(&mut of_folder(world.folder.path()).await).await;
    world.store.close().await;
    check(bytes.as_slice(), bytes.len() as u64).unwrap();
    // Every byte by the check of a file; a few dozen places by reading as a stream does, into a folder each.
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert_eq!(code(check(damaged.as_slice(), damaged.len() as u64)), "BACKUP_DAMAGED", "byte {at}");
    }
    for size in 0..bytes.len() {
        assert_eq!(code(check(&bytes[..size], size as u64)), "BACKUP_DAMAGED", "cut to {size}");
    }
    let folder = tempfile::tempdir().unwrap();
    let step = bytes.len() / 40;
    for at in (0..bytes.len()).step_by(step) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        for broken in [&damaged[..], &bytes[..at]] {
            let found = code(into_folder(folder.path(), broken).await);
            assert!(["BACKUP_DAMAGED", "BACKUP_NEWER"].contains(&found), "byte {at}: {found}");
            assert!(!folder.path().join(DATABASE_FILE).exists() && !folder.path().join("restoring").exists(), "byte {at}");
        }
    }
    let longer = [&bytes[..], b"x"].concat();
    assert_eq!(code(into_folder(folder.path(), &longer).await), "BACKUP_DAMAGED");
    into_folder(folder.path(), &bytes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_archive_leaves_a_database_empty() {
    let world = sqlite().await;
    fill(&world).await;
    let (bytes, tally) = archived(&mut of_folder(world.folder.path()).await).await;
    world.store.close().await;
    let database = Database::make().await;
    let options = database.options();
    // The last byte: every row has been written by then.
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(code(into_database(&options, &damaged).await), "BACKUP_DAMAGED");
    assert_eq!(counted(of_database(&options).await).await.rows(), 0);
    assert_eq!(into_database(&options, &bytes).await.unwrap(), tally);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_empty_is_refused_by_what_it_has() {
    let world = sqlite().await;
    world.store.create_plan(crate::suite::make::plan_id(1), world.plan("mine")).await.unwrap();
    let (bytes, _) = archived(&mut of_folder(world.folder.path()).await).await;
    let locked = into_folder(world.folder.path(), &bytes).await;
    assert_eq!(code(locked), "STORE_LOCKED", "somebody serves it");
    world.store.close().await;
    let error = into_folder(world.folder.path(), &bytes).await.unwrap_err();
    assert_eq!(error.code(), "STORE_NOT_EMPTY");
    assert!(error.to_string().contains("1 plans"), "{error}");
    let database = Database::make().await;
    let node = PostgresStore::open(database.options()).await.unwrap();
    assert_eq!(code(into_database(&database.options(), &bytes).await), "STORE_IN_USE");
    mainspring_model::store::Health::close(&*node).await;
    into_database(&database.options(), &bytes).await.unwrap();
    let error = into_database(&database.options(), &bytes).await.unwrap_err();
    assert!(error.code() == "STORE_NOT_EMPTY" && error.to_string().contains("1 plans"), "{error}");
}

#[tokio::test]
async fn a_newer_form_is_refused_by_name() {
    let head = json!({ "form": 99, "of": "a later version" }).to_string();
    let mut bytes = b"mainspring backup\nh".to_vec();
    bytes.extend(u32::try_from(head.len()).unwrap().to_le_bytes());
    bytes.extend(head.as_bytes());
    assert_eq!(code(ArchiveReader::begin(bytes.as_slice()).map(|_| ())), "BACKUP_NEWER");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_lost_a_blob_says_which() {
    let world = sqlite().await;
    fill(&world).await;
    world.store.close().await;
    let blobs = world.folder.path().join("blobs");
    let first = std::fs::read_dir(&blobs).unwrap().flatten().next().unwrap();
    std::fs::remove_dir_all(first.path()).unwrap();
    let import = tempfile::tempdir().unwrap();
    let mut snapshot = of_folder(world.folder.path()).await;
    let mut to = SqliteImport::begin(import.path(), snapshot.head(), Filling::Whole, START).await.unwrap();
    let error = transfer(&mut snapshot, &mut to, &mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("its file is gone"), "{error}");
    drop(to);
    assert!(!Path::new(&import.path().join(DATABASE_FILE)).exists());
}
