//! The bytes of files in a bucket of a real store that speaks S3.

mod server;

use mainspring_model::clock::FakeClock;
use mainspring_model::credential::Secret;
use mainspring_model::file::{FILE_CHUNK, FileValue};
use mainspring_model::id::{FileId, OrgId, Owner};
use mainspring_model::store::{FileBytes, FileEnd, FileRecord, FileStore, Health, StoreError};
use mainspring_store::{Bucket, BucketTerms, OpenOptions, SqliteStore};
use server::{Mood, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

const ORG: OrgId = OrgId::LOCAL;

fn id() -> FileId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    FileId(Uuid::from_u128(NEXT.fetch_add(1, Ordering::Relaxed).into()))
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

async fn write(all: &[u8], id: FileId, bucket: &dyn FileBytes) -> Result<(), StoreError> {
    for (no, chunk) in (0..).zip(all.chunks(FILE_CHUNK)) {
        bucket.append(ORG, id, no, chunk.to_vec()).await?;
    }
    bucket.finish(ORG, id, all.len() as u64).await
}

async fn read(length: usize, id: FileId, bucket: &dyn FileBytes) -> Result<Vec<u8>, StoreError> {
    let mut all = Vec::new();
    for no in 0.. {
        let piece = bucket.read(ORG, id, length as u64, no).await?;
        if piece.is_empty() {
            return Ok(all);
        }
        all.extend(piece);
    }
    Ok(all)
}

#[tokio::test]
async fn files_of_all_sizes_come_back_and_go() {
    let server = Server::start().await;
    let bucket = server.bucket();
    bucket.probe().await.unwrap();
    assert_eq!(server.left().0.len(), 0, "nothing stays of the probe");
    for length in [0, 1, FILE_CHUNK, FILE_CHUNK + 1, (5 << 20) - 1, 5 << 20, (12 << 20) + 7] {
        let (id, all) = (id(), bytes(length));
        write(&all, id, &bucket).await.unwrap();
        assert!(read(length, id, &bucket).await.unwrap() == all, "{length} bytes came back changed");
        assert_eq!(server.left().0.len(), usize::from(length > 0), "one object, and no mark");
        bucket.remove(ORG, id).await.unwrap();
        bucket.remove(ORG, id).await.unwrap();
        assert_eq!(server.left(), (Vec::new(), 0));
    }
    assert!(matches!(bucket.read(ORG, id(), 5, 0).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_large_file_goes_in_parts_while_it_is_written_and_is_no_file_before_its_end() {
    let server = Server::start().await;
    let (bucket, id, all) = (server.bucket(), id(), bytes(11 << 20));
    for (no, chunk) in (0..).zip(all.chunks(FILE_CHUNK)) {
        bucket.append(ORG, id, no, chunk.to_vec()).await.unwrap();
    }
    let parts = server.asked().iter().filter(|line| line.contains("partNumber=")).count();
    assert_eq!((parts, server.left().1), (2, 2), "what is full is sent before the end");
    assert!(matches!(bucket.read(ORG, id, 11 << 20, 0).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(bucket.finish(ORG, id, 5).await, Err(StoreError::Failed(_))), "a length that lies");
    assert!(matches!(bucket.finish(ORG, id, 11 << 20).await, Err(StoreError::Conflict(_))), "it was given up");
    bucket.remove(ORG, id).await.unwrap();
    assert_eq!(server.left(), (Vec::new(), 0));
}

#[tokio::test]
async fn parts_of_a_process_that_died_are_removed_by_another() {
    let server = Server::start().await;
    let data = tempfile::tempdir().unwrap();
    let clock = Arc::new(FakeClock::at(1_000_000));
    let open = |bucket: Bucket| {
        let options = OpenOptions { objects: Some(Arc::new(bucket)), ..OpenOptions::new(data.path(), clock.clone()) };
        async move { SqliteStore::open(options).await.unwrap() }
    };
    let (id, all) = (id(), bytes(6 << 20));
    let store = open(server.bucket()).await;
    store.begin_file(ORG, id).await.unwrap();
    for (no, chunk) in (0..).zip(all.chunks(FILE_CHUNK)) {
        store.append_file(ORG, id, no, chunk.to_vec()).await.unwrap();
    }
    assert_eq!(server.left().1, 1);
    store.close().await;
    drop(store);
    let store = open(server.bucket()).await;
    assert!(matches!(store.append_file(ORG, id, 24, vec![1]).await, Err(StoreError::Conflict(_))));
    clock.advance_to(1_000_000 + 7 * 24 * 3_600_000);
    store.sweep_files().await.unwrap();
    assert_eq!(server.left(), (Vec::new(), 0));
}

#[tokio::test]
async fn a_store_keeps_its_files_there_and_still_gives_what_is_older_than_the_bucket() {
    let server = Server::start().await;
    let data = tempfile::tempdir().unwrap();
    let clock = Arc::new(FakeClock::at(1_000_000));
    let mut files = Vec::new();
    for objects in [None, Some(server.bucket())] {
        let objects = objects.map(|bucket| Arc::new(bucket) as Arc<dyn FileBytes>);
        let store = SqliteStore::open(OpenOptions { objects, ..OpenOptions::new(data.path(), clock.clone()) }).await.unwrap();
        let id = id();
        let value = FileValue { file: id, name: "a".to_owned(), media_type: "text/plain".to_owned(), size: 3, sha256: "00".repeat(32) };
        store.begin_file(ORG, id).await.unwrap();
        store.append_file(ORG, id, 0, b"abc".to_vec()).await.unwrap();
        let record = FileRecord { owner: Owner::LOCAL, value, created_at: 0, expires_at: None, run: None, step: None };
        assert!(matches!(store.finish_file(&record, 1_000).await.unwrap(), FileEnd::Kept(_)));
        files.push(id);
        for file in &files {
            assert_eq!(store.read_file(ORG, *file, 3, 0).await.unwrap(), b"abc");
        }
        assert_eq!(server.left().0.len(), files.len() - 1);
        if files.len() == 2 {
            for file in &files {
                assert!(store.delete_file(ORG, *file).await.unwrap());
            }
            assert_eq!(server.left(), (Vec::new(), 0));
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_store_that_is_busy_is_asked_again_and_one_that_is_away_says_so() {
    let server = Server::start().await;
    let (bucket, file) = (server.bucket(), id());
    server.set(Mood::Busy(2));
    write(b"abc", file, &bucket).await.unwrap();
    server.set(Mood::Cut);
    let cut = bucket.read(ORG, file, 3, 0).await.unwrap_err();
    assert!(cut.to_string().contains("the bucket \"files\" at http://127.0.0.1:"), "{cut}");
    server.set(Mood::Away);
    let away = write(&bytes(3), id(), &bucket).await.unwrap_err();
    assert!(matches!(away, StoreError::Failed(_)) && away.to_string().contains("cannot be written"), "{away}");
    assert!(matches!(bucket.read(ORG, file, 3, 0).await, Err(StoreError::Failed(_))), "being away is not being gone");
    server.set(Mood::Well);
    assert_eq!(bucket.read(ORG, file, 3, 0).await.unwrap(), b"abc");
}

#[tokio::test]
async fn a_wrong_secret_and_a_bucket_that_is_not_there_are_told_apart() {
    let server = Server::start().await;
    let told = async |terms: BucketTerms| Bucket::open(&terms).unwrap().probe().await.unwrap_err().to_string();
    let wrong = told(BucketTerms { secret: Some(Secret::new("another")), ..server.terms() }).await;
    assert!(wrong.contains("MAINSPRING_S3_SECRET") && !wrong.contains("another"), "{wrong}");
    server.set(Mood::Bare);
    let none = told(BucketTerms { bucket: "elsewhere".to_owned(), ..server.terms() }).await;
    assert!(none.contains("\"elsewhere\"") && none.contains("there is no such bucket"), "{none}");
}
